//! The fields of a session's hash, and the parsing of answers about it.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use deadpool_redis::redis::{FromRedisValue, ParsingError, Value};

use crate::client::Client;
use crate::clock::from_unix_time;
use crate::session::field::is_own;
use crate::session::{Session, StoreError};
use crate::store::redis::connection::reply::read;

pub(crate) const USER: &str = "user";
const STATUS: &str = "status";
/// Innkeeper's own field: when the session was created, and the client's address and `User-Agent`, with a space between
/// them and `-` for what is not known.
///
/// One field, because each string of the reply costs the Redis client as much to parse as a header costs Rocket. It has 64
/// bytes at most for nearly every client, so that Redis keeps the hash compact (`hash-max-listpack-value`): therefore an
/// IPv6 address is written as 32 digits.
pub(crate) const ORIGIN: &str = "_";
/// The three fields that earlier versions wrote instead.
const CREATED: &str = "_created";
const IP: &str = "_ip";
const AGENT: &str = "_agent";

/// The answer to `HGETALL`: the session in a hash; `None` for a hash without `user`. Bytes that are not UTF-8 become U+FFFD.
pub(crate) struct Stored(pub(crate) Option<Session>);

impl FromRedisValue for Stored {
    /// By hand: the library's own conversion makes two lists on the way.
    fn from_redis_value(answer: Value) -> Result<Self, ParsingError> {
        let mut fields = Fields::default();
        match answer {
            Value::Array(texts) => {
                let mut texts = texts.into_iter();
                while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
                    fields.insert(text(name)?, text(value)?);
                }
            }
            Value::Map(pairs) => {
                for (name, value) in pairs {
                    fields.insert(text(name)?, text(value)?);
                }
            }
            _ => return Err("a hash was expected".to_owned().into()),
        }
        Ok(Self(fields.session()))
    }
}

fn text(answer: Value) -> Result<String, ParsingError> {
    let Value::BulkString(bytes) = answer else {
        return String::from_redis_value(answer);
    };
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[derive(Default)]
struct Fields {
    user: Option<String>,
    status: String,
    origin: Option<String>,
    created: Option<u64>,
    ip: Option<String>,
    agent: Option<String>,
    data: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
}

impl Fields {
    fn insert(&mut self, name: String, value: String) {
        match name.as_str() {
            USER => self.user = Some(value),
            STATUS => self.status = value,
            ORIGIN => self.origin = Some(value),
            CREATED => self.created = value.parse().ok(),
            IP => self.ip = Some(value),
            AGENT => self.agent = Some(value),
            _ => {
                let fields = if is_own(&name) {
                    &mut self.own
                } else {
                    &mut self.data
                };
                fields.insert(name, value);
            }
        }
    }

    fn session(self) -> Option<Session> {
        let origin = self.origin.as_deref().unwrap_or_default();
        let mut parts = origin
            .splitn(3, ' ')
            .map(|part| Some(part).filter(|part| *part != NONE));
        let mut part = || parts.next().flatten();
        let (created, ip, agent) = (part(), part(), part());
        Some(Session {
            user: self.user?,
            status: self.status,
            data: self.data,
            own: self.own,
            created_at: self
                .created
                .or_else(|| created?.parse().ok())
                .map(from_unix_time),
            client: Client {
                ip: self.ip.or_else(|| ip.map(read_ip)),
                user_agent: self.agent.or_else(|| agent.map(str::to_owned)),
            },
        })
    }
}

/// What is not known, in [`ORIGIN`].
const NONE: &str = "-";

/// [`ORIGIN`] without the time of the creation, which the script `CREATE` puts before it.
pub(crate) fn client(client: &Client) -> String {
    let ip = client.ip.as_deref().map(write_ip);
    let ip = ip.as_deref().unwrap_or(NONE);
    let agent = client.user_agent.as_deref().unwrap_or(NONE);
    format!("{ip} {agent}")
}

/// An IPv6 address without its colons; anything else as it is, but without spaces.
fn write_ip(ip: &str) -> String {
    match ip.parse::<Ipv6Addr>() {
        Ok(address) => format!("{:032x}", address.to_bits()),
        Err(_) => ip.replace(' ', ""),
    }
}

fn read_ip(ip: &str) -> String {
    if ip.len() == 32
        && let Ok(bits) = u128::from_str_radix(ip, 16)
    {
        return Ipv6Addr::from_bits(bits).to_string();
    }
    ip.to_owned()
}

/// The fields of a session, [`ORIGIN`] aside.
pub(crate) fn pairs(session: &Session) -> impl Iterator<Item = (&str, &str)> {
    let fixed = [
        (USER, session.user.as_str()),
        (STATUS, session.status.as_str()),
    ];
    let others = session.data.iter().chain(&session.own);
    fixed
        .into_iter()
        .chain(others.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The answer to `HGET` for a session's user; a key of another type has none.
pub(crate) fn owner(answers: Vec<Value>) -> Result<Option<String>, StoreError> {
    if answers.iter().any(is_wrong_type) {
        return Ok(None);
    }
    let (user,): (Option<Vec<u8>>,) = read(answers)?;
    Ok(user.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The answers to `HGETALL` and `PTTL`; a key of another type holds no session.
pub(crate) fn session_and_pttl(mut answers: Vec<Value>) -> Result<(Stored, i64), StoreError> {
    if answers.first().is_some_and(is_wrong_type) {
        let (pttl,) = read(answers.split_off(1))?;
        return Ok((Stored(None), pttl));
    }
    read(answers)
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}
