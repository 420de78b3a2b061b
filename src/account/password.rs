//! Which passwords may be chosen, and how each is prepared.

use unicode_normalization::UnicodeNormalization;

use super::strength::{Level, Strength};
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
    Guessable(String),
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
        let prepared = self.check_form(Some(user), password)?;
        let strength = Strength::estimate(prepared.text(), &[user.as_str(), &self.site]);
        match strength.level() {
            Level::Weak => Err(PasswordProblem::Guessable(strength.into_advice())),
            Level::Good | Level::Strong => Ok(prepared),
        }
    }

    /// What is to be said of a password that is being chosen.
    pub(super) fn strength(&self, user: Option<&UserName>, password: &Password) -> Strength {
        match self.check_form(user, password) {
            Ok(prepared) => {
                let user = user.map(UserName::as_str);
                let names: Vec<_> = user.into_iter().chain([self.site.as_str()]).collect();
                Strength::estimate(prepared.text(), &names)
            }
            Err(problem) => Strength::refused(&problem.to_string()),
        }
    }

    fn check_form(
        &self,
        user: Option<&UserName>,
        password: &Password,
    ) -> Result<Prepared, PasswordProblem> {
        let prepared = Prepared::new(password)?;
        if prepared.text().chars().count() < self.min_chars {
            return Err(PasswordProblem::TooShort {
                min: self.min_chars,
            });
        }
        if user.is_some_and(|user| contains_name(&prepared, user.as_str())) {
            return Err(PasswordProblem::UserName);
        }
        if contains_name(&prepared, &self.site) {
            return Err(PasswordProblem::SiteName);
        }
        Ok(prepared)
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
