//! Why a visitor has to sign in again, in a sentence.

use std::time::Duration;

use serde::Serialize;

use crate::session::{EndReason, EndedSession, Lifetimes};
use crate::web::guards::end_lookup::EndLookup;
use crate::web::request::user_agent::device;
use crate::web::views::timestamp::{ago, in_words};

/// Why a visitor has to sign in again.
#[derive(Serialize)]
pub(crate) struct Explanation {
    /// A sentence.
    pub(crate) text: String,
    /// Whether it is what happened to this session, and not just the rule that ends sessions by themselves.
    known: bool,
}

/// Says why the session that a visitor presented is over.
///
/// Where nobody ended it, or it is forgotten who did, the sentence is the rule that ends sessions by themselves.
pub(crate) fn explain(ended: &EndLookup, lifetimes: Lifetimes) -> Explanation {
    let known = ended.known();
    Explanation {
        known: known.is_some(),
        text: match known {
            Some((ending, since)) => sentence(ending, *since),
            None => rule(lifetimes),
        },
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

fn sentence(ending: &EndedSession, since: Duration) -> String {
    let device = device(ending.user_agent.as_deref());
    let device = device.as_deref().unwrap_or("an unknown device");
    let when = ago(since);
    match ending.reason {
        EndReason::SignedOut => format!("You signed out here, {when}."),
        EndReason::Ended => format!("You were signed out from {device}, {when}."),
        EndReason::Replaced => {
            format!("It was replaced by a new sign-in in the same browser, {when}.")
        }
        EndReason::OverLimit => {
            format!("It was your oldest, and made room for a sign-in from {device}, {when}.")
        }
        EndReason::ByOperator => format!("An administrator ended your session, {when}."),
    }
}
