//! One connection to Redis, two and four: what `redis_connections` should be by default.

use crate::Plan;
use crate::load::request::Form;
use crate::load::rounds::{self, Outcomes};
use crate::load::{Load, Outcome, visits};
use crate::report::{self, Table, micros, thousands, times};
use crate::servers::redis::{self, RedisServer};
use crate::servers::{Program, temporary_folder};

const TO_REDIS: [usize; 3] = [1, 2, 4];
const CLIENTS: [usize; 2] = [32, 256];

/// How many connections to Redis, by its place in `TO_REDIS`, and how many clients.
type Subject = (usize, usize);

/// Runs it, prints the table, and says how many answers were wrong.
pub(crate) fn run(plan: Plan) -> u64 {
    println!("{}\n", report::circumstances(plan));
    let Some(redis) = RedisServer::start() else {
        println!("{}", redis::MISSING);
        return 0;
    };
    let folder = temporary_folder();
    let servers = TO_REDIS.map(|number| {
        let server = Program::innkeeper("Innkeeper, Redis", folder.path())
            .with("REDIS_URL", &redis.url())
            .with("INNKEEPER_REDIS_CONNECTIONS", &number)
            .without_request_log()
            .start();
        let cookies = visits::guests(&server);
        (server, cookies)
    });
    let mut units: Vec<Subject> = CLIENTS
        .iter()
        .flat_map(|clients| (0..TO_REDIS.len()).map(|server| (server, *clients)))
        .collect();
    let mut outcomes = Outcomes::default();
    rounds::run(plan.rounds, &mut units, |subject| {
        let (server, clients) = *subject;
        let (server, cookies) = &servers[server];
        let load = Load::planned(plan, server, clients);
        outcomes.add(
            *subject,
            visits::look_at_profiles(&load, Form::Json, cookies),
        );
    });

    let mut table = Table::new(
        "Profiles by the number of connections to Redis",
        &[
            "clients",
            "connections to Redis",
            "requests/s",
            "to those of one",
            "CPU a request",
            "to that of one",
            "p99",
            "errors",
        ],
    );
    for clients in CLIENTS {
        for (server, number) in TO_REDIS.iter().enumerate() {
            let (row, one) = ((server, clients), (0, clients));
            let median = |of: &dyn Fn(&Outcome) -> f64| outcomes.figure(row, of).median;
            table.row([
                clients.to_string(),
                number.to_string(),
                thousands(median(&Outcome::rate)),
                times(outcomes.ratio(row, one, Outcome::rate)),
                micros(median(&Outcome::cpu_micros)),
                times(outcomes.ratio(row, one, Outcome::cpu_micros)),
                micros(median(&|outcome| outcome.micros(0.99))),
                outcomes.troubles(row).to_string(),
            ]);
        }
    }
    println!("{table}");
    let troubles = outcomes.all_troubles();
    println!("{}", report::troubles(&troubles));
    troubles.values().sum()
}
