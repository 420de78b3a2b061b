//! Innkeeper itself: beside doing nothing, as pages, over one connection and over many.

use super::bench::Bench;
use super::subject::{Kind, MANY, Subject};
use crate::load::Outcome;
use crate::load::request::Form;
use crate::load::rounds::Figure;
use crate::report::{self, Table, percent, thousands, times};

impl Bench {
    pub(super) fn innkeeper_table(&self) -> Table {
        let mut table = Table::new(
            "Innkeeper, 32 connections",
            &[
                "server",
                "request",
                "requests/s",
                "of doing nothing",
                "CPU a request",
                "of doing nothing",
                "context switches",
                "p50",
                "p99",
                "errors",
            ],
        );
        let alone = Subject::new(self.alone, Kind::Nothing);
        let bare = [Kind::Nothing, Kind::Profile]
            .map(|kind| (self.alone, kind))
            .into_iter()
            .filter(|(_, kind)| *kind == Kind::Nothing || self.on_redis.is_some());
        let whole = self
            .innkeepers()
            .flat_map(|server| Kind::ALL.map(|kind| (server, kind)));
        let logging = self
            .logging
            .iter()
            .flat_map(|server| [Kind::Nothing, Kind::Profile].map(|kind| (*server, kind)));
        for (server, kind) in bare.chain(whole).chain(logging) {
            let row = Subject::new(server, kind);
            let nothing = if row == alone {
                Subject::new(self.embedded, Kind::Nothing)
            } else {
                Subject::new(server, Kind::Nothing)
            };
            let median = |of: &dyn Fn(&Outcome) -> f64| self.outcomes.figure(row, of).median;
            table.row([
                self.servers[server].name.to_owned(),
                kind.name().to_owned(),
                thousands(median(&Outcome::rate)),
                percent(self.outcomes.ratio(row, nothing, Outcome::rate)),
                report::micros(median(&Outcome::cpu_micros)),
                times(self.outcomes.ratio(row, nothing, Outcome::cpu_micros)),
                report::hundredths(median(&Outcome::switches)),
                report::micros(median(&|outcome| outcome.micros(0.5))),
                report::micros(median(&|outcome| outcome.micros(0.99))),
                self.outcomes.troubles(row).to_string(),
            ]);
        }
        table
    }

    /// What a person is shown beside what a program is told.
    pub(super) fn page_table(&self) -> Table {
        let mut table = Table::new(
            "The page beside the JSON, profile, 32 connections",
            &[
                "server",
                "page",
                "its head",
                "JSON",
                "its head",
                "page's requests/s of the JSON's",
                "page's CPU to the JSON's",
            ],
        );
        for server in self.innkeepers() {
            let [page, json] = [Kind::Page, Kind::Profile].map(|kind| Subject::new(server, kind));
            let weights = [Form::Html, Form::Json].map(|form| self.weight(server, form));
            let [page_weight, json_weight] =
                weights.map(|weight| weight.map_or([0; 2], |weight| [weight.body, weight.head]));
            let [body, head] = page_weight.map(|bytes| format!("{bytes} B"));
            let [json_body, json_head] = json_weight.map(|bytes| format!("{bytes} B"));
            table.row([
                self.servers[server].name.to_owned(),
                body,
                head,
                json_body,
                json_head,
                percent(self.outcomes.ratio(page, json, Outcome::rate)),
                times(self.outcomes.ratio(page, json, Outcome::cpu_micros)),
            ]);
        }
        table
    }

    /// With one connection nothing waits for anything else: a profile should take what doing nothing takes, plus one
    /// way to the store and back.
    pub(super) fn one_connection_table(&self) -> Table {
        let mut table = Table::new(
            "One connection, median latency",
            &[
                "store",
                "nothing",
                "PING",
                "profile",
                "profile beyond the sum",
            ],
        );
        for server in self.innkeepers() {
            let lone = |kind| {
                let subject = Subject::new(server, kind).over(1);
                let outcomes = self.outcomes.0[&subject].iter();
                outcomes.map(|outcome| outcome.micros(0.5))
            };
            let ping = |round| {
                let on_redis = self.on_redis == Some(server);
                let pings = self.pings.get(round).copied();
                pings.filter(|_| on_redis).unwrap_or_default()
            };
            let beyond = lone(Kind::Profile)
                .zip(lone(Kind::Nothing))
                .enumerate()
                .map(|(round, (profile, nothing))| profile - nothing - ping(round));
            let pings = (0..self.plan.rounds).map(ping);
            table.row([
                self.servers[server].name.to_owned(),
                report::micros(Figure::of(lone(Kind::Nothing)).median),
                report::micros(Figure::of(pings).median),
                report::micros(Figure::of(lone(Kind::Profile)).median),
                Figure::of(beyond).told(|micros| format!("{micros:.0}"), " µs"),
            ]);
        }
        table
    }

    pub(super) fn many_connections_table(&self) -> Table {
        let mut table = Table::new(
            "1,000 connections",
            &[
                "server",
                "request",
                "requests/s",
                "of 32 connections",
                "p50",
                "p99",
                "errors",
            ],
        );
        for (server, kind) in self
            .innkeepers()
            .flat_map(|server| [Kind::Nothing, Kind::Profile].map(|kind| (server, kind)))
        {
            let usual = Subject::new(server, kind);
            let many = usual.over(MANY);
            let micros = |share| self.outcomes.figure(many, |outcome| outcome.micros(share));
            table.row([
                self.servers[server].name.to_owned(),
                kind.name().to_owned(),
                thousands(self.outcomes.figure(many, Outcome::rate).median),
                percent(self.outcomes.ratio(many, usual, Outcome::rate)),
                report::micros(micros(0.5).median),
                report::micros(micros(0.99).median),
                self.outcomes.troubles(many).to_string(),
            ]);
        }
        table
    }
}
