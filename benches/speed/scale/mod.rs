//! A million sessions against a thousand: what a request costs, what a session takes, and what is left of it all when
//! the sessions have ended.

mod house;
mod kept;

use std::time::Duration;

use self::house::House;
use self::kept::Kept;
use crate::Plan;
use crate::load::Outcome;
use crate::load::rounds::{self, Outcomes};
use crate::report::{self, Table, micros, percent, thousands};
use crate::servers::redis::{self, RedisServer};

const FEW: usize = 1000;
const PER_USER: usize = 10;
/// The default of `max_sessions_per_user`, which one user reaches.
const MOST: usize = 100;
const CONNECTIONS: usize = 32;
/// Nothing must end by itself while this runs.
const IDLE: Duration = Duration::from_secs(2 * 3600);

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
            "CPU a request, many of 1,000",
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
                percent(outcomes.ratio(many, few, Outcome::cpu_micros)),
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
