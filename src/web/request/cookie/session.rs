//! The session cookie: how it is written, removed and read.

use rocket::http::{Cookie, SameSite};
use rocket::{Orbit, Request, Rocket};

use crate::session::SessionId;
use crate::web::request::header::header_values;
use crate::web::request::origin::PublicOrigin;

/// The session cookie: its name and its attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionCookie {
    /// Whether browsers send it by `https` alone.
    pub(crate) secure: bool,
}

/// The session cookie that a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieState {
    /// No such cookie.
    Absent,
    /// The cookie, without a value.
    Empty,
    /// A value that is no session id.
    Malformed,
    /// Several cookies of that name with different values.
    Ambiguous,
    /// A session id, whether or not its session is alive.
    Id(SessionId),
}

impl CookieState {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        SessionCookie::of(request).map_or(Self::Absent, |cookie| cookie.state(request))
    }

    pub(crate) fn id(self) -> Option<SessionId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Absent | Self::Empty | Self::Malformed | Self::Ambiguous => None,
        }
    }
}

const SPACE: [char; 2] = [' ', '\t'];

impl SessionCookie {
    /// `None` if the application has not attached our stage.
    pub(crate) fn of(request: &Request<'_>) -> Option<Self> {
        Self::of_rocket(request.rocket())
    }

    /// As [`of`](Self::of).
    pub(crate) fn of_rocket(rocket: &Rocket<Orbit>) -> Option<Self> {
        let origin = rocket.state::<PublicOrigin>()?;
        Some(Self {
            secure: origin.secure,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        if self.secure {
            "__Host-session_id"
        } else {
            "session_id"
        }
    }

    pub(crate) fn for_id(self, id: &SessionId) -> Cookie<'static> {
        self.build(id.to_string())
    }

    /// With all the attributes of the cookie itself: browsers ignore the removal of a `__Host-` cookie
    /// without `Secure` (RFC 6265bis, 5.7).
    pub(crate) fn removal(self) -> Cookie<'static> {
        let mut cookie = self.build(String::new());
        cookie.make_removal();
        cookie
    }

    fn build(self, value: String) -> Cookie<'static> {
        Cookie::build((self.name(), value))
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(self.secure)
            .build()
    }

    pub(crate) fn state(self, request: &Request<'_>) -> CookieState {
        let mut values = values(request, self.name());
        match values.next() {
            None => CookieState::Absent,
            Some(first) if values.any(|other| other != first) => CookieState::Ambiguous,
            Some("") => CookieState::Empty,
            Some(text) => SessionId::parse(text).map_or(CookieState::Malformed, CookieState::Id),
        }
    }
}

/// The values of the cookies of this name.
///
/// Reads the `Cookie` header itself and not Rocket's jar, which keeps the last of several cookies, and decodes names:
/// `__Host%2Dsession_id` would pass for a cookie whose prefix the browser has enforced. For the same reason only the two
/// characters that RFC 6265 calls white space are skipped, and not Unicode's others.
pub(in crate::web::request) fn values<'r>(
    request: &'r Request<'_>,
    name: &'static str,
) -> impl Iterator<Item = &'r str> {
    let mut headers = header_values(request, "Cookie").peekable();
    // Rocket's local test client fills only the jar.
    let by_jar = headers.peek().is_none();
    let in_jar = by_jar.then(|| request.cookies().get(name)).flatten();
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(found, _)| found.trim_matches(SPACE) == name)
        .map(|(_, value)| value.trim_matches(SPACE))
        .chain(in_jar.map(Cookie::value))
}
