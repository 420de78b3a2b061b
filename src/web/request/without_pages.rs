//! In place of the choice between HTML and JSON, where the feature `pages` is missing.

use std::convert::Infallible;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

/// The two forms of an answer, of which there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Json,
}

impl Format {
    /// JSON, whatever the request prefers.
    pub(crate) fn of(_: &Request<'_>) -> Self {
        Self::Json
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Format {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
