//! One instance of Innkeeper and two on one Redis, with one worker each, behind nginx and without: what a further instance
//! brings, and where Redis ends.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Plan;
use crate::load::request::Form;
use crate::load::rounds::{self, Figure, Outcomes};
use crate::load::visits::{self, Cookie};
use crate::load::{Load, Outcome};
use crate::report::{self, Table, micros, thousands, times};
use crate::servers::nginx::{self, Nginx};
use crate::servers::process;
use crate::servers::redis::{self, RedisServer};
use crate::servers::{Program, Server, temporary_folder};

const CLIENTS: [usize; 2] = [32, 256];

/// What clients speak to.
struct Layout {
    name: &'static str,
    ports: Vec<u16>,
    instances: Vec<u32>,
    nginx: Option<u32>,
}

/// A layout and a number of clients.
type Subject = (usize, usize);

/// Processor time a request, in microseconds, of what is not Innkeeper.
struct Others {
    redis: f64,
    nginx: f64,
}

/// Runs it, prints the table, and says how many answers were wrong.
pub(crate) fn run(plan: Plan) -> u64 {
    println!("{}\n", report::circumstances(plan));
    let Some(redis) = RedisServer::start() else {
        println!("{}", redis::MISSING);
        return 0;
    };
    let folder = temporary_folder();
    let instance = || {
        Program::innkeeper("Innkeeper, Redis", folder.path())
            .with("REDIS_URL", &redis.url())
            .with("ROCKET_WORKERS", &1)
            .without_request_log()
            .start()
    };
    let (first, second) = (instance(), instance());
    // On one Redis, so both know them.
    let cookies = visits::guests(&first);
    let proxies = [vec![&first], vec![&first, &second]].map(|behind| {
        let nginx = Nginx::in_front_of(&behind);
        nginx.map(|nginx| (nginx, behind.len()))
    });
    if proxies.iter().any(Option::is_none) {
        println!("{}\n", nginx::MISSING);
    }
    let layouts = layouts([&first, &second], &proxies);

    let mut units: Vec<Subject> = CLIENTS
        .iter()
        .flat_map(|clients| (0..layouts.len()).map(|layout| (layout, *clients)))
        .collect();
    let mut outcomes = Outcomes::default();
    let mut others: BTreeMap<Subject, Vec<Others>> = BTreeMap::new();
    rounds::run(plan.rounds, &mut units, |subject| {
        let layout = &layouts[subject.0];
        let (outcome, other) = measure(plan, layout, subject.1, &redis, &cookies);
        outcomes.add(*subject, outcome);
        others.entry(*subject).or_default().push(other);
    });
    println!("{}", table(&layouts, &outcomes, &others));
    let troubles = outcomes.all_troubles();
    println!("{}", report::troubles(&troubles));
    troubles.values().sum()
}

fn layouts(instances: [&Server; 2], proxies: &[Option<(Nginx, usize)>; 2]) -> Vec<Layout> {
    let direct = |name, number| {
        let used = &instances[..number];
        Layout {
            name,
            ports: used.iter().map(|server| server.port).collect(),
            instances: used.iter().map(|server| server.id()).collect(),
            nginx: None,
        }
    };
    let mut layouts = vec![
        direct("one instance", 1),
        direct("two, clients spread over both", 2),
    ];
    let names = ["one behind nginx", "two behind nginx"];
    for (name, (nginx, number)) in names.into_iter().zip(proxies.iter().flatten()) {
        layouts.push(Layout {
            ports: vec![nginx.port],
            nginx: Some(nginx.id()),
            ..direct(name, *number)
        });
    }
    layouts
}

fn measure(
    plan: Plan,
    layout: &Layout,
    clients: usize,
    redis: &RedisServer,
    cookies: &[Cookie],
) -> (Outcome, Others) {
    let load = Load {
        ports: layout.ports.clone(),
        processes: layout.instances.clone(),
        connections: clients,
        // The others' time is that of all requests.
        warm_up: Duration::ZERO,
        length: Some(plan.length),
    };
    let of_nginx = || {
        let nginx = layout.nginx.map(|nginx| process::usage(&[nginx]).cpu);
        nginx.unwrap_or_default()
    };
    let before = (redis.cpu(), of_nginx());
    let outcome = visits::look_at_profiles(&load, Form::Json, cookies);
    let after = (redis.cpu(), of_nginx());
    let a_request = |begin: Duration, end: Duration| {
        1e6 * end.saturating_sub(begin).as_secs_f64() / outcome.answers() as f64
    };
    let others = Others {
        redis: a_request(before.0, after.0),
        nginx: a_request(before.1, after.1),
    };
    (outcome, others)
}

fn table(
    layouts: &[Layout],
    outcomes: &Outcomes<Subject>,
    others: &BTreeMap<Subject, Vec<Others>>,
) -> Table {
    let mut table = Table::new(
        "Profiles of one instance and of two, one worker each",
        &[
            "instances",
            "clients",
            "requests/s",
            "to those of one instance",
            "CPU a request: Innkeeper",
            "nginx",
            "Redis",
            "where one core of Redis ends",
            "p50",
            "p99",
            "errors",
        ],
    );
    for clients in CLIENTS {
        for (number, layout) in layouts.iter().enumerate() {
            let (row, one) = ((number, clients), (0, clients));
            let median = |of: &dyn Fn(&Outcome) -> f64| outcomes.figure(row, of).median;
            let other = |of: fn(&Others) -> f64| Figure::of(others[&row].iter().map(of)).median;
            let redis = other(|others| others.redis);
            table.row([
                layout.name.to_owned(),
                clients.to_string(),
                thousands(median(&Outcome::rate)),
                times(outcomes.ratio(row, one, Outcome::rate)),
                micros(median(&Outcome::cpu_micros)),
                match layout.nginx {
                    Some(_) => micros(other(|others| others.nginx)),
                    None => "-".to_owned(),
                },
                micros(redis),
                format!("{}/s", thousands(1e6 / redis)),
                micros(median(&|outcome| outcome.micros(0.5))),
                micros(median(&|outcome| outcome.micros(0.99))),
                outcomes.troubles(row).to_string(),
            ]);
        }
    }
    table
}
