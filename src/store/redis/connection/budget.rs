//! The time that one operation may take, and how an outage begins and ends.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::session::StoreError;
use crate::store::redis::connection::Connections;

/// How often a server that is away is looked for.
const PROBE_EVERY: Duration = Duration::from_millis(100);

impl Connections {
    /// Gives the whole of a store's operation, however many round trips it has, no more than the budget; and no time
    /// at all while it is known that the server does not answer.
    pub(in crate::store::redis) async fn within_budget<T>(
        self: &Arc<Self>,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.breaker.is_open() {
            return Err(StoreError::Unreachable(
                "it has not answered lately".to_owned(),
            ));
        }
        let attempt = Attempt {
            connections: self,
            begun: Instant::now(),
        };
        let outcome = timeout(self.budget(), operation)
            .await
            .unwrap_or(Err(StoreError::Timeout(self.budget())));
        attempt.settle(&outcome);
        outcome
    }

    /// Whether it is known that the server does not answer.
    pub(in crate::store::redis) fn are_out(&self) -> bool {
        self.breaker.is_open()
    }

    fn failed(self: &Arc<Self>, begun: Instant) {
        if !self.some_node_is_well() && self.breaker.failed(begun) {
            tracing::error!(
                "outage begun: Redis does not answer, requests are not kept waiting for it"
            );
            tokio::spawn(find_again(Arc::downgrade(self)));
        }
    }
}

/// An operation under way. One that is given up by its request, which began to wait before it, is judged as it is
/// dropped.
struct Attempt<'a> {
    connections: &'a Arc<Connections>,
    begun: Instant,
}

impl Attempt<'_> {
    fn settle<T>(self, outcome: &Result<T, StoreError>) {
        match outcome {
            Err(StoreError::Timeout(_) | StoreError::Unreachable(_)) => {
                self.connections.failed(self.begun);
            }
            Ok(_) | Err(StoreError::Failed(_) | StoreError::Unreadable(_)) => {
                self.connections.breaker.answered();
            }
        }
        std::mem::forget(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.begun.elapsed() >= self.connections.budget() / 2 {
            self.connections.failed(self.begun);
        }
    }
}

/// Asks until the server answers again. Alone: nobody else makes connections meanwhile.
async fn find_again(connections: Weak<Connections>) {
    let searching = Searching(Weak::clone(&connections));
    loop {
        sleep(PROBE_EVERY).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        let answer = timeout(connections.budget(), connections.probe()).await;
        if matches!(answer, Ok(Ok(()) | Err(StoreError::Failed(_)))) {
            drop(searching);
            tracing::info!("outage over: Redis answers again");
            return;
        }
    }
}

/// As long as it lives, somebody looks for the server; so requests try again when it ends with its runtime, too.
struct Searching(Weak<Connections>);

impl Drop for Searching {
    fn drop(&mut self) {
        if let Some(connections) = self.0.upgrade() {
            connections.breaker.close();
        }
    }
}
