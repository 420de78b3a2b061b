//! How fast Innkeeper is: `cargo bench` measures the release program against Rocket doing nothing, and against the
//! peers that are built (`benches/peers/build`).
//!
//! - `cargo bench`: the table of the guide (comparison.md) and the plot of the README, `.readme/speed.svg`;
//! - `cargo bench -- threads`: one worker thread and two, beside actix-session with as many;
//! - `cargo bench -- instances`: one instance and two on one Redis, behind nginx and without;
//! - `cargo bench -- connections`: one connection to Redis, two and four;
//! - `cargo bench -- passwords`: sign-ins with passwords, and profiles meanwhile;
//! - `cargo bench -- scale [SESSIONS]`: a million sessions, or so many, against a thousand;
//! - `quick` as a further word: short rounds, and no plot.
//!
//! Everything that is compared runs in rounds, each subject once in each, in an order that rotates; a ratio is made
//! within a round. So a machine that is busy or slow for a while disturbs both sides of a ratio alike.
//!
//! **What does nothing** is `GET /healthz` in the same process: it passes through Rocket, the request log and the
//! security headers, and returns a short constant JSON. A route of one's own behind `innkeeper::stage()` would pass
//! through exactly the same. What those two fairings cost shows the row "Rocket alone": this very program, which
//! when it is called with `rocket-alone` serves the same JSON from a bare Rocket, and a profile made by nothing but
//! Rocket and the Redis client.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that cannot go on should stop, and is there to print"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures are printed with three digits"
)]

mod alone;
mod connections;
mod instances;
mod load;
mod passwords;
mod report;
mod scale;
mod servers;
mod standard;
mod threads;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

/// How long each subject is measured, and how often.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    length: Duration,
}

const WHOLE: Plan = Plan {
    rounds: 5,
    length: Duration::from_secs(2),
};
const QUICK: Plan = Plan {
    rounds: 3,
    length: Duration::from_millis(500),
};

fn main() -> ExitCode {
    let (flags, words): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let all = words.len();
    words.retain(|word| *word != "quick");
    let plan = if words.len() < all { QUICK } else { WHOLE };
    if words == ["rocket-alone"] {
        return alone::serve();
    }
    // `cargo test --all-targets` runs benches too, and does not pass it.
    if !flags.iter().any(|flag| flag == "--bench") {
        println!("`cargo bench` measures");
        return ExitCode::SUCCESS;
    }
    let troubles = match words.as_slice() {
        [] => standard::run(plan, words.len() == all),
        ["threads"] => threads::run(plan),
        ["instances"] => instances::run(plan),
        ["connections"] => connections::run(plan),
        ["passwords"] => passwords::run(plan),
        ["scale"] => scale::run(plan, 1_000_000),
        ["scale", sessions] => scale::run(plan, sessions.parse().expect("a number of sessions")),
        _ => {
            eprintln!("`{}` is no run: see the head of this file", words.join(" "));
            return ExitCode::from(2);
        }
    };
    // A figure that was reached with wrong answers is none.
    ExitCode::from(u8::from(troubles > 0))
}
