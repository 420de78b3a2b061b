//! Who is signed in.
#![expect(single_use_lifetimes, reason = "in what `ToSchema` is derived to")]

use rocket::get;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::session::Session;
use crate::web::answers::{Page, ReadResponses, Refusal};
use crate::web::guards::CurrentSession;
use crate::web::request::Format;
use crate::web::views::{Countdown, Timestamp, in_words};

/// The JSON answer.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "session_id": "de95c9ed-a84e-4c5b-a56e-9cff0aeb51bf",
    "session_data": { "user": "abdullah", "status": "active" }
})))]
pub(crate) struct Profile<'a> {
    #[schema(format = "uuid")]
    session_id: String,
    session_data: SessionData<'a>,
}

/// The session's data, without the fields that Innkeeper keeps for itself.
#[derive(Serialize, ToSchema)]
struct SessionData<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status: &'a str,
    /// What the application has stored.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    data: Data<'a>,
}

/// Written as it is read: a map of values would be built for each request.
struct Data<'a>(&'a Session);

/// The page.
#[derive(Serialize)]
pub(crate) struct View {
    countdown: Countdown,
    since: Option<Timestamp>,
    ends: Timestamp,
    /// In words, for a browser without JavaScript.
    left: String,
}

/// Says who is signed in, and prolongs the session.
#[utoipa::path(
    get,
    path = "/profile/",
    responses(Page<View, Profile<'static>>, ReadResponses),
    security(("session" = []))
)]
#[get("/profile")]
pub(crate) fn page(
    current: Result<&CurrentSession, Refusal>,
    format: Format,
) -> Result<Page<View, Profile<'_>>, Refusal> {
    let current = current?;
    Ok(Page::new(
        format,
        "profile",
        || View::from(current),
        || Profile::from(current),
    ))
}

impl<'a> From<&'a CurrentSession> for Profile<'a> {
    fn from(current: &'a CurrentSession) -> Self {
        let session = current.session();
        Self {
            session_id: current.id().to_string(),
            session_data: SessionData {
                user: &session.user,
                status: &session.status,
                data: Data(session),
            },
        }
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(session) = *self;
        // `null` if the value is not JSON: another program that shares the Redis may have written it.
        let value = |name| session.field::<Value>(name).ok().flatten();
        serializer.collect_map(session.data.keys().map(|name| (name, value(name))))
    }
}

impl From<&CurrentSession> for View {
    fn from(current: &CurrentSession) -> Self {
        Self {
            countdown: Countdown::from(current),
            since: current.session().created_at.map(Timestamp::from),
            ends: Timestamp::from(current.expires_at()),
            left: in_words(current.expires_in()),
        }
    }
}
