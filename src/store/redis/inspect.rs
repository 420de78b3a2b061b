//! What the servers say of themselves, for `doctor`.

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
    /// Those that hold sessions: of a cluster all primaries.
    pub(crate) servers: Vec<ServerReport>,
}

/// One server. What it refused to say is the error, with what it answered instead.
#[derive(Debug)]
pub(crate) struct ServerReport {
    /// Host and port; `None` where there is only one.
    pub(crate) name: Option<String>,
    pub(crate) info: Result<Info, String>,
    /// When it writes snapshots; empty: never.
    pub(crate) save: Result<String, String>,
    pub(crate) clock: Result<ClockOffset, String>,
    /// What the user may not do.
    pub(crate) denied: Vec<Denied>,
    /// What a node of a cluster thinks of the whole.
    pub(crate) cluster: Option<Result<Info, String>>,
}

/// What `INFO` and `CLUSTER INFO` answer: lines of `name:value`.
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
}

/// How far a server is away, by its clock and by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    /// The median of some round trips.
    pub(crate) round_trip: Duration,
    /// How many milliseconds its clock is ahead of this machine's.
    pub(crate) ahead: i64,
}

/// How many round trips are measured, or as many as this time allows.
const SAMPLES: usize = 20;
const SAMPLING_TIME: Duration = Duration::from_secs(1);

impl RedisStore {
    /// Asks the servers; each question has the time that a request has.
    ///
    /// # Errors
    ///
    /// One of them cannot be reached.
    pub(crate) async fn inspect(&self) -> Result<Inspection, StoreError> {
        let mut servers = Vec::new();
        for node in self.client.with_timeout(self.client.nodes()).await? {
            servers.push(self.report(&node).await?);
        }
        Ok(Inspection { servers })
    }

    async fn report(&self, node: &Node) -> Result<ServerReport, StoreError> {
        let info: Result<String, _> = self.client.try_ask(node, &cmd("INFO")).await?;
        let mut question = cmd("CONFIG");
        question.arg("GET").arg("save");
        let save: Result<HashMap<String, String>, _> = self.client.try_ask(node, &question).await?;
        let mut cluster: Option<Result<String, _>> = None;
        if node.is_some() {
            let mut question = cmd("CLUSTER");
            question.arg("INFO");
            cluster = Some(self.client.try_ask(node, &question).await?);
        }
        Ok(ServerReport {
            name: node.as_ref().map(ToString::to_string),
            info: info.map(|text| Info::parse(&text)),
            save: save.and_then(|settings| {
                let save = settings.get("save").cloned();
                save.ok_or_else(|| "there is no such setting".to_owned())
            }),
            clock: self.clock_offset(node).await?,
            denied: denied(&self.client, node).await?,
            cluster: cluster.map(|info| info.map(|text| Info::parse(&text))),
        })
    }

    /// By `TIME`, to which Innkeeper's user needs the right for other reasons.
    async fn clock_offset(&self, node: &Node) -> Result<Result<ClockOffset, String>, StoreError> {
        let begun = Instant::now();
        let mut samples = Vec::with_capacity(SAMPLES);
        while samples.len() < SAMPLES && (samples.len() < 3 || begun.elapsed() < SAMPLING_TIME) {
            let (asked_at, asked) = (unix_time(SystemTime::now()), Instant::now());
            let (seconds, micros): (u64, u64) =
                match self.client.try_ask(node, &cmd("TIME")).await? {
                    Ok(time) => time,
                    Err(refusal) => return Ok(Err(refusal)),
                };
            let there = Duration::from_secs(seconds) + Duration::from_micros(micros);
            let round_trip = asked.elapsed();
            samples.push((
                round_trip,
                millis(there) - millis(asked_at + round_trip / 2),
            ));
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
