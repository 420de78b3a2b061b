//! The peers, each beside Innkeeper with the same store.

use super::bench::Bench;
use super::plot;
use super::subject::{Kind, Subject};
use crate::load::Outcome;
use crate::report::{self, Table, thousands, times};

impl Bench {
    pub(super) fn peer_table(&self) -> Table {
        let mut table = Table::new(
            "Peers, the same Redis or a file each, 32 connections",
            &[
                "program",
                "request",
                "requests/s",
                "Innkeeper's to theirs",
                "CPU a request",
                "Innkeeper's to theirs",
                "context switches",
                "p50",
                "p99",
                "errors",
            ],
        );
        let own = |server| Kind::SHARED.map(|kind| (server, kind, server));
        let theirs = |ours| {
            let peers = self.peers.iter().filter(move |peer| peer.ours == ours);
            peers.flat_map(move |peer| Kind::SHARED.map(|kind| (peer.server, kind, ours)))
        };
        let bare = self.on_redis.map(|ours| (self.alone, Kind::Profile, ours));
        let all = self
            .innkeepers()
            .flat_map(|ours| own(ours).into_iter().chain(theirs(ours)));
        for (server, kind, ours) in bare.into_iter().chain(all) {
            let row = Subject::new(server, kind);
            let ours = Subject::new(ours, kind);
            let median = |of: &dyn Fn(&Outcome) -> f64| self.outcomes.figure(row, of).median;
            table.row([
                self.servers[server].name.to_owned(),
                kind.name().to_owned(),
                thousands(median(&Outcome::rate)),
                times(self.outcomes.ratio(ours, row, Outcome::rate)),
                report::micros(median(&Outcome::cpu_micros)),
                times(self.outcomes.ratio(ours, row, Outcome::cpu_micros)),
                report::hundredths(median(&Outcome::switches)),
                report::micros(median(&|outcome| outcome.micros(0.5))),
                report::micros(median(&|outcome| outcome.micros(0.99))),
                self.outcomes.troubles(row).to_string(),
            ]);
        }
        table
    }

    /// Profiles of all programs, as shares of what a bare Rocket does when it does nothing.
    pub(super) fn bars(&self) -> Vec<plot::Bar> {
        let nothing = Subject::new(self.alone, Kind::Nothing);
        let ours = self.innkeepers().chain(self.logging);
        let peers = self.peers.iter().map(|peer| (peer.server, false));
        ours.map(|server| (server, true))
            .chain(peers)
            .map(|(server, ours)| plot::Bar {
                name: self.servers[server].name,
                ours,
                share: self.outcomes.ratio(
                    Subject::new(server, Kind::Profile),
                    nothing,
                    Outcome::rate,
                ),
            })
            .collect()
    }
}
