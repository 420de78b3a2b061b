//! How a session is written in its hash.

use std::collections::BTreeMap;
use std::time::SystemTime;

use deadpool_redis::redis::{FromRedisValue, ParsingError, Value};

use crate::client::Client;
use crate::clock::from_unix_time;
use crate::session::Session;

/// The hash as Redis answers it; bytes that are no text become U+FFFD, as in every other lenient reader.
#[derive(Default)]
pub(in crate::store::redis) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A hash without `user` is none.
    pub(in crate::store::redis) fn are_a_session(&self) -> bool {
        self.0.iter().any(|(name, _)| name == USER)
    }
}

impl FromRedisValue for Fields {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let fields = Vec::<(Vec<u8>, Vec<u8>)>::from_redis_value(value)?;
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        Ok(Self(
            fields
                .into_iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        ))
    }
}

pub(in crate::store::redis) const USER: &str = "user";
const STATUS: &str = "status";
/// Written by a script, by Redis' clock; `_created` stands there too.
const CREATED: &str = "_created";
const IP: &str = "_ip";
const AGENT: &str = "_agent";

/// A hash without `user` is no session.
pub(in crate::store::redis) fn session(Fields(fields): Fields) -> Option<Session> {
    let (mut user, mut status, mut created_at) = (None, String::new(), None);
    let mut client = Client::default();
    let mut data = BTreeMap::new();
    for (name, value) in fields {
        match name.as_str() {
            USER => user = Some(value),
            STATUS => status = value,
            CREATED => created_at = timestamp(&value),
            IP => client.ip = Some(value),
            AGENT => client.user_agent = Some(value),
            ours if ours.starts_with('_') => {}
            _ => {
                data.insert(name, value);
            }
        }
    }
    Some(Session {
        user: user?,
        status,
        data,
        created_at,
        client,
    })
}

fn timestamp(text: &str) -> Option<SystemTime> {
    text.parse().ok().map(from_unix_time)
}

/// All but its beginning.
pub(in crate::store::redis) fn pairs(session: &Session) -> Vec<(String, String)> {
    let ours = [
        (USER, Some(session.user.clone())),
        (STATUS, Some(session.status.clone())),
        (IP, session.client.ip.clone()),
        (AGENT, session.client.user_agent.clone()),
    ];
    ours.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(session.data.clone())
        .collect()
}
