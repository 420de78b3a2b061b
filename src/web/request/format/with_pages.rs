//! The form of an answer, where there are pages.

use rocket::Request;

use super::Format;

impl Format {
    /// The one that the request prefers.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        Self::preferred(request)
    }
}
