//! A session of the doctor's own, from its beginning to its end: what no setting tells, this does.

use crate::cli::doctor::finding::{Finding, failure, ok};
use crate::cli::doctor::problem;
use crate::client::Client;
use crate::session::{EndReason, FieldError, SessionId, Sessions, StoreError};
use crate::user_name::UserName;

const SUBJECT: &str = "trial";
const USER: &str = "innkeeper doctor";

/// What went wrong, and at which step.
struct Broken {
    step: &'static str,
    problem: String,
}

/// Leaves only the reason of the session's end, which expires.
pub(super) async fn prove(sessions: &Sessions) -> Finding {
    match trial(sessions).await {
        Ok(()) => ok(
            SUBJECT,
            "A session was begun, used, listed, written to and ended.",
        ),
        Err(Broken { step, problem }) => {
            let change = if problem.contains("NOPERM") {
                "Grant Innkeeper's Redis user the rights that README.md lists."
            } else if problem.contains("OOM") {
                "Give Redis more memory: nobody can sign in."
            } else if problem.contains("READONLY") {
                "Name the primary: this server is a replica."
            } else {
                "Visitors meet the same."
            };
            failure(SUBJECT, &format!("{step} failed: {problem}."), change)
        }
    }
}

async fn trial(sessions: &Sessions) -> Result<(), Broken> {
    let doctor = Client {
        ip: None,
        user_agent: Some(USER.to_owned()),
    };
    let user = UserName::parse(USER).map_err(|error| Broken {
        step: "Naming the user",
        problem: error.to_string(),
    })?;

    let begin = "Beginning a session";
    let id = sessions
        .start(&user, doctor.clone(), None)
        .await
        .map_err(at(begin))?
        .id;
    let outcome = use_and_end(sessions, &id, &doctor).await;
    if outcome.is_err() {
        // Where it can be done, nothing stays behind.
        drop(sessions.end(&id, &doctor).await);
    }
    outcome
}

fn at(step: &'static str) -> impl Fn(StoreError) -> Broken {
    move |error| Broken {
        step,
        problem: problem(&error),
    }
}

fn lost(step: &'static str) -> Broken {
    Broken {
        step,
        problem: "the session was lost".to_owned(),
    }
}

async fn use_and_end(sessions: &Sessions, id: &SessionId, doctor: &Client) -> Result<(), Broken> {
    let using = "Using a session";
    let active = sessions.resume(id).await.map_err(at(using))?;
    active.ok_or_else(|| lost(using))?;
    let writing = "Writing to a session";
    let written = sessions.write(id, "doctor", Some(&true)).await;
    written.map_err(|error| Broken {
        step: writing,
        problem: match &error {
            FieldError::Store(error) => problem(error),
            FieldError::Name(_)
            | FieldError::TooLarge(_)
            | FieldError::TooMany
            | FieldError::Json { .. }
            | FieldError::Ended => error.to_string(),
        },
    })?;
    let listing = "Listing sessions";
    let listed = sessions.list(USER, Some(id)).await.map_err(at(listing))?;
    if !listed.sessions.iter().any(|one| one.handle == id.into()) {
        return Err(lost(listing));
    }
    let ending = "Ending a session";
    sessions.end(id, doctor).await.map_err(at(ending))?;
    let why = sessions.ended(id).await.map_err(at(ending))?;
    let over = sessions.peek(id).await.map_err(at(ending))?.is_none();
    let told = why.is_some_and(|(why, _)| why.reason == EndReason::SignedOut);
    if over && told {
        return Ok(());
    }
    Err(Broken {
        step: ending,
        problem: if over {
            "nobody would be told why it ended".to_owned()
        } else {
            "the session lives on".to_owned()
        },
    })
}
