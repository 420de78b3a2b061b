//! What a user's other sessions are told of a sign-in from a browser not seen before.

use std::time::{Duration, SystemTime};

use crate::client::Client;
use crate::clock::{from_unix_time, unix_time};
use crate::session::{NEW_SIGN_IN, Session, SessionHandle, SessionId, Sessions};
use crate::user_name::UserName;
use crate::web::request::describe;

const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// A sign-in from a browser that had not signed in to the account before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSignIn {
    pub(crate) at: SystemTime,
    /// Its session, which may have ended since.
    pub(crate) handle: SessionHandle,
    /// As [`describe`] says it, if it is known.
    pub(crate) device: Option<String>,
}

impl NewSignIn {
    /// What this session is told.
    pub(crate) fn of(session: &Session) -> Option<Self> {
        Self::parse(session.own.get(NEW_SIGN_IN)?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let at = from_unix_time(parts.next()?.parse().ok()?);
        let handle = SessionHandle::parse(parts.next()?)?;
        let device = describe(parts.next());
        Some(Self { at, handle, device })
    }

    fn to_text(&self) -> String {
        let at = unix_time(self.at).as_secs();
        let device = self.device.as_deref().unwrap_or_default();
        format!("{at} {} {device}", self.handle)
    }

    /// Writes it into the user's other sessions. The user who signs in does not wait for that.
    pub(super) fn tell(sessions: &Sessions, user: &UserName, client: &Client, id: SessionId) {
        let told = Self {
            at: sessions.clock().now(),
            handle: SessionHandle::from(&id),
            device: describe(client.user_agent.as_deref()),
        };
        let (sessions, user, text) = (sessions.clone(), user.clone(), told.to_text());
        tokio::spawn(async move {
            for _ in 1..TRIES {
                let written = sessions.write_others(user.as_str(), &id, NEW_SIGN_IN, &text);
                if written.await.is_ok() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
            let written = sessions.write_others(user.as_str(), &id, NEW_SIGN_IN, &text);
            if let Err(error) = written.await {
                tracing::warn!(%user, %error, "a user's other sessions are not told of a new browser");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back_as_it_was() {
        let handle = SessionHandle::from(&SessionId::generate());
        for device in [Some("Safari on iPhone"), None] {
            let told = NewSignIn {
                at: from_unix_time(1_764_512_345),
                handle,
                device: device.map(str::to_owned),
            };
            assert_eq!(NewSignIn::parse(&told.to_text()), Some(told));
        }
        for text in ["", "1", "1 x", "x y z"] {
            assert_eq!(NewSignIn::parse(text), None);
        }
    }
}
