//! A request's client: its address and `User-Agent`.

use std::convert::Infallible;
use std::net::IpAddr;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::header::header_values;
use super::user_agent::describe;
use crate::client::Client;

/// The most bytes that are kept of a `User-Agent`: with the time of the creation and an IPv4 address it stands in one field,
/// and Redis keeps a hash compact as long as no value has more than 64 bytes (`hash-max-listpack-value`).
const MAX_USER_AGENT: usize = 37;

impl Client {
    /// A client that no request stands for. Of a `User-Agent` that is too long to be kept, what it describes is kept:
    /// "Firefox on Linux".
    #[must_use]
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        Self {
            ip: ip.map(|ip| ip.to_string()),
            user_agent: user_agent.map(shorten),
        }
    }

    pub(crate) fn of(request: &Request<'_>) -> Self {
        let user_agent = header_values(request, "User-Agent").next();
        Self::new(request.client_ip(), user_agent)
    }
}

/// For an application that calls [`Sessions::start`](crate::Sessions::start) itself.
#[async_trait]
impl<'r> FromRequest<'r> for Client {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}

/// A `User-Agent` without control characters. If it is too long, as browsers' are, [`describe`]'s words for it, or else its
/// beginning.
fn shorten(header: &str) -> String {
    let clean: String = header.chars().filter(|c| !c.is_control()).collect();
    if clean.len() <= MAX_USER_AGENT {
        return clean;
    }
    describe(Some(&clean)).unwrap_or_else(|| {
        let mut ends = (0..=MAX_USER_AGENT).rev();
        let beginning = ends.find_map(|end| clean.get(..end));
        beginning.unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_USER_AGENT, shorten};

    #[test]
    fn only_a_user_agent_that_is_too_long_is_shortened() {
        let exact = format!("{:-<MAX_USER_AGENT$}", "Mozilla/5.0 (Linux) Firefox/140.0 ");
        for kept in ["", "curl/8.5.0", exact.as_str()] {
            assert_eq!(shorten(kept), kept);
        }
        assert_eq!(shorten(&format!("{exact}-")), "Firefox on Linux");
        assert_eq!(
            shorten(&"x".repeat(MAX_USER_AGENT + 1)),
            "x".repeat(MAX_USER_AGENT)
        );
        // Never in the middle of a character.
        let odd = "\u{e9}".repeat(MAX_USER_AGENT);
        assert_eq!(shorten(&odd).len(), MAX_USER_AGENT - 1);
        assert_eq!(shorten("a\u{7}b"), "ab");
    }
}
