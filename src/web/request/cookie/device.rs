//! The cookie by which a browser is known that has signed in before.

use rocket::Request;
use rocket::http::{Cookie, SameSite};
use rocket::time::Duration;

use super::session::{SessionCookie, values};
use crate::sign_in::{DEVICE_TTL, Token};

/// The most accounts that one browser is known to: each costs a question to the store.
const MAX_TOKENS: usize = 4;

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

    /// The browser's tokens, one for each account that it has signed in to; none where it has no such cookie, or a text that is
    /// none.
    pub(crate) fn tokens(self, request: &Request<'_>) -> Vec<Token> {
        let texts = values(request, self.name()).flat_map(|value| value.split('.'));
        texts.filter_map(Token::parse).take(MAX_TOKENS).collect()
    }

    /// With this token among the browser's. The one that was used longest ago goes, where there are too many.
    pub(crate) fn with_token(self, tokens: &[Token], used: &Token) -> Cookie<'static> {
        let others = tokens.iter().filter(|token| *token != used);
        let others: Vec<_> = others.map(Token::expose).collect();
        let too_many = others.len().saturating_sub(MAX_TOKENS - 1);
        let kept = others.into_iter().skip(too_many).chain([used.expose()]);
        let value = kept.collect::<Vec<_>>().join(".");
        Cookie::build((self.name(), value))
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
