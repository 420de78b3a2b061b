//! The public name of a session.

use std::fmt;
use std::ops::RangeInclusive;

use super::SessionId;

/// Names a session in lists, without the power to use it: the first 16 bytes of the SHA-256 of its id.
///
/// ```
/// use innkeeper::{SessionHandle, SessionId};
///
/// let handle = SessionHandle::from(&SessionId::generate());
/// assert_eq!(SessionHandle::parse(&handle.to_string()), Some(handle));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle(u128);

impl SessionHandle {
    /// Reads 32 lower-case hexadecimal digits; `None` for every other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let handle = Self(u128::from_str_radix(text, 16).ok()?);
        (handle.to_string() == text).then_some(handle)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The first eight digits: enough to follow a session through a log.
    pub(crate) fn prefix(self) -> HandlePrefix {
        HandlePrefix::new(self.0, HandlePrefix::MIN_DIGITS)
    }
}

/// The first digits of a handle, at least eight: how an operator names a session that the log mentions.
///
/// Two sessions may share them; all 32 digits name exactly one.
///
/// ```
/// use innkeeper::{HandlePrefix, SessionHandle, SessionId};
///
/// let handle = SessionHandle::from(&SessionId::generate());
/// let prefix = HandlePrefix::parse(&handle.to_string()[..8]).unwrap();
/// assert!(prefix.includes(handle));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandlePrefix {
    first: SessionHandle,
    digits: u32,
}

impl HandlePrefix {
    const MIN_DIGITS: u32 = 8;
    const ALL_DIGITS: u32 = 32;

    /// Keeps the first `digits` of a number.
    fn new(number: u128, digits: u32) -> Self {
        Self {
            first: SessionHandle(number & !Self::rest(digits)),
            digits,
        }
    }

    /// Reads 8 to 32 lower-case hexadecimal digits; `None` for every other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = u32::try_from(text.len()).ok()?;
        if !(Self::MIN_DIGITS..=Self::ALL_DIGITS).contains(&digits) {
            return None;
        }
        let number = u128::from_str_radix(&format!("{text:0<32}"), 16).ok()?;
        let prefix = Self::new(number, digits);
        (prefix.to_string() == text).then_some(prefix)
    }

    /// The handle, if all 32 digits are given.
    #[must_use]
    pub fn whole(self) -> Option<SessionHandle> {
        (self.digits == Self::ALL_DIGITS).then_some(self.first)
    }

    /// Whether the handle begins with these digits.
    #[must_use]
    pub fn includes(self, handle: SessionHandle) -> bool {
        self.handles().contains(&handle)
    }

    /// All handles that begin with these digits.
    pub(crate) fn handles(self) -> RangeInclusive<SessionHandle> {
        self.first..=self.last()
    }

    fn last(self) -> SessionHandle {
        SessionHandle(self.first.0 | Self::rest(self.digits))
    }

    /// A mask of the bits after the first `digits`.
    fn rest(digits: u32) -> u128 {
        u128::MAX.checked_shr(4 * digits).unwrap_or_default()
    }
}

impl From<SessionHandle> for HandlePrefix {
    fn from(handle: SessionHandle) -> Self {
        Self::new(handle.0, Self::ALL_DIGITS)
    }
}

impl fmt::Display for HandlePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.first.0 >> (4 * (Self::ALL_DIGITS - self.digits));
        write!(f, "{number:0width$x}", width = self.digits as usize)
    }
}

impl From<&SessionId> for SessionHandle {
    fn from(id: &SessionId) -> Self {
        let first_half = id.digest().first_chunk().copied();
        Self::from_bytes(first_half.unwrap_or_default())
    }
}

impl fmt::Display for SessionHandle {
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
        assert_eq!(SessionHandle::from(&id).to_string(), as_sha256sum_says);
        assert_eq!(SessionHandle::from(&id).prefix().to_string(), "a8fd2542");
        for prefix in [
            SessionHandle::from(&id).prefix(),
            SessionHandle::from(&id).into(),
        ] {
            assert!(prefix.includes(SessionHandle::from(&id)));
        }
    }

    #[test]
    fn a_prefix_has_eight_digits_or_more_and_includes_what_begins_so() {
        let handle = |text| SessionHandle::parse(text).unwrap();
        let prefix = HandlePrefix::parse("a8fd25421").unwrap();
        assert_eq!(prefix.to_string(), "a8fd25421");
        assert!(prefix.includes(handle("a8fd2542100000000000000000000000")));
        assert!(prefix.includes(handle("a8fd25421fffffffffffffffffffffff")));
        assert!(!prefix.includes(handle("a8fd2542000000000000000000000000")));
        assert!(!prefix.includes(handle("a8fd2542200000000000000000000000")));
        assert_eq!(prefix.whole(), None);
        let whole = "a8fd254216dc5676881f6077e5477578";
        assert_eq!(
            HandlePrefix::parse(whole).unwrap().whole(),
            Some(handle(whole))
        );
        for other in [
            "",
            "a8fd254",
            "A8FD2542",
            "a8fd254g",
            "+8fd2542",
            "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a",
            "a8fd254216dc5676881f6077e54775780",
            "\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(HandlePrefix::parse(other), None, "{other}");
        }
    }

    #[test]
    fn only_its_own_spelling_is_a_handle() {
        assert!(SessionHandle::parse("0123456789abcdef0123456789abcdef").is_some());
        for other in [
            "",
            "others",
            "0",
            "0123456789ABCDEF0123456789abcdef",
            "+123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef0",
            "../0123456789abcdef0123456789abc",
        ] {
            assert_eq!(SessionHandle::parse(other), None, "{other}");
        }
    }
}
