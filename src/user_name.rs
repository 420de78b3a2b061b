//! User names.

use std::fmt;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::UnicodeEmoji;

/// A user name that may sign in: 1 to 64 characters in Unicode's NFC.
///
/// Any script is allowed. Refused are characters that are invisible or make two names look alike: control, bidi,
/// zero-width, replacement and noncharacters, white space other than single spaces between other characters, and a
/// variation selector (U+FE0E, U+FE0F) after anything but an emoji.
///
/// ```
/// use innkeeper::{NameError, UserName};
///
/// assert_eq!(UserName::parse("Zoe\u{308}").unwrap().as_str(), "Zo\u{eb}");
/// assert_eq!(UserName::parse(" zoe"), Err(NameError::OuterSpace));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// Why a text is not a user name. `Display` is written for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No character at all.
    #[error("User name should have at least 1 character")]
    Empty,
    /// More than 64 characters after normalization.
    #[error("User name should have at most 64 characters")]
    TooLong,
    /// White space before or after the name.
    #[error("User name should not begin or end with white space")]
    OuterSpace,
    /// White space inside that is not a single U+0020.
    #[error("User name should not contain white space other than single spaces")]
    InnerSpace,
    /// A character that is invisible, or that changes how the others are read.
    #[error("User name should not contain control, invisible or replacement characters")]
    Forbidden,
}

impl UserName {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 64;

    /// Normalizes and checks a name.
    ///
    /// # Errors
    ///
    /// The first of [`NameError`]'s rules that the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let name: String = text.nfc().take(Self::MAX_CHARS + 1).collect();
        if name.chars().count() > Self::MAX_CHARS {
            return Err(NameError::TooLong);
        }
        if name.chars().any(is_disallowed) || has_stray_selector(&name) {
            return Err(NameError::Forbidden);
        }
        if name.trim() != name {
            return Err(NameError::OuterSpace);
        }
        let is_other_space = |c: char| c.is_whitespace() && c != ' ';
        if name.contains(is_other_space) || name.contains("  ") {
            return Err(NameError::InnerSpace);
        }
        Ok(Self(name))
    }

    /// The rules for a name, except its length, as an ECMAScript regular expression for the schema of the API.
    ///
    /// It is written in ASCII, because many tools read that document as YAML, which allows no control characters, and
    /// with `\uXXXX`, which most languages' expressions know. It refuses no valid name. It accepts some invalid ones:
    /// with forbidden characters beyond U+FFFF, or a variation selector after a character that takes none.
    pub(crate) fn pattern() -> String {
        let mut forbidden = String::new();
        for range in &FORBIDDEN {
            if let (Some(first), Some(last)) = (escaped(*range.start()), escaped(*range.end())) {
                forbidden.extend([first.as_str(), "-", last.as_str()]);
            }
        }
        let character = format!(
            r"([^ {forbidden}{SPACES}\ufe0e\ufe0f]|[^\u0000-\u00a8{forbidden}{SPACES}\ufe0e\ufe0f][\ufe0e\ufe0f]|[#*0-9]\ufe0f\u20e3)"
        );
        format!("^{character}( ?{character})*$")
    }

    /// The name, in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, noncharacters, and Unicode's default ignorable code points: they are not shown, and so make names
/// look alike.
///
/// Two ignorable ones are allowed, the variation selectors of emoji: see [`has_stray_selector`].
const FORBIDDEN: [RangeInclusive<char>; 21] = [
    '\0'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}', // zero-width space and joiners, bidi marks
    '\u{2028}'..='\u{202e}', // line and paragraph separator, bidi embeddings and overrides
    '\u{2060}'..='\u{206f}', // word joiner, invisible operators, bidi isolates
    '\u{2800}'..='\u{2800}', // braille without a dot
    '\u{3164}'..='\u{3164}', // Hangul fillers
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fe00}'..='\u{fe0d}', // variation selectors
    '\u{feff}'..='\u{feff}',
    '\u{fdd0}'..='\u{fdef}', // noncharacters, as the last two of each plane are
    '\u{fff0}'..='\u{ffff}', // annotations, object and character replacement, noncharacters
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}', // tags, further variation selectors
];

/// The white space other than U+0020 that [`FORBIDDEN`] does not contain; for [`UserName::pattern`].
const SPACES: &str = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000";

/// Whether a character is invisible, or changes how the others are read.
pub(crate) fn is_disallowed(character: char) -> bool {
    let last_two_of_a_plane = u32::from(character) & 0xfffe == 0xfffe;
    last_two_of_a_plane || FORBIDDEN.iter().any(|range| range.contains(&character))
}

/// Whether a variation selector stands where it is invisible.
///
/// After an emoji it chooses between image and text. The digits, `#` and `*` take one too (UTS 51), but it is visible
/// there only in a keycap (U+FE0F U+20E3).
fn has_stray_selector(name: &str) -> bool {
    let mut previous = None;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let is_selector = matches!(character, '\u{fe0e}' | '\u{fe0f}');
        let takes_one = previous.is_some_and(|base: char| {
            let keycap = character == '\u{fe0f}' && characters.peek() == Some(&'\u{20e3}');
            base.is_emoji_char() && (!base.is_ascii() || keycap)
        });
        if is_selector && !takes_one {
            return true;
        }
        previous = Some(character);
    }
    false
}

/// The escape of a character in an ECMAScript regular expression; `None` beyond U+FFFF.
fn escaped(character: char) -> Option<String> {
    let code = u16::try_from(u32::from(character)).ok()?;
    Some(format!("\\u{code:04x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_pass_unchanged() {
        for name in [
            "a",
            "abdullah",
            "Ada Lovelace",
            "\u{5d9}\u{5d5}\u{5e1}\u{5e3}",
            "\u{738b}\u{5c0f}\u{660e}",
            "\u{2764}\u{fe0f}",
            "\u{2764}\u{fe0e}",
            "\u{26a1}\u{fe0f}\u{1f5e3}\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "O'Brien <b>&amp;</b>",
            "{user}:*?[]",
        ] {
            assert_eq!(UserName::parse(name).map(|n| n.0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn the_length_is_counted_in_characters_after_normalization() {
        let decomposed = "e\u{301}".repeat(64);
        assert_eq!(
            UserName::parse(&decomposed).map(|n| n.0),
            Ok("\u{e9}".repeat(64))
        );
        assert_eq!(UserName::parse(&"x".repeat(65)), Err(NameError::TooLong));
    }

    #[test]
    fn invisible_characters_and_stray_white_space_are_refused() {
        for name in [
            "a\0b",
            "a\nb",
            "a\u{7f}b",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{200d}b",
            "a\u{feff}b",
            "a\u{fffd}b",
            "\u{3164}",
            "\u{2800}",
            "a\u{34f}",
            "a\u{e0100}",
            "\u{2028}",
            "\u{fdd0}",
            "a\u{1fffe}",
            "a\u{10ffff}",
            "\u{fe0f}",
            "\u{fe0e}",
            "admin\u{fe0f}",
            "admin1\u{fe0f}",
            "1\u{fe0e}\u{20e3}",
            "\u{2764}\u{fe0f}\u{fe0f}",
            "\u{2764}\u{fe0e}\u{fe0f}",
            "\u{2764} \u{fe0f}",
        ] {
            assert_eq!(UserName::parse(name), Err(NameError::Forbidden), "{name:?}");
        }
        for name in [" ", " a", "a ", "a\u{3000}", "\u{a0}a"] {
            assert_eq!(
                UserName::parse(name),
                Err(NameError::OuterSpace),
                "{name:?}"
            );
        }
        for name in [
            "a  b",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\u{3000}b",
            "a \u{202f}b",
            "a\u{1680}b",
        ] {
            assert_eq!(
                UserName::parse(name),
                Err(NameError::InnerSpace),
                "{name:?}"
            );
        }
        assert_eq!(UserName::parse(""), Err(NameError::Empty));
    }
}
