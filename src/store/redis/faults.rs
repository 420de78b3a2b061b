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

/// For the log. A server's own sentence may quote the command, and with it an id: only its code is kept.
fn describe(error: RedisError) -> String {
    if error.is_io_error() {
        return error.to_string();
    }
    let category = error.category().to_owned();
    match error.into_server_errors().as_deref() {
        Some([(_, first), ..]) => format!("Redis answered {}", first.code()),
        _ => category,
    }
}
