//! The session cookie: how it is written, removed and read.

use std::convert::Infallible;

use rocket::http::{Cookie, SameSite};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::session::SessionId;

/// The policy of the session cookie, managed by Rocket.
pub(in crate::web) struct SessionCookie {
    /// Whether browsers reach the site by `https`.
    pub(in crate::web) secure: bool,
}

/// What a request brought as its session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Presented {
    /// No such cookie.
    Nothing,
    /// The cookie, without a value.
    Empty,
    /// A value that is no id of ours, and never was.
    Malformed,
    /// Several cookies of that name with different values: it cannot be told which one is meant.
    Ambiguous,
    /// An id, which may or may not be alive.
    Id(SessionId),
}

impl Presented {
    pub(in crate::web) fn of(request: &Request<'_>) -> Self {
        let cookie = request.rocket().state::<SessionCookie>();
        cookie.map_or(Self::Nothing, |cookie| cookie.presented(request))
    }

    /// Whether there is a cookie to remove.
    pub(in crate::web) fn came(self) -> bool {
        self != Self::Nothing
    }

    /// The id, where one came.
    pub(in crate::web) fn id(self) -> Option<SessionId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Nothing | Self::Empty | Self::Malformed | Self::Ambiguous => None,
        }
    }
}

const SPACE: [char; 2] = [' ', '\t'];

impl SessionCookie {
    pub(in crate::web) fn name(&self) -> &'static str {
        if self.secure {
            "__Host-session_id"
        } else {
            "session_id"
        }
    }

    pub(in crate::web) fn carrying(&self, id: &SessionId) -> Cookie<'static> {
        self.build(id.to_string())
    }

    /// With all the attributes of the cookie itself: browsers ignore the removal of a `__Host-` cookie
    /// without `Secure` (RFC 6265bis, 5.7).
    pub(in crate::web) fn removal(&self) -> Cookie<'static> {
        let mut cookie = self.build(String::new());
        cookie.make_removal();
        cookie
    }

    fn build(&self, value: String) -> Cookie<'static> {
        Cookie::build((self.name(), value))
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(self.secure)
            .build()
    }

    /// Reads the `Cookie` header itself and not Rocket's jar.
    ///
    /// The jar keeps the last of several cookies, and it decodes names: `__Host%2Dsession_id` would pass for a
    /// cookie whose prefix the browser has enforced. For the same reason only the two characters that RFC 6265
    /// calls white space are skipped, and not Unicode's others.
    pub(in crate::web) fn presented(&self, request: &Request<'_>) -> Presented {
        let mut values = request
            .headers()
            .get("Cookie")
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| name.trim_matches(SPACE) == self.name())
            .map(|(_, value)| value.trim_matches(SPACE));
        let first = values.next().or_else(|| {
            // Rocket's local test client fills only the jar.
            let by_jar = !request.headers().contains("Cookie");
            let cookie = by_jar.then(|| request.cookies().get(self.name()));
            cookie.flatten().map(Cookie::value)
        });
        match first {
            None => Presented::Nothing,
            Some(first) if values.any(|other| other != first) => Presented::Ambiguous,
            Some("") => Presented::Empty,
            Some(text) => SessionId::parse(text).map_or(Presented::Malformed, Presented::Id),
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Presented {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
