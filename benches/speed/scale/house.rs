//! A store that has been filled, and the server on it.

use std::thread;
use std::time::{Duration, Instant};

use innkeeper::SessionId;

use super::kept::{Kept, begin};
use super::{CONNECTIONS, IDLE, Kind, MOST, PER_USER};
use crate::Plan;
use crate::load::request::{self, Form};
use crate::load::{self, Load, Outcome};
use crate::report::{Table, megabytes, thousands};
use crate::servers::redis::RedisServer;
use crate::servers::{Server, process};

/// At the end: how long the reasons of the sign-outs are kept.
const SHORT_IDLE: Duration = Duration::from_secs(20);
/// After all has ended.
const SIGN_INS: usize = 10_000;
/// Until the sweep has certainly been through: it begins after at most `SHORT_IDLE` and works in parts.
const SWEPT: Duration = Duration::from_secs(90);

pub(super) struct House {
    pub(super) kept: Kept,
    server: Server,
    /// The ids of all sessions, those of one user beside each other.
    ids: Vec<SessionId>,
    /// Those of the user who has the most.
    most: Vec<SessionId>,
}

impl House {
    pub(super) fn fill(kept: Kept, number: usize, filling: &mut Table) -> Self {
        eprintln!("filling: {}, {number}", kept.name());
        let empty = kept.size();
        let begun = Instant::now();
        let (ids, most) = begin(&kept, number);
        let took = begun.elapsed();
        let bytes = kept.size().saturating_sub(empty) as f64 / (number + MOST) as f64;
        if let Kept::Redis(redis) = &kept {
            show_one(redis, &ids[0]);
        }
        let server = kept.serve(IDLE);
        filling.row([
            kept.name().to_owned(),
            thousands(number as f64),
            thousands(number as f64 / took.as_secs_f64()),
            format!("{bytes:.0}"),
            format!("{:.2} s", server.starting.as_secs_f64()),
            megabytes(process::memory(server.id()).resident),
        ]);
        Self {
            kept,
            server,
            ids,
            most,
        }
    }

    /// Requests that change nothing but ends.
    pub(super) fn steady(&self, kind: Kind, plan: Plan) -> Outcome {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let (ids, path) = match kind {
            Kind::Profile => (&self.ids, "/profile/"),
            Kind::List => (&self.ids, "/sessions/"),
            Kind::ProfileOfMost => (&self.most, "/profile/"),
            Kind::ListOfMost => (&self.most, "/sessions/"),
        };
        let mut supply = |into: &mut Vec<u8>| {
            let cookie = cookie(&ids[random.below(ids.len())]);
            request::get(into, path, Form::Json, cookie.as_bytes());
            true
        };
        let load = Load::planned(plan, &self.server, CONNECTIONS);
        load::run(&load, &mut supply, &mut |_| {})
    }

    /// Every user signs out everywhere, and time goes by.
    pub(super) fn end_all(self, ending: &mut Table) -> u64 {
        eprintln!("ending: {}", self.kept.name());
        let Self {
            kept,
            server,
            ids,
            most,
        } = self;
        server.stop();
        let server = kept.serve(SHORT_IDLE);
        let mut note = |moment: &str| {
            ending.row([
                kept.name().to_owned(),
                moment.to_owned(),
                megabytes(process::memory(server.id()).resident),
                megabytes(kept.size()),
            ]);
        };
        note("before");
        let mut visitors = ids.chunks(PER_USER).chain([most.as_slice()]);
        let mut supply = |into: &mut Vec<u8>| {
            let own = visitors.next().and_then(<[_]>::first);
            if let Some(id) = own {
                request::end_all(into, cookie(id).as_bytes());
            }
            own.is_some()
        };
        let load = Load::on(&server, CONNECTIONS, None);
        let outcome = load::run(&load, &mut supply, &mut |_| {});
        note(&format!(
            "after {} sign-outs everywhere, {} a second",
            thousands(outcome.answers() as f64),
            thousands(outcome.rate())
        ));
        thread::sleep(SWEPT);
        note("when their reasons are forgotten too");
        // The allocator gives room back while it is asked for more.
        let mut left = SIGN_INS;
        let mut supply = |into: &mut Vec<u8>| {
            left = left.saturating_sub(1);
            request::login(into, "newcomer");
            left > 0
        };
        load::run(&load, &mut supply, &mut |_| {});
        note(&format!("{} sign-ins later", thousands(SIGN_INS as f64)));
        server.stop();
        let server = kept.serve(SHORT_IDLE);
        ending.row([
            kept.name().to_owned(),
            "after a restart".to_owned(),
            megabytes(process::memory(server.id()).resident),
            megabytes(kept.size()),
        ]);
        outcome.troubles.values().sum()
    }
}

fn show_one(redis: &RedisServer, id: &SessionId) {
    let key = format!("session:{id}");
    let encoding: String = redis.ask(&["OBJECT", "ENCODING", &key]);
    let bytes: u64 = redis.ask(&["MEMORY", "USAGE", &key]);
    let note = if encoding == "listpack" {
        ""
    } else {
        "; it has outgrown the small form of hashes (listpack), by more fields or a longer value than Redis allows there"
    };
    println!("One session in Redis: {encoding}, {bytes} bytes by MEMORY USAGE{note}.\n");
}

fn cookie(id: &SessionId) -> String {
    format!("session_id={id}")
}

/// Xorshift: the same order in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
