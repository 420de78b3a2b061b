//! A connection that many requests use at once, and its health by its answers and its silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::{ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::time::timeout;

use crate::store::redis::connection::error::{is_unavailable, needs_reconnect};
use crate::store::redis::connection::micros::{self, micros};
use crate::store::redis::connection::reply::errors;

/// How often a connection is replaced because its server refuses commands, in microseconds. A server that refuses
/// everything for hours then gets two new connections a second, however many requests come.
const REPLACE_EVERY: u64 = 500_000;

/// How long after a failure no connection to a cluster node is attempted, in microseconds, however many requests come.
const CONNECT_BACKOFF: u64 = 100_000;

/// The health of a server, which all connections to it share. Times are in [`micros()`].
#[derive(Default)]
pub(crate) struct ServerHealth {
    /// Since when one connection has been silent or lost: those that have not answered since then may be, too.
    suspect_since: AtomicU64,
    /// When a connection was last replaced because the server refused commands.
    replaced_at: AtomicU64,
    /// When connecting last failed.
    connect_failed_at: AtomicU64,
    /// Whether the last round trip or attempt to connect failed, or the server refused its commands.
    failing: AtomicBool,
    /// Whether a new connection may lead to another server; to a node of a cluster it does not.
    replaceable: bool,
}

impl ServerHealth {
    pub(crate) fn new(replaceable: bool) -> Arc<Self> {
        Arc::new(Self {
            replaceable,
            ..Self::default()
        })
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    fn set_failing(&self, failing: bool) {
        if self.is_failing() != failing {
            self.failing.store(failing, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_unreachable(&self) {
        self.connect_failed_at
            .store(micros::now(), Ordering::Relaxed);
        self.set_failing(true);
    }

    /// Whether connecting failed less than [`CONNECT_BACKOFF`] ago.
    ///
    /// Only for a node of a cluster: at a standalone server the circuit breaker prevents too many connections.
    pub(crate) fn is_in_backoff(&self) -> bool {
        let connect_failed_at = self.connect_failed_at.load(Ordering::Relaxed);
        !self.replaceable
            && connect_failed_at > 0
            && micros::now() < connect_failed_at.saturating_add(CONNECT_BACKOFF)
    }

    /// Whether the caller must now replace a connection whose server refuses commands: `true` once per
    /// [`REPLACE_EVERY`].
    pub(crate) fn claim_replacement(&self) -> bool {
        let now = micros::now();
        let last = self.replaced_at.load(Ordering::Relaxed);
        (last == 0 || now >= last.saturating_add(REPLACE_EVERY))
            && self
                .replaced_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Clones share the connection, which is closed with the last of them.
#[derive(Clone)]
pub(crate) struct Connection {
    link: MultiplexedConnection,
    health: Arc<ConnectionHealth>,
}

struct ConnectionHealth {
    server_health: Arc<ServerHealth>,
    /// The connection is lost, or was silent for too long.
    broken: AtomicBool,
    /// The server answered that it is starting, or no longer the primary.
    refusing: AtomicBool,
    answered_at: AtomicU64,
}

/// Whether a connection should be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Healthy,
    /// Another connection to the same server was silent or lost, and this one has not answered since.
    Suspect,
    /// Its server refuses commands; a new connection may lead to another server.
    Refusing,
    Broken,
}

impl Connection {
    /// A connection that has just been made.
    pub(crate) fn new(link: MultiplexedConnection, server_health: Arc<ServerHealth>) -> Self {
        server_health.set_failing(false);
        Self {
            link,
            health: Arc::new(ConnectionHealth {
                server_health,
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
            <= health.server_health.suspect_since.load(Ordering::Relaxed)
        {
            State::Suspect
        } else {
            State::Healthy
        }
    }

    /// Sends commands as one pipeline, and returns the answer to each, errors included.
    pub(crate) async fn send(
        mut self,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        round_trip.waiting_on = Some((Arc::clone(&self.health), Instant::now()));
        round_trip.was_sent = true;
        let answers = self.link.req_packed_commands(commands, 0, commands.len());
        let outcome = answers.await;
        round_trip.waiting_on = None;
        self.health.settle(&outcome);
        outcome
    }

    /// Whether the server answers in time.
    ///
    /// Sends `TIME`, because Innkeeper's user needs the right to it anyway; a refusal is an answer, too.
    pub(crate) async fn answers_within(&self, answer_timeout: Duration) -> bool {
        let mut commands = Pipeline::with_capacity(1);
        let mut round_trip = RoundTrip::new(answer_timeout, None);
        let answer = self.clone().send(commands.cmd("TIME"), &mut round_trip);
        let has_answered = matches!(timeout(answer_timeout, answer).await, Ok(Ok(_)));
        if has_answered {
            // The exact time, so that the connection is no longer `Suspect`.
            let answered_at = &self.health.answered_at;
            answered_at.store(micros::now(), Ordering::Relaxed);
        }
        has_answered
    }
}

impl ConnectionHealth {
    fn settle(&self, outcome: &RedisResult<Vec<Value>>) {
        match outcome {
            Ok(answers) => {
                micros::set_coarsely(&self.answered_at);
                match errors(answers).find(needs_reconnect) {
                    Some(error) => self.refused(&error),
                    None => self.server_health.set_failing(false),
                }
            }
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.set_broken_since(Instant::now());
            }
            Err(_) => {}
        }
    }

    /// Only the first report makes the server's other connections suspect: some may have been made since.
    fn set_broken_since(&self, timestamp: Instant) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            let suspect_since = &self.server_health.suspect_since;
            suspect_since.fetch_max(micros(timestamp), Ordering::Relaxed);
            self.server_health.set_failing(true);
        }
    }

    fn refused(&self, error: &RedisError) {
        if self.server_health.replaceable {
            self.refusing.store(true, Ordering::Relaxed);
        }
        // A node that answers that a key is on another node is not failing.
        let redirect = [ServerErrorKind::Ask, ServerErrorKind::Moved].map(ErrorKind::Server);
        if !redirect.contains(&error.kind()) {
            self.server_health.set_failing(true);
        }
    }
}

/// Commands under way: they wait for a connection, and then on it for their answer.
///
/// If it is dropped without an answer, it counts as a failure of the connection and the server only if it has waited
/// for `answer_timeout`. (A shorter wait may be all that earlier round trips left of the deadline.)
pub(crate) struct RoundTrip<'a> {
    started_at: Instant,
    answer_timeout: Duration,
    /// The connection that should answer, and since when.
    waiting_on: Option<(Arc<ConnectionHealth>, Instant)>,
    /// Called with `started_at` if no server was found; `None` once the round trip is settled.
    on_failure: Option<&'a (dyn Fn(Instant) + Send + Sync)>,
    repeat: Repeat,
    was_sent: bool,
}

/// Whether commands whose reply was lost are sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// They are idempotent.
    IfLost,
    Never,
}

impl<'a> RoundTrip<'a> {
    pub(crate) fn new(
        answer_timeout: Duration,
        on_failure: Option<&'a (dyn Fn(Instant) + Send + Sync)>,
    ) -> Self {
        Self {
            started_at: Instant::now(),
            answer_timeout,
            waiting_on: None,
            on_failure,
            repeat: Repeat::IfLost,
            was_sent: false,
        }
    }

    pub(crate) fn with_repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Whether the commands may be sent on another connection.
    pub(crate) fn may_be_sent(&self) -> bool {
        self.repeat == Repeat::IfLost || !self.was_sent
    }

    /// Reports the outcome of the last attempt. Returns whether a server answered that serves requests.
    pub(crate) fn settle(mut self, outcome: &RedisResult<Vec<Value>>) -> bool {
        let is_unavailable = match outcome {
            Ok(answers) => errors(answers).any(|error| is_unavailable(&error)),
            Err(error) => is_unavailable(error),
        };
        let on_failure = self.on_failure.take();
        if is_unavailable && let Some(on_failure) = on_failure {
            on_failure(self.started_at);
        }
        !is_unavailable
    }
}

impl Drop for RoundTrip<'_> {
    fn drop(&mut self) {
        if let Some((health, since)) = &self.waiting_on
            && since.elapsed() >= self.answer_timeout
        {
            health.set_broken_since(*since);
        }
        if let Some(on_failure) = self.on_failure
            && self.started_at.elapsed() >= self.answer_timeout
        {
            on_failure(self.started_at);
        }
    }
}
