//! The rights (Redis ACL) that Innkeeper's user lacks. Each command is tried in a form that changes nothing.

use std::sync::Arc;

use deadpool_redis::redis::{Cmd, Value, cmd};
use futures_util::future::try_join_all;

use crate::session::{SessionId, StoreError};
use crate::sign_in::Token;
use crate::store::redis::connection::RedisClient;
use crate::store::redis::connection::error::{NO_COMMAND, NO_KEY};
use crate::store::redis::connection::nodes::Node;
use crate::store::redis::keys::{attempts_key, ended_key, known_device_key, list_key, session_key};

/// What a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Requests.
    Sessions,
    /// Accounts with passwords, and the throttle.
    Passwords,
    /// The count of active sessions.
    Metrics,
    /// The operator's commands that look at all sessions.
    Operator,
}

/// A right that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) need: Need,
    /// As `ACL SETUSER` takes it.
    pub(crate) right: String,
    /// The error that Redis answered.
    pub(crate) refusal: String,
}

/// A command to try, its name, and the prefix of its key.
struct Probe {
    need: Need,
    command: Cmd,
    name: &'static str,
    prefix: &'static str,
}

/// Tries each right on one server. One that cannot be tried now is not reported.
pub(crate) async fn denied(
    client: &Arc<RedisClient>,
    node: &Node,
) -> Result<Vec<Denied>, StoreError> {
    let probes = probes();
    // At once: twenty round trips in a row take seconds over a distant network.
    let attempts = probes.iter().map(|probe| async move {
        let refusal = match client.try_query_node::<Value>(node, &probe.command).await {
            Ok(Ok(_)) => return Ok(None),
            Ok(Err(refusal)) => refusal,
            // A cluster that is down answers so for every key; `CLUSTER INFO` reports that already.
            Err(StoreError::Unreachable(problem)) => problem,
            Err(error) => return Err(error),
        };
        let right = if refusal.contains(NO_KEY) {
            format!("~{}:*", probe.prefix)
        } else if refusal.contains(NO_COMMAND) {
            format!("+{}", probe.name)
        } else {
            // The arguments were refused, so the user has the right.
            return Ok(None);
        };
        Ok(Some(Denied {
            need: probe.need,
            right,
            refusal,
        }))
    });
    let denied = try_join_all(attempts).await?;
    Ok(denied.into_iter().flatten().collect())
}

/// In the order in which the guide (redis.md) names the rights. No session has this id, and no probe makes one:
/// `HSET` lacks a value, `SETEX` has no time, `INCRBY` no number, and `ZADD XX` adds nothing.
fn probes() -> Vec<Probe> {
    let unused = SessionId::generate();
    let keyless = |need, name: &'static str, arguments: &[&str]| Probe {
        need,
        command: cmd(&name.to_ascii_uppercase()).arg(arguments).clone(),
        name,
        prefix: "",
    };
    let on_key = |prefix: &'static str, key: String| {
        move |name: &'static str, arguments: &[&str]| {
            let mut probe = keyless(Need::Sessions, name, &[]);
            probe.command.arg(&key).arg(arguments);
            Probe { prefix, ..probe }
        }
    };
    let session = on_key("session", session_key(&unused));
    let list = on_key("user_sessions", list_key(&unused.to_string()));
    let ended = on_key("ended_session", ended_key(&unused));
    let nobody = Token::generate().digest();
    let attempts = on_key("attempts", attempts_key(&nobody));
    let device = on_key("known_device", known_device_key(&nobody));
    let invitation = on_key("invitation", format!("invitation:{nobody}"));
    let account = on_key("account", format!("account:{nobody}"));
    let passwords = |probe: Probe| Probe {
        need: Need::Passwords,
        ..probe
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
        keyless(Need::Sessions, "eval", &["return 0", "0"]),
        keyless(Need::Sessions, "time", &[]),
        passwords(account("hgetall", &[])),
        passwords(invitation("hgetall", &[])),
        passwords(attempts("get", &[])),
        passwords(attempts("incrby", &["x"])),
        passwords(device("zremrangebyrank", &["0", "0"])),
        keyless(Need::Passwords, "scan", &["0", "COUNT", "1"]),
        keyless(Need::Metrics, "dbsize", &[]),
        keyless(Need::Metrics, "randomkey", &[]),
        keyless(Need::Operator, "scan", &["0", "COUNT", "1"]),
    ]
}
