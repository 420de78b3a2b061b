//! Classifies the client library's errors, and describes them for the log.

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::session::StoreError;

/// The connection is lost; a new one may work at once.
pub(crate) fn is_disconnect(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_connection_refusal()
}

pub(crate) fn into_store_error(error: RedisError) -> StoreError {
    if is_unavailable(&error) {
        StoreError::Unreachable(describe(error))
    } else {
        StoreError::Failed(describe(error))
    }
}

/// No server could be reached that serves requests at all.
pub(crate) fn is_unavailable(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || is_refused_database(error)
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

/// The server is starting, or is no longer the primary; a new connection may lead to another one.
pub(crate) fn needs_reconnect(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
        )
    ) || error
        .detail()
        .is_some_and(|detail| detail.contains(READ_ONLY_IN_SCRIPT))
}

/// How Redis before 7 reports it where a script has written.
const READ_ONLY_IN_SCRIPT: &str = "-READONLY ";

/// Problems that an operator can solve, in the words that the log uses and `doctor` searches for.
pub(crate) const NO_PASSWORD: &str = "Redis refuses the user or the password";
pub(crate) const NO_DATABASE: &str = "Redis refuses the database that the address names";
pub(crate) const NO_CERTIFICATE: &str = "the server's certificate is not trusted";
pub(crate) const NO_HOST: &str = "the host's name is not known";
pub(crate) const NO_CLUSTER: &str = "This instance has cluster support disabled";
pub(crate) const NO_COMMAND: &str = "no permissions to run ";
pub(crate) const NO_KEY: &str = "no permissions to access a key";

/// For the log. A server's message may quote the command and with it a session id, so only its code is kept, and the
/// name of the command that the user has no right to.
fn describe(error: RedisError) -> String {
    let message = error.to_string();
    // A cluster connection has its nodes' errors only in its message.
    if error.kind() == ErrorKind::AuthenticationFailed || message.contains("AuthenticationFailed") {
        return NO_PASSWORD.to_owned();
    }
    if is_refused_database(&error) {
        return match error.detail().and_then(denied_command) {
            Some(denied) => format!("{NO_DATABASE}: NOPERM, {denied}"),
            None => NO_DATABASE.to_owned(),
        };
    }
    if error.is_io_error() {
        return if message.contains("certificate") {
            format!("{NO_CERTIFICATE}: {message}")
        } else if message.contains("lookup address") {
            format!("{NO_HOST}: {message}")
        } else {
            message
        };
    }
    let category = error.category().to_owned();
    match error.into_server_errors().as_deref() {
        Some([(_, first), ..]) => {
            let detail = first.details().and_then(|details| {
                let no_cluster = details.contains(NO_CLUSTER).then(|| NO_CLUSTER.to_owned());
                no_cluster.or_else(|| denied_command(details))
            });
            match detail {
                Some(detail) => format!("Redis answered {}: {detail}", first.code()),
                None => format!("Redis answered {}", first.code()),
            }
        }
        _ => category,
    }
}

/// The client library sends `SELECT` while it connects, and has no error kind for its refusal.
fn is_refused_database(error: &RedisError) -> bool {
    let message = error.to_string();
    message.contains("Redis server refused to switch database")
}

/// The command that the user may not run, in Redis' own words and without its arguments. For a command in a script
/// Redis may not say which.
fn denied_command(message: &str) -> Option<String> {
    if message.contains("executing the script can't run") {
        return Some(format!("{NO_COMMAND}a command in a script"));
    }
    let lowercase = message.to_ascii_lowercase();
    if lowercase.contains("permissions to access") {
        return Some(NO_KEY.to_owned());
    }
    let (_, rest) = message.split_once("permissions to run the '")?;
    let (command, _) = rest.split_once('\'')?;
    command
        .chars()
        .all(|letter| matches!(letter, 'a'..='z' | 'A'..='Z' | '|' | '-' | '_'))
        .then(|| format!("{NO_COMMAND}the '{command}' command"))
}

#[cfg(test)]
mod tests {
    use super::denied_command;

    #[test]
    fn of_a_refusal_only_the_commands_name_is_kept() {
        for (sentence, command) in [
            (
                "User innkeeper has no permissions to run the 'config|get' command",
                Some("no permissions to run the 'config|get' command"),
            ),
            (
                "ACL failure in script: User innkeeper has no permissions to run the 'zadd' command script: 5f3d9b3e",
                Some("no permissions to run the 'zadd' command"),
            ),
            (
                "this user has no permissions to run the 'hset' command or its subcommand",
                Some("no permissions to run the 'hset' command"),
            ),
            (
                "User x has no permissions to run the '5f3d9b3e' command",
                None,
            ),
            (
                "The user executing the script can't run this command or subcommand script: 5f3d9b3e",
                Some("no permissions to run a command in a script"),
            ),
            (
                "No permissions to access a key",
                Some("no permissions to access a key"),
            ),
            (
                "this user has no permissions to access one of the keys used as arguments",
                Some("no permissions to access a key"),
            ),
        ] {
            assert_eq!(denied_command(sentence).as_deref(), command);
        }
    }
}
