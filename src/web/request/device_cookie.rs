//! The cookie by which a browser is known that has signed in before.

use rocket::Request;
use rocket::http::{Cookie, SameSite};
use rocket::time::Duration;

use super::cookie::{SessionCookie, values};
use crate::sign_in::{DEVICE_TTL, Token};

/// The cookie `known_device`: see [`Throttle`](crate::sign_in::Throttle). It signs nobody in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceCookie {
    secure: bool,
}

impl DeviceCookie {
    /// With the attributes of the session's cookie.
    pub(crate) fn beside(session: SessionCookie) -> Self {
        Self {
            secure: session.secure,
        }
    }

    fn name(self) -> &'static str {
        if self.secure {
            "__Host-known_device"
        } else {
            "known_device"
        }
    }

    /// The browser's token; `None` if it has none, or a text that is none.
    pub(crate) fn token(self, request: &Request<'_>) -> Option<Token> {
        values(request, self.name()).find_map(Token::parse)
    }

    pub(crate) fn for_token(self, token: &Token) -> Cookie<'static> {
        Cookie::build((self.name(), token.expose().to_owned()))
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(self.secure)
            .max_age(Duration::seconds(
                i64::try_from(DEVICE_TTL.as_secs()).unwrap_or(i64::MAX),
            ))
            .build()
    }
}
