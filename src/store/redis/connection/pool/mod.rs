//! The connections to one server, each shared by many requests and taken in turn.

pub(crate) mod connection;
pub(crate) mod connector;

use std::iter::once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use deadpool::managed::{self, Object, Pool};
use deadpool_redis::Runtime;
use deadpool_redis::redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value};
use futures_util::future::{BoxFuture, FutureExt, Shared, ready, select_ok};

use self::connection::{Connection, RoundTrip, ServerHealth, State};
use self::connector::Connector;
use crate::session::ConnectionCount;
use crate::store::redis::connection::error::is_disconnect;

/// A connection that is being made, which all requests that need it await together.
type Connecting = Shared<BoxFuture<'static, RedisResult<Connection>>>;

/// A few connections to one server, taken in turn. Many requests use the same connection at once (multiplexing).
///
/// Lending a connection to one request at a time would cost a check before each loan, and over a distant network the
/// requests would wait for one another.
pub(crate) struct SharedPool {
    pool: Pool<Connector>,
    server_health: Arc<ServerHealth>,
    /// Each keeps one of the pool's connections for as long as it works.
    places: Box<[RwLock<Place>]>,
    turn: AtomicUsize,
    /// After how long without an answer a connection counts as broken.
    answer_timeout: Duration,
}

enum Place {
    Empty,
    Connecting(Connecting),
    Open(Object<Connector>),
}

impl SharedPool {
    /// `connect_timeout`: how long connecting may take, TLS and password included.
    pub(crate) fn new(
        connector: Connector,
        connections: usize,
        connect_timeout: Duration,
        answer_timeout: Duration,
    ) -> RedisResult<Arc<Self>> {
        let server_health = connector.server_health();
        let pool = Pool::builder(connector)
            .max_size(connections)
            .wait_timeout(Some(connect_timeout))
            .create_timeout(Some(connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "no pool")))?;
        Ok(Arc::new(Self {
            pool,
            server_health,
            places: (0..connections)
                .map(|_| RwLock::new(Place::Empty))
                .collect(),
            turn: AtomicUsize::new(0),
            answer_timeout,
        }))
    }

    pub(crate) fn count(&self) -> ConnectionCount {
        let status = self.pool.status();
        ConnectionCount {
            open: status.size,
            limit: status.max_size,
        }
    }

    /// [`ServerHealth::is_failing`].
    pub(crate) fn is_failing(&self) -> bool {
        self.server_health.is_failing()
    }

    /// Whether the server is not failing and there is a healthy connection to it.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.is_failing() && (0..self.places.len()).any(|place| self.healthy(place).is_some())
    }

    /// Connects if there is no healthy connection.
    pub(crate) async fn connect(self: &Arc<Self>) -> RedisResult<()> {
        self.connection().await.map(drop)
    }

    /// Sends commands as one pipeline; if the connection is lost, once more on another one.
    pub(crate) async fn send(
        self: &Arc<Self>,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        match self.send_once(commands, round_trip).await {
            Err(error) if is_disconnect(&error) && round_trip.may_be_sent() => {
                self.send_once(commands, round_trip).await
            }
            outcome => outcome,
        }
    }

    async fn send_once(
        self: &Arc<Self>,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        let connection = self.connection().await?;
        connection.send(commands, round_trip).await
    }

    /// Sends commands in the background: their outcome is not reported to the circuit breaker.
    pub(crate) async fn send_in_background(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> RedisResult<Vec<Value>> {
        let mut round_trip = RoundTrip::new(self.answer_timeout, None);
        self.send(commands, &mut round_trip).await
    }

    /// The connection whose turn it is, or another one if that is not healthy.
    async fn connection(self: &Arc<Self>) -> RedisResult<Connection> {
        let places = self.places.len();
        let first = match places {
            1 => 0,
            _ => self.turn.fetch_add(1, Ordering::Relaxed) % places,
        };
        let connecting = match self.get_or_connect(first) {
            Ok(connection) => return Ok(connection),
            Err(connecting) => connecting,
        };
        let others = (first + 1..places).chain(0..first);
        if let Some(connection) = others.clone().find_map(|place| self.healthy(place)) {
            return Ok(connection);
        }
        // The first to be ready: the one whose turn it is may be connecting to a server that does not answer any more.
        let others = others.filter_map(|place| self.pending(place));
        let (connection, _) = select_ok(once(connecting).chain(others)).await?;
        Ok(connection)
    }

    /// The connection that the place may soon have; an empty place does not begin to connect.
    fn pending(self: &Arc<Self>, place: usize) -> Option<Connecting> {
        let is_pending = match &*self.read(place) {
            Place::Connecting(_) => true,
            Place::Open(open) => open.state() == State::Suspect,
            Place::Empty => false,
        };
        is_pending.then(|| self.get_or_connect(place))?.err()
    }

    fn healthy(&self, place: usize) -> Option<Connection> {
        match &*self.read(place) {
            Place::Open(open) if open.state() == State::Healthy => Some(Connection::clone(open)),
            Place::Open(_) | Place::Connecting(_) | Place::Empty => None,
        }
    }

    /// The healthy connection in the place, or the one that it will have: starts to connect if necessary.
    fn get_or_connect(self: &Arc<Self>, index: usize) -> Result<Connection, Connecting> {
        if let Some(connection) = self.healthy(index) {
            return Ok(connection);
        }
        let mut place = self.write(index);
        match &*place {
            Place::Open(open) => match open.state() {
                State::Healthy => return Ok(Connection::clone(open)),
                // Replaced only once per `REPLACE_EVERY`; until then this one is better than none.
                State::Refusing if !self.server_health.claim_replacement() => {
                    return Err(finished(Ok(Connection::clone(open))));
                }
                State::Refusing | State::Suspect | State::Broken => {}
            },
            // If it is finished but still here, its task was dropped with its runtime, or panicked: connect again.
            Place::Connecting(connecting) if connecting.peek().is_none() => {
                return Err(connecting.clone());
            }
            Place::Empty if self.server_health.is_in_backoff() => {
                return Err(finished(Err(unreachable())));
            }
            Place::Connecting(_) | Place::Empty => {}
        }
        let old = match std::mem::replace(&mut *place, Place::Empty) {
            Place::Open(open) => Some(open),
            Place::Connecting(_) | Place::Empty => None,
        };
        let connecting = self.start_connecting(index, old);
        *place = Place::Connecting(connecting.clone());
        Err(connecting)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an index is always below the number of places"
    )]
    fn lock(&self, place: usize) -> &RwLock<Place> {
        &self.places[place]
    }

    fn read(&self, place: usize) -> RwLockReadGuard<'_, Place> {
        let place = self.lock(place).read();
        place.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, place: usize) -> RwLockWriteGuard<'_, Place> {
        let place = self.lock(place).write();
        place.unwrap_or_else(PoisonError::into_inner)
    }

    /// In a task of its own: over a distant network connecting may take longer than the request can wait, and the next
    /// request should find the connection ready.
    fn start_connecting(
        self: &Arc<Self>,
        index: usize,
        old: Option<Object<Connector>>,
    ) -> Connecting {
        let pool = Arc::clone(self);
        let task = tokio::spawn(async move {
            let made = pool.reconnect(old).await;
            let mut place = pool.write(index);
            match made {
                Ok(open) => {
                    let connection = Connection::clone(&open);
                    *place = Place::Open(open);
                    Ok(connection)
                }
                Err(error) => {
                    *place = Place::Empty;
                    pool.server_health.set_unreachable();
                    Err(error)
                }
            }
        });
        let panicked = || RedisError::from((ErrorKind::Client, "connecting panicked"));
        task.map(move |outcome| outcome.unwrap_or_else(|_| Err(panicked())))
            .boxed()
            .shared()
    }

    /// A new connection, or the old one if it was only suspect and answers.
    async fn reconnect(&self, old: Option<Object<Connector>>) -> RedisResult<Object<Connector>> {
        if let Some(old) = old {
            if old.state() == State::Suspect && old.answers_within(self.answer_timeout / 2).await {
                return Ok(old);
            }
            // Closed, and not given back to the pool.
            drop(Object::take(old));
        }
        self.pool.get().await.map_err(into_redis_error)
    }
}

fn finished(outcome: RedisResult<Connection>) -> Connecting {
    ready(outcome).boxed().shared()
}

fn unreachable() -> RedisError {
    RedisError::from((
        ErrorKind::Client,
        "it could not be connected to a moment ago",
    ))
}

fn into_redis_error(error: managed::PoolError<RedisError>) -> RedisError {
    if let managed::PoolError::Backend(error) = error {
        return error;
    }
    RedisError::from((ErrorKind::Client, "no connection from the pool"))
}
