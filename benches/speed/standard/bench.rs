//! The servers that are compared, and what was measured of them.

use std::time::Duration;

use tempfile::TempDir;

use super::ping;
use super::subject::{Kind, MANY, Subject, USUAL, Unit};
use super::weight::{self, Weight};
use crate::Plan;
use crate::load::Load;
use crate::load::request::{self, Form};
use crate::load::rounds::Outcomes;
use crate::load::visits::{self, Cookie};
use crate::servers::peers::{self, Store};
use crate::servers::process::{self, Memory};
use crate::servers::redis::RedisServer;
use crate::servers::{Program, Server, temporary_folder};

pub(super) struct Bench {
    pub(super) plan: Plan,
    pub(super) redis: Option<RedisServer>,
    pub(super) servers: Vec<Server>,
    /// Of each server, how many lines it writes for a request.
    pub(super) log_lines: Vec<usize>,
    /// Of each server, when all had been started.
    pub(super) idle: Vec<Memory>,
    /// Of each server some live sessions.
    cookies: Vec<Vec<Cookie>>,
    pub(super) alone: usize,
    pub(super) embedded: usize,
    pub(super) on_redis: Option<usize>,
    /// Innkeeper on Redis too, but with its request log.
    pub(super) logging: Option<usize>,
    pub(super) peers: Vec<Peer>,
    pub(super) missing_peers: Vec<&'static str>,
    pub(super) outcomes: Outcomes<Subject>,
    pub(super) pings: Vec<f64>,
    pub(super) folder: TempDir,
}

pub(super) struct Peer {
    pub(super) server: usize,
    /// The server of ours with the same store.
    pub(super) ours: usize,
}

impl Bench {
    pub(super) fn prepare(plan: Plan) -> Self {
        let folder = temporary_folder();
        let path = folder.path();
        let redis = RedisServer::start();
        let innkeeper = |name| Program::innkeeper(name, path);
        let mut programs = vec![
            Program::alone("Rocket alone", path),
            innkeeper("Innkeeper, embedded store")
                .with("INNKEEPER_STORE_PATH", &path.join("data").display())
                .without_request_log(),
        ];
        let (alone, embedded) = (0, 1);
        let (mut on_redis, mut logging) = (None, None);
        if let Some(redis) = &redis {
            programs[alone] = programs[alone].clone().with("REDIS_URL", &redis.url());
            let ours = |name| innkeeper(name).with("REDIS_URL", &redis.url());
            on_redis = Some(programs.len());
            programs.push(ours("Innkeeper, Redis").without_request_log());
            logging = Some(programs.len());
            programs.push(ours("Innkeeper, Redis, with its log"));
        }
        let (found, missing_peers) = peers::find(redis.as_ref(), path);
        let mut peers = Vec::new();
        for peer in found {
            peers.push(Peer {
                server: programs.len(),
                ours: match peer.store {
                    Store::Redis => on_redis.unwrap(),
                    Store::Embedded => embedded,
                },
            });
            programs.push(peer.program);
        }

        let log_lines = programs
            .iter()
            .map(|program| weight::log_lines(program, path))
            .collect();
        let servers: Vec<_> = programs.iter().map(Program::start).collect();
        let idle = servers
            .iter()
            .map(|server| process::memory(server.id()))
            .collect();
        let mut cookies: Vec<_> = servers
            .iter()
            .enumerate()
            .map(|(number, server)| {
                // It knows no sign-in.
                if number == alone {
                    Vec::new()
                } else {
                    visits::guests(server)
                }
            })
            .collect();
        if let Some(on_redis) = on_redis {
            cookies[alone] = cookies.get(on_redis).cloned().unwrap_or_default();
        }
        Self {
            plan,
            redis,
            servers,
            log_lines,
            idle,
            cookies,
            alone,
            embedded,
            on_redis,
            logging,
            peers,
            missing_peers,
            outcomes: Outcomes::default(),
            pings: Vec::new(),
            folder,
        }
    }

    pub(super) fn units(&self) -> Vec<Unit> {
        let one = |server, kind| Unit::One(Subject::new(server, kind));
        let over = |server, kind, number| Unit::One(Subject::new(server, kind).over(number));
        let mut units = vec![one(self.alone, Kind::Nothing)];
        for server in self.innkeepers() {
            for kind in [Kind::Nothing, Kind::Profile, Kind::Page] {
                units.push(one(server, kind));
            }
            units.push(Unit::LoginAndLogout(server));
            for number in [1, MANY] {
                units.push(over(server, Kind::Nothing, number));
                units.push(over(server, Kind::Profile, number));
            }
        }
        if self.redis.is_some() {
            units.push(Unit::Ping);
        }
        if let Some(logging) = self.logging {
            units.push(one(logging, Kind::Nothing));
            units.push(one(logging, Kind::Profile));
            units.push(one(self.alone, Kind::Profile));
        }
        for peer in &self.peers {
            units.push(one(peer.server, Kind::Profile));
            units.push(Unit::LoginAndLogout(peer.server));
        }
        units
    }

    /// Those that are measured in everything.
    pub(super) fn innkeepers(&self) -> impl Iterator<Item = usize> + use<> {
        [Some(self.embedded), self.on_redis].into_iter().flatten()
    }

    pub(super) fn once(&mut self, unit: &Unit) {
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
        let load = Load::planned(
            self.plan,
            &self.servers[subject.server],
            subject.connections,
        );
        let cookies = &self.cookies[subject.server];
        let outcome = match subject.kind {
            Kind::Profile => visits::look_at_profiles(&load, Form::Json, cookies),
            Kind::Page => visits::look_at_profiles(&load, Form::Html, cookies),
            Kind::Nothing | Kind::Login | Kind::Logout => {
                let mut supply = |into: &mut Vec<u8>| {
                    request::get(into, "/healthz", Form::Json, b"");
                    true
                };
                crate::load::run(&load, &mut supply, &mut |_| {})
            }
        };
        self.outcomes.add(subject, outcome);
    }

    fn login_and_logout(&mut self, number: usize) {
        let server = &self.servers[number];
        let load = Load::planned(self.plan, server, USUAL);
        let (outcome, cookies) = visits::sign_in(&load, &mut || true);
        let login = Subject::new(number, Kind::Login);
        self.outcomes.add(login, outcome);

        let load = Load {
            warm_up: Duration::ZERO,
            ..Load::on(server, USUAL, None)
        };
        let outcome = visits::sign_out(&load, cookies);
        let logout = Subject::new(number, Kind::Logout);
        self.outcomes.add(logout, outcome);
    }

    /// `None`: without Redis a bare Rocket has no profiles.
    pub(super) fn weight(&self, server: usize, form: Form) -> Option<Weight> {
        let cookie = self.cookies[server].first()?;
        Some(Weight::of_profile(self.servers[server].port, form, cookie))
    }
}
