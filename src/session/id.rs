//! A session's id.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::{Uuid, Variant, Version};

/// A session's id: a version 4 UUID, 122 bits from the operating system's generator.
///
/// Knowing it is being signed in, so `Debug` does not show it; `Display` does, for the cookie and the store's key.
///
/// ```
/// use innkeeper::SessionId;
///
/// let id = SessionId::generate();
/// assert_eq!(SessionId::parse(&id.to_string()), Some(id));
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Generates a new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads the canonical form: 36 characters, lower case, version 4, RFC 9562's variant.
    ///
    /// `None` for every other spelling, also for those that `Uuid` accepts (braces, `urn:uuid:`,
    /// capitals, no hyphens), so that one session has one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        let canonical = uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
        let random =
            uuid.get_version() == Some(Version::Random) && uuid.get_variant() == Variant::RFC4122;
        (canonical && random).then_some(Self(uuid))
    }

    /// The SHA-256 of the canonical form: identifies the session without the power to use it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut buffer = Uuid::encode_buffer();
        Sha256::digest(self.0.hyphenated().encode_lower(&mut buffer)).into()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn only_the_canonical_form_of_a_version_4_uuid_is_an_id() {
        assert!(SessionId::parse("5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a").is_some());
        for other in [
            "",
            "5F3D9B3E-8D3C-4A57-9C1E-1F2E3D4C5B6A",
            "{5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a}",
            "urn:uuid:5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a",
            "5f3d9b3e8d3c4a579c1e1f2e3d4c5b6a",
            "5f3d9b3e-8d3c-1a57-9c1e-1f2e3d4c5b6a",
            "5f3d9b3e-8d3c-4a57-cc1e-1f2e3d4c5b6a",
            "00000000-0000-0000-0000-000000000000",
            "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a ",
        ] {
            assert_eq!(SessionId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_debugged_id_does_not_show_itself() {
        assert_eq!(format!("{:?}", SessionId::generate()), "SessionId(..)");
    }
}
