//! Puts sessions back into their users' lists, as they are used.
//!
//! A list loses sessions when Redis evicts it, when a failover forgets the last second's writes, and when it was made to
//! last as long as a shorter limit of an earlier configuration. A touch of a session whose user is known asks for its
//! place in the list in the same round trip, and puts it back if it is not there. The first touch of a session asks in a
//! second round trip. That a list lives long enough is looked at by the hundred, beside the requests; so is everything in a
//! cluster, where lists lie on other nodes than sessions.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::{Cmd, Pipeline, Value};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::session::{SessionId, StoreError};
use crate::store::redis::RedisStore;
use crate::store::redis::connection::reply::read;
use crate::store::redis::keys::list_key;

/// How long sessions are gathered before they are looked up together.
const GATHER: Duration = Duration::from_millis(200);
/// The most that are looked up together, so that a rush of new faces costs Redis a hundredth of its time. Whoever is one
/// too many is looked up when he comes again.
const AT_ONCE: usize = 200;
/// A session that is in its list is looked up again after this, or twice this.
const TRUSTED: Duration = Duration::from_secs(10);
/// The most that are remembered, twice: some ten megabytes.
const REMEMBERED: usize = 50_000;
/// How much longer than a session its list must live, because it is not looked at with each request.
const MARGIN: Duration = Duration::from_secs(60);

/// What one process knows of its sessions' lists.
#[derive(Debug, Default)]
pub(in crate::store::redis) struct Relisting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Those found in their lists lately, and a little earlier.
    recent: HashSet<SessionId>,
    earlier: HashSet<SessionId>,
    turned_at: Option<Instant>,
    /// Those to be looked up, with their users.
    waiting: HashMap<SessionId, String>,
    /// Whether somebody is on the way to look them up.
    working: bool,
    /// Whose sessions they are that have been used; the older half is forgotten when there are too many.
    users: HashMap<SessionId, Arc<str>>,
    older_users: HashMap<SessionId, Arc<str>>,
    /// Whether some have been forgotten, so that an unknown session may be an old acquaintance.
    has_forgotten: bool,
}

impl State {
    fn turn(&mut self) {
        let now = Instant::now();
        let age = now - *self.turned_at.get_or_insert(now);
        if age >= TRUSTED || self.recent.len() >= REMEMBERED {
            self.earlier = std::mem::take(&mut self.recent);
            self.turned_at = Some(now);
        }
        if age >= 2 * TRUSTED {
            self.earlier.clear();
        }
    }

    fn knows(&mut self, id: &SessionId) -> bool {
        self.turn();
        self.recent.contains(id) || self.earlier.contains(id)
    }
}

impl Relisting {
    // A panic while the lock was held cannot leave a set half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose session it is, if it has been used in this process.
    pub(in crate::store::redis) fn user_of(&self, id: &SessionId) -> Option<Arc<str>> {
        let state = self.state();
        let known = state.users.get(id).or_else(|| state.older_users.get(id));
        known.cloned()
    }

    /// Remembers whose session it is. Says whether it is certainly seen for the first time.
    pub(in crate::store::redis) fn remember(&self, id: &SessionId, user: &str) -> bool {
        let mut state = self.state();
        if state.users.len() >= REMEMBERED {
            state.has_forgotten |= !state.older_users.is_empty();
            state.older_users = std::mem::take(&mut state.users);
        }
        let is_new = state.users.insert(*id, user.into()).is_none();
        is_new && !state.has_forgotten
    }

    /// A session was found in its user's list, or put there.
    pub(in crate::store::redis) fn is_listed(&self, id: &SessionId) {
        let mut state = self.state();
        state.turn();
        state.recent.insert(*id);
    }

    /// Notes a session that is used. Says whether nobody is on the way to look it up.
    fn note(&self, id: &SessionId, user: &str) -> bool {
        let mut state = self.state();
        if state.knows(id) || state.waiting.len() >= AT_ONCE {
            return false;
        }
        state.waiting.insert(*id, user.to_owned());
        !std::mem::replace(&mut state.working, true)
    }

    /// What has been gathered; nothing more to come before the next [`note`](Self::note) if it is empty.
    fn gathered(&self) -> HashMap<SessionId, String> {
        let mut state = self.state();
        state.working = !state.waiting.is_empty();
        std::mem::take(&mut state.waiting)
    }
}

/// Dropped where its task ends otherwise than by finding nothing to do: with its runtime, or by a panic. Somebody else
/// must then go.
struct OnTheWay<'a>(&'a Relisting);

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.state().working = false;
    }
}

impl RedisStore {
    /// Sees to it that a session that is used is in its user's list soon, if it is not.
    pub(in crate::store::redis) fn see_to_list(&self, id: &SessionId, user: &str) {
        if self.relisting.note(id, user) {
            let store = self.clone();
            tokio::spawn(async move { store.look_up_gathered().await });
        }
    }

    /// The same for one whose user was not known. At once, if this is the first time: where a process sees more sessions
    /// than it can remember, no request should cost two round trips for that.
    pub(in crate::store::redis) async fn see_to_list_first(&self, id: &SessionId, user: &str) {
        let is_first = self.relisting.remember(id, user);
        if !is_first || self.connections.is_cluster() {
            self.see_to_list(id, user);
            return;
        }
        let sessions = HashMap::from([(*id, user.to_owned())]);
        if let Err(error) = self.look_up(&sessions).await {
            tracing::debug!(%error, "a user's list could not be looked at");
        }
    }

    async fn look_up_gathered(&self) {
        let on_the_way = OnTheWay(&self.relisting);
        loop {
            sleep(GATHER).await;
            let sessions = self.relisting.gathered();
            if sessions.is_empty() {
                std::mem::forget(on_the_way);
                return;
            }
            let look = self.look_up(&sessions);
            if let Err(error) = self.connections.within_budget(look).await {
                tracing::debug!(%error, "users' lists could not be looked at");
            }
        }
    }

    async fn look_up(&self, sessions: &HashMap<SessionId, String>) -> Result<(), StoreError> {
        let look = sessions.iter().map(|(id, user)| {
            let key = list_key(user);
            vec![Cmd::zscore(&key, id.to_string()), Cmd::pttl(&key)]
        });
        let answers = self.ask_apart(look.collect()).await?;
        let mend = sessions
            .iter()
            .zip(answers)
            .map(|((id, user), answers)| async move {
                let outcome = match answers {
                    Ok(answers) => self.mend_list(id, user, answers).await,
                    Err(error) => Err(error),
                };
                // That one's own trouble: it is looked up again when it is used again.
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a user's list could not be looked at");
                }
            });
        join_all(mend).await;
        Ok(())
    }

    async fn mend_list(
        &self,
        id: &SessionId,
        user: &str,
        answers: Vec<Value>,
    ) -> Result<(), StoreError> {
        let (score, left): (Option<f64>, i64) = read(answers)?;
        if score.is_none() {
            // Most of those that left their list since they were noted are over.
            if self.is_alive(id).await? {
                self.enlist(id, user).await?;
            }
        } else if left < millis(self.lifetimes.idle + MARGIN) {
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.add_command(self.lengthen_command(user));
            let ((),) = self.connections.run(&pipeline).await?;
        }
        self.relisting.is_listed(id);
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_looked_up_once_in_a_while() {
        let relisting = Relisting::default();
        let id = SessionId::generate();
        assert!(relisting.note(&id, "a"));
        // Somebody is on the way.
        assert!(!relisting.note(&SessionId::generate(), "b"));
        assert_eq!(relisting.gathered().len(), 2);
        relisting.is_listed(&id);
        assert!(!relisting.note(&id, "a"));
        assert!(relisting.gathered().is_empty());
        assert!(!relisting.note(&id, "a"));
        tokio::time::advance(TRUSTED).await;
        assert!(!relisting.note(&id, "a"));
        tokio::time::advance(TRUSTED).await;
        assert!(relisting.note(&id, "a"));
    }

    #[test]
    fn whoever_is_lost_on_the_way_is_replaced() {
        let relisting = Relisting::default();
        assert!(relisting.note(&SessionId::generate(), "a"));
        assert!(!relisting.note(&SessionId::generate(), "b"));
        drop(OnTheWay(&relisting));
        assert!(relisting.note(&SessionId::generate(), "c"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let relisting = Relisting::default();
        for _ in 0..3 * REMEMBERED {
            relisting.is_listed(&SessionId::generate());
            relisting.note(&SessionId::generate(), "a");
            relisting.remember(&SessionId::generate(), "a");
        }
        assert!(!relisting.remember(&SessionId::generate(), "a"));
        let state = relisting.state();
        assert!(state.users.len() <= REMEMBERED && state.older_users.len() <= REMEMBERED);
        assert!(state.recent.len() <= REMEMBERED && state.earlier.len() <= REMEMBERED);
        assert!(state.waiting.len() <= AT_ONCE);
    }
}
