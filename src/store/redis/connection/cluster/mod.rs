//! A cluster: which node has a key, and a connection to each node.
//!
//! Not the client library's own: that one connects to all seeds and then to all nodes before it serves any request, and
//! to all of them again whenever a slot moves, so a node that is silent rather than gone stops all requests.
//! Here a node that does not answer fails only the requests for its own keys.

pub(crate) mod slots;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use deadpool_redis::redis::cluster_routing::Slot;
use deadpool_redis::redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, Value,
};
use futures_util::future::{BoxFuture, FutureExt, Shared, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use self::slots::{NodeAddress, Route, SlotRange, parse_slots, route};
use crate::session::ConnectionCount;
use crate::store::redis::connection::pool::SharedPool;
use crate::store::redis::connection::pool::connection::RoundTrip;
use crate::store::redis::connection::pool::connector::Connector;

/// How long connecting to a node may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The shortest time between two refreshes of the slots.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// How many healthy nodes are asked for the slots at once; the first answer is used.
const NODES_ASKED: usize = 3;

/// How long to wait for another answer after a node that reports the cluster down: it may be the one that is cut off.
const GRACE: Duration = Duration::from_millis(250);

/// How many redirects a request follows.
const MAX_REDIRECTS: usize = 3;

pub(crate) struct Cluster {
    seeds: Vec<NodeAddress>,
    /// The connection settings of all nodes, host and port aside.
    settings: ConnectionInfo,
    /// After how long without an answer a connection counts as broken.
    answer_timeout: Duration,
    layout: RwLock<Layout>,
    /// The last refresh of the slots, and when it started.
    last_refresh: Mutex<Option<(Instant, Refresh)>>,
    turn: AtomicUsize,
    probe_key: fn() -> String,
}

#[derive(Default)]
struct Layout {
    slots: HashMap<Slot, Arc<ClusterNode>>,
    /// The primaries, and until the next refresh the seeds asked and the nodes named by a redirect.
    nodes: BTreeMap<NodeAddress, Arc<ClusterNode>>,
}

struct ClusterNode {
    address: NodeAddress,
    pool: Arc<SharedPool>,
}

type Refresh = Shared<BoxFuture<'static, RedisResult<()>>>;

/// The slots as one node sees them.
struct View {
    ranges: Vec<SlotRange>,
    /// Whether the node serves commands: one that is cut off from the others does not.
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
            layout: RwLock::default(),
            last_refresh: Mutex::default(),
            turn: AtomicUsize::new(0),
            probe_key,
        }))
    }

    // A poisoned lock can be used: a panic cannot leave the maps half changed, because `install` replaces both at its
    // end.
    fn layout(&self) -> RwLockReadGuard<'_, Layout> {
        self.layout.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn layout_mut(&self) -> RwLockWriteGuard<'_, Layout> {
        self.layout.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections to all nodes together.
    pub(crate) fn count(&self) -> ConnectionCount {
        let layout = self.layout();
        let mut total = ConnectionCount { open: 0, limit: 0 };
        for count in layout.nodes.values().map(|node| node.pool.count()) {
            total.open += count.open;
            total.limit += count.limit;
        }
        total
    }

    pub(crate) fn has_healthy_node(&self) -> bool {
        let layout = self.layout();
        layout.nodes.values().any(|node| node.pool.is_healthy())
    }

    /// Sends commands of one key, or commands without a key, and returns the answer to each.
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

    /// The addresses of the primaries, in order.
    pub(crate) async fn addresses(self: &Arc<Self>) -> RedisResult<Vec<NodeAddress>> {
        let nodes = self.primaries().await?;
        Ok(nodes.iter().map(|node| node.address.clone()).collect())
    }

    async fn primaries(self: &Arc<Self>) -> RedisResult<Vec<Arc<ClusterNode>>> {
        if self.is_layout_empty() {
            self.refresh().await?;
        }
        Ok(self.layout().nodes.values().cloned().collect())
    }

    async fn sum(self: &Arc<Self>, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let nodes = self.primaries().await?;
        let answers = nodes
            .iter()
            .map(|node| node.pool.send_in_background(commands));
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
            let mut answers = outcome.iter().flatten();
            match answers.find_map(|answer| node.redirect(answer)) {
                Some(redirect) if redirects < MAX_REDIRECTS => {
                    asking = redirect.asking;
                    if !asking {
                        // For later requests; this one follows the redirect.
                        drop(self.refresh());
                    }
                    node = self.node(&redirect.to)?;
                    redirects += 1;
                }
                _ => return outcome,
            }
        }
    }

    /// The node that has the slot. Refreshes the slots first if the known one is failing: another may have replaced it.
    async fn owner(self: &Arc<Self>, slot: Slot) -> RedisResult<Arc<ClusterNode>> {
        if let Some(node) = self.known_owner(slot) {
            if !node.pool.is_failing() || self.refresh().await.is_err() {
                return Ok(node);
            }
        } else {
            self.refresh().await?;
        }
        self.known_owner(slot).ok_or_else(no_known_owner)
    }

    fn known_owner(&self, slot: Slot) -> Option<Arc<ClusterNode>> {
        self.layout().slots.get(&slot).cloned()
    }

    fn is_layout_empty(&self) -> bool {
        self.layout().slots.is_empty()
    }

    /// The node at this address, new or known.
    fn node(&self, address: &NodeAddress) -> RedisResult<Arc<ClusterNode>> {
        self.get_or_insert_node(&mut self.layout_mut().nodes, address)
    }

    fn get_or_insert_node(
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

    /// Refreshes the slots, in a task of its own; if the last refresh is recent or still running, returns that one.
    fn refresh(self: &Arc<Self>) -> Refresh {
        let last_refresh = self.last_refresh.lock();
        let mut last_refresh = last_refresh.unwrap_or_else(PoisonError::into_inner);
        if let Some((started_at, last)) = &*last_refresh
            && (last.peek().is_none() || started_at.elapsed() < REFRESH_EVERY)
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
        // `peek` sees the outcome only after a poll, and not every caller polls it.
        tokio::spawn(refresh.clone());
        *last_refresh = Some((Instant::now(), refresh.clone()));
        refresh
    }

    /// Asks some healthy nodes, and if none of them serves, the seeds: all at once, so that a silent one delays no
    /// other.
    async fn find_slots(&self) -> RedisResult<()> {
        let nodes = self.some_healthy_nodes();
        if let Ok(view) = self.first_view(nodes, self.answer_timeout).await
            && view.serves
        {
            return self.install(&view);
        }
        let seeds = self.seeds.iter().map(|seed| self.node(seed));
        let view = self
            .first_view(seeds.collect::<RedisResult<_>>()?, CONNECT_TIMEOUT)
            .await?;
        // The slots of a node that does not serve are better than none.
        if view.serves || self.is_layout_empty() {
            self.install(&view)?;
        }
        Ok(())
    }

    /// The view of the first node to answer that serves; else that of a node that does not; else an error.
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

    fn some_healthy_nodes(&self) -> Vec<Arc<ClusterNode>> {
        let layout = self.layout();
        let nodes = layout.nodes.values();
        let mut healthy: Vec<_> = nodes
            .filter(|node| node.pool.is_healthy())
            .cloned()
            .collect();
        // Other nodes each time: one of them may be cut off from the rest.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % healthy.len().max(1);
        healthy.rotate_left(turn);
        healthy.truncate(NODES_ASKED);
        healthy
    }

    /// Nodes without slots are dropped; their connections are closed after their last request.
    fn install(&self, view: &View) -> RedisResult<()> {
        let mut layout = self.layout_mut();
        let mut primaries = BTreeMap::new();
        let mut slots = HashMap::new();
        for range in &view.ranges {
            let node = self.get_or_insert_node(&mut layout.nodes, &range.primary)?;
            slots.extend(range.slots().map(|slot| (slot, Arc::clone(&node))));
            primaries.insert(range.primary.clone(), node);
        }
        layout.nodes = primaries;
        layout.slots = slots;
        Ok(())
    }
}

/// A `MOVED` or `ASK`.
struct Redirect {
    to: NodeAddress,
    /// `ASK`, the slot is being migrated: each command needs an `ASKING` before it.
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
        let mut with_asking = Pipeline::with_capacity(2 * commands.len());
        for command in commands.cmd_iter() {
            with_asking.cmd("ASKING").add_command(command.clone());
        }
        let answers = self.pool.send(&with_asking, round_trip).await?;
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

    /// Asks for the slots, and with `EXPIRE` of a key that does not exist whether the node serves at all.
    async fn view(&self, probe_key: &str) -> RedisResult<View> {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown};

        let mut commands = Pipeline::with_capacity(2);
        commands.cmd("CLUSTER").arg("SLOTS").expire(probe_key, 1);
        let answers = self.pool.send_in_background(&commands).await?;
        let Ok([slots, probe]) = <[Value; 2]>::try_from(answers) else {
            return Err(no_known_owner());
        };
        let kind = if let Value::ServerError(error) = probe {
            error.kind()
        } else {
            None
        };
        Ok(View {
            ranges: parse_slots(&slots.extract_error()?, &self.address),
            serves: !matches!(kind, Some(BusyLoading | ClusterDown | MasterDown)),
        })
    }
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
