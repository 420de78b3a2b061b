//! Where a request comes from, as far as it tells.

use std::convert::Infallible;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::client::Client;
use crate::web::request::user_agent::device;

/// The most bytes that are kept of what a visitor says of himself: by default Redis keeps a hash compact only as long
/// as none of its values has more.
const MOST: usize = 64;

#[async_trait]
impl<'r> FromRequest<'r> for Client {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self {
            ip: request.client_ip().map(|ip| ip.to_string()),
            user_agent: request.headers().get_one("User-Agent").map(agent),
        })
    }
}

/// The `User-Agent` itself, or where that is too long, as browsers' are, what it says; of what is not known the
/// beginning.
fn agent(header: &str) -> String {
    let clean: String = header.chars().filter(|c| !c.is_control()).collect();
    if clean.len() <= MOST {
        return clean;
    }
    device(Some(&clean)).unwrap_or_else(|| {
        let fits = |(place, c): &(usize, char)| place + c.len_utf8() <= MOST;
        let beginning = clean.char_indices().take_while(fits);
        beginning.map(|(_, c)| c).collect()
    })
}
