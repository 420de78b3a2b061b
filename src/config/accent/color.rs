//! A colour, and how well it is read on another.

use std::fmt;

/// An opaque colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color([u8; 3]);

impl Color {
    pub(crate) const BLACK: Self = Self([0; 3]);
    pub(crate) const WHITE: Self = Self([255; 3]);

    pub(crate) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// `#rrggbb`. The `#` may be missing: in `.env` it begins a comment, unless it stands in quotes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        let is_hex = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(number) if is_hex => {
                let [_, red, green, blue] = number.to_be_bytes();
                Ok(Self::new(red, green, blue))
            }
            Ok(_) | Err(_) => Err(format!("must be a colour like #0055aa, and is `{text}`")),
        }
    }

    /// The contrast ratio of WCAG 2.2: from 1, the same, to 21, black and white.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The relative luminance of WCAG 2.2.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// With so many per cent of another colour.
    pub(crate) fn mixed(self, other: Self, percent: u8) -> Self {
        let mut mixed = self.0;
        for (channel, other) in mixed.iter_mut().zip(other.0) {
            let sum = u32::from(*channel) * u32::from(100 - percent)
                + u32::from(other) * u32::from(percent);
            *channel = u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::Color;

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        for (text, color) in [
            ("#0055aa", "#0055aa"),
            ("#0055AA", "#0055aa"),
            ("c0ffee", "#c0ffee"),
        ] {
            assert_eq!(Color::parse(text).unwrap().to_string(), color);
        }
        for text in [
            "",
            "#",
            "#05a",
            "#0055aa80",
            "##0055a",
            "#+055aa",
            "#0055ag",
            "blue",
            "#0055\u{e9}",
        ] {
            let problem = Color::parse(text).unwrap_err();
            assert!(problem.contains(text), "{problem}");
        }
    }

    /// The first two by definition, the others by the W3C's own examples and tools.
    #[test]
    fn the_contrast_is_that_of_wcag() {
        for (one, other, ratio) in [
            ("#000000", "#ffffff", 21.0),
            ("#0055aa", "#0055aa", 1.0),
            ("#777777", "#ffffff", 4.48),
            ("#767676", "#ffffff", 4.54),
            ("#0000ff", "#ffffff", 8.59),
        ] {
            let [one, other] = [one, other].map(|text| Color::parse(text).unwrap());
            assert!(
                (one.contrast(other) - ratio).abs() < 0.01,
                "{one} on {other}"
            );
            assert!(
                (other.contrast(one) - ratio).abs() < 0.01,
                "{other} on {one}"
            );
        }
    }

    #[test]
    fn a_mixture_lies_between_the_two() {
        let blue = Color::parse("#0055aa").unwrap();
        assert_eq!(blue.mixed(Color::WHITE, 0), blue);
        assert_eq!(blue.mixed(Color::WHITE, 100), Color::WHITE);
        assert_eq!(blue.mixed(Color::BLACK, 20).to_string(), "#004488");
    }
}
