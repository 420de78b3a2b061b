//! Facts about the Redis servers, for `doctor`.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use deadpool_redis::redis::cmd;

use crate::clock::unix_time;
use crate::session::StoreError;
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::rights::{Denied, denied};
use crate::store::redis::sessions::store::RedisStore;

#[derive(Debug)]
pub(crate) struct Inspection {
    /// The servers that hold sessions: in a cluster all primaries.
    pub(crate) servers: Vec<ServerReport>,
}

/// One server. Where it refused a command, the error is its answer.
#[derive(Debug)]
pub(crate) struct ServerReport {
    /// Host and port; `None` where there is only one server.
    pub(crate) name: Option<String>,
    pub(crate) info: Result<Info, String>,
    /// The setting `save`, by which it writes snapshots; empty: never.
    pub(crate) save: Result<String, String>,
    pub(crate) clock: Result<ClockOffset, String>,
    /// The rights that Innkeeper's user lacks.
    pub(crate) denied: Vec<Denied>,
    /// A cluster node's `CLUSTER INFO`.
    pub(crate) cluster: Option<Result<Info, String>>,
}

/// The answer to `INFO` or `CLUSTER INFO`: lines of `name:value`.
#[derive(Debug, Default)]
pub(crate) struct Info(HashMap<String, String>);

impl Info {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        let owned = pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self(owned.collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Whether it deletes keys when its memory is full.
    pub(crate) fn evicts(&self) -> bool {
        let is_limited = self.number("maxmemory").is_some_and(|limit| limit > 0);
        let policy = self.text("maxmemory_policy");
        is_limited && policy.is_some_and(|policy| policy != "noeviction")
    }
}

/// How far apart the server's clock and ours are, and how long a round trip takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    /// The median of the samples.
    pub(crate) round_trip: Duration,
    /// How many milliseconds its clock is ahead of this machine's.
    pub(crate) ahead: i64,
}

/// How many round trips are measured; fewer, but at least three, if they take longer than [`SAMPLING_TIME`].
const SAMPLES: usize = 20;
const SAMPLING_TIME: Duration = Duration::from_secs(1);

impl RedisStore {
    /// Asks every server; each command has as long as a request.
    ///
    /// # Errors
    ///
    /// One of the servers cannot be reached.
    pub(crate) async fn inspect(&self) -> Result<Inspection, StoreError> {
        let mut servers = Vec::new();
        for node in self.client.with_timeout(self.client.nodes()).await? {
            servers.push(self.report(&node).await?);
        }
        Ok(Inspection { servers })
    }

    /// Why accounts could vanish, as sentences without a full stop; what a server does not tell is left out.
    ///
    /// # Errors
    ///
    /// One of the servers cannot be reached.
    pub(crate) async fn risks_for_accounts(&self) -> Result<Vec<&'static str>, StoreError> {
        let client = &self.client;
        let get_save = cmd("CONFIG").arg("GET").arg("save").clone();
        let mut risks = Vec::new();
        for node in client.with_timeout(client.nodes()).await? {
            let info: Result<String, _> = client.try_query_node(&node, &cmd("INFO")).await?;
            let Ok(info) = info.map(|text| Info::parse(&text)) else {
                continue;
            };
            if info.evicts() {
                risks.push(
                    "Redis evicts keys when its memory is full: set `maxmemory-policy noeviction`",
                );
            }
            let save: Result<HashMap<String, String>, _> =
                client.try_query_node(&node, &get_save).await?;
            let keeps_no_snapshots =
                save.is_ok_and(|save| save.get("save").is_some_and(String::is_empty));
            if info.number("aof_enabled") == Some(0) && keeps_no_snapshots {
                risks.push("Redis keeps nothing on disk, so its restart loses all accounts: set `appendonly yes`");
            }
        }
        risks.sort_unstable();
        risks.dedup();
        Ok(risks)
    }

    async fn report(&self, node: &Node) -> Result<ServerReport, StoreError> {
        let client = &self.client;
        let parse = |text: String| Info::parse(&text);
        let info = client.try_query_node(node, &cmd("INFO")).await?;
        let get_save = cmd("CONFIG").arg("GET").arg("save").clone();
        let save = client.try_query_node(node, &get_save).await?;
        let mut cluster = None;
        if node.is_some() {
            let cluster_info = cmd("CLUSTER").arg("INFO").clone();
            cluster = Some(client.try_query_node(node, &cluster_info).await?);
        }
        Ok(ServerReport {
            name: node.as_ref().map(ToString::to_string),
            info: info.map(parse),
            save: save.and_then(|mut settings: HashMap<String, String>| {
                let save = settings.remove("save");
                save.ok_or_else(|| "there is no such setting".to_owned())
            }),
            clock: self.clock_offset(node).await?,
            denied: denied(client, node).await?,
            cluster: cluster.map(|info| info.map(parse)),
        })
    }

    /// Measured with `TIME`, because Innkeeper's user needs the right to it anyway.
    async fn clock_offset(&self, node: &Node) -> Result<Result<ClockOffset, String>, StoreError> {
        let started_at = Instant::now();
        let mut samples = Vec::with_capacity(SAMPLES);
        while samples.len() < SAMPLES && (samples.len() < 3 || started_at.elapsed() < SAMPLING_TIME)
        {
            let (sent_at, sent) = (unix_time(SystemTime::now()), Instant::now());
            let (seconds, micros): (u64, u64) =
                match self.client.try_query_node(node, &cmd("TIME")).await? {
                    Ok(time) => time,
                    Err(refusal) => return Ok(Err(refusal)),
                };
            let round_trip = sent.elapsed();
            let server_time = Duration::from_secs(seconds) + Duration::from_micros(micros);
            let local_time = sent_at + round_trip / 2;
            samples.push((round_trip, millis(server_time) - millis(local_time)));
        }
        samples.sort_unstable();
        let quickest = samples.first().copied().unwrap_or_default();
        let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
        Ok(Ok(ClockOffset {
            round_trip: median.0,
            ahead: quickest.1,
        }))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
