//! The request guard for what pages know of the site.

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::sessions::needs_stage;
use crate::web::answers::Refusal;
use crate::web::site::Site;

#[async_trait]
impl<'r> FromRequest<'r> for &'r Site {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        match request.rocket().state::<Site>() {
            Some(site) => Outcome::Success(site),
            // The sentinel below keeps such an application from launching.
            None => Refusal::without_stage().reject(request),
        }
    }
}

needs_stage!(&Site);
