//! Why a visitor has to sign in again, in a sentence.

use std::time::Duration;

use super::device::device;
use super::moment::{ago, in_words};
use crate::session::{Ending, Reason, SessionId, Sessions};

/// Says why the session that a visitor presented is over.
///
/// Where nobody ended it, or it is forgotten who did, the sentence is the rule that ends sessions by themselves.
/// A store that does not answer is no reason to keep the page from the visitor.
pub(super) async fn explain(sessions: &Sessions, id: Option<&SessionId>) -> String {
    let known = match id {
        Some(id) => sessions.why_ended(id).await.ok().flatten(),
        None => None,
    };
    match known {
        Some((ending, since)) => sentence(&ending, since),
        None => rule(sessions.idle_timeout()),
    }
}

/// What ends a session if nobody does.
pub(super) fn rule(idle_timeout: Duration) -> String {
    format!(
        "Sessions end after {} without activity.",
        in_words(idle_timeout)
    )
}

fn sentence(ending: &Ending, since: Duration) -> String {
    let (device, when) = (device(ending.agent.as_deref()), ago(since));
    match ending.reason {
        Reason::SignedOut | Reason::Ended => format!("You were signed out from {device}, {when}."),
        Reason::SignedInAgain => {
            format!("It was replaced by a new sign-in in the same browser, {when}.")
        }
        Reason::TooMany => {
            format!("It was your oldest, and made room for a sign-in from {device}, {when}.")
        }
    }
}
