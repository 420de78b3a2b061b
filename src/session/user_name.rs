//! The name under which somebody signs in.

use std::fmt;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

/// A user name that may sign in: 1 to 64 characters in Unicode's NFC.
///
/// Any script is welcome. Refused are characters that cannot be seen or that make two names look alike:
/// control, bidi, zero-width and replacement characters, and white space at either end.
///
/// ```
/// use innkeeper::{NameError, UserName};
///
/// assert_eq!(UserName::parse("Zoe\u{308}").unwrap().as_str(), "Zo\u{eb}");
/// assert_eq!(UserName::parse(" zoe"), Err(NameError::OuterSpace));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// Why a text is no user name. `Display` is written for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
        if name.chars().any(is_forbidden) {
            return Err(NameError::Forbidden);
        }
        if name.trim() != name {
            return Err(NameError::OuterSpace);
        }
        Ok(Self(name))
    }

    /// What a name is apart from its length, as a regular expression of ECMAScript (with its flag `u`).
    pub(crate) fn pattern() -> String {
        let mut forbidden = String::new();
        for range in &FORBIDDEN {
            forbidden.extend([*range.start(), '-', *range.end()]);
        }
        format!("^[^{forbidden}{SPACE}]([^{forbidden}]*[^{forbidden}{SPACE}])?$")
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

/// Control characters, and what Unicode calls default ignorable: it is not shown, so it makes names look alike.
/// Of that only the two variation selectors that emoji are written with are allowed.
const FORBIDDEN: [RangeInclusive<char>; 20] = [
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
    '\u{fff0}'..='\u{ffff}', // annotations, object and character replacement, no characters
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}', // tags, further variation selectors
];

/// The white space that is not forbidden altogether.
const SPACE: &str = " \u{a0}\u{1680}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}";

/// Whether a character is invisible, or changes how the others are read.
pub(crate) fn is_forbidden(character: char) -> bool {
    FORBIDDEN.iter().any(|range| range.contains(&character))
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
    fn what_cannot_be_seen_is_refused() {
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
        assert_eq!(UserName::parse(""), Err(NameError::Empty));
    }
}
