//! Creates a session, uses it and ends it: this finds faults that no setting shows.

use crate::cli::doctor::finding::{Finding, failure, ok, problem};
use crate::client::Client;
use crate::session::{EndReason, FieldError, SessionId, Sessions, StoreError};
use crate::user_name::UserName;

const SUBJECT: &str = "self-test";
const USER: &str = "innkeeper doctor";

/// Leaves nothing in the store but the reason why the session ended, which expires.
pub(super) async fn run(sessions: &Sessions) -> Finding {
    let Err(failed) = begin_use_and_end(sessions).await else {
        return ok(
            SUBJECT,
            "A session was begun, used, listed, written to and ended.",
        );
    };
    let change = if failed.contains("NOPERM") {
        "Grant Innkeeper's Redis user the rights that the guide's chapter on Redis lists."
    } else if failed.contains("OOM") {
        "Give Redis more memory: nobody can sign in."
    } else if failed.contains("READONLY") {
        "Name the primary: this server is a replica."
    } else {
        "Visitors get the same error."
    };
    failure(SUBJECT, &failed, change)
}

async fn begin_use_and_end(sessions: &Sessions) -> Result<(), String> {
    let doctor = Client {
        ip: None,
        user_agent: Some(USER.to_owned()),
    };
    let user =
        UserName::parse(USER).map_err(|error| failed("Naming the user", &error.to_string()))?;
    let started = sessions.start(&user, doctor.clone(), None).await;
    let id = started.map_err(in_store("Beginning a session"))?.id;
    let outcome = use_and_end(sessions, &id, &doctor).await;
    if outcome.is_err() {
        // Tries to leave no session behind.
        drop(sessions.end(&id, &doctor).await);
    }
    outcome
}

async fn use_and_end(sessions: &Sessions, id: &SessionId, doctor: &Client) -> Result<(), String> {
    let step = "Using a session";
    let active = sessions.resume(id).await.map_err(in_store(step))?;
    active.ok_or_else(|| failed(step, "the session was lost"))?;
    let written = sessions.write(id, "doctor", Some(&true)).await;
    written.map_err(|error| {
        let problem = if let FieldError::Store(error) = &error {
            problem(error)
        } else {
            error.to_string()
        };
        failed("Writing to a session", &problem)
    })?;
    let step = "Listing sessions";
    let listed = sessions
        .list(USER, Some(id))
        .await
        .map_err(in_store(step))?;
    if !listed.sessions.iter().any(|one| one.handle == id.into()) {
        return Err(failed(step, "the session was lost"));
    }
    let step = "Ending a session";
    sessions.end(id, doctor).await.map_err(in_store(step))?;
    let ended = sessions.ended(id).await.map_err(in_store(step))?;
    if sessions.peek(id).await.map_err(in_store(step))?.is_some() {
        return Err(failed(step, "the session is still active"));
    }
    if ended.is_none_or(|(ended, _)| ended.reason != EndReason::SignedOut) {
        return Err(failed(step, "the reason of its end was lost"));
    }
    Ok(())
}

fn in_store(step: &str) -> impl Fn(StoreError) -> String {
    move |error| failed(step, &problem(&error))
}

fn failed(step: &str, problem: &str) -> String {
    format!("{step} failed: {problem}.")
}
