//! Puts sessions that their users' lists have lost back into them, when they are used.
//!
//! A list loses sessions when Redis evicts it, when a failover loses the last second's writes, and when it expires too
//! early because an earlier configuration had a shorter limit. If the process remembers a session's user, a touch
//! checks the list in the same round trip; the first touch needs a second one. Whether the list lives long enough is
//! checked in batches, in the background; so is everything in a cluster, where the list may be on another node than the
//! session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Value};
use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;

use crate::session::{SessionId, StoreError};
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::list_key;
use crate::store::redis::sessions::known_sessions::KnownSessions;
use crate::store::redis::sessions::store::RedisStore;

/// How long sessions are gathered before they are checked together.
const BATCH_DELAY: Duration = Duration::from_millis(200);
/// How many sessions the background relists at a time: fewer than the failures that open the circuit breaker.
const CONCURRENCY: usize = 4;
/// How much longer than a session its list must live, because the list is not checked at each request.
const MARGIN: Duration = Duration::from_secs(60);

/// Lets another worker be started if this one is dropped with its runtime, or panics.
struct WorkerGuard<'a>(&'a KnownSessions);

impl Drop for WorkerGuard<'_> {
    fn drop(&mut self) {
        self.0.worker_lost();
    }
}

impl RedisStore {
    /// Queues a session in use to be put into its user's list, if it is not there.
    pub(crate) fn relist_later(&self, id: &SessionId, user: &str) {
        if self.known.enqueue(id, user) {
            let store = self.clone();
            tokio::spawn(async move { store.relist_batches().await });
        }
    }

    /// The same for a session that the process does not remember: at once if it has certainly never seen it. (Where
    /// there are more sessions than a process can remember, most requests would else cost a second round trip.)
    pub(crate) async fn relist_first(&self, id: &SessionId, user: &str) {
        let is_first = self.known.remember(id, user);
        if !is_first || self.client.is_cluster() {
            self.relist_later(id, user);
            return;
        }
        let sessions = HashMap::from([(*id, user.into())]);
        if let Err(error) = self.relist(&sessions).await {
            tracing::debug!(%error, "a user's list could not be looked at");
        }
    }

    /// The worker: runs until the queue is empty.
    async fn relist_batches(&self) {
        let guard = WorkerGuard(&self.known);
        loop {
            sleep(BATCH_DELAY).await;
            let sessions = self.known.take_batch();
            if sessions.is_empty() {
                std::mem::forget(guard);
                return;
            }
            if let Err(error) = self.client.with_timeout(self.relist(&sessions)).await {
                tracing::debug!(%error, "users' lists could not be looked at");
            }
        }
    }

    async fn relist(&self, sessions: &HashMap<SessionId, Arc<str>>) -> Result<(), StoreError> {
        let lookup = sessions.iter().map(|(id, user)| {
            let key = list_key(user);
            vec![Cmd::zscore(&key, id.to_string()), Cmd::pttl(&key)]
        });
        let answers = self.query_each(lookup.collect()).await?;
        let relist = sessions.iter().zip(answers);
        let relist = relist.map(|((id, user), answers)| async move {
            // After a failure the session is checked again at its next use.
            if let Err(error) = self.relist_one(id, user, answers).await {
                tracing::debug!(%error, "a user's list could not be looked at");
            }
        });
        // Not all at once: their failures alone must not open the circuit breaker.
        stream::iter(relist)
            .for_each_concurrent(CONCURRENCY, |relist| relist)
            .await;
        Ok(())
    }

    async fn relist_one(
        &self,
        id: &SessionId,
        user: &str,
        answers: Result<Vec<Value>, StoreError>,
    ) -> Result<(), StoreError> {
        let (score, pttl): (Option<f64>, i64) = read(answers?)?;
        let needed = (self.lifetimes.idle + MARGIN).as_millis();
        if score.is_none() {
            // Most sessions that are missing from their list have ended since they were queued.
            if self.is_alive(id).await? {
                self.add(id, user).await?;
            }
        } else if u128::try_from(pttl).unwrap_or_default() < needed {
            let lengthen = self.lengthen_command(user);
            self.client.query_one::<()>(lengthen).await?;
        }
        self.known.set_listed(id, user);
        Ok(())
    }
}
