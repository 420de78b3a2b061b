//! A session as it is stored, and as it is found alive.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::lifetimes::Lifetimes;
use super::{FieldError, field};
use crate::client::Client;
use crate::clock::{from_unix_time, unix_time};

/// The field of Innkeeper's that says when the user last proved who he is, in seconds since 1970.
pub(crate) const PROVED: &str = "_proved";

/// The field of Innkeeper's that tells a user of a sign-in from a browser not seen before, until he has answered.
pub(crate) const NEW_SIGN_IN: &str = "_notice";

/// A session's data, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The user's name; no [`UserName`](crate::UserName), because another program may have written any text.
    pub user: String,
    /// `active` in every session that Innkeeper creates; empty if another program wrote none.
    pub status: String,
    /// The application's own fields, each value as JSON; one that is not JSON is read as a text.
    pub data: BTreeMap<String, String>,
    /// Innkeeper's own fields, whose names begin with `_`. They are never shown, and never count to the application's.
    pub own: BTreeMap<String, String>,
    /// When the user signed in, to the second; `None` where another program created the session.
    pub created_at: Option<SystemTime>,
    /// Where the sign-in came from.
    pub client: Client,
}

impl Session {
    /// As it is after a sign-in: `active`, without data. Of the time whole seconds are kept.
    #[must_use]
    pub fn new(user: impl Into<String>, client: Client, created_at: SystemTime) -> Self {
        Self {
            user: user.into(),
            status: "active".to_owned(),
            data: BTreeMap::new(),
            own: BTreeMap::new(),
            created_at: Some(from_unix_time(unix_time(created_at).as_secs())),
            client,
        }
    }

    /// Writes or removes (`None`) a field where it belongs by its name, as [`SessionStore::write`](super::SessionStore::write)
    /// asks for: one of Innkeeper's in `own`, one of the application's in `data`. `false`: that has `limit` others already, and
    /// nothing was written.
    #[must_use]
    pub fn write(&mut self, name: &str, value: Option<&str>, limit: usize) -> bool {
        field::write(&mut self.data, &mut self.own, name, value, limit)
    }

    /// When its user last proved who he is, by signing in or since then; `None` where another program created the session.
    #[must_use]
    pub fn proved_at(&self) -> Option<SystemTime> {
        let proved = self.own.get(PROVED).and_then(|text| text.parse().ok());
        proved.map(from_unix_time).max(self.created_at)
    }

    /// Reads one of the application's fields; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`FieldError::Json`]: it cannot be read as this type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FieldError> {
        self.data
            .get(name)
            .map(|text| field::from_text(name, text))
            .transpose()
    }
}

/// A session that was found alive, and when it ends if it is not used again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveSession {
    /// The stored data.
    pub session: Session,
    /// When it ends.
    pub expires_at: SystemTime,
    /// The time until then.
    pub expires_in: Duration,
    /// The time until its absolute limit; `None` where it has none.
    pub absolute_expires_in: Option<Duration>,
}

impl ActiveSession {
    /// `idle_expires_in`: the rest of its idle timeout at `now`; all of it, if it has just been used. The absolute limit
    /// is applied here. `None`: the session is over.
    #[must_use]
    pub fn new(
        session: Session,
        idle_expires_in: Duration,
        lifetimes: &Lifetimes,
        now: SystemTime,
    ) -> Option<Self> {
        // Another program, or an instance with other limits, may have set an expiry that is further away.
        let idle_expires_in = idle_expires_in.min(lifetimes.idle);
        let absolute_expires_in = lifetimes.absolute_expires_in(session.created_at, now);
        let expires_in =
            absolute_expires_in.map_or(idle_expires_in, |absolute| absolute.min(idle_expires_in));
        (!expires_in.is_zero()).then(|| Self {
            session,
            expires_at: now + expires_in,
            expires_in,
            absolute_expires_in,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_expires_by_whichever_limit_comes_first() {
        let second = Duration::from_secs(1);
        let now = SystemTime::UNIX_EPOCH + 1_000_000 * second;
        let lifetimes = Lifetimes {
            idle: 900 * second,
            absolute: Some(1000 * second),
        };
        let expires_in = |age: u32, idle_left: Duration| {
            let session = Session {
                user: "abdullah".to_owned(),
                status: "active".to_owned(),
                data: BTreeMap::new(),
                own: BTreeMap::new(),
                created_at: Some(now - age * second),
                client: Client::default(),
            };
            let active = ActiveSession::new(session, idle_left, &lifetimes, now)?;
            assert_eq!(active.expires_at, now + active.expires_in);
            let absolute = (1000 - age) * second;
            assert_eq!(active.absolute_expires_in, Some(absolute));
            Some(active.expires_in)
        };
        assert_eq!(expires_in(0, 900 * second), Some(900 * second));
        assert_eq!(expires_in(0, 10 * second), Some(10 * second));
        assert_eq!(expires_in(950, 900 * second), Some(50 * second));
        assert_eq!(expires_in(0, Duration::ZERO), None);
        assert_eq!(expires_in(1000, 900 * second), None);
        // Written by a program with a longer timeout, or with none.
        assert_eq!(expires_in(0, 5000 * second), Some(900 * second));
        assert_eq!(
            expires_in(0, Duration::from_millis(u64::MAX)),
            Some(900 * second)
        );
    }
}
