//! Who is signed in.

use std::collections::BTreeMap;

use rocket::get;
use serde::Serialize;
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
pub(crate) struct Profile {
    #[schema(format = "uuid")]
    session_id: String,
    session_data: SessionData,
}

/// The session's data, without the fields that Innkeeper keeps for itself.
#[derive(Serialize, ToSchema)]
struct SessionData {
    user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    /// What the application has stored.
    #[serde(flatten)]
    data: BTreeMap<String, Value>,
}

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
    responses(Page<View, Profile>, ReadResponses),
    security(("session" = []))
)]
#[get("/profile")]
pub(crate) fn page(
    current: Result<&CurrentSession, Refusal>,
    format: Format,
) -> Result<Page<View, Profile>, Refusal> {
    let current = current?;
    Ok(Page::new(
        format,
        "profile",
        || View::from(current),
        || Profile::from(current),
    ))
}

impl From<&CurrentSession> for Profile {
    fn from(current: &CurrentSession) -> Self {
        let session = current.session();
        Self {
            session_id: current.id().to_string(),
            session_data: SessionData {
                user: session.user.clone(),
                status: session.status.clone(),
                data: session
                    .data
                    .keys()
                    .map(|name| field(session, name))
                    .collect(),
            },
        }
    }
}

/// `null` if the value is not JSON: another program that shares the Redis may have written it.
fn field(session: &Session, name: &str) -> (String, Value) {
    let value = session.field(name).ok().flatten();
    (name.to_owned(), value.unwrap_or_default())
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
