//! A user's sessions: seeing them and ending them.

use std::time::SystemTime;

use rocket::{delete, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::client::Client;
use crate::clock::rfc3339;
use crate::session::{EndOutcome, ListedSession, Listing, Selection, SessionHandle};
use crate::web::answers::{EndOneResponses, EndResponses, Page, ReadResponses, Refusal, SeeOther};
use crate::web::guards::{CurrentSession, NewSignIn};
use crate::web::request::{DeviceKind, Format, Notice, describe};
use crate::web::site::Site;
use crate::web::views::{Countdown, Timestamp, ago};

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "sessions": [{
    "id": "0f8fad5bd9cb469fa16570867728950e",
    "current": true,
    "device": "Firefox on Linux",
    "ip": "127.0.0.1",
    "created_at": "2026-07-01T12:00:00Z",
    "last_active_at": "2026-07-01T12:34:56Z",
    "expires_at": "2026-07-01T12:49:56Z"
}] })))]
pub(crate) struct SessionList {
    sessions: Vec<Entry>,
    /// `false` where a part of the store did not answer, so that there may be more sessions. Else it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    complete: Option<bool>,
}

/// One session. What another program's sign-in did not record is `null`.
#[derive(Serialize, ToSchema)]
struct Entry {
    /// The handle by which it can be ended; not the session's id, and no key to it.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// Whether it is the request's own session.
    current: bool,
    device: String,
    #[schema(required)]
    ip: Option<String>,
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    last_active_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// What the page shows.
#[derive(Serialize)]
pub(crate) struct View {
    countdown: Countdown,
    sessions: Vec<Row>,
    others: usize,
    /// Whether there are no sessions but these.
    complete: bool,
}

/// One session, for people.
#[derive(Serialize)]
struct Row {
    handle: String,
    current: bool,
    kind: DeviceKind,
    device: String,
    ip: Option<String>,
    since: Option<Timestamp>,
    active: String,
}

/// Lists the user's live sessions, this one first.
#[utoipa::path(
    get,
    path = "/sessions/",
    responses(Page<View, SessionList>, ReadResponses),
    security(("session" = []))
)]
#[get("/sessions")]
pub(crate) async fn page(
    current: Result<&CurrentSession, Refusal>,
    format: Format,
) -> Result<Page<View, SessionList>, Refusal> {
    let current = current?;
    let own = current.handle();
    let Listing {
        sessions: listed,
        complete,
    } = current.list().await?;
    let now = current.used_at();
    Ok(Page::new(
        format,
        "sessions",
        || View {
            countdown: Countdown::from(current),
            sessions: listed.iter().map(|one| Row::new(one, own, now)).collect(),
            others: listed.iter().filter(|one| one.handle != own).count(),
            complete,
        },
        || SessionList {
            sessions: listed.iter().map(|one| Entry::new(one, own)).collect(),
            complete: (!complete).then_some(false),
        },
    ))
}

impl Entry {
    fn new(listed: &ListedSession, own: SessionHandle) -> Self {
        let client = &listed.session.client;
        Self {
            id: listed.handle.to_string(),
            current: listed.handle == own,
            device: device_of(client),
            ip: client.ip.clone(),
            created_at: listed.session.created_at.map(rfc3339),
            last_active_at: rfc3339(listed.last_active_at),
            expires_at: rfc3339(listed.expires_at),
        }
    }
}

impl Row {
    fn new(listed: &ListedSession, own: SessionHandle, now: SystemTime) -> Self {
        let client = &listed.session.client;
        let unused = now.duration_since(listed.last_active_at);
        Self {
            handle: listed.handle.to_string(),
            current: listed.handle == own,
            kind: DeviceKind::of(client.user_agent.as_deref()),
            device: device_of(client),
            ip: client.ip.clone(),
            since: listed.session.created_at.map(Timestamp::from),
            active: ago(unused.unwrap_or_default()),
        }
    }
}

fn device_of(client: &Client) -> String {
    describe(client.user_agent.as_deref()).unwrap_or_else(|| "Unknown device".to_owned())
}

/// What a program reads after ending one session.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Session ended" })))]
pub(crate) struct EndedOne {
    message: &'static str,
}

/// What a program reads after ending several.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Other sessions ended", "ended": 2 })))]
pub(crate) struct EndedSeveral {
    message: &'static str,
    ended: usize,
}

type Several = Result<SeeOther<EndedSeveral>, Refusal>;

async fn end_several(
    current: &CurrentSession,
    selection: Selection,
    message: &'static str,
    site: &Site,
) -> Several {
    let EndOutcome { ended, failure } = current.end(selection).await?;
    let ended = ended.len();
    if let Some(failure) = failure {
        let error = failure.to_string().into();
        return Err(Refusal::NotAllEnded { ended, error });
    }
    let is_own = selection == Selection::All;
    // Where all have ended, the page that the browser is led to says so itself.
    let notice = (!is_own).then_some(Notice::OthersEnded { count: ended });
    let body = EndedSeveral { message, ended };
    Ok(see_other(site, is_own, notice, body))
}

/// `is_own`: whether the request's own session has ended.
fn see_other<B>(site: &Site, is_own: bool, notice: Option<Notice>, body: B) -> SeeOther<B> {
    let location = if is_own {
        site.after_sign_out()
    } else {
        site.list_of_sessions()
    };
    SeeOther {
        location: location.to_owned(),
        removes_cookie: is_own,
        notice,
        body,
    }
}

/// Ends one of the user's sessions, at once.
#[utoipa::path(
    delete,
    path = "/sessions/{handle}",
    params(("handle" = String, Path, description = "The `id` that the list says", pattern = "^[0-9a-f]{32}$")),
    responses(EndOneResponses, SeeOther<EndedOne>),
    security(("session" = []))
)]
#[delete("/sessions/<handle>")]
pub(crate) async fn end_one(
    handle: &str,
    current: Result<&CurrentSession, Refusal>,
    format: Format,
    site: &Site,
) -> Result<SeeOther<EndedOne>, Refusal> {
    let current = current?;
    // The same answer to a malformed handle, an unknown one and another user's: it reveals nothing.
    let handle = SessionHandle::parse(handle).ok_or(Refusal::NoSuchSession)?;
    let is_own = handle == current.handle();
    // After one's own, the next page says it by itself.
    let notice = if is_own || format == Format::Json {
        None
    } else {
        let device = device_of_listed(current, handle).await;
        Some(Notice::Ended { device })
    };
    let EndOutcome { ended, failure } = current.end(Selection::One(handle)).await?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    // Also where it had ended already: what the page told is answered.
    let told = NewSignIn::of(current.session());
    if told.is_some_and(|new| new.handle == handle) && !is_own {
        current.forget_new_sign_in().await?;
    }
    if ended.is_empty() && !is_own {
        return Err(Refusal::NoSuchSession);
    }
    let message = "Session ended";
    Ok(see_other(site, is_own, notice, EndedOne { message }))
}

/// `None` also where the list cannot be had: the session is to end all the same.
async fn device_of_listed(current: &CurrentSession, handle: SessionHandle) -> Option<String> {
    let listing = current.list().await.ok()?;
    let mut listed = listing.sessions.into_iter();
    let listed = listed.find(|listed| listed.handle == handle)?;
    describe(listed.session.client.user_agent.as_deref())
}

/// Ends the user's other sessions.
#[utoipa::path(
    delete,
    path = "/sessions/others",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[delete("/sessions/others")]
pub(crate) async fn end_others(current: Result<&CurrentSession, Refusal>, site: &Site) -> Several {
    let current = current?;
    let others = Selection::Others(current.handle());
    end_several(current, others, "Other sessions ended", site).await
}

/// Ends all sessions of the user, this one too.
#[utoipa::path(
    delete,
    path = "/sessions/",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[delete("/sessions")]
pub(crate) async fn end_all(current: Result<&CurrentSession, Refusal>, site: &Site) -> Several {
    end_several(current?, Selection::All, "All sessions ended", site).await
}

/// Ends one of the user's sessions, for a form: it cannot send DELETE.
#[utoipa::path(
    post,
    path = "/sessions/{handle}/end",
    params(("handle" = String, Path, description = "The `id` that the list says", pattern = "^[0-9a-f]{32}$")),
    responses(EndOneResponses, SeeOther<EndedOne>),
    security(("session" = []))
)]
#[post("/sessions/<handle>/end")]
pub(crate) async fn submit_end_one(
    handle: &str,
    current: Result<&CurrentSession, Refusal>,
    format: Format,
    site: &Site,
) -> Result<SeeOther<EndedOne>, Refusal> {
    end_one(handle, current, format, site).await
}

/// Ends the user's other sessions, for a form.
#[utoipa::path(
    post,
    path = "/sessions/others/end",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[post("/sessions/others/end")]
pub(crate) async fn submit_end_others(
    current: Result<&CurrentSession, Refusal>,
    site: &Site,
) -> Several {
    end_others(current, site).await
}

/// Ends all sessions of the user, for a form.
#[utoipa::path(
    post,
    path = "/sessions/end",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[post("/sessions/end")]
pub(crate) async fn submit_end_all(
    current: Result<&CurrentSession, Refusal>,
    site: &Site,
) -> Several {
    end_all(current, site).await
}

/// What a program reads after the answer to a new sign-in.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Noted" })))]
pub(crate) struct Noted {
    message: &'static str,
}

/// The user knows of the sign-in from a new browser that this session told of: it says so no more.
#[utoipa::path(
    post,
    path = "/sessions/known",
    responses(EndOneResponses, SeeOther<Noted>),
    security(("session" = []))
)]
#[post("/sessions/known")]
pub(crate) async fn know(
    current: Result<&CurrentSession, Refusal>,
    site: &Site,
) -> Result<SeeOther<Noted>, Refusal> {
    current?.forget_new_sign_in().await?;
    Ok(see_other(site, false, None, Noted { message: "Noted" }))
}
