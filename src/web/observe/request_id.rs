//! The id of one request, in its answer and in the log.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Generates request ids, managed by Rocket.
///
/// An id is the number of the request, hashed with a secret key (SipHash): it reveals neither how many requests there were
/// nor the next id.
///
/// The client's `X-Request-Id` is not used: it could be of any length, and another request's.
pub(crate) struct RequestIds {
    key: RandomState,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            key: RandomState::new(),
            next: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId::from(self.key.hash_one(number))
    }
}

/// 16 hexadecimal digits, written once: each request shows them in its answer and in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId([u8; 16]);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<u64> for RequestId {
    fn from(number: u64) -> Self {
        let mut rest = number;
        Self(std::array::from_fn(|_| {
            rest = rest.rotate_left(4);
            match rest.to_le_bytes()[0] & 0xf {
                digit @ 0..=9 => b'0' + digit,
                digit => b'a' + digit - 10,
            }
        }))
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::from(0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn an_id_has_all_its_digits() {
        for (number, text) in [
            (0, "0000000000000000"),
            (0x0123_4567_89ab_cdef, "0123456789abcdef"),
            (u64::MAX, "ffffffffffffffff"),
        ] {
            assert_eq!(RequestId::from(number).to_string(), text);
        }
    }
}
