//! Which node has which slots, by `CLUSTER SLOTS`, and where a command is sent.

use std::fmt;

use deadpool_redis::redis::cluster_routing::Slot;
use deadpool_redis::redis::{Arg, Cmd, FromRedisValue, Pipeline, Value};

/// Host and port of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl NodeAddress {
    /// Parses the `host:port` of a redirect that the node `asked` has answered.
    pub(crate) fn parse(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self {
            host: resolve_host(Some(host), asked)?,
            port: port.parse().ok()?,
        })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Consecutive slots of one primary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SlotRange {
    first: u16,
    last: u16,
    pub(crate) primary: NodeAddress,
}

impl SlotRange {
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        (self.first..=self.last).filter_map(Slot::new)
    }
}

/// Parses the answer to `CLUSTER SLOTS` of the node `asked`. Ranges without a known host are left out.
pub(crate) fn parse_slots(answer: &Value, asked: &NodeAddress) -> Vec<SlotRange> {
    let Value::Array(rows) = answer else {
        return Vec::new();
    };
    rows.iter()
        .filter_map(|row| parse_row(row, asked))
        .collect()
}

/// `[first, last, [host, port, ..], replicas ..]`.
fn parse_row(row: &Value, asked: &NodeAddress) -> Option<SlotRange> {
    let Value::Array(columns) = row else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(primary),
        ..,
    ] = columns.as_slice()
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = primary.as_slice() else {
        return None;
    };
    let host = Option::<String>::from_redis_value_ref(host).ok()?;
    Some(SlotRange {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        primary: NodeAddress {
            host: resolve_host(host.as_deref(), asked)?,
            port: u16::try_from(*port).ok()?,
        },
    })
}

/// By the documentation of `CLUSTER SLOTS` an empty or missing host is that of the node asked, and `?` is unknown.
fn resolve_host(host: Option<&str>, asked: &NodeAddress) -> Option<String> {
    match host {
        None | Some("" | "0.0.0.0" | "::") => Some(asked.host.clone()),
        Some("?") => None,
        Some(host) => Some(host.to_owned()),
    }
}

/// Where commands are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The primary that has the slot.
    Slot(Slot),
    /// All primaries; their answers are added up.
    Sum,
    /// Any primary.
    Any,
}

/// The caller ensures that the keys of all commands are in one slot.
pub(crate) fn route(commands: &Pipeline) -> Route {
    if let Some(key) = commands.cmd_iter().find_map(key_of) {
        return Route::Slot(Slot::for_key(key));
    }
    let first = commands.cmd_iter().next();
    match first.and_then(|command| argument(command, 0)) {
        Some(b"DBSIZE") => Route::Sum,
        _ => Route::Any,
    }
}

/// The first key of a command; knows only the commands that Innkeeper sends.
fn key_of(command: &Cmd) -> Option<&[u8]> {
    match argument(command, 0)? {
        b"ASKING" | b"DBSIZE" | b"PING" | b"RANDOMKEY" | b"TIME" => None,
        // EVAL script numkeys key ..
        b"EVAL" | b"EVALSHA" => argument(command, 3).filter(|_| argument(command, 2) != Some(b"0")),
        _ => argument(command, 1),
    }
}

fn argument(command: &Cmd, index: usize) -> Option<&[u8]> {
    if let Arg::Simple(text) = command.args_iter().nth(index)? {
        return Some(text);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> NodeAddress {
        NodeAddress {
            host: "asked.example".to_owned(),
            port: 7000,
        }
    }

    fn row(first: i64, last: i64, host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca".to_vec());
        let node = Value::Array(vec![host, Value::Int(port), id]);
        let replica = node.clone();
        Value::Array(vec![Value::Int(first), Value::Int(last), node, replica])
    }

    fn text(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    #[test]
    fn the_primary_of_each_range_is_found_by_its_host_or_by_the_one_that_was_asked() {
        for (host, expected) in [
            (text("10.0.0.1"), Some("10.0.0.1:7001")),
            (text("::1"), Some("::1:7001")),
            (text(""), Some("asked.example:7001")),
            (text("0.0.0.0"), Some("asked.example:7001")),
            (Value::Nil, Some("asked.example:7001")),
            (text("?"), None),
            (Value::Array(Vec::new()), None),
        ] {
            let answer = Value::Array(vec![row(5, 7, host.clone(), 7001)]);
            let ranges = parse_slots(&answer, &asked());
            let found = ranges.first().map(|range| range.primary.to_string());
            assert_eq!(found.as_deref(), expected, "{host:?}");
            if let Some(range) = ranges.first() {
                let slots: Vec<_> = range.slots().collect();
                assert_eq!(slots, [5, 6, 7].map(|slot| Slot::new(slot).unwrap()));
            }
        }
        for odd in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![row(-1, 7, text("a"), 7001)]),
            Value::Array(vec![row(0, 7, text("a"), 70_000)]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
        ] {
            assert_eq!(parse_slots(&odd, &asked()), [], "{odd:?}");
        }
    }

    #[test]
    fn a_redirect_without_a_host_leads_to_the_one_that_was_asked() {
        for (text, expected) in [
            ("10.0.0.1:7001", Some("10.0.0.1:7001")),
            ("::1:7001", Some("::1:7001")),
            (":7001", Some("asked.example:7001")),
            ("?:7001", None),
            ("nothing", None),
        ] {
            let found = NodeAddress::parse(text, &asked()).map(|node| node.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn commands_are_sent_where_their_key_is() {
        let slot = |key: &str| Route::Slot(Slot::for_key(key));
        let mut touch = Pipeline::new();
        touch.hgetall("session:a").expire("session:a", 1);
        assert_eq!(route(&touch), slot("session:a"));
        let mut script = Pipeline::new();
        script.cmd("EVAL").arg("return 1").arg(1).arg("k").arg("v");
        assert_eq!(route(&script), slot("k"));
        let mut late = Pipeline::new();
        late.cmd("TIME").get("k");
        assert_eq!(route(&late), slot("k"));
        let mut keyless = Pipeline::new();
        keyless.cmd("EVAL").arg("return 1").arg(0).arg("v");
        assert_eq!(route(&keyless), Route::Any);
        for (name, expected) in [("DBSIZE", Route::Sum), ("RANDOMKEY", Route::Any)] {
            assert_eq!(route(Pipeline::new().cmd(name)), expected);
        }
    }
}
