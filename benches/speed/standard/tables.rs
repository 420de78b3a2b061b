//! The tables of the standard run.

use super::plot;
use crate::load::Outcome;
use crate::load::rounds::Figure;
use crate::report::{self, Table, megabytes, percent, thousands, times};
use crate::servers::{process, redis};
use crate::standard::{Bench, Kind, MANY, Subject, subject};

const KINDS: [(Kind, &str); 5] = [
    (Kind::Nothing, "nothing (`GET /healthz`)"),
    (Kind::Profile, "profile"),
    (Kind::Page, "profile, the page"),
    (Kind::Login, "login"),
    (Kind::Logout, "logout"),
];
/// What the peers can do too.
const SHARED: [(Kind, &str); 3] = [KINDS[1], KINDS[3], KINDS[4]];

impl Bench {
    pub(crate) fn print(&self) {
        println!("{}\n", report::circumstances(self.plan));
        if self.redis.is_none() {
            println!("{}\n", redis::MISSING);
        }
        println!("{}", self.innkeeper_table());
        println!("{}", self.peers_table());
        if !self.missing_peers.is_empty() {
            println!(
                "Not built, and left out: {}. `benches/peers/build` builds them all.\n",
                self.missing_peers.join("; ")
            );
        }
        println!("{}", self.one_connection_table());
        println!("{}", self.many_connections_table());
        println!("{}", self.memory_table());
        println!("{}", report::troubles(&self.outcomes.all_troubles()));
    }

    fn innkeeper_table(&self) -> Table {
        let mut table = Table::new(
            "Innkeeper, 32 connections",
            &[
                "server",
                "request",
                "requests/s",
                "of doing nothing",
                "p50",
                "p99",
                "requests per CPU second",
                "of doing nothing",
                "errors",
            ],
        );
        let alone = subject(self.alone, Kind::Nothing);
        let bare = [KINDS[0], KINDS[1]]
            .map(|(kind, name)| (self.alone, kind, name))
            .into_iter()
            .filter(|(_, kind, _)| *kind == Kind::Nothing || self.on_redis.is_some());
        let whole = self
            .innkeepers()
            .flat_map(|server| KINDS.map(|(kind, name)| (server, kind, name)));
        let logging = self
            .logging
            .iter()
            .flat_map(|server| [KINDS[0], KINDS[1]].map(|(kind, name)| (*server, kind, name)));
        for (server, kind, name) in bare.chain(whole).chain(logging) {
            let row = subject(server, kind);
            let nothing = if row == alone {
                subject(self.embedded, Kind::Nothing)
            } else {
                subject(server, Kind::Nothing)
            };
            let micros = |share| self.outcomes.figure(row, |outcome| outcome.micros(share));
            let figure = |of: fn(&Outcome) -> f64| {
                let ratio = self.outcomes.ratio(row, nothing, of);
                let absolute = thousands(self.outcomes.figure(row, of).median);
                (absolute, percent(ratio))
            };
            let (rate, rate_ratio) = figure(Outcome::rate);
            let (per_cpu, per_cpu_ratio) = figure(Outcome::per_cpu_second);
            table.row([
                self.servers[server].name.to_owned(),
                name.to_owned(),
                rate,
                rate_ratio,
                report::micros(micros(0.5).median),
                report::micros(micros(0.99).median),
                per_cpu,
                per_cpu_ratio,
                self.outcomes.troubles(row).to_string(),
            ]);
        }
        table
    }

    fn peers_table(&self) -> Table {
        let mut table = Table::new(
            "Peers, the same Redis, 32 connections",
            &[
                "program",
                "request",
                "requests/s",
                "p50",
                "p99",
                "requests per CPU second",
                "Innkeeper's requests/s to theirs",
                "per CPU second",
                "errors",
            ],
        );
        let Some(own) = self.on_redis.filter(|_| !self.peers.is_empty()) else {
            return table;
        };
        let bare = (self.alone, SHARED[0]);
        let all = std::iter::once(&own)
            .chain(&self.peers)
            .flat_map(|server| SHARED.map(|shared| (*server, shared)));
        for (server, (kind, name)) in std::iter::once(bare).chain(all) {
            let row = subject(server, kind);
            let ours = subject(own, kind);
            let median = |of: &dyn Fn(&Outcome) -> f64| self.outcomes.figure(row, of).median;
            table.row([
                self.servers[server].name.to_owned(),
                name.to_owned(),
                thousands(median(&Outcome::rate)),
                report::micros(median(&|outcome| outcome.micros(0.5))),
                report::micros(median(&|outcome| outcome.micros(0.99))),
                thousands(median(&Outcome::per_cpu_second)),
                times(self.outcomes.ratio(ours, row, Outcome::rate)),
                times(self.outcomes.ratio(ours, row, Outcome::per_cpu_second)),
                self.outcomes.troubles(row).to_string(),
            ]);
        }
        table
    }

    /// With one connection nothing waits for anything else: a profile should take what doing nothing takes, plus one
    /// way to the store and back.
    fn one_connection_table(&self) -> Table {
        let mut table = Table::new(
            "One connection, median latency",
            &[
                "store",
                "nothing",
                "PING",
                "profile",
                "profile beyond the sum",
            ],
        );
        for server in self.innkeepers() {
            let lone = |kind| {
                let subject = Subject {
                    connections: 1,
                    ..subject(server, kind)
                };
                let outcomes = self.outcomes.0[&subject].iter();
                outcomes.map(|outcome| outcome.micros(0.5))
            };
            let ping = |round| {
                let on_redis = self.on_redis == Some(server);
                let pings = self.pings.get(round).copied();
                pings.filter(|_| on_redis).unwrap_or_default()
            };
            let beyond = lone(Kind::Profile)
                .zip(lone(Kind::Nothing))
                .enumerate()
                .map(|(round, (profile, nothing))| profile - nothing - ping(round));
            let pings = (0..self.plan.rounds).map(ping);
            table.row([
                self.servers[server].name.to_owned(),
                report::micros(Figure::of(lone(Kind::Nothing)).median),
                report::micros(Figure::of(pings).median),
                report::micros(Figure::of(lone(Kind::Profile)).median),
                Figure::of(beyond).told(|micros| format!("{micros:.0}"), " µs"),
            ]);
        }
        table
    }

    fn many_connections_table(&self) -> Table {
        let mut table = Table::new(
            "1,000 connections",
            &[
                "server",
                "request",
                "requests/s",
                "of 32 connections",
                "p50",
                "p99",
                "errors",
            ],
        );
        for (server, (kind, name)) in self
            .innkeepers()
            .flat_map(|server| [KINDS[0], KINDS[1]].map(|kind| (server, kind)))
        {
            let usual = subject(server, kind);
            let many = Subject {
                connections: MANY,
                ..usual
            };
            let micros = |share| self.outcomes.figure(many, |outcome| outcome.micros(share));
            table.row([
                self.servers[server].name.to_owned(),
                name.to_owned(),
                thousands(self.outcomes.figure(many, Outcome::rate).median),
                percent(self.outcomes.ratio(many, usual, Outcome::rate)),
                report::micros(micros(0.5).median),
                report::micros(micros(0.99).median),
                self.outcomes.troubles(many).to_string(),
            ]);
        }
        table
    }

    fn memory_table(&self) -> Table {
        let mut table = Table::new("Memory after all rounds", &["process", "resident", "peak"]);
        let redis = self.redis.iter().map(|redis| ("redis-server", redis.id()));
        let servers = self.servers.iter().map(|server| (server.name, server.id()));
        for (name, id) in servers.chain(redis) {
            let memory = process::memory(id);
            table.row([
                name.to_owned(),
                megabytes(memory.resident),
                megabytes(memory.peak),
            ]);
        }
        let file = self.folder.path().join("data/sessions.redb");
        if let Ok(file) = file.metadata() {
            table.row([
                "the embedded store's file".to_owned(),
                megabytes(file.len()),
                String::new(),
            ]);
        }
        table
    }

    /// Profiles of all programs, as shares of what a bare Rocket does when it does nothing.
    pub(crate) fn bars(&self) -> Vec<plot::Bar> {
        let nothing = subject(self.alone, Kind::Nothing);
        let ours = self.innkeepers().chain(self.logging);
        let peers = self.peers.iter().map(|peer| (*peer, false));
        ours.map(|server| (server, true))
            .chain(peers)
            .map(|(server, ours)| plot::Bar {
                name: self.servers[server].name,
                ours,
                share: self
                    .outcomes
                    .ratio(subject(server, Kind::Profile), nothing, Outcome::rate),
            })
            .collect()
    }
}
