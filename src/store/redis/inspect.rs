//! What the servers say of themselves.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};

use crate::clock::unix_time;
use crate::session::StoreError;
use crate::store::redis::RedisStore;
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::rights::Denied;

/// What was found out, for the judgement.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Those that hold sessions: of a cluster all primaries.
    pub(crate) servers: Vec<Server>,
}

/// One server. What it refused to say is the error, with what it answered instead.
#[derive(Debug)]
pub(crate) struct Server {
    /// Host and port; `None` where there is only one.
    pub(crate) name: Option<String>,
    pub(crate) info: Result<Info, String>,
    /// When it writes snapshots; empty: never.
    pub(crate) save: Result<String, String>,
    pub(crate) clocks: Result<Clocks, String>,
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

/// How far away it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// The median of some round trips.
    pub(crate) round_trip: Duration,
    /// How many milliseconds its clock is ahead of this machine's.
    pub(crate) ahead: i64,
}

/// So many round trips are measured, or as many as there is time for.
const SAMPLES: usize = 20;
const MEASURING: Duration = Duration::from_secs(1);

impl RedisStore {
    /// Asks the servers; each question has a call's whole time.
    ///
    /// # Errors
    ///
    /// One of them cannot be reached.
    pub(crate) async fn survey(&self) -> Result<Survey, StoreError> {
        let nodes = self.connections.nodes();
        let mut servers = Vec::new();
        for node in self.connections.within_budget(nodes).await? {
            servers.push(self.server(&node).await?);
        }
        Ok(Survey { servers })
    }

    async fn server(&self, node: &Node) -> Result<Server, StoreError> {
        let info: Result<String, _> = self.ask(node, &cmd("INFO")).await?;
        let mut question = cmd("CONFIG");
        question.arg("GET").arg("save");
        let save: Result<HashMap<String, String>, _> = self.ask(node, &question).await?;
        let cluster: Option<Result<String, _>> = match node {
            Node::Only => None,
            Node::Primary(_) => {
                let mut question = cmd("CLUSTER");
                Some(self.ask(node, question.arg("INFO")).await?)
            }
        };
        Ok(Server {
            name: node.name(),
            info: info.map(|text| Info::parse(&text)),
            save: save.and_then(|settings| {
                let save = settings.get("save").cloned();
                save.ok_or_else(|| "there is no such setting".to_owned())
            }),
            clocks: self.clocks(node).await?,
            denied: self.denied(node).await?,
            cluster: cluster.map(|info| info.map(|text| Info::parse(&text))),
        })
    }

    /// Asks one server; the inner error is that it would not say.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        node: &Node,
        question: &Cmd,
    ) -> Result<Result<T, String>, StoreError> {
        let asked = self.connections.ask(node, question);
        match self.connections.within_budget(asked).await {
            // To a visitor without a password a server says nothing at all.
            Err(StoreError::Failed(problem)) if problem.contains("NOAUTH") => {
                Err(StoreError::Unreachable(problem))
            }
            Err(StoreError::Failed(problem)) => Ok(Err(problem)),
            outcome => outcome.map(Ok),
        }
    }

    /// By `TIME`, which Innkeeper's own work needs too.
    async fn clocks(&self, node: &Node) -> Result<Result<Clocks, String>, StoreError> {
        let begun = Instant::now();
        let mut samples = Vec::with_capacity(SAMPLES);
        while samples.len() < SAMPLES && (samples.len() < 3 || begun.elapsed() < MEASURING) {
            let (asked_at, asked) = (unix_time(SystemTime::now()), Instant::now());
            let (seconds, micros): (u64, u64) = match self.ask(node, &cmd("TIME")).await? {
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
        Ok(Ok(Clocks {
            round_trip: median.0,
            ahead: quickest.1,
        }))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
