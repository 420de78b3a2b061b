//! The standard run: Innkeeper on both stores, Rocket alone, and the peers.

use std::time::Duration;

use tempfile::TempDir;

use crate::load::{self, Load, Outcome};
use crate::redis::{self, RedisServer};
use crate::report::{self, Table, megabytes, percent, thousands, times};
use crate::request::{self, Form, Supply};
use crate::rounds::{self, Figure, Outcomes};
use crate::server::{Server, temporary_folder};
use crate::{Plan, peers, ping, plot, process};

/// Connections of most measurements, as in `wrk -c32`.
const USUAL: usize = 32;
const MANY: usize = 1000;
/// How many sessions profiles are asked for.
const SESSIONS: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Nothing,
    Profile,
    Page,
    Login,
    Logout,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Nothing, "nothing (`GET /healthz`)"),
    (Kind::Profile, "profile"),
    (Kind::Page, "profile, the page"),
    (Kind::Login, "login"),
    (Kind::Logout, "logout"),
];
/// What the peers can do too.
const SHARED: [(Kind, &str); 3] = [
    (Kind::Profile, "profile"),
    (Kind::Login, "login"),
    (Kind::Logout, "logout"),
];

/// What is measured: a kind of request, to one of the servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    server: usize,
    kind: Kind,
    connections: usize,
}

enum Unit {
    One(Subject),
    /// Together, because the one's sessions are ended by the other.
    LoginAndLogout(usize),
    Ping,
}

/// Runs it, prints the tables, and says how many answers were wrong.
pub(crate) fn run(plan: Plan, with_plot: bool) -> u64 {
    let mut bench = Bench::prepare(plan);
    let mut units = bench.units();
    rounds::run(plan.rounds, &mut units, |unit| bench.once(unit));
    bench.print();
    if with_plot {
        plot::write(&bench.bars());
    }
    bench.outcomes.all_troubles().values().sum()
}

struct Bench {
    plan: Plan,
    redis: Option<RedisServer>,
    servers: Vec<Server>,
    alone: usize,
    embedded: usize,
    on_redis: Option<usize>,
    peers: Vec<usize>,
    missing_peers: Vec<&'static str>,
    /// Of each server some live sessions, as cookies.
    cookies: Vec<Vec<Vec<u8>>>,
    /// So many names have been given away.
    names: u64,
    outcomes: Outcomes<Subject>,
    pings: Vec<f64>,
    folder: TempDir,
}

impl Bench {
    fn prepare(plan: Plan) -> Self {
        let folder = temporary_folder();
        let store = folder.path().join("data").display().to_string();
        let mut servers = vec![
            Server::alone("Rocket alone"),
            Server::innkeeper(
                "Innkeeper, embedded store",
                folder.path(),
                &[("INNKEEPER_STORE_PATH", store)],
            ),
        ];
        let redis = RedisServer::start();
        let mut on_redis = None;
        let mut missing_peers = Vec::new();
        if let Some(redis) = &redis {
            on_redis = Some(servers.len());
            servers.push(Server::innkeeper(
                "Innkeeper, Redis",
                folder.path(),
                &[("REDIS_URL", redis.url())],
            ));
            let (running, missing) = peers::start(redis);
            servers.extend(running);
            missing_peers = missing;
        }
        let mut bench = Self {
            plan,
            redis,
            alone: 0,
            embedded: 1,
            on_redis,
            peers: on_redis.map_or(Vec::new(), |own| (own + 1..servers.len()).collect()),
            missing_peers,
            cookies: vec![Vec::new(); servers.len()],
            servers,
            names: 0,
            outcomes: Outcomes::default(),
            pings: Vec::new(),
            folder,
        };
        for server in 0..bench.servers.len() {
            if server != bench.alone {
                bench.cookies[server] = bench.sign_in(server, SESSIONS);
            }
        }
        bench
    }

    fn units(&self) -> Vec<Unit> {
        let one = |server, kind, connections| {
            Unit::One(Subject {
                server,
                kind,
                connections,
            })
        };
        let mut units = vec![one(self.alone, Kind::Nothing, USUAL)];
        for server in self.innkeepers() {
            for kind in [Kind::Nothing, Kind::Profile, Kind::Page] {
                units.push(one(server, kind, USUAL));
            }
            units.push(Unit::LoginAndLogout(server));
            units.push(one(server, Kind::Nothing, 1));
            units.push(one(server, Kind::Profile, 1));
            units.push(one(server, Kind::Nothing, MANY));
            units.push(one(server, Kind::Profile, MANY));
        }
        if self.redis.is_some() {
            units.push(Unit::Ping);
        }
        for peer in &self.peers {
            units.push(one(*peer, Kind::Profile, USUAL));
            units.push(Unit::LoginAndLogout(*peer));
        }
        units
    }

    fn innkeepers(&self) -> impl Iterator<Item = usize> + use<> {
        [Some(self.embedded), self.on_redis].into_iter().flatten()
    }

    fn once(&mut self, unit: &Unit) {
        match unit {
            Unit::One(subject) => self.steady(*subject),
            Unit::LoginAndLogout(server) => self.login_and_logout(*server),
            Unit::Ping => {
                let port = self.redis.as_ref().map(|redis| redis.port);
                let length = self.plan.length / 2;
                self.pings
                    .extend(port.map(|port| ping::median(port, length)));
            }
        }
    }

    /// Requests that change nothing, so that there is no end of them.
    fn steady(&mut self, subject: Subject) {
        let cookies = self.cookies[subject.server].clone();
        let mut turn = 0;
        let mut supply = |into: &mut Vec<u8>| {
            turn += 1;
            match subject.kind {
                Kind::Profile => {
                    let cookie = &cookies[turn % cookies.len()];
                    request::get(into, "/profile/", Form::Json, cookie);
                }
                Kind::Page => {
                    let cookie = &cookies[turn % cookies.len()];
                    request::get(into, "/profile/", Form::Html, cookie);
                }
                Kind::Nothing | Kind::Login | Kind::Logout => {
                    request::get(into, "/healthz", Form::Json, b"");
                }
            }
            true
        };
        let load = self.load(subject.server, subject.connections, Some(self.plan.length));
        let outcome = load::run(&load, &mut supply, &mut |_| {});
        self.outcomes.add(subject, outcome);
    }

    fn login_and_logout(&mut self, server: usize) {
        let mut cookies = Vec::new();
        let load = self.load(server, USUAL, Some(self.plan.length));
        let outcome = self.logins(&load, &mut |_| true, &mut cookies);
        self.outcomes.add(subject(server, Kind::Login), outcome);

        let mut supply = |into: &mut Vec<u8>| {
            let cookie = cookies.pop();
            if let Some(cookie) = &cookie {
                request::logout(into, cookie);
            }
            cookie.is_some()
        };
        let load = Load {
            warm_up: Duration::ZERO,
            ..self.load(server, USUAL, None)
        };
        let outcome = load::run(&load, &mut supply, &mut |_| {});
        self.outcomes.add(subject(server, Kind::Logout), outcome);
    }

    fn sign_in(&mut self, server: usize, number: usize) -> Vec<Vec<u8>> {
        let mut cookies = Vec::new();
        let load = self.load(server, USUAL, None);
        let outcome = self.logins(&load, &mut |begun| begun < number, &mut cookies);
        let name = self.servers[server].name;
        assert_eq!(cookies.len(), number, "{name}: {:?}", outcome.troubles);
        cookies
    }

    /// Every login has a name of its own.
    fn logins(
        &mut self,
        load: &Load,
        go_on: &mut dyn FnMut(usize) -> bool,
        cookies: &mut Vec<Vec<u8>>,
    ) -> Outcome {
        let mut begun = 0;
        let mut supply: Box<Supply<'_>> = Box::new(|into| {
            if !go_on(begun) {
                return false;
            }
            begun += 1;
            self.names += 1;
            request::login(into, &format!("guest{:09}", self.names));
            true
        });
        load::run(load, &mut supply, &mut |head| {
            cookies.push(session_cookie(head).to_owned());
        })
    }

    fn load(&self, server: usize, connections: usize, length: Option<Duration>) -> Load {
        Load {
            port: self.servers[server].port,
            process: self.servers[server].id(),
            connections,
            warm_up: self.plan.length / 8,
            length,
        }
    }
}

fn subject(server: usize, kind: Kind) -> Subject {
    Subject {
        server,
        kind,
        connections: USUAL,
    }
}

/// The first cookie that an answer sets, as `name=value`.
fn session_cookie(head: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"set-cookie: ";
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .expect("a login sets a cookie");
    let cookie = &line[NAME.len()..];
    cookie
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
}

impl Bench {
    fn print(&self) {
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
        let first = (self.alone, Kind::Nothing, KINDS[0].1);
        let rest = self
            .innkeepers()
            .flat_map(|server| KINDS.map(|(kind, name)| (server, kind, name)));
        for (server, kind, name) in std::iter::once(first).chain(rest) {
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
        let Some(own) = self.on_redis else {
            return table;
        };
        for (server, (kind, name)) in self
            .peers
            .iter()
            .flat_map(|peer| SHARED.map(|shared| (*peer, shared)))
        {
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
                "sum",
                "profile",
                "profile / sum",
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
            let sums: Vec<f64> = lone(Kind::Nothing)
                .enumerate()
                .map(|(round, nothing)| nothing + ping(round))
                .collect();
            let ratio = Figure::of(lone(Kind::Profile).zip(&sums).map(|(one, sum)| one / sum));
            let pings = (0..self.plan.rounds).map(ping);
            table.row([
                self.servers[server].name.to_owned(),
                report::micros(Figure::of(lone(Kind::Nothing)).median),
                report::micros(Figure::of(pings).median),
                report::micros(Figure::of(sums.iter().copied()).median),
                report::micros(Figure::of(lone(Kind::Profile)).median),
                times(ratio),
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

    /// Profiles of all programs, as shares of what Rocket does when it does nothing.
    fn bars(&self) -> Vec<plot::Bar> {
        let embedded = Some((self.embedded, self.embedded));
        let on_redis = self.on_redis.map(|own| (own, own));
        let peers = self
            .peers
            .iter()
            .filter_map(|peer| Some((*peer, self.on_redis?)));
        embedded
            .into_iter()
            .chain(on_redis)
            .chain(peers)
            .map(|(server, base)| plot::Bar {
                name: self.servers[server].name,
                ours: server == base,
                share: self.outcomes.ratio(
                    subject(server, Kind::Profile),
                    subject(base, Kind::Nothing),
                    Outcome::rate,
                ),
            })
            .collect()
    }
}
