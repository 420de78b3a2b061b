//! The standard run: Innkeeper on both stores, Rocket alone, and the peers. Its tables are in `tables`.

mod ping;
mod plot;
mod tables;

use std::time::Duration;

use tempfile::TempDir;

use crate::Plan;
use crate::load::request::{self, Form, Supply};
use crate::load::rounds::{self, Outcomes};
use crate::load::{self, Load, Outcome};
use crate::servers::redis::RedisServer;
use crate::servers::{Server, peers, temporary_folder, without_request_log};

/// Connections of most measurements, as in `wrk -c32`.
pub(crate) const USUAL: usize = 32;
pub(crate) const MANY: usize = 1000;
/// How many sessions profiles are asked for.
const SESSIONS: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Nothing,
    Profile,
    Page,
    Login,
    Logout,
}

/// What is measured: a kind of request, to one of the servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) server: usize,
    pub(crate) kind: Kind,
    pub(crate) connections: usize,
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

pub(crate) struct Bench {
    pub(crate) plan: Plan,
    pub(crate) redis: Option<RedisServer>,
    pub(crate) servers: Vec<Server>,
    pub(crate) alone: usize,
    pub(crate) embedded: usize,
    pub(crate) on_redis: Option<usize>,
    /// Innkeeper on Redis too, but with its request log.
    pub(crate) logging: Option<usize>,
    pub(crate) peers: Vec<usize>,
    pub(crate) missing_peers: Vec<&'static str>,
    /// Of each server some live sessions, as cookies.
    cookies: Vec<Vec<Vec<u8>>>,
    /// So many names have been given away.
    names: u64,
    pub(crate) outcomes: Outcomes<Subject>,
    pub(crate) pings: Vec<f64>,
    pub(crate) folder: TempDir,
}

impl Bench {
    fn prepare(plan: Plan) -> Self {
        let folder = temporary_folder();
        let store = folder.path().join("data").display().to_string();
        let redis = RedisServer::start();
        let mut servers = vec![
            Server::alone("Rocket alone", redis.as_ref().map(RedisServer::url)),
            Server::innkeeper(
                "Innkeeper, embedded store",
                folder.path(),
                &[("INNKEEPER_STORE_PATH", store), without_request_log()],
            ),
        ];
        let (mut on_redis, mut logging) = (None, None);
        let mut missing_peers = Vec::new();
        if let Some(redis) = &redis {
            on_redis = Some(servers.len());
            servers.push(Server::innkeeper(
                "Innkeeper, Redis",
                folder.path(),
                &[("REDIS_URL", redis.url()), without_request_log()],
            ));
            logging = Some(servers.len());
            servers.push(Server::innkeeper(
                "Innkeeper, Redis, with its log",
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
            logging,
            peers: logging.map_or(Vec::new(), |own| (own + 1..servers.len()).collect()),
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
        if let Some(on_redis) = bench.on_redis {
            // It knows no sign-in, and takes another's sessions.
            let cookies = bench.cookies[on_redis].clone();
            bench.cookies[bench.alone] = cookies;
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
        if let Some(logging) = self.logging {
            units.push(one(logging, Kind::Nothing, USUAL));
            units.push(one(logging, Kind::Profile, USUAL));
            units.push(one(self.alone, Kind::Profile, USUAL));
        }
        for peer in &self.peers {
            units.push(one(*peer, Kind::Profile, USUAL));
            units.push(Unit::LoginAndLogout(*peer));
        }
        units
    }

    /// Those that are measured in everything.
    pub(crate) fn innkeepers(&self) -> impl Iterator<Item = usize> + use<> {
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

/// With the usual number of connections.
pub(crate) fn subject(server: usize, kind: Kind) -> Subject {
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
