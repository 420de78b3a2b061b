//! What stores keep in place of secrets.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A SHA-256 in hexadecimal as its `Display`: what a store keeps of a secret, so that a copy of the store holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of several parts, which cannot be taken for other parts that are as long together.
    #[must_use]
    pub fn of_parts<const N: usize>(parts: [&str; N]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Of one text, as any program computes it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Reads its `Display` back; `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn a_digest_is_read_back() {
        let digest = Digest::of("a secret");
        let text = digest.to_string();
        assert_eq!(Digest::parse(&text), Some(digest));
        for other in [
            "",
            &text[..62],
            &text.to_uppercase(),
            &format!("{text}00"),
            &text.replace('a', "g"),
        ] {
            assert_eq!(Digest::parse(other), None, "{other}");
        }
    }
}
