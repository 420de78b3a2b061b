//! How long the session lives, asked without prolonging it.

use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder};
use rocket::serde::json::Json;
use rocket::{Request, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::session::Sessions;
use crate::web::answers::{ReadResponses, Refusal};
use crate::web::guards::{EndLookup, PassiveSession};
use crate::web::request::{Format, SessionCookie};
use crate::web::views::EndNotice;

/// The JSON answer, for programs and for the pages' script.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "user": "abdullah",
    "idle_seconds_left": 899,
    "absolute_seconds_left": 43_199
})))]
pub(crate) struct TimeLeft {
    user: String,
    idle_seconds_left: u64,
    /// `null` where sessions have no such limit.
    #[schema(required)]
    absolute_seconds_left: Option<u64>,
}

impl<'r> Responder<'r, 'static> for TimeLeft {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Json(self).respond_to(request)?;
        // Without a session, browsers are redirected.
        response.set_raw_header("Vary", "Accept");
        Ok(response)
    }
}

/// The answer without a session.
pub(crate) enum TimeLeftError {
    /// The session has ended, and why.
    Ended(String),
    Refused(Refusal),
}

/// The profile's answer to an ended session, with the reason.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "detail": "Session expired",
    "reason": "You were signed out from Firefox on Linux, 2 minutes ago."
})))]
struct EndedBody {
    detail: &'static str,
    reason: String,
}

/// Says how long the session lives, without prolonging it.
///
/// There is no page at this address. Browsers are answered in JSON too, but one without a session is redirected to the
/// sign-in, as at every address.
#[utoipa::path(
    get,
    path = "/session/",
    responses(
        ReadResponses,
        (
            status = 200,
            description = "Who is signed in, and how long the session lives.",
            body = TimeLeft,
            headers(("Vary" = String, description = "`Accept`"))
        ),
        (
            status = 404,
            description = "The session has ended, and why.",
            body = EndedBody,
            headers(
                ("Vary" = String, description = "`Accept`"),
                ("Set-Cookie" = String, description = "Removes the cookie")
            )
        ),
    ),
    security(("session" = []))
)]
#[get("/session")]
pub(crate) fn read(
    passive: Result<&PassiveSession, Refusal>,
    ended: &EndLookup,
    sessions: &Sessions,
) -> Result<TimeLeft, TimeLeftError> {
    match passive {
        Ok(passive) => Ok(TimeLeft {
            user: passive.user().to_owned(),
            idle_seconds_left: passive.expires_in().as_secs(),
            absolute_seconds_left: passive.absolute_expires_in().map(|left| left.as_secs()),
        }),
        Err(Refusal::SessionEnded) => {
            let notice = EndNotice::new(ended, sessions.lifetimes());
            Err(TimeLeftError::Ended(notice.text))
        }
        Err(refusal) => Err(TimeLeftError::Refused(refusal)),
    }
}

impl<'r> Responder<'r, 'static> for TimeLeftError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let reason = match self {
            Self::Ended(reason) if Format::of(request) == Format::Json => reason,
            Self::Ended(_) => return Refusal::SessionEnded.respond_to(request),
            Self::Refused(refusal) => return refusal.respond_to(request),
        };
        Refusal::SessionEnded.note(request);
        let body = Json(EndedBody {
            detail: "Session expired",
            reason,
        });
        let mut response = (Status::NotFound, (ContentType::JSON, body)).respond_to(request)?;
        response.set_raw_header("Vary", "Accept");
        if let Some(cookie) = SessionCookie::of(request) {
            response.adjoin_header(cookie.removal());
        }
        Ok(response)
    }
}
