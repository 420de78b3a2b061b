//! The headers of a request.

use std::borrow::Cow;

use rocket::Request;

/// The values of a request's header, by its name in any case.
///
/// Looks through all of them: Rocket's own look-up hashes the name byte by byte, which costs more than to compare it with
/// the few that a request has.
pub(crate) fn header_values<'r>(
    request: &'r Request<'_>,
    name: &'static str,
) -> impl Iterator<Item = &'r str> {
    let all = request.headers().iter();
    all.filter(move |header| header.name == name)
        .filter_map(|header| match header.value {
            Cow::Borrowed(value) => Some(value),
            // Rocket's `HeaderMap::iter` borrows each of them.
            Cow::Owned(_) => None,
        })
}
