//! The rights that Innkeeper's user lacks. Each command is sent in a form that changes nothing.

use std::sync::Arc;

use deadpool_redis::redis::{Cmd, Value, cmd};
use futures_util::future::try_join_all;

use crate::session::{SessionId, StoreError};
use crate::store::redis::connection::RedisClient;
use crate::store::redis::connection::error::{NO_COMMAND, NO_KEY};
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{ended_key, list_key, session_key};

/// What a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Requests.
    Sessions,
    /// The count of live sessions.
    Metrics,
    /// Looking through all sessions.
    Operator,
}

/// A right that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) need: Need,
    /// As `ACL SETUSER` takes it.
    pub(crate) right: String,
    /// What Redis said.
    pub(crate) refusal: String,
}

/// A command, and the keys that it was asked about.
struct Probe {
    need: Need,
    command: Cmd,
    name: &'static str,
    keys: &'static str,
}

/// Asks one server for each right; what cannot be asked now is not known to be missing.
pub(crate) async fn denied(
    client: &Arc<RedisClient>,
    node: &Node,
) -> Result<Vec<Denied>, StoreError> {
    let probes = probes();
    // Beside each other: twenty round trips in a row take seconds over a distant network.
    let asked = probes.iter().map(|probe| async move {
        let refusal = match client.try_ask::<Value>(node, &probe.command).await {
            Ok(Ok(_)) => return Ok(None),
            Ok(Err(refusal)) => refusal,
            // A cluster that is down says so to every key, and is no worse than its `INFO` tells.
            Err(StoreError::Unreachable(problem)) => problem,
            Err(error) => return Err(error),
        };
        let right = if refusal.contains(NO_KEY) {
            format!("~{}:*", probe.keys)
        } else if refusal.contains(NO_COMMAND) {
            format!("+{}", probe.name)
        } else {
            // The command itself was wrong, and not the user.
            return Ok(None);
        };
        Ok(Some(Denied {
            need: probe.need,
            right,
            refusal,
        }))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// In the order in which the README names the rights. No session has this id, and nothing here makes one:
/// `HSET` lacks a value, `SETEX` has no time, and `ZADD XX` adds nothing.
fn probes() -> Vec<Probe> {
    let unused = SessionId::generate();
    let of = |keys: &'static str, key: String| {
        move |name: &'static str, arguments: &[&str]| {
            let mut command = cmd(&name.to_ascii_uppercase());
            command.arg(&key).arg(arguments);
            Probe {
                need: Need::Sessions,
                command,
                name,
                keys,
            }
        }
    };
    let session = of("session", session_key(&unused));
    let list = of("user_sessions", list_key(&unused.to_string()));
    let ended = of("ended_session", ended_key(&unused));
    let other = |need, name: &'static str, arguments: &[&str]| {
        let mut command = cmd(&name.to_ascii_uppercase());
        command.arg(arguments);
        Probe {
            need,
            command,
            name,
            keys: "",
        }
    };
    vec![
        session("hgetall", &[]),
        session("hget", &["user"]),
        session("hset", &["one", "1", "other"]),
        session("hdel", &["one"]),
        session("hexists", &["one"]),
        session("hkeys", &[]),
        session("expire", &["1"]),
        session("pttl", &[]),
        session("exists", &[]),
        session("del", &[]),
        ended("get", &[]),
        ended("setex", &["0", "x"]),
        list("zadd", &["XX", "1", "x"]),
        list("zrem", &["x"]),
        list("zrange", &["0", "0"]),
        list("zrevrange", &["0", "0"]),
        list("zscore", &["x"]),
        list("zcard", &[]),
        other(Need::Sessions, "eval", &["return 0", "0"]),
        other(Need::Sessions, "time", &[]),
        other(Need::Metrics, "dbsize", &[]),
        other(Need::Metrics, "randomkey", &[]),
        other(Need::Operator, "scan", &["0", "COUNT", "1"]),
    ]
}
