//! Why a request is refused, and the answer that says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::Request;
use rocket::http::{Method, Status};
use rocket::request::Outcome;
use rocket::response::{self, Responder, Response};

use super::detail::{Detail, HTTPValidationError, ValidationError};
use super::error_page::ErrorPage;
use super::page::answer;
use super::see_other::see_other;
use crate::session::{FieldError, StoreError};
use crate::sign_in::VerifyError;
use crate::web::observe::{Audit, RequestRecord};
use crate::web::request::{CookieState, Format, NextPath, SessionCookie};
use crate::web::site::{Part, Site};

/// In seconds: the circuit breaker notices within two that Redis answers again.
const RETRY_AFTER: u8 = 2;

/// The status with which only Innkeeper's guards fail.
///
/// A status is all that Rocket hands from a guard to a catcher. If guards failed with the status of their answer, then the
/// 404 of a handler that took its guard as a `Result` and went on would look like the guard's. The mark never reaches a
/// client: [`catcher`](super::catcher) answers with the refusal, or with the application's own catcher.
pub(crate) const REFUSED: Status = Status::new(479);

/// The last refusal of a guard; lives in the request's local cache.
#[derive(Default)]
struct LastRefusal(Mutex<Option<Refusal>>);

impl LastRefusal {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Option<Refusal>> {
        let last: &Self = request.local_cache(Self::default);
        // A panic while the lock was held cannot leave it half changed.
        last.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request is refused. As a responder it is the answer, in HTML or JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request has no session cookie: 403, or for a page a redirect to the sign-in.
    NoSession,
    /// The session has ended, or there never was one: 404 or a redirect, and the cookie is removed.
    SessionEnded,
    /// The request has several session cookies: 400.
    AmbiguousCookie,
    /// Another site made the browser send the request: 403.
    CrossSite,
    /// The request is meant for another host than this machine, and `public_url` names none: 421.
    WrongHost,
    /// The body is not declared as JSON or as a form: 415.
    UnsupportedMediaType,
    /// The body is over 8 KiB: 413.
    TooLarge,
    /// A field of the body is missing or wrong: 422.
    Invalid(ValidationError),
    /// A handle that names none of the user's sessions: 404.
    NoSuchSession,
    /// The store failed or did not answer: 503, and the cookie stays as it is. The reason is for the operator: it is in the
    /// request's line in the log; the answer says only to try again.
    StoreDown(Arc<str>),
    /// A part of the store did not answer, so some of the sessions that were to end may be alive: 503, and the cookie
    /// stays as it is.
    NotAllEnded {
        /// How many have ended.
        ended: usize,
        /// Why the others have not, for the operator.
        error: Arc<str>,
    },
    /// No such account, a wrong password, or a user who may not sign in; nobody is told which: 401.
    WrongPassword,
    /// Too many attempts to sign in have failed lately: 429, also for the right password.
    TooManyAttempts {
        /// In how many seconds the next attempt is looked at.
        retry_after: u64,
    },
    /// The session's user proved who he is too long ago for this: 403, or for a page a redirect to where he can do so again.
    NeedsRecentSignIn,
    /// The link by which somebody was to choose a password was used, has expired, or was never valid: 404.
    NoSuchInvitation,
    /// The application asked for something impossible, a field that is too large, say: 500. The reason is for the operator.
    Internal(Arc<str>),
}

impl Refusal {
    /// All values of [`reason`](Self::reason).
    pub(crate) const REASONS: [&str; 16] = [
        "no_session",
        "session_ended",
        "ambiguous_cookie",
        "cross_site",
        "wrong_host",
        "unsupported_media_type",
        "too_large",
        "invalid",
        "no_such_session",
        "store_down",
        "not_all_ended",
        "wrong_password",
        "too_many_attempts",
        "needs_recent_sign_in",
        "no_such_invitation",
        "internal",
    ];

    /// Its name, for the log and the metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::SessionEnded => "session_ended",
            Self::AmbiguousCookie => "ambiguous_cookie",
            Self::CrossSite => "cross_site",
            Self::WrongHost => "wrong_host",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooLarge => "too_large",
            Self::Invalid(_) => "invalid",
            Self::NoSuchSession => "no_such_session",
            Self::StoreDown(_) => "store_down",
            Self::NotAllEnded { .. } => "not_all_ended",
            Self::WrongPassword => "wrong_password",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::NeedsRecentSignIn => "needs_recent_sign_in",
            Self::NoSuchInvitation => "no_such_invitation",
            Self::Internal(_) => "internal",
        }
    }

    /// Logs and counts the refusal. Called by whatever answers it: this responder, a page or a catcher.
    pub(crate) fn note(&self, request: &Request<'_>) {
        let suspicious = matches!(
            self,
            Self::CrossSite | Self::WrongHost | Self::AmbiguousCookie
        );
        let error = if let Self::StoreDown(error)
        | Self::NotAllEnded { error, .. }
        | Self::Internal(error) = self
        {
            Some(error)
        } else {
            None
        };
        Audit::of(request).refused(self.reason(), suspicious, error);
    }

    /// For an application without our stage. It launches only if Rocket's sentinels do not see the guard.
    pub(crate) fn without_stage() -> Self {
        Self::StoreDown("Innkeeper's stage is not attached".into())
    }

    /// The status of the JSON answer.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::NoSession | Self::CrossSite | Self::NeedsRecentSignIn => Status::Forbidden,
            Self::WrongPassword => Status::Unauthorized,
            Self::TooManyAttempts { .. } => Status::TooManyRequests,
            Self::SessionEnded | Self::NoSuchSession | Self::NoSuchInvitation => Status::NotFound,
            Self::AmbiguousCookie => Status::BadRequest,
            Self::WrongHost => Status::MisdirectedRequest,
            Self::UnsupportedMediaType => Status::UnsupportedMediaType,
            Self::TooLarge => Status::PayloadTooLarge,
            Self::Invalid(_) => Status::UnprocessableEntity,
            Self::StoreDown(_) | Self::NotAllEnded { .. } => Status::ServiceUnavailable,
            Self::Internal(_) => Status::InternalServerError,
        }
    }

    /// The text of the JSON answer; [`HTTPValidationError`] is the body of an [`Invalid`](Self::Invalid).
    pub(crate) fn detail(&self) -> &'static str {
        match self {
            Self::NoSession => "No session cookie found",
            Self::SessionEnded => "Session expired",
            Self::AmbiguousCookie => "More than one session cookie found",
            Self::CrossSite => "Cross-site request refused",
            Self::WrongHost => {
                "Only this machine is a host here, unless `public_url` names another"
            }
            Self::UnsupportedMediaType => {
                "Body must be application/json or application/x-www-form-urlencoded"
            }
            Self::TooLarge => "Body must be at most 8 KiB",
            Self::Invalid(_) => "Unprocessable Entity",
            Self::NoSuchSession => "No such session",
            Self::WrongPassword => "User name or password is wrong",
            Self::TooManyAttempts { .. } => "Too many attempts, please try again later",
            Self::NeedsRecentSignIn => "Please confirm your password",
            Self::NoSuchInvitation => "This link is not valid any more",
            Self::Internal(_) => "Internal Server Error",
            Self::StoreDown(_) => "Sessions are unavailable at the moment, please try again",
            Self::NotAllEnded { .. } => {
                "Not all of these sessions could be ended: some may still be alive, please try again"
            }
        }
    }

    /// For the visitor, beside a form.
    pub(crate) fn message(&self) -> String {
        if let Self::TooManyAttempts { retry_after } = self {
            too_many_attempts(*retry_after)
        } else if let Self::Invalid(error) = self {
            error.message.clone()
        } else {
            self.detail().to_owned()
        }
    }

    fn page(&self, request: &Request<'_>) -> ErrorPage {
        let page = ErrorPage::new(self.status());
        // A page that reloads by itself sends GET: it cannot repeat a form.
        let page = if matches!(self, Self::StoreDown(_)) && request.method() == Method::Get {
            page.retrying()
        } else {
            page
        };
        match self {
            // Only where the request has a session id: for others it would be untrue.
            Self::StoreDown(_) if CookieState::of(request).id().is_some() => page.with_message(
                "You are still signed in: only the place where sessions are kept does not answer at the moment.",
            ),
            Self::AmbiguousCookie => page.with_message(
                "Your browser sent two different session cookies, so we cannot tell which one is yours. \
                 Delete the cookies of this site, then sign in again.",
            ),
            Self::CrossSite => page.with_message(
                "This request came from another site, so we did not follow it. Nothing has changed.",
            ),
            Self::Invalid(invalid) => page.with_message(&invalid.message),
            Self::NotAllEnded { ended, .. } => page.with_message(&format!(
                "Not all of your sessions could be ended: {ended} {} over, and some may still be alive, because a part of \
                 the place where sessions are kept does not answer. Please try again in a \
                 moment.",
                if *ended == 1 { "is" } else { "are" }
            )),
            Self::NoSuchSession => page.with_message("You have no such session. It may have ended already."),
            Self::NoSession => page.with_title("Please sign in", "Only visitors who are signed in may see this."),
            Self::SessionEnded => page.with_title("Your session has ended", "Please sign in again."),
            Self::WrongPassword => page.with_title("Please try again", "User name or password is wrong."),
            Self::TooManyAttempts { retry_after } => page.with_title("Too many attempts", &too_many_attempts(*retry_after)),
            Self::NoSuchInvitation => page.with_title(
                "This link is not valid any more",
                "It works once and for a day. If you have chosen your password with it, sign in. \
                 If not, ask the people who run this site for a new link.",
            ),
            Self::NeedsRecentSignIn => page.with_title("Please sign in again", "For this you must have signed in a moment ago."),
            Self::Internal(_)
            | Self::WrongHost
            | Self::UnsupportedMediaType
            | Self::TooLarge
            | Self::StoreDown(_) => page,
        }
    }

    /// The outcome of a guard that asks for a session.
    pub(crate) fn outcome<'r, T>(
        request: &'r Request<'_>,
        result: &'r Result<T, Self>,
    ) -> Outcome<&'r T, Self> {
        match result {
            Ok(found) => Outcome::Success(found),
            Err(refusal) => refusal.clone().reject(request),
        }
    }

    /// Fails the guard. Where the handler does not take it as a `Result`, Rocket hands the status to the catchers.
    pub(crate) fn reject<T>(self, request: &Request<'_>) -> Outcome<T, Self> {
        let site = request.rocket().state::<Site>();
        // Without our stage there is no catcher of ours either.
        let caught = site.map_or_else(
            || SessionCookie::of(request).is_some(),
            |site| site.has(Part::Catcher),
        );
        let status = if caught { REFUSED } else { self.status() };
        *LastRefusal::of(request) = Some(self.clone());
        Outcome::Error((status, self))
    }

    /// For a catcher of the application's: why a guard of Innkeeper's failed with this status, if one did; the last one that
    /// ran. As a responder it gives the answer that Innkeeper's own catcher would give.
    ///
    /// Rocket tells nobody whether it was the guard or the handler that failed: a handler that takes its guard as a `Result`,
    /// and then fails by itself with the refusal's very status, looks the same.
    ///
    /// It is of use without [`Part::Catcher`]; with it, Innkeeper's catcher answers, or asks the application's and then
    /// has used the refusal up.
    #[must_use]
    pub fn of_guard(status: Status, request: &Request<'_>) -> Option<Self> {
        let last = LastRefusal::of(request).clone();
        last.filter(|refusal| refusal.status() == status)
    }

    /// The refusal of the guard that failed with [`REFUSED`]: the last one that ran.
    pub(crate) fn take_last(request: &Request<'_>) -> Option<Self> {
        LastRefusal::of(request).take()
    }

    /// The headers that the answer has besides, whoever gives it.
    pub(crate) fn set_headers(&self, response: &mut Response<'_>, request: &Request<'_>) {
        match self {
            Self::StoreDown(_) | Self::NotAllEnded { .. } => {
                response.set_raw_header("Retry-After", RETRY_AFTER.to_string());
            }
            Self::TooManyAttempts { retry_after } => {
                response.set_raw_header("Retry-After", retry_after.to_string());
            }
            Self::WrongPassword => {
                let site = request.rocket().state::<Site>();
                let form = site.and_then(Site::sign_in).unwrap_or("/");
                let cookie = SessionCookie::of(request).map_or("", SessionCookie::name);
                response.set_raw_header("WWW-Authenticate", challenge(form, cookie));
            }
            Self::NoSession
            | Self::SessionEnded
            | Self::AmbiguousCookie
            | Self::CrossSite
            | Self::WrongHost
            | Self::UnsupportedMediaType
            | Self::TooLarge
            | Self::Invalid(_)
            | Self::NoSuchSession
            | Self::NeedsRecentSignIn
            | Self::NoSuchInvitation
            | Self::Internal(_) => {}
        }
    }

    /// Whether a browser is redirected to the sign-in page, if there is one.
    pub(crate) fn sends_to_sign_in(&self) -> bool {
        matches!(self, Self::NoSession | Self::SessionEnded)
    }

    /// The page to sign in on, if this refusal leads there.
    fn sign_in_page<'r>(&self, request: &'r Request<'_>) -> Option<&'r str> {
        // Also where there are no pages of ours: the sign-in page is the application's.
        let confirms = *self == Self::NeedsRecentSignIn;
        let leads_on = confirms || self.sends_to_sign_in();
        if !leads_on || Format::preferred(request) == Format::Json {
            return None;
        }
        let site = request.rocket().state::<Site>()?;
        let page = if confirms {
            site.confirm()?
        } else {
            site.sign_in()?
        };
        // A sign-in page of the application's that asks for a session itself would lead to itself.
        let path = |path: &'r str| path.trim_end_matches('/');
        (path(request.uri().path().as_str()) != path(page)).then_some(page)
    }

    /// The address of the sign-in page; it leads back here if the request was for a page.
    fn sign_in_location(&self, page: &str, request: &Request<'_>) -> String {
        let next = (request.method() == Method::Get)
            .then(|| NextPath::parse(&request.uri().to_string()))
            .flatten()
            .map(|next| format!("next={}", next.in_query()));
        let ended = (*self == Self::SessionEnded).then(|| "ended=1".to_owned());
        let query: Vec<_> = next.into_iter().chain(ended).collect();
        if query.is_empty() {
            return page.to_owned();
        }
        format!("{page}?{}", query.join("&"))
    }
}

/// RFC 9110 asks for a challenge beside a 401. No browser knows this scheme, so none asks for a password by itself
/// (draft-broyer-http-cookie-auth).
fn challenge(form: &str, cookie: &str) -> String {
    format!(r#"Cookie realm="Innkeeper", form-action="{form}", cookie-name="{cookie}""#)
}

/// For people.
fn too_many_attempts(retry_after: u64) -> String {
    let wait = match retry_after {
        0..60 => "a minute".to_owned(),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    };
    format!("Too many attempts have failed. Please try again in {wait}.")
}

impl<'r> Responder<'r, 'static> for Refusal {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.note(request);
        RequestRecord::of(request).set_own();
        let sign_in_page = self.sign_in_page(request);
        let mut response = if let Some(page) = sign_in_page {
            see_other(&self.sign_in_location(page, request))
        } else {
            let (status, page) = (self.status(), self.page(request));
            let answered = if let Self::Invalid(invalid) = &self {
                answer(
                    request,
                    status,
                    "error",
                    &page,
                    &HTTPValidationError {
                        detail: [invalid.clone()],
                    },
                )
            } else {
                let detail = self.detail();
                answer(request, status, "error", &page, &Detail { detail })
            };
            // The metrics server has no templates.
            answered.unwrap_or_else(|_| page.plain())
        };
        // A browser keeps the cookie until our sign-in page, which needs it to find out why the session ended.
        let site = request.rocket().state::<Site>();
        let keeps_cookie = sign_in_page.is_some() && site.is_some_and(Site::has_own_sign_in);
        if self == Self::SessionEnded
            && !keeps_cookie
            && let Some(cookie) = SessionCookie::of(request)
        {
            response.adjoin_header(cookie.removal());
        }
        self.set_headers(&mut response, request);
        Ok(response)
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Ended => Self::SessionEnded,
            FieldError::Store(error) => Self::from(error),
            FieldError::Name(_)
            | FieldError::TooLarge(_)
            | FieldError::TooMany
            | FieldError::Json { .. } => Self::Internal(error.to_string().into()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::StoreDown(error.to_string().into())
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Wrong { .. } => Self::WrongPassword,
            VerifyError::TooMany { retry_after, .. } => Self::TooManyAttempts {
                retry_after: whole_seconds(retry_after),
            },
            VerifyError::Unavailable(error) => Self::StoreDown(error.to_string().into()),
        }
    }
}

/// Rounded up: whoever comes back then is not too early.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}
