//! Random secrets that are handed out once.

use std::fmt;

use uuid::Uuid;

use super::Digest;

/// A random secret of 244 bits, written as 64 hexadecimal digits: the value of the cookie `known_device`, the end of an
/// invitation's address.
///
/// Its `Debug` shows nothing. A store keeps its [`digest`](Self::digest).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    const DIGITS: usize = 64;

    /// A new one, from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        let [first, second] = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::simple);
        Self(format!("{first}{second}"))
    }

    /// Reads one back; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_token = text.len() == Self::DIGITS && text.bytes().all(is_digit);
        is_token.then(|| Self(text.to_owned()))
    }

    /// The secret itself, for the one who may have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a store keeps of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
