//! A connection that many requests use at once, and what its answers and its silence say of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::{
    ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd,
};
use tokio::time::timeout;

use crate::store::redis::connection::error::{is_unavailable, needs_reconnect};
use crate::store::redis::connection::micros::{self, micros};

/// How often a connection is replaced because of what its server answers, in microseconds. A server that refuses
/// everything for hours is then asked for two new connections a second, however many requests come.
const REPLACE_EVERY: u64 = 500_000;

/// How long a node of a cluster that could not be connected to is left alone, in microseconds, however many requests
/// come.
const CONNECT_EVERY: u64 = 100_000;

/// What the connections to one server know of one another. Times are in [`micros()`].
#[derive(Default)]
pub(crate) struct Siblings {
    /// Since when one of them has been silent or lost: those that have not answered since then may be, too.
    doubted_at: AtomicU64,
    /// When one of them was last replaced because of its server's answers.
    replaced_at: AtomicU64,
    /// When a connection could not be made last.
    failed_at: AtomicU64,
    /// Whether the last that was heard of the server is bad.
    troubled: AtomicBool,
    /// Whether a new connection may lead to a server that does not refuse; to a node of a cluster it does not.
    replaceable: bool,
}

impl Siblings {
    pub(crate) fn new(replaceable: bool) -> Arc<Self> {
        Arc::new(Self {
            replaceable,
            ..Self::default()
        })
    }

    pub(crate) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    fn set_troubled(&self, troubled: bool) {
        if self.is_troubled() != troubled {
            self.troubled.store(troubled, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_unreachable(&self) {
        self.failed_at.store(micros::now(), Ordering::Relaxed);
        self.set_troubled(true);
    }

    /// Whether no connection is to be made yet, because that failed a moment ago.
    ///
    /// Only at a node of a cluster: a standalone server that does not answer is protected by the circuit breaker.
    pub(crate) fn is_resting(&self) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        !self.replaceable
            && failed_at > 0
            && micros::now() < failed_at.saturating_add(CONNECT_EVERY)
    }

    /// Whether a connection may be replaced because of its server's answers; if so, it must be.
    pub(crate) fn may_replace(&self) -> bool {
        let now = micros::now();
        let last = self.replaced_at.load(Ordering::Relaxed);
        (last == 0 || now >= last.saturating_add(REPLACE_EVERY))
            && self
                .replaced_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Clones share the connection. Ends with the last of them.
#[derive(Clone)]
pub(crate) struct Connection {
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
pub(crate) enum State {
    Well,
    /// Another one to the same server was silent or lost, and this one has not answered since.
    Doubtful,
    /// Its server cannot serve; a new connection may lead to another one.
    Refusing,
    Broken,
}

impl Connection {
    /// A connection that was made at this moment.
    pub(crate) fn new(link: MultiplexedConnection, siblings: Arc<Siblings>) -> Self {
        siblings.set_troubled(false);
        Self {
            link,
            health: Arc::new(Health {
                siblings,
                broken: AtomicBool::new(false),
                refusing: AtomicBool::new(false),
                answered_at: AtomicU64::new(micros::now()),
            }),
        }
    }

    pub(crate) fn state(&self) -> State {
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
    pub(crate) async fn send(
        mut self,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        round_trip.waits_on = Some((Arc::clone(&self.health), Instant::now()));
        let outcome = self
            .link
            .req_packed_commands(commands, 0, commands.len())
            .await;
        round_trip.waits_on = None;
        self.health.settle(&outcome);
        outcome
    }

    /// Whether the server answers in time.
    ///
    /// By `TIME`, to which Innkeeper's user needs the right for other reasons; a refusal is an answer, too.
    pub(crate) async fn answers_within(&self, answer_timeout: Duration) -> bool {
        let question = Pipeline::with_capacity(1).add_command(cmd("TIME")).clone();
        let mut round_trip = RoundTrip::new(answer_timeout, None);
        let answer = self.clone().send(&question, &mut round_trip);
        let has_answered = matches!(timeout(answer_timeout, answer).await, Ok(Ok(_)));
        if has_answered {
            // Exactly: it is doubted no longer.
            self.health
                .answered_at
                .store(micros::now(), Ordering::Relaxed);
        }
        has_answered
    }
}

impl Health {
    fn settle(&self, outcome: &RedisResult<Vec<Value>>) {
        match outcome {
            Ok(answers) => {
                micros::set_coarsely(&self.answered_at);
                match errors(answers).find(needs_reconnect) {
                    Some(error) => self.refused(&error),
                    None => self.siblings.set_troubled(false),
                }
            }
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.break_since(Instant::now());
            }
            Err(_) => {}
        }
    }

    /// Only the first to notice casts doubt on the siblings: some may have been made since.
    fn break_since(&self, timestamp: Instant) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            let doubted_at = &self.siblings.doubted_at;
            doubted_at.fetch_max(micros(timestamp), Ordering::Relaxed);
            self.siblings.set_troubled(true);
        }
    }

    fn refused(&self, error: &RedisError) {
        if self.siblings.replaceable {
            self.refusing.store(true, Ordering::Relaxed);
        }
        // That a key is elsewhere says nothing against a node.
        let redirect = [ServerErrorKind::Ask, ServerErrorKind::Moved].map(ErrorKind::Server);
        if !redirect.contains(&error.kind()) {
            self.siblings.set_troubled(true);
        }
    }
}

fn errors(answers: &[Value]) -> impl Iterator<Item = RedisError> {
    answers.iter().filter_map(|answer| {
        if let Value::ServerError(error) = answer {
            return Some(RedisError::from(error.clone()));
        }
        None
    })
}

/// Commands on their way: they wait for a connection, and then on it for their answer.
///
/// One that is dropped without an answer judges the connection and the server by how long it has waited: only a long
/// silence counts. (A short one may be all that other round trips have left of the deadline.)
pub(crate) struct RoundTrip<'a> {
    begun: Instant,
    /// An answer that takes longer does not come.
    answer_timeout: Duration,
    /// Since when it has been waiting on a connection.
    waits_on: Option<(Arc<Health>, Instant)>,
    /// Is told when no server was found, with the moment at which the round trip began; `None` once that is settled.
    failed: Option<&'a (dyn Fn(Instant) + Send + Sync)>,
}

impl<'a> RoundTrip<'a> {
    pub(crate) fn new(
        answer_timeout: Duration,
        failed: Option<&'a (dyn Fn(Instant) + Send + Sync)>,
    ) -> Self {
        Self {
            begun: Instant::now(),
            answer_timeout,
            waits_on: None,
            failed,
        }
    }

    /// Judges the server by its last answer. Says whether it did answer.
    pub(crate) fn settle(mut self, outcome: &RedisResult<Vec<Value>>) -> bool {
        let is_unavailable = match outcome {
            Ok(answers) => errors(answers).any(|error| is_unavailable(&error)),
            Err(error) => is_unavailable(error),
        };
        let failed = self.failed.take();
        if is_unavailable && let Some(failed) = failed {
            failed(self.begun);
        }
        !is_unavailable
    }
}

impl Drop for RoundTrip<'_> {
    fn drop(&mut self) {
        if let Some((health, since)) = &self.waits_on
            && since.elapsed() >= self.answer_timeout
        {
            health.break_since(*since);
        }
        if let Some(failed) = self.failed
            && self.begun.elapsed() >= self.answer_timeout
        {
            failed(self.begun);
        }
    }
}
