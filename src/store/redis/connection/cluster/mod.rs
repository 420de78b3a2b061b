//! A cluster: which of its nodes has a key, and a pool of connections to each.
//!
//! Not the client library's own: that one connects to all seeds and then to all nodes before it serves anything, and
//! tries all of them again whenever a slot moves, so that a node which is silent and not gone stops all requests.
//! Here a node that does not answer costs only the requests for its own keys.

pub(crate) mod slots;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use deadpool_redis::redis::cluster_routing::Slot;
use deadpool_redis::redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, Value, cmd,
};
use futures_util::future::{BoxFuture, FutureExt, Shared, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use self::slots::{NodeAddress, Route, SlotRange, parse_slots, route};
use crate::session::ConnectionCount;
use crate::store::redis::connection::pool::SharedPool;
use crate::store::redis::connection::pool::connection::RoundTrip;
use crate::store::redis::connection::pool::connector::Connector;

/// How long a connection to one node may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the nodes are asked for the slots, at most.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// How many nodes are asked for the slots at once, of those that are well; the first answer is used.
const NODES_ASKED: usize = 3;

/// How long the others have to contradict a node that sees the cluster as failed: it may be the one that is cut off.
const GRACE: Duration = Duration::from_millis(250);

/// How often one request follows a redirect.
const MAX_REDIRECTS: usize = 3;

pub(crate) struct Cluster {
    seeds: Vec<NodeAddress>,
    /// The connection settings of all nodes, host and port aside.
    settings: ConnectionInfo,
    /// How long a node's answer may take before its connection is taken for broken.
    answer_timeout: Duration,
    known: RwLock<Known>,
    refreshing: Mutex<Refreshing>,
    turn: AtomicUsize,
    probe_key: fn() -> String,
}

#[derive(Default)]
struct Known {
    slots: HashMap<Slot, Arc<ClusterNode>>,
    /// The primaries, and until the next refresh nodes that a redirect named.
    nodes: BTreeMap<NodeAddress, Arc<ClusterNode>>,
}

struct ClusterNode {
    address: NodeAddress,
    pool: Arc<SharedPool>,
}

type Refresh = Shared<BoxFuture<'static, RedisResult<()>>>;

/// The last refresh of the slots.
#[derive(Default)]
struct Refreshing {
    begun: Option<Instant>,
    last: Option<Refresh>,
}

/// The slots as one node sees them.
struct View {
    ranges: Vec<SlotRange>,
    /// Whether the node takes commands: one that has lost sight of the others does not.
    serves: bool,
}

impl Cluster {
    pub(crate) fn new(
        seeds: &[ConnectionInfo],
        answer_timeout: Duration,
        probe_key: fn() -> String,
    ) -> RedisResult<Arc<Self>> {
        let no_seed = || RedisError::from((ErrorKind::InvalidClientConfig, "no node is named"));
        let settings = seeds.first().ok_or_else(no_seed)?.clone();
        Ok(Arc::new(Self {
            seeds: seeds.iter().filter_map(address_of).collect(),
            settings,
            answer_timeout,
            known: RwLock::default(),
            refreshing: Mutex::default(),
            turn: AtomicUsize::new(0),
            probe_key,
        }))
    }

    // A panic while the lock was held cannot leave it half changed: `install` replaces both maps at its end.
    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections to all nodes together.
    pub(crate) fn count(&self) -> ConnectionCount {
        let known = self.known();
        let counts = known.nodes.values().map(|node| node.pool.count());
        counts.fold(ConnectionCount { open: 0, limit: 0 }, |all, one| {
            ConnectionCount {
                open: all.open + one.open,
                limit: all.limit + one.limit,
            }
        })
    }

    pub(crate) fn is_some_node_well(&self) -> bool {
        let known = self.known();
        known.nodes.values().any(|node| node.pool.is_well())
    }

    /// Sends commands of one key, or a single one of none, and returns the answer of each.
    pub(crate) async fn send(
        self: &Arc<Self>,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        match route(commands) {
            Route::Slot(slot) => self.send_to_owner(slot, commands, round_trip).await,
            Route::Any => {
                let nodes = self.primaries().await?;
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % nodes.len().max(1);
                let node = nodes.get(turn).ok_or_else(no_known_owner)?;
                node.pool.send(commands, round_trip).await
            }
            Route::Sum => self.sum(commands).await,
        }
    }

    /// Sends commands to one of the primaries.
    pub(crate) async fn send_to(
        &self,
        node: &NodeAddress,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        self.node(node)?.pool.send(commands, round_trip).await
    }

    /// Host and port of each primary, in order.
    pub(crate) async fn addresses(self: &Arc<Self>) -> RedisResult<Vec<NodeAddress>> {
        let nodes = self.primaries().await?;
        Ok(nodes.iter().map(|node| node.address.clone()).collect())
    }

    async fn primaries(self: &Arc<Self>) -> RedisResult<Vec<Arc<ClusterNode>>> {
        if self.knows_no_node() {
            self.refresh().await?;
        }
        Ok(self.known().nodes.values().cloned().collect())
    }

    async fn sum(self: &Arc<Self>, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let nodes = self.primaries().await?;
        let answers = nodes.iter().map(|node| node.pool.ask(commands));
        let mut sum = 0;
        for answer in try_join_all(answers).await?.into_iter().flatten() {
            let Value::Int(number) = answer else {
                return Ok(vec![answer]);
            };
            sum += number;
        }
        Ok(vec![Value::Int(sum)])
    }

    async fn send_to_owner(
        self: &Arc<Self>,
        slot: Slot,
        commands: &Pipeline,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        let mut node = self.owner(slot).await?;
        let mut asking = false;
        let mut redirects = 0;
        loop {
            let outcome = node.send(commands, asking, round_trip).await;
            let redirect = outcome
                .iter()
                .flatten()
                .find_map(|answer| node.redirect(answer));
            match redirect {
                Some(redirect) if redirects < MAX_REDIRECTS => {
                    asking = redirect.asking;
                    if !asking {
                        // For later requests; this one knows where to go.
                        drop(self.refresh());
                    }
                    node = self.node(&redirect.to)?;
                    redirects += 1;
                }
                _ => return outcome,
            }
        }
    }

    /// The node that has the slot. If the one that is known is in trouble, another may have taken its place.
    async fn owner(self: &Arc<Self>, slot: Slot) -> RedisResult<Arc<ClusterNode>> {
        if let Some(node) = self.known_owner(slot) {
            if !node.pool.is_troubled() || self.refresh().await.is_err() {
                return Ok(node);
            }
        } else {
            self.refresh().await?;
        }
        self.known_owner(slot).ok_or_else(no_known_owner)
    }

    fn known_owner(&self, slot: Slot) -> Option<Arc<ClusterNode>> {
        self.known().slots.get(&slot).cloned()
    }

    fn knows_no_node(&self) -> bool {
        self.known().slots.is_empty()
    }

    /// The node at this address, which need not be known yet.
    fn node(&self, address: &NodeAddress) -> RedisResult<Arc<ClusterNode>> {
        self.node_among(&mut self.known_mut().nodes, address)
    }

    fn node_among(
        &self,
        nodes: &mut BTreeMap<NodeAddress, Arc<ClusterNode>>,
        address: &NodeAddress,
    ) -> RedisResult<Arc<ClusterNode>> {
        if let Some(node) = nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let info = with_address(&self.settings, address)?;
        let connector = Connector::new(info, CONNECT_TIMEOUT, false)?;
        let node = Arc::new(ClusterNode {
            address: address.clone(),
            pool: SharedPool::new(connector, 1, CONNECT_TIMEOUT, self.answer_timeout)?,
        });
        nodes.insert(address.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Asks for the slots in a task of its own; the outcome is the last one's if that is recent.
    fn refresh(self: &Arc<Self>) -> Refresh {
        let mut refreshing = self
            .refreshing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_recent = |begun: Instant| begun.elapsed() < REFRESH_EVERY;
        if let Some(last) = &refreshing.last
            && (last.peek().is_none() || refreshing.begun.is_some_and(is_recent))
        {
            return last.clone();
        }
        let cluster = Arc::clone(self);
        let task = tokio::spawn(async move { cluster.find_slots().await });
        let panicked =
            || RedisError::from((ErrorKind::Client, "asking a cluster's nodes panicked"));
        let refresh = task
            .map(move |outcome| outcome.unwrap_or_else(|_| Err(panicked())))
            .boxed()
            .shared();
        // `peek` knows only of a future that was polled that it is finished, and not every caller polls it.
        tokio::spawn(refresh.clone());
        refreshing.begun = Some(Instant::now());
        refreshing.last = Some(refresh.clone());
        refresh
    }

    /// Asks nodes that are well, and if they do not know, the seeds: side by side, so that a silent one delays no other.
    async fn find_slots(&self) -> RedisResult<()> {
        let well = self.some_well_nodes();
        if let Ok(view) = self.first_view(well, self.answer_timeout).await
            && view.serves
        {
            return self.install(&view);
        }
        let seeds = self.seeds.iter().map(|seed| self.node(seed));
        let view = self
            .first_view(seeds.collect::<RedisResult<_>>()?, CONNECT_TIMEOUT)
            .await?;
        // What a node remembers that sees the cluster as failed is better than nothing.
        if view.serves || self.knows_no_node() {
            self.install(&view)?;
        }
        Ok(())
    }

    /// What the first of these nodes says that serves; else what another one says, else the error.
    async fn first_view(
        &self,
        nodes: Vec<Arc<ClusterNode>>,
        answer_timeout: Duration,
    ) -> RedisResult<View> {
        let probe_key = (self.probe_key)();
        let asking = nodes.iter().map(|node| node.view(&probe_key));
        let mut asking = std::pin::pin!(asking.collect::<FuturesUnordered<_>>());
        let mut deadline = Instant::now() + answer_timeout;
        let silent = std::io::Error::from(std::io::ErrorKind::TimedOut);
        let mut best = Err(RedisError::from(silent));
        loop {
            match timeout_at(deadline, asking.next()).await {
                Ok(Some(Ok(view))) if view.serves => return Ok(view),
                Ok(Some(Ok(view))) => {
                    best = Ok(view);
                    deadline = deadline.min(Instant::now() + GRACE);
                }
                Ok(Some(Err(error))) if best.is_err() => best = Err(error),
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => return best,
            }
        }
    }

    fn some_well_nodes(&self) -> Vec<Arc<ClusterNode>> {
        let known = self.known();
        let nodes = known.nodes.values();
        let well: Vec<_> = nodes.filter(|node| node.pool.is_well()).collect();
        // Others the next time: one of them may be cut off from the rest.
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let from_there = well.iter().cycle().skip(first % well.len().max(1));
        from_there
            .take(NODES_ASKED.min(well.len()))
            .map(|node| Arc::clone(node))
            .collect()
    }

    /// Nodes that have no keys any more are forgotten, and their connections end with their last request.
    fn install(&self, view: &View) -> RedisResult<()> {
        let mut known = self.known_mut();
        let mut primaries = BTreeMap::new();
        let mut slots = HashMap::new();
        for range in &view.ranges {
            let node = self.node_among(&mut known.nodes, &range.primary)?;
            slots.extend(range.slots().map(|slot| (slot, Arc::clone(&node))));
            primaries.insert(range.primary.clone(), node);
        }
        known.nodes = primaries;
        known.slots = slots;
        Ok(())
    }
}

/// Where a node says that a key is.
struct Redirect {
    to: NodeAddress,
    /// The slot is being moved there: each command needs an `ASKING` before it.
    asking: bool,
}

impl ClusterNode {
    async fn send(
        &self,
        commands: &Pipeline,
        asking: bool,
        round_trip: &mut RoundTrip<'_>,
    ) -> RedisResult<Vec<Value>> {
        if !asking {
            return self.pool.send(commands, round_trip).await;
        }
        let mut announced = Pipeline::with_capacity(2 * commands.len());
        for command in commands.cmd_iter() {
            announced
                .add_command(cmd("ASKING"))
                .add_command(command.clone());
        }
        let answers = self.pool.send(&announced, round_trip).await?;
        Ok(answers.into_iter().skip(1).step_by(2).collect())
    }

    fn redirect(&self, answer: &Value) -> Option<Redirect> {
        let Value::ServerError(error) = answer else {
            return None;
        };
        let kind = error.kind()?;
        let asking = kind == ServerErrorKind::Ask;
        if !asking && kind != ServerErrorKind::Moved {
            return None;
        }
        // `MOVED 3999 127.0.0.1:6381`
        let (_, to) = error.details()?.rsplit_once(' ')?;
        let to = NodeAddress::parse(to, &self.address)?;
        Some(Redirect { to, asking })
    }

    /// Asks for the slots, and by a command about a key that nobody has whether it serves at all.
    async fn view(&self, probe_key: &str) -> RedisResult<View> {
        let mut question = Pipeline::with_capacity(2);
        question
            .add_command(cmd("CLUSTER").arg("SLOTS").clone())
            .expire(probe_key, 1);
        let answers = self.pool.ask(&question).await?;
        let [slots, probe] = answers.as_slice() else {
            return Err(no_known_owner());
        };
        if let Value::ServerError(error) = slots {
            return Err(RedisError::from(error.clone()));
        }
        Ok(View {
            ranges: parse_slots(slots, &self.address),
            serves: !matches!(probe, Value::ServerError(error) if is_failed(error.kind())),
        })
    }
}

fn is_failed(error: Option<ServerErrorKind>) -> bool {
    matches!(
        error,
        Some(
            ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
        )
    )
}

fn no_known_owner() -> RedisError {
    RedisError::from((
        ErrorKind::ClusterConnectionNotFound,
        "no node of the cluster is known to have the key",
    ))
}

fn address_of(node: &ConnectionInfo) -> Option<NodeAddress> {
    if let ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } = node.addr()
    {
        let (host, port) = (host.clone(), *port);
        return Some(NodeAddress { host, port });
    }
    None
}

/// The same user and TLS settings, for another node.
fn with_address(settings: &ConnectionInfo, address: &NodeAddress) -> RedisResult<ConnectionInfo> {
    let NodeAddress { host, port } = address.clone();
    let addr = if let ConnectionAddr::TcpTls {
        insecure,
        tls_params,
        ..
    } = settings.addr()
    {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let user: RedisConnectionInfo = settings.redis_settings().clone();
    Ok(addr.into_connection_info()?.set_redis_settings(user))
}
