//! The names of the keys, and how lengths of time are written.

use std::time::Duration;

use crate::session::SessionId;

pub(super) fn ending_key(id: &SessionId) -> String {
    format!("ended_session:{id}")
}

pub(super) fn session_key(id: &SessionId) -> String {
    format!("session:{id}")
}

/// Whether this is the key of a session, and not another program's of a similar name.
pub(super) fn is_session_key(key: &[u8]) -> bool {
    key.strip_prefix(b"session:")
        .and_then(|name| std::str::from_utf8(name).ok())
        .and_then(SessionId::parse)
        .is_some()
}

pub(super) fn list_key(user: &str) -> String {
    format!("user_sessions:{user}")
}

/// Whole seconds, rounded up: `EXPIRE key 0` would delete.
pub(super) fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::try_from(whole).unwrap_or(i64::MAX).max(1)
}
