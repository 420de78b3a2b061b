//! One worker thread or two, for both stores and both kinds of answer, beside actix-session with as many: what `workers`
//! should be by default.

use crate::Plan;
use crate::load::request::Form;
use crate::load::rounds::{self, Outcomes};
use crate::load::visits::{self, Cookie};
use crate::load::{Load, Outcome};
use crate::report::{self, Table, hundredths, micros, thousands, times};
use crate::servers::peers;
use crate::servers::redis::{self, RedisServer};
use crate::servers::{Program, Server, temporary_folder};

const WORKERS: [usize; 2] = [1, 2];
const CONNECTIONS: [usize; 3] = [32, 256, 1000];
const FORMS: [(Form, &str); 2] = [(Form::Json, "JSON"), (Form::Html, "page")];

/// A program with one worker, and with two.
struct Pair {
    name: &'static str,
    /// Whether it is Innkeeper, which has pages.
    ours: bool,
    servers: [(Server, Vec<Cookie>); 2],
}

impl Pair {
    /// `variable` tells the program how many workers it has.
    fn start(program: impl Fn(usize) -> Program, variable: &'static str, ours: bool) -> Self {
        let servers = WORKERS.map(|workers| {
            let server = program(workers).with(variable, &workers).start();
            let cookies = visits::guests(&server);
            (server, cookies)
        });
        Self {
            name: servers[0].0.name,
            ours,
            servers,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    pair: usize,
    /// One of `WORKERS`, by its place there.
    workers: usize,
    form: Form,
    connections: usize,
}

/// Runs it, prints the tables, and says how many answers were wrong.
pub(crate) fn run(plan: Plan) -> u64 {
    println!("{}\n", report::circumstances(plan));
    let folder = temporary_folder();
    let redis = RedisServer::start();
    let innkeeper = |name| Program::innkeeper(name, folder.path()).without_request_log();
    let embedded = |workers| {
        let store = folder.path().join(format!("data-{workers}"));
        innkeeper("Innkeeper, embedded store").with("INNKEEPER_STORE_PATH", &store.display())
    };
    let mut pairs = vec![Pair::start(embedded, "ROCKET_WORKERS", true)];
    if let Some(redis) = &redis {
        let on_redis = |_| innkeeper("Innkeeper, Redis").with("REDIS_URL", &redis.url());
        pairs.push(Pair::start(on_redis, "ROCKET_WORKERS", true));
        let (built, _) = peers::find(Some(redis), folder.path());
        let actix = built
            .into_iter()
            .find(|peer| peer.program.name == peers::ACTIX);
        match actix {
            Some(peer) => pairs.push(Pair::start(|_| peer.program.clone(), "WORKERS", false)),
            None => println!("actix-session is not built (`benches/peers/build`).\n"),
        }
    } else {
        println!("{}\n", redis::MISSING);
    }

    let mut units = Vec::new();
    for connections in CONNECTIONS {
        for (form, _) in FORMS {
            for (pair, of) in pairs.iter().enumerate() {
                let subject = |workers| Subject {
                    pair,
                    workers,
                    form,
                    connections,
                };
                if of.ours || form == Form::Json {
                    units.extend([subject(0), subject(1)]);
                }
            }
        }
    }
    let mut outcomes = Outcomes::default();
    rounds::run(plan.rounds, &mut units, |subject| {
        let (server, cookies) = &pairs[subject.pair].servers[subject.workers];
        let load = Load::planned(plan, server, subject.connections);
        outcomes.add(
            *subject,
            visits::look_at_profiles(&load, subject.form, cookies),
        );
    });
    println!("{}", one_beside_two(&pairs, &outcomes));
    println!("{}", beside_actix(&pairs, &outcomes));
    let troubles = outcomes.all_troubles();
    println!("{}", report::troubles(&troubles));
    troubles.values().sum()
}

fn one_beside_two(pairs: &[Pair], outcomes: &Outcomes<Subject>) -> Table {
    let mut table = Table::new(
        "Profiles with one worker and with two",
        &[
            "program",
            "answer",
            "connections",
            "requests/s, 1 worker",
            "2 workers",
            "1 to 2",
            "CPU a request, 1 worker",
            "2 workers",
            "1 to 2",
            "context switches, 1 worker",
            "2 workers",
            "p99, 1 worker",
            "2 workers",
            "errors",
        ],
    );
    for (number, pair) in pairs.iter().enumerate() {
        for (form, answer) in FORMS.into_iter().take(if pair.ours { 2 } else { 1 }) {
            for connections in CONNECTIONS {
                let [one, two] = [0, 1].map(|workers| Subject {
                    pair: number,
                    workers,
                    form,
                    connections,
                });
                let both = |of: fn(&Outcome) -> f64, told: fn(f64) -> String| {
                    [one, two].map(|subject| told(outcomes.figure(subject, of).median))
                };
                let [rate_one, rate_two] = both(Outcome::rate, thousands);
                let [cpu_one, cpu_two] = both(Outcome::cpu_micros, micros);
                let [switches_one, switches_two] = both(Outcome::switches, hundredths);
                let [p99_one, p99_two] = both(|outcome| outcome.micros(0.99), micros);
                table.row([
                    pair.name.to_owned(),
                    answer.to_owned(),
                    connections.to_string(),
                    rate_one,
                    rate_two,
                    times(outcomes.ratio(one, two, Outcome::rate)),
                    cpu_one,
                    cpu_two,
                    times(outcomes.ratio(one, two, Outcome::cpu_micros)),
                    switches_one,
                    switches_two,
                    p99_one,
                    p99_two,
                    (outcomes.troubles(one) + outcomes.troubles(two)).to_string(),
                ]);
            }
        }
    }
    table
}

/// Each number of workers beside each of the other's.
fn beside_actix(pairs: &[Pair], outcomes: &Outcomes<Subject>) -> Table {
    let mut table = Table::new(
        "Innkeeper on Redis beside actix-session, JSON",
        &[
            "connections",
            "Innkeeper's workers",
            "actix-session's",
            "Innkeeper's requests/s to its",
            "Innkeeper's CPU a request to its",
        ],
    );
    let Some(actix) = pairs.iter().position(|pair| !pair.ours) else {
        return table;
    };
    for connections in CONNECTIONS {
        for (ours, our_workers) in WORKERS.iter().enumerate() {
            for (theirs, their_workers) in WORKERS.iter().enumerate() {
                let subject = |pair, workers| Subject {
                    pair,
                    workers,
                    form: Form::Json,
                    connections,
                };
                // Innkeeper on Redis stands before it.
                let (ours_of, theirs_of) = (subject(actix - 1, ours), subject(actix, theirs));
                table.row([
                    connections.to_string(),
                    our_workers.to_string(),
                    their_workers.to_string(),
                    times(outcomes.ratio(ours_of, theirs_of, Outcome::rate)),
                    times(outcomes.ratio(ours_of, theirs_of, Outcome::cpu_micros)),
                ]);
            }
        }
    }
    table
}
