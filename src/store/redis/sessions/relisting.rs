//! Puts sessions back into their users' lists, as they are used.
//!
//! A list loses sessions when Redis evicts it, when a failover forgets the last second's writes, and when it was made to
//! last as long as a shorter limit of an earlier configuration. A touch of a session whose user is known asks for its
//! place in the list in the same round trip, and puts it back if it is not there. The first touch of a session asks in a
//! second round trip. That a list lives long enough is looked at in batches, beside the requests; so is everything in a
//! cluster, where lists lie on other nodes than sessions.

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

/// How long sessions are gathered before they are looked up together.
const BATCH_DELAY: Duration = Duration::from_millis(200);
/// How many lists are changed at a time, in the background: fewer than the failures that open the circuit breaker.
const CONCURRENCY: usize = 4;
/// How much longer than a session its list must live, because it is not looked at with each request.
const MARGIN: Duration = Duration::from_secs(60);

/// Lets another task be started where this one ends with its runtime, or by a panic.
struct WorkerGuard<'a>(&'a KnownSessions);

impl Drop for WorkerGuard<'_> {
    fn drop(&mut self) {
        self.0.worker_lost();
    }
}

impl RedisStore {
    /// Has a session that is used put into its user's list soon, if it is not there.
    pub(crate) fn relist_later(&self, id: &SessionId, user: &str) {
        if self.known.enqueue(id, user) {
            let store = self.clone();
            tokio::spawn(async move { store.relist_batches().await });
        }
    }

    /// The same for a session whose user was not known: at once, if it is certainly seen for the first time. (Where a
    /// process sees more sessions than it can remember, most requests would else cost a second round trip.)
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
        let look = sessions.iter().map(|(id, user)| {
            let key = list_key(user);
            vec![Cmd::zscore(&key, id.to_string()), Cmd::pttl(&key)]
        });
        let answers = self.ask_each(look.collect()).await?;
        let relist = sessions.iter().zip(answers);
        let relist = relist.map(|((id, user), answers)| async move {
            let outcome = match answers {
                Ok(answers) => self.relist_one(id, user, answers).await,
                Err(error) => Err(error),
            };
            // It is looked up again when it is used again.
            if let Err(error) = outcome {
                tracing::debug!(%error, "a user's list could not be looked at");
            }
        });
        // Not all at once: what fails together here must not open the circuit breaker by itself.
        stream::iter(relist)
            .for_each_concurrent(CONCURRENCY, |relist| relist)
            .await;
        Ok(())
    }

    async fn relist_one(
        &self,
        id: &SessionId,
        user: &str,
        answers: Vec<Value>,
    ) -> Result<(), StoreError> {
        let (score, left): (Option<f64>, i64) = read(answers)?;
        let needed = (self.lifetimes.idle + MARGIN).as_millis();
        if score.is_none() {
            // Most of those that left their list since they were enqueued have ended.
            if self.is_alive(id).await? {
                self.add(id, user).await?;
            }
        } else if u128::try_from(left).unwrap_or_default() < needed {
            let lengthen = self.lengthen_command(user);
            self.client.query_one::<()>(lengthen).await?;
        }
        self.known.set_listed(id, user);
        Ok(())
    }
}
