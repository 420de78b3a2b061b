//! What each program answers and takes, so that nobody is fast by doing less unseen.

use super::bench::Bench;
use super::weight::Weight;
use crate::load::request::Form;
use crate::report::{Table, megabytes};
use crate::servers::process;

impl Bench {
    pub(super) fn program_table(&self) -> Table {
        let mut table = Table::new(
            "What each program answers and takes",
            &[
                "program",
                "profile",
                "headers",
                "head",
                "log lines a profile",
                "memory idle",
                "after all rounds",
                "at most",
            ],
        );
        for (number, server) in self.servers.iter().enumerate() {
            let weight = self.weight(number, Form::Json);
            let told = |of: fn(Weight) -> String| weight.map_or("-".to_owned(), of);
            let memory = process::memory(server.id());
            table.row([
                server.name.to_owned(),
                told(|weight| format!("{} B", weight.body)),
                told(|weight| weight.headers.to_string()),
                told(|weight| format!("{} B", weight.head)),
                self.log_lines[number].to_string(),
                megabytes(self.idle[number].resident),
                megabytes(memory.resident),
                megabytes(memory.peak),
            ]);
        }
        let memory_alone = |name: &str, resident: String, peak: String| {
            let none = || "-".to_owned();
            [
                name.to_owned(),
                none(),
                none(),
                none(),
                none(),
                none(),
                resident,
                peak,
            ]
        };
        if let Some(redis) = &self.redis {
            let memory = process::memory(redis.id());
            let [resident, peak] = [memory.resident, memory.peak].map(megabytes);
            table.row(memory_alone("redis-server", resident, peak));
        }
        for (name, file) in [
            ("the embedded store's file", "data/sessions.redb"),
            ("SQLite's file", "sliding.sqlite"),
        ] {
            if let Ok(file) = self.folder.path().join(file).metadata() {
                let size = megabytes(file.len());
                table.row(memory_alone(name, size, "-".to_owned()));
            }
        }
        table
    }

    /// Names the peers that send fewer than Innkeeper does.
    pub(super) fn fewer_headers(&self) -> String {
        let headers = |server| Some(self.weight(server, Form::Json)?.headers);
        let ours = headers(self.embedded).unwrap_or_default();
        let fewer: Vec<_> = std::iter::once(self.alone)
            .chain(self.peers.iter().map(|peer| peer.server))
            .filter_map(|server| Some((server, headers(server)?)))
            .filter(|(_, number)| *number < ours)
            .map(|(server, number)| format!("{} ({number})", self.servers[server].name))
            .collect();
        if fewer.is_empty() {
            return format!("No program answers with fewer headers than Innkeeper's {ours}.");
        }
        format!(
            "Answer with fewer headers than Innkeeper's {ours}: {}.",
            fewer.join("; ")
        )
    }
}
