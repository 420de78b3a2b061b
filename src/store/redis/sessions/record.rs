//! The fields of a session's hash, and the parsing of answers about it.

use std::collections::BTreeMap;

use deadpool_redis::redis::{FromRedisValue, ParsingError, Value};

use crate::client::Client;
use crate::clock::from_unix_time;
use crate::session::field::is_own;
use crate::session::{Session, StoreError};
use crate::store::redis::connection::reply::read;

/// The answer to `HGETALL`. Bytes that are not UTF-8 become U+FFFD.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A hash without `user` is no session.
    pub(crate) fn is_session(&self) -> bool {
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
        let fields = fields.into_iter();
        Ok(Self(
            fields
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        ))
    }
}

pub(crate) const USER: &str = "user";
const STATUS: &str = "status";
/// Written by the script `CREATE` too.
const CREATED: &str = "_created";
const IP: &str = "_ip";
const AGENT: &str = "_agent";

/// The session in a hash; `None` for a hash without `user`.
pub(crate) fn session(Fields(fields): Fields) -> Option<Session> {
    let (mut user, mut status, mut created_at) = (None, String::new(), None);
    let mut client = Client::default();
    let (mut data, mut own) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in fields {
        match name.as_str() {
            USER => user = Some(value),
            STATUS => status = value,
            CREATED => created_at = value.parse().ok().map(from_unix_time),
            IP => client.ip = Some(value),
            AGENT => client.user_agent = Some(value),
            _ => {
                let fields = if is_own(&name) { &mut own } else { &mut data };
                fields.insert(name, value);
            }
        }
    }
    Some(Session {
        user: user?,
        status,
        data,
        own,
        created_at,
        client,
    })
}

/// The fields of a session, `_created` aside.
pub(crate) fn pairs(session: &Session) -> Vec<(String, String)> {
    let fixed = [
        (USER, Some(session.user.clone())),
        (STATUS, Some(session.status.clone())),
        (IP, session.client.ip.clone()),
        (AGENT, session.client.user_agent.clone()),
    ];
    fixed
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(session.data.clone())
        .chain(session.own.clone())
        .collect()
}

/// The answer to `HGET` for a session's user; a key of another type has none.
pub(crate) fn owner(answers: Vec<Value>) -> Result<Option<String>, StoreError> {
    if answers.iter().any(is_wrong_type) {
        return Ok(None);
    }
    let (user,): (Option<Vec<u8>>,) = read(answers)?;
    Ok(user.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The answers to `HGETALL` and `PTTL`; a key of another type has no fields.
pub(crate) fn fields_and_pttl(mut answers: Vec<Value>) -> Result<(Fields, i64), StoreError> {
    if answers.first().is_some_and(is_wrong_type) {
        let (pttl,) = read(answers.split_off(1))?;
        return Ok((Fields::default(), pttl));
    }
    read(answers)
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}
