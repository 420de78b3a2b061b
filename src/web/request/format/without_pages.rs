//! The form of an answer, where the feature `pages` is missing.

use rocket::Request;

use super::Format;

impl Format {
    /// JSON, whatever the request prefers.
    pub(crate) fn of(_: &Request<'_>) -> Self {
        Self::Json
    }
}
