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

use self::connection::{Connection, RoundTrip, Siblings, State};
use self::connector::Connector;
use crate::session::ConnectionCount;
use crate::store::redis::connection::error::is_disconnect;

/// A connection that is being made; all requests that need it wait for the same one.
type Making = Shared<BoxFuture<'static, RedisResult<Connection>>>;

/// A few connections to one server. Requests do not wait for one another: each sends its commands beside those of
/// others, over the connection whose turn it is.
///
/// Lending a connection to one request at a time would cost a check before each loan and let requests wait
/// for one another over a distant network.
pub(crate) struct SharedPool {
    pool: Pool<Connector>,
    siblings: Arc<Siblings>,
    /// Each holds one connection of the pool for as long as it serves.
    places: Box<[RwLock<Place>]>,
    turn: AtomicUsize,
    /// How long an answer may take before its connection is taken for broken.
    answer_timeout: Duration,
}

enum Place {
    Empty,
    Making(Making),
    Open(Object<Connector>),
}

impl SharedPool {
    /// `connect_timeout`: how long making a connection may take, TLS and password included.
    pub(crate) fn new(
        connector: Connector,
        connections: usize,
        connect_timeout: Duration,
        answer_timeout: Duration,
    ) -> RedisResult<Arc<Self>> {
        let siblings = connector.siblings();
        let pool = Pool::builder(connector)
            .max_size(connections)
            .wait_timeout(Some(connect_timeout))
            .create_timeout(Some(connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "no pool")))?;
        Ok(Arc::new(Self {
            pool,
            siblings,
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

    /// Whether the last that was heard of the server is bad.
    pub(crate) fn is_troubled(&self) -> bool {
        self.siblings.is_troubled()
    }

    /// Whether there is a connection, and nothing bad is known of it.
    pub(crate) fn is_well(&self) -> bool {
        !self.is_troubled() && (0..self.places.len()).any(|place| self.well(place).is_some())
    }

    /// Makes a connection if there is none.
    pub(crate) async fn connect(self: &Arc<Self>) -> RedisResult<()> {
        self.connection().await.map(drop)
    }

    /// Sends commands in one piece; once more, on another connection, if the first was lost.
    pub(crate) async fn send(
        self: &Arc<Self>,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        match self.send_once(commands, round_trip).await {
            Err(error) if is_disconnect(&error) => self.send_once(commands, round_trip).await,
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

    /// Sends commands that are no request's: the circuit breaker does not learn what comes of them.
    pub(crate) async fn ask(self: &Arc<Self>, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut round_trip = RoundTrip::new(self.answer_timeout, None);
        self.send(commands, &mut round_trip).await
    }

    /// The connection whose turn it is, or another one if that is not well.
    async fn connection(self: &Arc<Self>) -> RedisResult<Connection> {
        let places = self.places.len();
        let first = match places {
            1 => 0,
            _ => self.turn.fetch_add(1, Ordering::Relaxed) % places,
        };
        let making = match self.offer(first) {
            Ok(connection) => return Ok(connection),
            Err(making) => making,
        };
        let others = (first + 1..places).chain(0..first);
        if let Some(connection) = others.clone().find_map(|place| self.well(place)) {
            return Ok(connection);
        }
        // Whichever is made first: this one may be connecting to a server that does not answer any more.
        let others = others.filter_map(|place| self.hope(place));
        let (connection, _) = select_ok(once(making).chain(others)).await?;
        Ok(connection)
    }

    /// What the place may have soon; nothing is begun where there was no connection.
    fn hope(self: &Arc<Self>, place: usize) -> Option<Making> {
        let is_hopeful = match &*self.read(place) {
            Place::Making(_) => true,
            Place::Open(open) => open.state() == State::Doubtful,
            Place::Empty => false,
        };
        is_hopeful.then(|| self.offer(place))?.err()
    }

    fn well(&self, place: usize) -> Option<Connection> {
        match &*self.read(place) {
            Place::Open(open) if open.state() == State::Well => Some(Connection::clone(open)),
            Place::Open(_) | Place::Making(_) | Place::Empty => None,
        }
    }

    /// The connection that the place has, or will have: begins to fill or renew it where that is needed.
    fn offer(self: &Arc<Self>, index: usize) -> Result<Connection, Making> {
        if let Some(connection) = self.well(index) {
            return Ok(connection);
        }
        let mut place = self.write(index);
        match &*place {
            Place::Open(open) => match open.state() {
                State::Well => return Ok(Connection::clone(open)),
                // For want of a better one: its server answers that it cannot serve.
                State::Refusing if !self.siblings.may_replace() => {
                    return Err(made(Ok(Connection::clone(open))));
                }
                State::Refusing | State::Doubtful | State::Broken => {}
            },
            // One that is finished and still here ended with its runtime, or by a panic.
            Place::Making(making) if making.peek().is_none() => return Err(making.clone()),
            Place::Empty if self.siblings.is_resting() => return Err(made(Err(unreachable()))),
            Place::Making(_) | Place::Empty => {}
        }
        let old = match std::mem::replace(&mut *place, Place::Empty) {
            Place::Open(open) => Some(open),
            Place::Making(_) | Place::Empty => None,
        };
        let making = self.begin(index, old);
        *place = Place::Making(making.clone());
        Err(making)
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

    /// By a task of its own: over a distant network it may take longer than the request can wait, and the next one
    /// should find it ready.
    fn begin(self: &Arc<Self>, index: usize, old: Option<Object<Connector>>) -> Making {
        let pool = Arc::clone(self);
        let task = tokio::spawn(async move {
            let made = pool.renew(old).await;
            let mut place = pool.write(index);
            match made {
                Ok(open) => {
                    let connection = Connection::clone(&open);
                    *place = Place::Open(open);
                    Ok(connection)
                }
                Err(error) => {
                    *place = Place::Empty;
                    pool.siblings.set_unreachable();
                    Err(error)
                }
            }
        });
        let panicked = || RedisError::from((ErrorKind::Client, "connecting panicked"));
        task.map(move |outcome| outcome.unwrap_or_else(|_| Err(panicked())))
            .boxed()
            .shared()
    }

    /// A new connection, or the old one if it was only doubted and answers.
    async fn renew(&self, old: Option<Object<Connector>>) -> RedisResult<Object<Connector>> {
        if let Some(old) = old {
            if old.state() == State::Doubtful && old.answers_within(self.answer_timeout / 2).await {
                return Ok(old);
            }
            // It must not go back to the pool.
            drop(Object::take(old));
        }
        self.pool.get().await.map_err(into_redis_error)
    }
}

fn made(outcome: RedisResult<Connection>) -> Making {
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
