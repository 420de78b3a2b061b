//! What `static/build.rs` has compressed, ended at the launch.

use std::borrow::Cow;

/// A content coding (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    pub(crate) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As `Accept-Encoding` and `Content-Encoding` call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// A text with its compressed forms, which are left open: each ends on a whole byte, and lacks its end.
pub(super) struct Compressed {
    pub(super) text: &'static str,
    pub(super) brotli: &'static [u8],
    pub(super) gzip: &'static [u8],
}

impl Compressed {
    /// With more text at its end.
    pub(super) fn whole(&self, more: &str) -> Cow<'static, str> {
        if more.is_empty() {
            self.text.into()
        } else {
            format!("{}{more}", self.text).into()
        }
    }

    /// The same compressed. What is added is not: it is short, and no compressor has to be there to add it.
    pub(super) fn compressed(&self, coding: Coding, more: &str) -> Vec<u8> {
        match coding {
            Coding::Brotli => self.brotli(more),
            Coding::Gzip => self.gzip(more),
        }
    }

    /// Ends with uncompressed meta-blocks and an empty last one (RFC 7932, 9.2).
    fn brotli(&self, more: &str) -> Vec<u8> {
        let mut stream = self.brotli.to_vec();
        for part in parts(more) {
            let uncompressed = 1 << 19;
            let [low, middle, high, ..] = (uncompressed | (part.len() - 1) << 3).to_le_bytes();
            stream.extend([low, middle, high]);
            stream.extend(part);
        }
        stream.push(0b11);
        stream
    }

    /// Ends with stored blocks, an empty last one (RFC 1951, 3.2.4), the checksum and the length (RFC 1952, 2.3.1).
    fn gzip(&self, more: &str) -> Vec<u8> {
        let mut stream = self.gzip.to_vec();
        for part in parts(more) {
            let [low, high, ..] = part.len().to_le_bytes();
            stream.extend([0, low, high, !low, !high]);
            stream.extend(part);
        }
        stream.extend([1, 0, 0, 0xff, 0xff]);
        let text = self.whole(more);
        let [a, b, c, d, ..] = text.len().to_le_bytes();
        stream.extend(crc32(text.as_bytes()).to_le_bytes());
        stream.extend([a, b, c, d]);
        stream
    }
}

/// Each fits into a block of either kind.
fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().chunks(0xffff)
}

/// RFC 1952, 8.
fn crc32(text: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let add = |crc, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !text.iter().fold(!0, add)
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
