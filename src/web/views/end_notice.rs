//! Why a user has to sign in again.

use std::time::Duration;

use serde::Serialize;

use crate::session::{EndReason, EndedSession, Lifetimes};
use crate::web::guards::EndLookup;
use crate::web::request::describe;
use crate::web::views::{ago, in_words};

/// Why the session that a request presented has ended.
#[derive(Debug, Serialize)]
pub(crate) struct EndNotice {
    /// A sentence.
    pub(crate) text: String,
    /// Whether the sentence says what happened to this session; if not, it is the rule by which sessions expire.
    known: bool,
}

impl EndNotice {
    pub(crate) fn new(ended: &EndLookup, lifetimes: Lifetimes) -> Self {
        let known = ended.known();
        Self {
            known: known.is_some(),
            text: match known {
                Some((ended, since)) => sentence(ended, *since),
                None => rule(lifetimes),
            },
        }
    }
}

fn rule(lifetimes: Lifetimes) -> String {
    let idle = in_words(lifetimes.idle);
    match lifetimes.absolute {
        Some(absolute) => format!(
            "Sessions end after {idle} without activity, and {} after sign-in.",
            in_words(absolute)
        ),
        None => format!("Sessions end after {idle} without activity."),
    }
}

fn sentence(ended: &EndedSession, since: Duration) -> String {
    let device = describe(ended.user_agent.as_deref());
    let device = device.as_deref().unwrap_or("an unknown device");
    let when = ago(since);
    match ended.reason {
        EndReason::SignedOut => format!("You signed out here, {when}."),
        EndReason::Ended => format!("You were signed out from {device}, {when}."),
        EndReason::Replaced => {
            format!("It was replaced by a new sign-in in the same browser, {when}.")
        }
        EndReason::OverLimit => {
            format!("It was your oldest, and made room for a sign-in from {device}, {when}.")
        }
        EndReason::ByOperator => format!("An administrator ended your session, {when}."),
        EndReason::PasswordChanged => {
            format!("Your password was changed from {device}, {when}.")
        }
        EndReason::Disabled => format!("An administrator disabled your account, {when}."),
        EndReason::Removed => format!("An administrator removed your account, {when}."),
    }
}
