//! The replies of a request that are not sent yet.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::wire::Reply;
use crate::session::{EndOutcome, StoreError};

/// Lines that wait to be sent. A store's methods add to them without waiting; whoever drives the method sends them before it
/// goes on.
#[derive(Default)]
pub(super) struct Output(Mutex<Vec<u8>>);

impl Output {
    pub(super) fn push(&self, reply: &Reply) {
        self.push_line(reply);
    }

    /// Anything that is written as JSON.
    pub(super) fn push_line(&self, value: &impl Serialize) {
        let mut lines = self.lines();
        if let Err(error) = serde_json::to_writer(&mut *lines, value) {
            tracing::error!(%error, "a reply to a command cannot be written");
        }
        // Writing to a `Vec` does not fail.
        drop(lines.write_all(b"\n"));
    }

    /// Says that the request is still being worked on.
    pub(super) fn push_empty_line(&self) {
        drop(self.lines().write_all(b"\n"));
    }

    pub(super) fn push_ended(&self, outcome: EndOutcome) {
        for handle in outcome.ended {
            self.push(&Reply::Ended(handle));
        }
        if let Some(failure) = outcome.failure {
            self.push(&Reply::Incomplete(Some(failure.into())));
        }
    }

    pub(super) fn push_outcome(&self, outcome: Result<(), StoreError>) {
        self.push(&match outcome {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed(error.into()),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines().is_empty()
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lines())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
