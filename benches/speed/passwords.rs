//! What passwords cost: sign-ins beside the bare hash, and profiles while a hundred sign-ins wait.

use std::io::Write;
use std::mem;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Argon2, Block, Params};

use crate::Plan;
use crate::load::request::{self, Form};
use crate::load::rounds::{self, Figure, Outcomes};
use crate::load::visits::{self, Cookie, session_cookie};
use crate::load::{self, Load, Outcome};
use crate::report::{self, Table, megabytes, micros, percent, thousands};
use crate::servers::{Program, Server, process, temporary_folder};

const PASSWORD: &str = "four words beside a lamp";
/// Who sign in, in turn. One more has the session that profiles are asked for, so that no sign-in ends it.
const USERS: usize = 16;
const CONNECTIONS: usize = 32;
/// As many as keep all hashing threads busy, and none waiting for long.
const AT_ONCE: usize = 8;
const WAITING: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    SignIn,
    Profile,
    /// Profiles while a hundred sign-ins wait.
    ProfileMeanwhile,
}

/// Runs it, prints the table, and says how many answers were wrong.
pub(crate) fn run(plan: Plan) -> u64 {
    println!("{}\n", report::circumstances(plan));
    let folder = temporary_folder();
    let store = folder.path().join("data").display().to_string();
    let program = Program::innkeeper("Innkeeper, embedded", folder.path())
        .with("INNKEEPER_STORE_PATH", &store)
        .with("INNKEEPER_SIGN_IN", "password")
        .without_request_log();
    let server = program.start();
    for user in 0..=USERS {
        add_account(&program, user);
    }
    let before = process::memory(server.id()).resident;
    let cookies = [sign_in_once(&server, USERS)];
    let (mut outcomes, mut hashes) = (Outcomes::default(), Vec::new());
    let mut units = [
        None,
        Some(Kind::SignIn),
        Some(Kind::Profile),
        Some(Kind::ProfileMeanwhile),
    ];
    rounds::run(plan.rounds, &mut units, |unit| match unit {
        None => hashes.push(hashes_a_second(plan.length)),
        Some(kind) => outcomes.add(*kind, measure(&server, *kind, &cookies, plan.length)),
    });

    let mut table = Table::new("Passwords", &["what", "a second", "compared", "p99"]);
    let bare = Figure::of(hashes.iter().copied());
    table.row([
        "argon2id alone, a thread a core".to_owned(),
        thousands(bare.median),
        "1".to_owned(),
        "-".to_owned(),
    ]);
    let sign_ins = Figure::of(
        (outcomes.0[&Kind::SignIn].iter().zip(&hashes)).map(|(one, bare)| one.rate() / bare),
    );
    let meanwhile = outcomes.ratio(Kind::ProfileMeanwhile, Kind::Profile, Outcome::rate);
    for (what, kind, compared) in [
        ("sign-ins, 8 at once", Kind::SignIn, percent(sign_ins)),
        ("profiles", Kind::Profile, "1".to_owned()),
        (
            "profiles, while 100 sign-ins wait",
            Kind::ProfileMeanwhile,
            percent(meanwhile),
        ),
    ] {
        table.row([
            what.to_owned(),
            thousands(outcomes.figure(kind, Outcome::rate).median),
            compared,
            micros(outcomes.figure(kind, |one| one.micros(0.99)).median),
        ]);
    }
    println!("{table}");
    println!(
        "Memory: {} before the first password, {} at most.\n",
        megabytes(before),
        megabytes(process::memory(server.id()).peak)
    );
    let troubles = outcomes.all_troubles();
    println!("{}", report::troubles(&troubles));
    server.stop();
    troubles.values().sum()
}

fn add_account(program: &Program, user: usize) {
    let mut add = program
        .command()
        .args(["accounts", "add", &name(user), "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = add.stdin.take().unwrap();
    input.write_all(PASSWORD.as_bytes()).unwrap();
    drop(input);
    assert!(add.wait().unwrap().success(), "an account is not made");
}

fn name(user: usize) -> String {
    format!("user{user}")
}

/// With OWASP's parameters, each thread in memory of its own that it uses again.
fn hashes_a_second(length: Duration) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let done = Mutex::new(0_u32);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let argon2 = Argon2::default();
                let mut memory = vec![Block::new(); Params::DEFAULT.block_count()];
                let mut output = [0; 32];
                while begun.elapsed() < length {
                    let hash = argon2.hash_password_into_with_memory(
                        PASSWORD.as_bytes(),
                        b"sixteen bytes it",
                        &mut output,
                        &mut memory,
                    );
                    hash.unwrap();
                    *done.lock().unwrap() += 1;
                }
            });
        }
    });
    f64::from(done.into_inner().unwrap()) / begun.elapsed().as_secs_f64()
}

fn measure(server: &Server, kind: Kind, cookies: &[Cookie], length: Duration) -> Outcome {
    match kind {
        Kind::SignIn => sign_in(server, AT_ONCE, length),
        Kind::Profile => profiles(server, cookies, length),
        Kind::ProfileMeanwhile => thread::scope(|scope| {
            // Longer than the profiles on both sides. Most of these wait for more than a second, and are told so.
            scope.spawn(|| sign_in(server, WAITING, 2 * length));
            thread::sleep(length / 2);
            profiles(server, cookies, length)
        }),
    }
}

fn profiles(server: &Server, cookies: &[Cookie], length: Duration) -> Outcome {
    let load = Load::on(server, CONNECTIONS, Some(length));
    visits::look_at_profiles(&load, Form::Json, cookies)
}

/// Everybody in turn.
fn sign_in(server: &Server, connections: usize, length: Duration) -> Outcome {
    let mut user = 0;
    let load = Load::on(server, connections, Some(length));
    let mut supply = |into: &mut Vec<u8>| {
        user = (user + 1) % USERS;
        request::login_with_password(into, &name(user), PASSWORD);
        true
    };
    load::run(&load, &mut supply, &mut |_| {})
}

fn sign_in_once(server: &Server, user: usize) -> Cookie {
    let mut cookies = Vec::new();
    let mut left = true;
    let mut supply = |into: &mut Vec<u8>| {
        request::login_with_password(into, &name(user), PASSWORD);
        mem::take(&mut left)
    };
    let outcome = load::run(&Load::on(server, 1, None), &mut supply, &mut |head| {
        cookies.push(session_cookie(head).to_owned());
    });
    let cookie = cookies.pop();
    assert!(cookie.is_some(), "no session: {:?}", outcome.troubles);
    cookie.unwrap()
}
