//! A million sessions against a thousand: what a request costs, what a session takes, and what is left of it all when
//! the sessions have ended.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use innkeeper::{
    Client, Clock, EmbeddedStore, Lifetimes, RedisAddress, RedisOptions, RedisStore, Secret,
    SessionId, SessionStore, Sessions, StorePath, UserName,
};
use rocket::futures::StreamExt;
use rocket::futures::stream;
use tempfile::TempDir;

use crate::load::{self, Load, Outcome};
use crate::redis::{self, RedisServer};
use crate::report::{self, Table, megabytes, micros, percent, thousands};
use crate::request::{self, Form};
use crate::rounds::{self, Outcomes};
use crate::server::{Server, temporary_folder, without_request_log};
use crate::{Plan, process};

const FEW: usize = 1000;
const PER_USER: usize = 10;
/// The default of `max_sessions_per_user`, which one user reaches.
const MOST: usize = 100;
const CONNECTIONS: usize = 32;
/// Nothing must end by itself while this runs.
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// At the end: how long the reasons of the sign-outs are kept.
const SHORT_IDLE: Duration = Duration::from_secs(20);
/// What a sign-in keeps of `request::AGENT`.
const KEPT_AGENT: &str = "Firefox on Linux";
/// After all has ended.
const SIGN_INS: usize = 10_000;
/// Until the sweep has certainly been through: it begins after at most `SHORT_IDLE` and works in parts.
const SWEPT: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Profile,
    /// Of the user who has the most sessions.
    ProfileOfMost,
    /// `GET /sessions/` of users who have ten.
    List,
    ListOfMost,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Profile, "profile, any session"),
    (Kind::ProfileOfMost, "profile, a user with 100 sessions"),
    (Kind::List, "list, users with 10 sessions"),
    (Kind::ListOfMost, "list, a user with 100 sessions"),
];

/// What is measured: a kind of request, to one of the houses.
type Subject = (usize, Kind);

/// Runs it, prints the tables, and says how many answers were wrong.
pub(crate) fn run(plan: Plan, sessions: usize) -> u64 {
    println!("{}\n", report::circumstances(plan));
    let mut filling = Table::new(
        "Filling, and starting with what is there",
        &[
            "store",
            "sessions",
            "begun per second",
            "bytes per session",
            "start to first answer",
            "memory after it",
        ],
    );
    let mut houses = Vec::new();
    for number in [FEW, sessions] {
        houses.push(House::fill(Kept::embedded(), number, &mut filling));
        match RedisServer::start() {
            Some(redis) => houses.push(House::fill(Kept::Redis(redis), number, &mut filling)),
            None => println!("{}\n", redis::MISSING),
        }
    }
    println!("{filling}");

    // What is compared stands side by side: the few and the many of one store.
    let many = houses.len() / 2;
    let mut units: Vec<Subject> = KINDS
        .iter()
        .flat_map(|(kind, _)| (0..many).map(|few| (few, *kind)))
        .flat_map(|(few, kind)| [(few, kind), (few + many, kind)])
        .collect();
    let mut outcomes = Outcomes::default();
    rounds::run(plan.rounds, &mut units, |(house, kind)| {
        outcomes.add((*house, *kind), houses[*house].steady(*kind, plan));
    });
    println!("{}", requests(&houses, &outcomes, sessions));

    let mut ending = Table::new(
        "When all sessions of all users are ended",
        &[
            "store",
            "moment",
            "memory of the server",
            "file, or memory of Redis",
        ],
    );
    let mut troubles = outcomes.all_troubles().values().sum();
    // Those with the few would show nothing.
    for house in houses.drain(..).skip(many) {
        troubles += house.end_all(&mut ending);
    }
    println!("{ending}");
    println!("{}", report::troubles(&outcomes.all_troubles()));
    troubles
}

fn requests(houses: &[House], outcomes: &Outcomes<Subject>, sessions: usize) -> Table {
    let mut table = Table::new(
        "Requests among many sessions and among a thousand",
        &[
            "store",
            "request",
            "requests/s, 1,000",
            "requests/s, many",
            "many of 1,000",
            "per CPU second, many of 1,000",
            "p50, 1,000",
            "p50, many",
            "p99, 1,000",
            "p99, many",
            "errors",
        ],
    );
    let half = houses.len() / 2;
    for few in 0..half {
        let many = few + half;
        for (kind, name) in KINDS {
            let (few, many) = ((few, kind), (many, kind));
            let median =
                |subject, of: &dyn Fn(&Outcome) -> f64| outcomes.figure(subject, of).median;
            let at = |subject, share| micros(median(subject, &|outcome| outcome.micros(share)));
            table.row([
                format!(
                    "{}, {}",
                    houses[few.0].kept.name(),
                    thousands(sessions as f64)
                ),
                name.to_owned(),
                thousands(median(few, &Outcome::rate)),
                thousands(median(many, &Outcome::rate)),
                percent(outcomes.ratio(many, few, Outcome::rate)),
                percent(outcomes.ratio(many, few, Outcome::per_cpu_second)),
                at(few, 0.5),
                at(many, 0.5),
                at(few, 0.99),
                at(many, 0.99),
                (outcomes.troubles(few) + outcomes.troubles(many)).to_string(),
            ]);
        }
    }
    table
}

/// Where sessions are kept.
enum Kept {
    Embedded(TempDir),
    Redis(RedisServer),
}

impl Kept {
    fn embedded() -> Self {
        Self::Embedded(temporary_folder())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "Innkeeper, embedded store",
            Self::Redis(_) => "Innkeeper, Redis",
        }
    }

    fn open(&self) -> Sessions {
        let clock = Clock::start();
        let lifetimes = Lifetimes {
            idle: IDLE,
            absolute: Some(2 * IDLE),
        };
        let store: Arc<dyn SessionStore> = match self {
            Self::Embedded(folder) => {
                let folder = StorePath::Folder(folder.path().join("data"));
                Arc::new(EmbeddedStore::open(&folder, lifetimes, clock.clone()).unwrap())
            }
            Self::Redis(redis) => {
                let address = RedisAddress::Url(Secret::new(redis.url()));
                let mut options = RedisOptions::default();
                options.timeout = Duration::from_secs(60);
                Arc::new(RedisStore::open(&address, &options, lifetimes, clock.clone()).unwrap())
            }
        };
        Sessions::new(store, lifetimes, MOST, None, clock)
    }

    fn serve(&self, idle: Duration) -> Server {
        let idle = ("INNKEEPER_IDLE_TIMEOUT_SECS", idle.as_secs().to_string());
        match self {
            Self::Embedded(folder) => {
                let store = folder.path().join("data").display().to_string();
                let variables = [("INNKEEPER_STORE_PATH", store), idle, without_request_log()];
                Server::innkeeper(self.name(), folder.path(), &variables)
            }
            Self::Redis(redis) => {
                let variables = [("REDIS_URL", redis.url()), idle, without_request_log()];
                Server::innkeeper(
                    self.name(),
                    Path::new(env!("CARGO_TARGET_TMPDIR")),
                    &variables,
                )
            }
        }
    }

    /// Bytes of the file, or of Redis' memory.
    fn size(&self) -> u64 {
        match self {
            Self::Embedded(folder) => {
                let file = folder.path().join("data/sessions.redb");
                file.metadata().map_or(0, |file| file.len())
            }
            Self::Redis(redis) => redis.used_memory(),
        }
    }
}

/// A store that has been filled, and the server on it.
struct House {
    kept: Kept,
    server: Server,
    /// The ids of all sessions, those of one user beside each other.
    ids: Vec<SessionId>,
    /// Those of the user who has the most.
    most: Vec<SessionId>,
}

impl House {
    fn fill(kept: Kept, number: usize, filling: &mut Table) -> Self {
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
    fn steady(&self, kind: Kind, plan: Plan) -> Outcome {
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
        let load = Load {
            port: self.server.port,
            process: self.server.id(),
            connections: CONNECTIONS,
            warm_up: plan.length / 8,
            length: Some(plan.length),
        };
        load::run(&load, &mut supply, &mut |_| {})
    }

    /// Every user signs out everywhere, and time goes by.
    fn end_all(self, ending: &mut Table) -> u64 {
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
        let load = Load {
            port: server.port,
            process: server.id(),
            connections: CONNECTIONS,
            warm_up: Duration::ZERO,
            length: None,
        };
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

/// Begins sessions as sign-ins do, by the library.
fn begin(kept: &Kept, number: usize) -> (Vec<SessionId>, Vec<SessionId>) {
    // More at once would only wait in line.
    const AT_ONCE: usize = 2000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sessions = kept.open();
        let start = |user: String| {
            let sessions = sessions.clone();
            async move {
                let ip = Ipv4Addr::new(203, 0, 113, 195);
                let client = Client::new(Some(ip.into()), Some(KEPT_AGENT));
                let user = UserName::parse(&user).unwrap();
                sessions.start(&user, client, None).await.unwrap().id
            }
        };
        let users = (0..number).map(|index| format!("guest{:07}", index / PER_USER));
        let ids = stream::iter(users.map(start))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let most = stream::iter((0..MOST).map(|_| start("most".to_owned())))
            .buffered(AT_ONCE)
            .collect()
            .await;
        sessions.close().await;
        (ids, most)
    })
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
