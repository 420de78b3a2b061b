//! The names of the keys, and durations as `EXPIRE` takes them.

use std::time::Duration;

use crate::session::SessionId;
use crate::sign_in::Digest;
use crate::user_name::UserName;

pub(crate) fn session_key(id: &SessionId) -> String {
    format!("session:{id}")
}

/// The key of a session that does not exist.
pub(crate) fn unused_session_key() -> String {
    session_key(&SessionId::generate())
}

/// The id in a session's key; `None` for any other key, even one that begins with `session:`.
pub(crate) fn parse_session_key(session_key: &[u8]) -> Option<SessionId> {
    SessionId::parse(str::from_utf8(session_key).ok()?.strip_prefix("session:")?)
}

pub(crate) fn list_key(user: &str) -> String {
    format!("user_sessions:{user}")
}

pub(crate) fn ended_key(id: &SessionId) -> String {
    format!("ended_session:{id}")
}

/// How the keys of accounts begin.
pub(crate) const ACCOUNT_PREFIX: &str = "account:";

pub(crate) fn account_key(user: &UserName) -> String {
    format!("{ACCOUNT_PREFIX}{user}")
}

/// The user in an account's key; `None` for a name that cannot sign in.
pub(crate) fn parse_account_key(account_key: &[u8]) -> Option<UserName> {
    let name = str::from_utf8(account_key)
        .ok()?
        .strip_prefix(ACCOUNT_PREFIX)?;
    // A name in another normal form is not the one that an account is looked up by.
    UserName::parse(name)
        .ok()
        .filter(|user| user.as_str() == name)
}

pub(crate) fn invitation_key(token: &Digest) -> String {
    format!("invitation:{token}")
}

pub(crate) fn attempts_key(counter: &Digest) -> String {
    format!("attempts:{counter}")
}

pub(crate) fn known_device_key(device: &Digest) -> String {
    format!("known_device:{device}")
}

/// Whole seconds, rounded up: `EXPIRE key 0` would delete.
pub(crate) fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::try_from(whole).unwrap_or(i64::MAX).max(1)
}
