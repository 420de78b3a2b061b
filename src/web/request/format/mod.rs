//! HTML or JSON: which one a request is answered in.

#[cfg(feature = "pages")]
mod with_pages;
#[cfg(not(feature = "pages"))]
mod without_pages;

use std::convert::Infallible;
use std::str::FromStr;

use rocket::http::{Accept, MediaType, QMediaType};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::header::header_values;

/// The most bytes of `Accept`, in all its lines, that are parsed; browsers send 200.
///
/// Rocket's parser gives each media range that it finds a copy of the whole line, so its memory grows with the square
/// of the line: one of 360 KB, which the server takes, would need 23 GB.
const MAX_ACCEPT: usize = 1024;

/// The two forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
}

impl Format {
    /// HTML for a posted form, and where `Accept` prefers `text/html` to `application/json`; else JSON. What is answered is
    /// [`of`](Self::of).
    pub(crate) fn preferred(request: &Request<'_>) -> Self {
        let form = request
            .content_type()
            .is_some_and(|declared| declared.is_form());
        if form && request.method().supports_payload() {
            return Self::Html;
        }
        // Rocket's own `accept()` reads only the first line of several.
        let lines: Vec<_> = header_values(request, "Accept").collect();
        // Most programs send one of these, or no header.
        if let [] | ["*/*" | "application/json"] = lines[..] {
            return Self::Json;
        }
        // Not parsed, and taken as `*/*`.
        if lines.iter().map(|line| line.len()).sum::<usize>() > MAX_ACCEPT {
            return Self::Json;
        }
        let lines: Vec<_> = lines
            .into_iter()
            .filter_map(|line| Accept::from_str(line).ok())
            .collect();
        let ranges: Vec<_> = lines.iter().flat_map(Accept::iter).collect();
        let html = preference(&ranges, &MediaType::HTML);
        let json = preference(&ranges, &MediaType::JSON);
        if html > json { Self::Html } else { Self::Json }
    }
}

/// How much a client prefers a type: by weight, then by how exactly it is named, then by its place in the list
/// (RFC 9110, 12.5.1; the place is our tie-break). `None` if the client does not accept it.
fn preference(ranges: &[&QMediaType], wanted: &MediaType) -> Option<(u32, usize, usize)> {
    let (place, range) = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| {
            (range.top() == "*" || range.top() == wanted.top())
                && (range.sub() == "*" || range.sub() == wanted.sub())
        })
        .max_by_key(|(place, range)| (exactness(range), usize::MAX - place))?;
    let weight = (range.weight_or(1.0).clamp(0.0, 1.0) * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a weight has three digits and lies between 0 and 1"
    )]
    let weight = weight as u32;
    (weight > 0).then(|| (weight, exactness(range), usize::MAX - place))
}

fn exactness(range: &MediaType) -> usize {
    usize::from(range.top() != "*") + usize::from(range.sub() != "*")
}

#[async_trait]
impl<'r> FromRequest<'r> for Format {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
