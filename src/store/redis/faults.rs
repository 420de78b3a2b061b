//! What an error of the client library means.

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::session::StoreError;

/// The connection broke: another one may work at once.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_connection_refusal()
}

pub(super) fn into_store_error(error: RedisError) -> StoreError {
    if is_away(&error) {
        StoreError::Unreachable(describe(error))
    } else {
        StoreError::Failed(describe(error))
    }
}

/// There is no server that could do anything for anybody.
fn is_away(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || matches!(
            error.kind(),
            ErrorKind::Client
                | ErrorKind::AuthenticationFailed
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::MasterNameNotFoundBySentinel
                | ErrorKind::Server(
                    ServerErrorKind::BusyLoading
                        | ServerErrorKind::MasterDown
                        | ServerErrorKind::ClusterDown
                )
        )
}

/// The connection leads to a server that is gone, starting, or no longer the primary.
pub(super) fn is_unhealthy(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                    | ServerErrorKind::BusyLoading
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
            )
        )
}

/// For the log. A server's own sentence may quote the command, and with it an id: only its code is kept, and what the
/// user has no right to.
fn describe(error: RedisError) -> String {
    if error.is_io_error() {
        return error.to_string();
    }
    let category = error.category().to_owned();
    match error.into_server_errors().as_deref() {
        Some([(_, first), ..]) => match first.details().and_then(forbidden) {
            Some(command) => format!("Redis answered {}, no right to {command}", first.code()),
            None => format!("Redis answered {}", first.code()),
        },
        _ => category,
    }
}

/// The command in `.. has no permissions to run the 'config|get' command`; inside a script Redis does not name it.
fn forbidden(sentence: &str) -> Option<&str> {
    if sentence.contains("executing the script can't run") {
        return Some("a command in a script");
    }
    let (_, rest) = sentence.split_once("permissions to run the '")?;
    let (command, _) = rest.split_once('\'')?;
    command
        .chars()
        .all(|letter| matches!(letter, 'a'..='z' | 'A'..='Z' | '|' | '-' | '_'))
        .then_some(command)
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn of_a_refusal_only_the_commands_name_is_kept() {
        for (sentence, command) in [
            (
                "User innkeeper has no permissions to run the 'config|get' command",
                Some("config|get"),
            ),
            (
                "ACL failure in script: User innkeeper has no permissions to run the 'zadd' command script: 5f3d9b3e",
                Some("zadd"),
            ),
            (
                "this user has no permissions to run the 'hset' command or its subcommand",
                Some("hset"),
            ),
            (
                "User x has no permissions to run the '5f3d9b3e' command",
                None,
            ),
            (
                "The user executing the script can't run this command or subcommand script: 5f3d9b3e",
                Some("a command in a script"),
            ),
            ("No permissions to access a key", None),
        ] {
            assert_eq!(forbidden(sentence), command);
        }
    }
}
