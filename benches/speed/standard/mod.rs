//! The standard run: Innkeeper on both stores, Rocket alone, and the peers.

mod bench;
mod innkeeper_tables;
mod peer_table;
mod ping;
mod plot;
mod program_table;
mod subject;
mod weight;

use crate::load::rounds;
use crate::servers::redis;
use crate::{Plan, report};

use self::bench::Bench;

/// Runs it, prints the tables, and says how many answers were wrong.
pub(crate) fn run(plan: Plan, with_plot: bool) -> u64 {
    let mut bench = Bench::prepare(plan);
    let mut units = bench.units();
    rounds::run(plan.rounds, &mut units, |unit| bench.once(unit));
    print(&bench);
    if with_plot {
        plot::write(&bench.bars());
    }
    bench.outcomes.all_troubles().values().sum()
}

fn print(bench: &Bench) {
    println!("{}\n", report::circumstances(bench.plan));
    if bench.redis.is_none() {
        println!("{}\n", redis::MISSING);
    }
    println!("{}", bench.innkeeper_table());
    println!("{}", bench.page_table());
    println!("{}", bench.one_connection_table());
    println!("{}", bench.many_connections_table());
    println!("{}", bench.peer_table());
    if !bench.missing_peers.is_empty() {
        println!(
            "Not built, and left out: {}. `benches/peers/build` builds them all.\n",
            bench.missing_peers.join("; ")
        );
    }
    println!("{}", bench.program_table());
    println!("{}\n", bench.fewer_headers());
    println!("{}", report::troubles(&bench.outcomes.all_troubles()));
}
