//! Which passwords may be chosen, and how each is prepared.

use unicode_normalization::UnicodeNormalization;

use super::strength::weakness;
use crate::sign_in::Password;
use crate::user_name::UserName;

/// The most code points that a password may have: enough for a phrase of forty words.
const MAX_CHARS: usize = 256;

/// The shortest name that a password must not contain; a shorter one stands in many words.
const MIN_NAME_CHARS: usize = 4;

/// Why a password is refused. `Display` is written for the one who chose it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordProblem {
    /// No character at all, or fewer than the settings ask for.
    #[error("Password should have at least {min} characters")]
    TooShort {
        /// How many are enough.
        min: usize,
    },
    /// More characters than are taken.
    #[error("Password should have at most {MAX_CHARS} characters")]
    TooLong,
    /// A control character, a line break among them.
    #[error("Password should not contain control characters")]
    Control,
    /// The user's name, in any case.
    #[error("Password should not contain the user name")]
    UserName,
    /// The site's name, in any case.
    #[error("Password should not contain the name of this site")]
    SiteName,
    /// What programs that guess passwords try early.
    #[error("Password is too easy to guess: {0}")]
    Guessable(&'static str),
}

impl PasswordProblem {
    /// The type of a validation error, as in JSON answers.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "string_too_short",
            Self::TooLong => "string_too_long",
            Self::Control | Self::UserName | Self::SiteName | Self::Guessable(_) => "value_error",
        }
    }
}

/// A password as it is hashed: prepared by the profile `OpaqueString` of RFC 8265, so that every keyboard's spelling of one
/// password is the same.
#[derive(Clone, Debug)]
pub(super) struct Prepared(Password);

impl Prepared {
    /// Refuses control characters, the empty password, and one that is too long; other spaces become U+0020; then NFC.
    pub(super) fn new(password: &Password) -> Result<Self, PasswordProblem> {
        // The longest that is kept, so that growing leaves no copy behind in freed memory.
        let mut prepared = String::with_capacity(4 * (MAX_CHARS + 1));
        let mapped = password.expose().chars().map(|character| match character {
            // Not the separators of lines and paragraphs, which the profile refuses as it does control characters.
            '\u{2028}' | '\u{2029}' => '\n',
            space if space.is_whitespace() && !space.is_control() => ' ',
            other => other,
        });
        prepared.extend(mapped.nfc().take(MAX_CHARS + 1));
        let prepared = Self(Password::new(prepared));
        if prepared.text().is_empty() {
            return Err(PasswordProblem::TooShort { min: 1 });
        }
        if prepared.text().contains(char::is_control) {
            return Err(PasswordProblem::Control);
        }
        if prepared.text().chars().count() > MAX_CHARS {
            return Err(PasswordProblem::TooLong);
        }
        Ok(prepared)
    }

    pub(super) fn text(&self) -> &str {
        self.0.expose()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text().as_bytes()
    }
}

/// Which passwords may be chosen. There are no rules on kinds of characters, and none expires (NIST SP 800-63B-4).
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    min_chars: usize,
    site: String,
}

impl PasswordPolicy {
    /// `min_length`: in code points. `site`: the site's name, which a password must not contain.
    #[must_use]
    pub fn new(min_length: u32, site: impl Into<String>) -> Self {
        Self {
            min_chars: usize::try_from(min_length).unwrap_or(MAX_CHARS),
            site: site.into(),
        }
    }

    /// Checks a password that is to be set, and prepares it.
    pub(super) fn check(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<Prepared, PasswordProblem> {
        let prepared = Prepared::new(password)?;
        if prepared.text().chars().count() < self.min_chars {
            return Err(PasswordProblem::TooShort {
                min: self.min_chars,
            });
        }
        if contains_name(&prepared, user.as_str()) {
            return Err(PasswordProblem::UserName);
        }
        if contains_name(&prepared, &self.site) {
            return Err(PasswordProblem::SiteName);
        }
        match weakness(prepared.text(), &[user.as_str(), &self.site]) {
            Some(why) => Err(PasswordProblem::Guessable(why)),
            None => Ok(prepared),
        }
    }
}

/// Whether it contains a name that is long enough for this to be no coincidence, in any case.
fn contains_name(password: &Prepared, name: &str) -> bool {
    let name: String = name.nfc().collect::<String>().to_lowercase();
    name.chars().count() >= MIN_NAME_CHARS
        && Password::new(password.text().to_lowercase())
            .expose()
            .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn prepared(text: &str) -> Result<String, PasswordProblem> {
        Prepared::new(&password(text)).map(|prepared| prepared.text().to_owned())
    }

    fn refused(user: &str, text: &str) -> PasswordProblem {
        let user = UserName::parse(user).unwrap();
        let policy = PasswordPolicy::new(15, "Hilbert's Hotel");
        policy.check(&user, &password(text)).unwrap_err()
    }

    #[test]
    fn a_password_is_the_same_however_a_keyboard_spells_it() {
        for (typed, expected) in [
            ("correct horse", "correct horse"),
            ("correct\u{a0}horse\u{3000}staple", "correct horse staple"),
            (" outer  spaces ", " outer  spaces "),
            ("Zoe\u{308}", "Zo\u{eb}"),
            // The case and the width of characters are kept, and so are emoji that Unicode 6.3 did not know.
            ("\u{ff21}bC", "\u{ff21}bC"),
            (
                "\u{1fae0}\u{2764}\u{fe0f}\u{1f9d1}\u{200d}\u{1f4bb}",
                "\u{1fae0}\u{2764}\u{fe0f}\u{1f9d1}\u{200d}\u{1f4bb}",
            ),
        ] {
            assert_eq!(prepared(typed).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn control_characters_and_the_empty_password_are_refused() {
        for text in [
            "a\tb",
            "a\n",
            "\0",
            "a\u{7f}",
            "\u{85}a",
            "a\u{2028}b",
            "a\u{2029}b",
        ] {
            assert_eq!(prepared(text), Err(PasswordProblem::Control), "{text:?}");
        }
        assert_eq!(prepared(""), Err(PasswordProblem::TooShort { min: 1 }));
    }

    #[test]
    fn a_password_has_up_to_256_code_points_after_normalization() {
        for (longest, characters) in [("x", 1), ("\u{1f5dd}", 1), ("e\u{301}", 2)] {
            let text = prepared(&longest.repeat(256)).unwrap();
            assert_eq!(text.chars().count(), 256, "{characters}");
            assert_eq!(
                prepared(&longest.repeat(257)),
                Err(PasswordProblem::TooLong)
            );
        }
    }

    #[test]
    fn a_short_password_is_refused_only_where_it_is_chosen() {
        let problem = refused("amy", "vexing quartz ");
        assert_eq!(problem, PasswordProblem::TooShort { min: 15 });
        assert_eq!(
            problem.to_string(),
            "Password should have at least 15 characters"
        );
        assert_eq!(problem.kind(), "string_too_short");
        assert!(prepared("x").is_ok());
        let too_long = refused("amy", &"vexing quartz ".repeat(20));
        assert_eq!(too_long.kind(), "string_too_long");
    }

    #[test]
    fn the_names_of_user_and_site_are_refused_in_any_case() {
        for text in ["vexing aBDULLAH quartz", "ABDULLAHvexing quartz"] {
            assert_eq!(refused("abdullah", text), PasswordProblem::UserName);
        }
        let umlaut = refused("zo\u{eb}lle", "vexing ZOE\u{308}LLE quartz");
        assert_eq!(umlaut, PasswordProblem::UserName);
        let site = refused("abdullah", "vexing hilbert's hotel quartz");
        assert_eq!(site, PasswordProblem::SiteName);
        assert_eq!(site.kind(), "value_error");
        // A name of three letters stands in many words.
        let policy = PasswordPolicy::new(15, "Inn");
        let ann = UserName::parse("ann").unwrap();
        assert!(
            policy
                .check(&ann, &password("planning vexed innkeepers"))
                .is_ok()
        );
    }

    #[test]
    fn what_guessing_programs_try_early_is_refused_with_the_reason() {
        for text in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "123456789012345",
            "abcabcabcabcabcabc",
            "Password12345678",
            "iloveyouiloveyou",
        ] {
            let problem = refused("amy", text);
            assert!(
                matches!(problem, PasswordProblem::Guessable(_)),
                "{text}: {problem}"
            );
            assert_eq!(problem.kind(), "value_error");
        }
        let why = |text| weakness(text, &[]);
        assert_eq!(why("password"), Some("many people use it"));
        assert_eq!(why("aaaaaaaaaaaa"), Some("repeating something adds little"));
    }

    #[test]
    fn what_follows_the_first_40_characters_is_not_estimated() {
        let strong = "vexing quartz sphinx of black mnvhqzk ju";
        assert_eq!(weakness(strong, &[]), None);
        for weak in ["a".repeat(40), "\u{e9}".repeat(40)] {
            let why = weakness(&weak, &[]);
            assert!(why.is_some());
            assert_eq!(weakness(&format!("{weak}{strong}"), &[]), why);
        }
    }

    #[test]
    fn there_are_no_rules_on_kinds_of_characters() {
        let amy = UserName::parse("amy").unwrap();
        let policy = PasswordPolicy::new(15, "Hilbert's Hotel");
        for text in [
            "correct horse battery staple",
            "mnvhqzkdprxtlwj",
            "\u{5d9}\u{5d5}\u{5e1}\u{5e3} \u{738b}\u{5c0f}\u{660e} \u{1f5dd}\u{1fae0}\u{1f9ff}\u{1f340}\u{1f40c}\u{1f9ed}",
            "8305 1749 2266 9031",
        ] {
            assert_eq!(
                policy.check(&amy, &password(text)).map(drop),
                Ok(()),
                "{text}"
            );
        }
    }

    #[test]
    fn no_password_is_shown_by_debug() {
        let secret = "vexing quartz sphinx";
        let prepared = Prepared::new(&password(secret)).unwrap();
        let guessable = refused("amy", "passwordpassword");
        for text in [format!("{prepared:?}"), format!("{guessable:?}{guessable}")] {
            assert!(
                !text.contains("quartz") && !text.contains("password"),
                "{text}"
            );
        }
    }
}
