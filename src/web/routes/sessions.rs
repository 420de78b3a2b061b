//! A user's sessions: seeing them and ending them.

use std::time::SystemTime;

use rocket::{State, delete, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::client::Client;
use crate::clock::rfc3339;
use crate::session::{
    EndOutcome, EndReason, ListedSession, Listing, Selection, SessionHandle, Sessions, StoreError,
};
use crate::web::answers::documented::{EndOneResponses, EndResponses, ReadResponses};
use crate::web::answers::negotiate::{Format, Page, SeeOther};
use crate::web::answers::refusal::Refusal;
use crate::web::guards::current_session::CurrentSession;
use crate::web::observe::audit::Audit;
use crate::web::request::cookie::SessionCookie;
use crate::web::request::user_agent::device;
use crate::web::views::countdown::Countdown;
use crate::web::views::timestamp::{Timestamp, ago};

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
    /// Whether it is the session that asks.
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
    sessions: &Sessions,
) -> Result<Page<View, SessionList>, Refusal> {
    let current = current?;
    let own = SessionHandle::from(current.id());
    let Listing {
        sessions: mut listed,
        complete,
    } = sessions.list(current.user(), Some(current.id())).await?;
    // Stable: behind the current one the order by last activity stays.
    listed.sort_by_key(|listed| listed.handle != own);
    let now = current.used_at();
    Ok(Page::new(
        format,
        "sessions",
        || View {
            countdown: Countdown::from(current),
            sessions: listed.iter().map(|one| Row::of(one, own, now)).collect(),
            others: listed.iter().filter(|one| one.handle != own).count(),
            complete,
        },
        || SessionList {
            sessions: listed.iter().map(|one| Entry::of(one, own)).collect(),
            complete: (!complete).then_some(false),
        },
    ))
}

impl Entry {
    fn of(listed: &ListedSession, own: SessionHandle) -> Self {
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
    fn of(listed: &ListedSession, own: SessionHandle, now: SystemTime) -> Self {
        let client = &listed.session.client;
        let unused = now.duration_since(listed.last_active_at);
        Self {
            handle: listed.handle.to_string(),
            current: listed.handle == own,
            device: device_of(client),
            ip: client.ip.clone(),
            since: listed.session.created_at.map(Timestamp::from),
            active: ago(unused.unwrap_or_default()),
        }
    }
}

fn device_of(client: &Client) -> String {
    device(client.user_agent.as_deref()).unwrap_or_else(|| "Unknown device".to_owned())
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

/// Those that answered are over, and told; the others may be alive.
fn refuse_if_any_may_live(ended: usize, failure: Option<StoreError>) -> Result<(), Refusal> {
    failure.map_or(Ok(()), |failure| {
        Err(Refusal::NotAllEnded {
            ended,
            problem: failure.to_string().into(),
        })
    })
}

type Several = Result<SeeOther<EndedSeveral>, Refusal>;

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
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Result<SeeOther<EndedOne>, Refusal> {
    let current = current?;
    // Unknown, another user's and malformed are one answer, so that none tells anything.
    let handle = SessionHandle::parse(handle).ok_or(Refusal::NoSuchSession)?;
    let own = handle == SessionHandle::from(current.id());
    let EndOutcome { mut ended, failure } = sessions
        .end_of_user(
            current.user(),
            Selection::One(handle),
            EndReason::Ended,
            &client,
        )
        .await?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if own {
        let unlisted = sessions.end(current.id(), &client).await;
        ended.extend(unlisted.iter().flatten().map(|_| handle));
        audit.ended_own(current, Selection::One(handle), &ended);
        unlisted?;
    } else if ended.is_empty() {
        return Err(Refusal::NoSuchSession);
    } else {
        audit.ended_own(current, Selection::One(handle), &ended);
    }
    Ok(SeeOther {
        location: if own { "/logout/" } else { "/sessions/" }.to_owned(),
        cookie: own.then(|| cookie.removal()),
        body: EndedOne {
            message: "Session ended",
        },
    })
}

/// Ends the user's other sessions.
#[utoipa::path(
    delete,
    path = "/sessions/others",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[delete("/sessions/others")]
pub(crate) async fn end_others(
    current: Result<&CurrentSession, Refusal>,
    client: Client,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Several {
    let current = current?;
    let others = Selection::Others(SessionHandle::from(current.id()));
    let EndOutcome { ended, failure } = sessions
        .end_of_user(current.user(), others, EndReason::Ended, &client)
        .await?;
    audit.ended_own(current, others, &ended);
    refuse_if_any_may_live(ended.len(), failure)?;
    Ok(SeeOther {
        location: "/sessions/".to_owned(),
        cookie: None,
        body: EndedSeveral {
            message: "Other sessions ended",
            ended: ended.len(),
        },
    })
}

/// Ends all sessions of the user, this one too.
#[utoipa::path(
    delete,
    path = "/sessions/",
    responses(EndResponses, SeeOther<EndedSeveral>),
    security(("session" = []))
)]
#[delete("/sessions")]
pub(crate) async fn end_all(
    current: Result<&CurrentSession, Refusal>,
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Several {
    let current = current?;
    let own = SessionHandle::from(current.id());
    let others = Selection::Others(own);
    let EndOutcome { mut ended, failure } = sessions
        .end_of_user(current.user(), others, EndReason::Ended, &client)
        .await?;
    if failure.is_some() {
        audit.ended_own(current, others, &ended);
        refuse_if_any_may_live(ended.len(), failure)?;
    }
    // Last: whoever is told that some may be alive can ask again. And by its id: it ends even where the list has been
    // lost (evicted from Redis, say).
    let own_end = sessions.end(current.id(), &client).await;
    ended.extend(own_end.iter().flatten().map(|_| own));
    audit.ended_own(current, Selection::All, &ended);
    own_end?;
    Ok(SeeOther {
        location: "/logout/".to_owned(),
        cookie: Some(cookie.removal()),
        body: EndedSeveral {
            message: "All sessions ended",
            ended: ended.len(),
        },
    })
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
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Result<SeeOther<EndedOne>, Refusal> {
    end_one(handle, current, client, cookie, sessions, audit).await
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
    client: Client,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Several {
    end_others(current, client, sessions, audit).await
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
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Several {
    end_all(current, client, cookie, sessions, audit).await
}
