//! Where a request comes from, as far as it tells.

use std::convert::Infallible;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::session::Visitor;

/// The most characters of a `User-Agent` that are kept.
const MOST: usize = 256;

#[async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self {
            ip: request.client_ip().map(|ip| ip.to_string()),
            agent: request.headers().get_one("User-Agent").map(|agent| {
                agent
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(MOST)
                    .collect()
            }),
        })
    }
}
