//! The colour of links and buttons, checked against the colours that it is used with.

mod color;

pub(crate) use color::Color;

/// What WCAG 2.2 asks of text (1.4.3, level AA).
const MIN_CONTRAST: f64 = 4.5;

/// The colours of `static/style.css` that the accent meets.
struct Scheme {
    name: &'static str,
    /// Behind a page's content.
    card: Color,
    /// Behind the page.
    background: Color,
    /// Makes an accent easier to read, and is what it becomes under the mouse.
    away: Color,
}

const LIGHT: Scheme = Scheme {
    name: "light",
    card: Color::new(0xff, 0xfd, 0xfa),
    background: Color::new(0xf6, 0xf1, 0xea),
    away: Color::BLACK,
};

const DARK: Scheme = Scheme {
    name: "dark",
    card: Color::new(0x21, 0x1a, 0x16),
    background: Color::new(0x17, 0x12, 0x0f),
    away: Color::WHITE,
};

/// The colour of links and buttons in a browser's light and dark scheme; each can be read, by WCAG 2.2 (level AA).
///
/// `accent_color` is the light scheme's. The dark scheme's is `accent_color_dark`, or else made of the other one: mixed with
/// as little white as makes it readable. (A colour that is readable on white is rarely readable on black as well, so one
/// colour for both would leave almost none.) Where only `accent_color_dark` is set, the light scheme keeps its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accent {
    pub(crate) light: Option<Shades>,
    pub(crate) dark: Option<Shades>,
}

/// An accent with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shades {
    /// Of links, and behind the text of buttons.
    pub(crate) accent: Color,
    /// The same under the mouse.
    pub(crate) hover: Color,
    /// The text of buttons.
    pub(crate) text: Color,
}

impl Accent {
    pub(crate) const KEY: &str = "accent_color";
    pub(crate) const DARK_KEY: &str = "accent_color_dark";

    /// # Errors
    ///
    /// The key of the colour that cannot be read, and the rest of a sentence for the operator.
    pub(crate) fn new(
        light: Option<Color>,
        dark: Option<Color>,
    ) -> Result<Self, (&'static str, String)> {
        let check = |color: Option<Color>, scheme: &Scheme, key| {
            let checked = color.map(|color| scheme.check(color)).transpose();
            checked.map_err(|problem| (key, problem))
        };
        let derived = || light.map(|color| Shades::new(DARK.readable(color), &DARK));
        Ok(Self {
            light: check(light, &LIGHT, Self::KEY)?,
            dark: check(dark, &DARK, Self::DARK_KEY)?.or_else(derived),
        })
    }
}

impl Shades {
    fn new(accent: Color, scheme: &Scheme) -> Self {
        let contrast = |text: &Color| accent.contrast(*text);
        let text = if contrast(&Color::WHITE) > contrast(&Color::BLACK) {
            Color::WHITE
        } else {
            Color::BLACK
        };
        Self {
            accent,
            hover: accent.mixed(scheme.away, 20),
            text,
        }
    }
}

impl Scheme {
    fn check(&self, color: Color) -> Result<Shades, String> {
        let shades = Shades::new(color, self);
        let Some((pair, contrast)) = self.unreadable(&shades) else {
            return Ok(shades);
        };
        Err(format!(
            "is {color}, which cannot be read in the {} scheme: {pair} has a contrast of {:.2}, and needs {MIN_CONTRAST} \
             (WCAG 2.2, 1.4.3). {} would do",
            self.name,
            // Never rounded up to what it lacks.
            (contrast * 100.0).floor() / 100.0,
            self.readable(color),
        ))
    }

    /// The pair of colours that is hardest to read, if one is too hard.
    fn unreadable(&self, shades: &Shades) -> Option<(String, f64)> {
        let Shades {
            accent,
            hover,
            text,
        } = *shades;
        let pairs = [
            ("a link", accent, "the card", self.card),
            ("a link", accent, "the page's background", self.background),
            (
                "a link under the mouse",
                hover,
                "the page's background",
                self.background,
            ),
            ("a button's text", text, "the button", accent),
            ("a button's text", text, "the button under the mouse", hover),
        ];
        pairs
            .into_iter()
            .map(|(what, color, on, ground)| {
                let pair = format!("{what} ({color}) on {on} ({ground})");
                (pair, color.contrast(ground))
            })
            .filter(|(_, contrast)| *contrast < MIN_CONTRAST)
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// The nearest shade that can be read.
    fn readable(&self, color: Color) -> Color {
        let shades = (0..=100).map(|percent| color.mixed(self.away, percent));
        let mut readable =
            shades.filter(|shade| self.unreadable(&Shades::new(*shade, self)).is_none());
        readable.next().unwrap_or(self.away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap()
    }

    fn schemes() -> [(&'static str, &'static Scheme); 2] {
        let css = include_str!("../../../static/style.css");
        let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
        [(light, &LIGHT), (dark, &DARK)]
    }

    fn of_css(css: &str, name: &str) -> Color {
        let value = css.split(&format!("--{name}: ")).nth(1).unwrap();
        color(value.split(';').next().unwrap())
    }

    #[test]
    fn the_schemes_are_those_of_the_style_sheet() {
        for (css, scheme) in schemes() {
            assert_eq!(of_css(css, "card"), scheme.card);
            assert_eq!(of_css(css, "paper"), scheme.background);
        }
    }

    #[test]
    fn our_own_accent_can_be_read() {
        for (css, scheme) in schemes() {
            let ours = Shades {
                accent: of_css(css, "accent"),
                hover: of_css(css, "accent-deep"),
                text: of_css(css, "on-accent"),
            };
            assert_eq!(scheme.unreadable(&ours), None, "{}", scheme.name);
        }
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_the_pair_and_a_shade_that_can() {
        let (key, problem) = Accent::new(Some(color("#ffcc00")), None).unwrap_err();
        assert_eq!(key, "accent_color");
        for part in [
            "is #ffcc00",
            "light scheme",
            "page's background (#f6f1ea)",
            "contrast of 1.34",
            "needs 4.5",
        ] {
            assert!(problem.contains(part), "{part}: {problem}");
        }
        let better = problem
            .split(". ")
            .last()
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        assert!(Accent::new(Some(color(better)), None).is_ok(), "{better}");

        let (key, problem) = Accent::new(None, Some(color("#0055aa"))).unwrap_err();
        assert_eq!(key, "accent_color_dark");
        assert!(
            problem.contains("dark scheme") && problem.contains("the card (#211a16)"),
            "{problem}"
        );
    }

    /// Just above and just below the limit.
    #[test]
    fn the_limit_is_four_and_a_half() {
        let grey = |level: u8| Color::new(level, level, level);
        let readable: Vec<_> = (0..=255)
            .filter(|level| Accent::new(Some(grey(*level)), None).is_ok())
            .collect();
        let last = *readable.last().unwrap();
        assert_eq!(readable.len(), usize::from(last) + 1, "{readable:?}");
        assert!(grey(last).contrast(LIGHT.background) >= 4.5);
        assert!(grey(last + 1).contrast(LIGHT.background) < 4.5);
    }

    #[test]
    fn the_dark_scheme_has_a_readable_shade_of_every_colour_unless_it_has_its_own() {
        for text in ["#000000", "#0055aa", "#8a3d1f", "#006400", "#5a00a0"] {
            let Accent {
                dark: Some(dark), ..
            } = Accent::new(Some(color(text)), None).unwrap()
            else {
                panic!("no dark shade of {text}");
            };
            assert_eq!(DARK.unreadable(&dark), None, "{text}");
            assert_ne!(dark.accent, color(text));
        }
        let own = Accent::new(Some(color("#0055aa")), Some(color("#88bbff"))).unwrap();
        assert_eq!(own.dark.unwrap().accent, color("#88bbff"));
        let only = Accent::new(None, Some(color("#88bbff"))).unwrap();
        assert_eq!((only.light, only.dark.is_some()), (None, true));
        assert_eq!(Accent::new(None, None).unwrap(), Accent::default());
    }
}
