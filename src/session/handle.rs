//! The public name of a session.

use std::fmt;
use std::ops::RangeInclusive;

use super::SessionId;

/// Names a session in lists, without the power to use it: the first 16 bytes of the SHA-256 of its id.
///
/// ```
/// use innkeeper::{Handle, SessionId};
///
/// let handle = Handle::from(&SessionId::generate());
/// assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u128);

impl Handle {
    /// Reads 32 lower-case hexadecimal digits; `None` for every other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let handle = Self(u128::from_str_radix(text, 16).ok()?);
        (handle.to_string() == text).then_some(handle)
    }

    /// The handle of a session of which only the digest is known.
    pub(crate) fn of_digest(digest: &[u8; 32]) -> Self {
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        Self(u128::from_be_bytes(bytes))
    }

    /// The first eight digits: enough to follow a session through a log.
    pub(crate) fn prefix(self) -> Prefix {
        Prefix(self)
    }

    /// All digests that have this handle.
    pub(crate) fn digests(self) -> RangeInclusive<[u8; 32]> {
        let digest = |rest: u8| {
            let mut digest = [rest; 32];
            for (byte, own) in digest.iter_mut().zip(self.0.to_be_bytes()) {
                *byte = own;
            }
            digest
        };
        digest(u8::MIN)..=digest(u8::MAX)
    }
}

/// The beginning of a handle.
pub(crate) struct Prefix(Handle);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0.0 >> 96)
    }
}

impl From<&SessionId> for Handle {
    fn from(id: &SessionId) -> Self {
        Self::of_digest(&id.digest())
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_the_first_half_of_the_digest() {
        let id = SessionId::parse("5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a").unwrap();
        let as_sha256sum_says = "a8fd254216dc5676881f6077e5477578";
        assert_eq!(Handle::from(&id).to_string(), as_sha256sum_says);
        assert_eq!(Handle::from(&id).prefix().to_string(), "a8fd2542");
        assert!(Handle::from(&id).digests().contains(&id.digest()));
    }

    #[test]
    fn only_its_own_spelling_is_a_handle() {
        assert!(Handle::parse("0123456789abcdef0123456789abcdef").is_some());
        for other in [
            "",
            "others",
            "0",
            "0123456789ABCDEF0123456789abcdef",
            "+123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef0",
            "../0123456789abcdef0123456789abc",
        ] {
            assert_eq!(Handle::parse(other), None, "{other}");
        }
    }
}
