//! A connection that many requests use at once, and what its answers and its silence say of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::{Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio::time::timeout;

use crate::store::redis::connection::error::{is_broken, is_unhealthy};

/// How exactly it is remembered when a connection answered last, in microseconds: each request would otherwise write
/// what all others read.
const RESOLUTION: u64 = 10_000;

/// How often a connection is replaced because of what its server answers, in microseconds. A server that refuses
/// everything for hours is then asked for two new connections a second, however many requests come.
const REPLACE_EVERY: u64 = 500_000;

/// What the connections to one server know of one another.
pub(in crate::store::redis) struct Siblings {
    epoch: Instant,
    /// Since when one of them has been silent or lost: those that have not answered since then may be, too.
    doubted_at: AtomicU64,
    /// When one of them was last replaced because of its server's answers.
    replaced_at: AtomicU64,
    /// When a connection could not be made last.
    failed_at: AtomicU64,
    /// Whether the last that was heard of the server is bad.
    troubled: AtomicBool,
    /// Whether a new connection may lead to a server that does not refuse.
    replaceable: bool,
}

impl Siblings {
    pub(in crate::store::redis) fn new() -> Arc<Self> {
        Self::with(true)
    }

    /// To a node of a cluster: a new connection leads to the same node again.
    pub(in crate::store::redis) fn of_node() -> Arc<Self> {
        Self::with(false)
    }

    fn with(replaceable: bool) -> Arc<Self> {
        Arc::new(Self {
            replaceable,
            epoch: Instant::now(),
            doubted_at: AtomicU64::new(0),
            replaced_at: AtomicU64::new(0),
            failed_at: AtomicU64::new(0),
            troubled: AtomicBool::new(false),
        })
    }

    /// Never zero, which stands for "never".
    fn at(&self, timestamp: Instant) -> u64 {
        let micros = timestamp.saturating_duration_since(self.epoch).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX).saturating_add(1)
    }

    pub(in crate::store::redis) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    pub(in crate::store::redis) fn set_troubled(&self, troubled: bool) {
        if self.is_troubled() != troubled {
            self.troubled.store(troubled, Ordering::Relaxed);
        }
    }

    pub(in crate::store::redis) fn set_unreachable(&self) {
        let now = self.at(Instant::now());
        self.failed_at.store(now, Ordering::Relaxed);
        self.set_troubled(true);
    }

    /// Whether no connection is to be made yet, because a moment ago it was in vain.
    ///
    /// Only at a node of a cluster: where a whole store does not answer, the breaker keeps requests from it.
    pub(in crate::store::redis) fn is_resting(&self) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        !self.replaceable
            && failed_at > 0
            && self.at(Instant::now()) < failed_at.saturating_add(CONNECT_EVERY)
    }

    /// Whether a connection may be replaced because of its server's answers; if so, it must be.
    pub(in crate::store::redis) fn may_replace(&self) -> bool {
        let now = self.at(Instant::now());
        let last = self.replaced_at.load(Ordering::Relaxed);
        (last == 0 || now >= last.saturating_add(REPLACE_EVERY))
            && self
                .replaced_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// How long a node that could not be connected to is left alone, in microseconds, however many requests come.
const CONNECT_EVERY: u64 = 100_000;

/// Clones share the connection. Ends with the last of them.
#[derive(Clone)]
pub(in crate::store::redis) struct Connection {
    link: MultiplexedConnection,
    health: Arc<Health>,
}

struct Health {
    siblings: Arc<Siblings>,
    /// Lost, or silent for too long.
    broken: AtomicBool,
    /// The server answers that it is starting, or no longer the primary.
    refusing: AtomicBool,
    answered_at: AtomicU64,
}

/// Whether a connection should be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::redis) enum State {
    Well,
    /// Another one to the same server was silent or lost, and this one has not answered since.
    Doubtful,
    /// Its server cannot serve; a new connection may lead to another one.
    Refusing,
    Broken,
}

impl Connection {
    /// A connection that was made at this moment.
    pub(in crate::store::redis) fn new(
        link: MultiplexedConnection,
        siblings: Arc<Siblings>,
    ) -> Self {
        let now = siblings.at(Instant::now());
        siblings.set_troubled(false);
        Self {
            link,
            health: Arc::new(Health {
                siblings,
                broken: AtomicBool::new(false),
                refusing: AtomicBool::new(false),
                answered_at: AtomicU64::new(now),
            }),
        }
    }

    pub(in crate::store::redis) fn state(&self) -> State {
        let health = &*self.health;
        if health.broken.load(Ordering::Relaxed) {
            State::Broken
        } else if health.refusing.load(Ordering::Relaxed) {
            State::Refusing
        } else if health.answered_at.load(Ordering::Relaxed)
            <= health.siblings.doubted_at.load(Ordering::Relaxed)
        {
            State::Doubtful
        } else {
            State::Well
        }
    }

    /// Sends commands in one piece, and returns the answer of each, errors among them.
    ///
    /// Without an answer within `patience` the connection is broken.
    pub(in crate::store::redis) async fn send(
        mut self,
        commands: &Pipeline,
        patience: Duration,
    ) -> RedisResult<Vec<Value>> {
        let asked = Asked {
            at: Instant::now(),
            patience,
            health: &self.health,
        };
        let outcome = self
            .link
            .req_packed_commands(commands, 0, commands.len())
            .await;
        asked.answered(&outcome);
        outcome
    }

    /// Whether the server answers in time.
    ///
    /// By `TIME`, to which Innkeeper's user needs the right for other reasons; a refusal is an answer, too.
    pub(in crate::store::redis) async fn look(&self, patience: Duration) -> bool {
        let question = Pipeline::with_capacity(1).add_command(cmd("TIME")).clone();
        let answer = self.clone().send(&question, patience);
        matches!(timeout(patience, answer).await, Ok(Ok(_))) && {
            // Exactly: it is doubted no longer.
            self.health.answered_now();
            true
        }
    }
}

impl Health {
    fn answered(&self) {
        let now = self.siblings.at(Instant::now());
        if self.answered_at.load(Ordering::Relaxed) + RESOLUTION < now {
            self.answered_at.store(now, Ordering::Relaxed);
        }
    }

    fn answered_now(&self) {
        let now = self.siblings.at(Instant::now());
        self.answered_at.store(now, Ordering::Relaxed);
    }

    /// Only the first who notices casts doubt on the others: some may have been made since.
    fn break_since(&self, timestamp: Instant) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            let since = self.siblings.at(timestamp);
            self.siblings.doubted_at.fetch_max(since, Ordering::Relaxed);
            self.siblings.set_troubled(true);
        }
    }

    fn refused(&self, answer: &Value) {
        if self.siblings.replaceable {
            self.refusing.store(true, Ordering::Relaxed);
        }
        // That a key is elsewhere says nothing against a node.
        if !is_redirect(answer) {
            self.siblings.set_troubled(true);
        }
    }
}

/// A request on its way. One that runs out of time is dropped, and then judges its connection: only a long
/// silence breaks it. (A short one may be the rest of a budget that making the connection has used up.)
struct Asked<'a> {
    at: Instant,
    patience: Duration,
    health: &'a Health,
}

impl Asked<'_> {
    fn answered(self, outcome: &RedisResult<Vec<Value>>) {
        match outcome {
            Ok(answers) => {
                self.health.answered();
                match answers.iter().find(|answer| is_unhealthy_answer(answer)) {
                    Some(answer) => self.health.refused(answer),
                    None => self.health.siblings.set_troubled(false),
                }
            }
            Err(error) if is_broken(error) => self.health.break_since(Instant::now()),
            Err(_) => {}
        }
        std::mem::forget(self);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.at.elapsed() >= self.patience {
            self.health.break_since(self.at);
        }
    }
}

fn is_redirect(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else {
        return false;
    };
    matches!(
        error.kind(),
        Some(ServerErrorKind::Ask | ServerErrorKind::Moved)
    )
}

fn is_unhealthy_answer(answer: &Value) -> bool {
    if let Value::ServerError(error) = answer {
        return is_unhealthy(&RedisError::from(error.clone()));
    }
    false
}
