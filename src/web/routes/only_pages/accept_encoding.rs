//! Which content coding a client prefers (RFC 9110, 12.5.3).

use std::iter;

use rocket::http::HeaderMap;

use crate::web::static_files::Coding;

/// The most that a coding can weigh, in thousandths.
const MAX_WEIGHT: u16 = 1000;

/// What `Accept-Encoding`, in all its lines, prefers of what we have; `None` for a content that is not compressed, which every
/// client is sent that accepts nothing else, even one that forbids it by `identity;q=0`.
///
/// Reads each line once and copies nothing, so its length does not matter.
pub(super) fn preferred(headers: &HeaderMap<'_>) -> Option<Coding> {
    let mut wanted = Wanted::default();
    for element in headers
        .get("Accept-Encoding")
        .flat_map(|line| line.split(','))
    {
        wanted.add(element);
    }
    wanted.best()
}

/// The weight of each coding that was named.
#[derive(Default)]
struct Wanted {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Wanted {
    /// What cannot be read is as if it were not there.
    fn add(&mut self, element: &str) {
        let (name, weight) = match element.split_once(';') {
            Some((name, weight)) => (name.trim(), weight_of(weight)),
            None => (element.trim(), Some(MAX_WEIGHT)),
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let place = if is("br") {
            &mut self.brotli
        } else if is("gzip") || is("x-gzip") {
            &mut self.gzip
        } else if is("identity") {
            &mut self.identity
        } else if is("*") {
            &mut self.others
        } else {
            return;
        };
        *place = weight.or(*place);
    }

    /// Of two that weigh the same, the one that is shorter.
    fn best(&self) -> Option<Coding> {
        let weight = |named: Option<u16>| named.or(self.others).unwrap_or(0);
        let (brotli, gzip, identity) = (
            weight(self.brotli),
            weight(self.gzip),
            weight(self.identity),
        );
        let (best, coding) = if brotli >= gzip {
            (brotli, Coding::Brotli)
        } else {
            (gzip, Coding::Gzip)
        };
        (best > 0 && best >= identity).then_some(coding)
    }
}

/// `q=0.5` as 500: a number from 0 to 1 with at most three digits after the point.
fn weight_of(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.trim().split_once('=')?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let is_number = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    if !name.eq_ignore_ascii_case("q") || !is_number || !matches!(whole, "0" | "1") {
        return None;
    }
    let digits = part.bytes().map(|digit| u16::from(digit - b'0'));
    let thousandths = digits
        .chain(iter::repeat(0))
        .take(3)
        .fold(0, |sum, digit| sum * 10 + digit);
    let weight = thousandths + if whole == "1" { MAX_WEIGHT } else { 0 };
    (weight <= MAX_WEIGHT).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROTLI: Option<Coding> = Some(Coding::Brotli);
    const GZIP: Option<Coding> = Some(Coding::Gzip);

    #[track_caller]
    fn assert_preferred(lines: &[&str], coding: Option<Coding>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.add_raw("Accept-Encoding", (*line).to_owned());
        }
        assert_eq!(preferred(&headers), coding, "{lines:?}");
    }

    #[test]
    fn what_weighs_most_is_preferred_and_of_two_the_shorter() {
        for (line, coding) in [
            // Browsers, and curl.
            ("gzip, deflate, br, zstd", BROTLI),
            ("gzip, deflate", GZIP),
            ("deflate, gzip, br, zstd", BROTLI),
            ("br", BROTLI),
            ("gzip", GZIP),
            ("x-gzip", GZIP),
            ("BR", BROTLI),
            ("GZip;Q=0.5", GZIP),
            ("br;q=0.5,gzip;q=0.8", GZIP),
            ("br;q=0.8,gzip;q=0.8", BROTLI),
            ("br;q=0.001", BROTLI),
            ("br;q=1.000", BROTLI),
            ("br ; q=0.5 ,\tgzip", GZIP),
            (",, br,", BROTLI),
            ("*", BROTLI),
            ("*;q=0.1", BROTLI),
            ("br;q=0, *", GZIP),
            ("gzip, *;q=0", GZIP),
            ("br, br;q=0", None),
        ] {
            assert_preferred(&[line], coding);
        }
        assert_preferred(&["gzip", "br"], BROTLI);
        assert_preferred(&["br;q=0", "gzip"], GZIP);
    }

    #[test]
    fn what_is_not_asked_for_is_not_compressed() {
        assert_preferred(&[], None);
        for line in [
            "",
            " , ",
            "deflate",
            "zstd, compress",
            "identity",
            "br;q=0",
            "gzip;q=0.0, br;q=0.000",
            "*;q=0",
            "identity;q=0",
            "identity;q=0, *;q=0",
            "identity, br;q=0.5",
            "identity;q=0.6, *;q=0.5",
            "brotli",
            "b r",
        ] {
            assert_preferred(&[line], None);
        }
        // Preferred by nobody, so the shorter is sent.
        assert_preferred(&["identity, br"], BROTLI);
        assert_preferred(&["identity;q=0, *;q=0.5"], BROTLI);
    }

    #[test]
    fn what_cannot_be_read_is_as_if_it_were_not_there() {
        for weight in [
            "",
            "q",
            "q=",
            "q=x",
            "q=2",
            "q=1.001",
            "q=0.1234",
            "q=-1",
            "q=+1",
            "q=.5",
            "q=1e0",
            "q =1",
            "q= 1",
            "p=1",
            "q=1;q=1",
            "q=\"1\"",
            "q=0.5.5",
            "q=\u{661}",
        ] {
            assert_preferred(&[&format!("br;{weight}")], None);
            assert_preferred(&[&format!("br;{weight}, gzip")], GZIP);
        }
    }

    #[test]
    fn the_longest_line_is_read() {
        let long = "gzip;q=0.5,".repeat(100_000);
        assert_preferred(&[&long], GZIP);
        assert_preferred(&[&format!("{long}br")], BROTLI);
        assert_preferred(&[&";".repeat(100_000)], None);
    }
}
