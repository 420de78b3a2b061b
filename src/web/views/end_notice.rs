//! Why a visitor has to sign in again, in a sentence.

use std::time::Duration;

use serde::Serialize;

use crate::session::{Ending, Lifetimes, Reason};
use crate::web::guards::ended_session::EndedSession;
use crate::web::request::user_agent::device;
use crate::web::views::timestamp::{ago, in_words};

/// Why a visitor has to sign in again.
#[derive(Serialize)]
pub(in crate::web) struct Explanation {
    /// A sentence.
    pub(in crate::web) text: String,
    /// Whether it is what happened to this session, and not just the rule that ends sessions by themselves.
    known: bool,
}

/// Says why the session that a visitor presented is over.
///
/// Where nobody ended it, or it is forgotten who did, the sentence is the rule that ends sessions by themselves.
pub(in crate::web) fn explain(ended: &EndedSession, lifetimes: Lifetimes) -> Explanation {
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

fn sentence(ending: &Ending, since: Duration) -> String {
    let device = device(ending.user_agent.as_deref());
    let device = device.as_deref().unwrap_or("an unknown device");
    let when = ago(since);
    match ending.reason {
        Reason::SignedOut => format!("You signed out here, {when}."),
        Reason::Ended => format!("You were signed out from {device}, {when}."),
        Reason::SignedInAgain => {
            format!("It was replaced by a new sign-in in the same browser, {when}.")
        }
        Reason::TooMany => {
            format!("It was your oldest, and made room for a sign-in from {device}, {when}.")
        }
        Reason::ByOperator => format!("An administrator ended your session, {when}."),
    }
}
