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
/// One field, because each string of the reply costs the Redis client as much to parse as a header costs Rocket. For nearly
/// every client it has 64 bytes at most, up to which Redis keeps a hash compact (`hash-max-listpack-value`): therefore an
/// IPv6 address is written to the base of 36.
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
        if let Value::Array(texts) = answer {
            let mut texts = texts.into_iter();
            while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
                fields.insert(text(name)?, text(value)?);
            }
        // An address may ask for the newer protocol (`?protocol=resp3`).
        } else if let Value::Map(pairs) = answer {
            for (name, value) in pairs {
                fields.insert(text(name)?, text(value)?);
            }
        } else {
            return Err("a hash was expected".to_owned().into());
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

const BASE: u32 = 36;

/// An IPv6 address, which has colons, as [`BASE_36_DIGITS`]; anything else as it is, but without spaces.
fn write_ip(ip: &str) -> String {
    let Ok(address) = ip.parse::<Ipv6Addr>() else {
        return ip.replace(' ', "");
    };
    let mut rest = address.to_bits();
    let mut digits = [' '; BASE_36_DIGITS];
    for digit in digits.iter_mut().rev() {
        let value = u32::try_from(rest % u128::from(BASE)).unwrap_or_default();
        *digit = char::from_digit(value, BASE).unwrap_or_default();
        rest /= u128::from(BASE);
    }
    digits.iter().collect()
}

/// So many that no address needs more.
const BASE_36_DIGITS: usize = 25;

fn read_ip(ip: &str) -> String {
    if ip.len() == BASE_36_DIGITS
        && let Ok(bits) = u128::from_str_radix(ip, BASE)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn session(fields: &[(&str, &str)]) -> Option<Session> {
        let texts = fields.iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.map(|text| Value::BulkString(text.as_bytes().to_vec()));
        let Stored(session) = Stored::from_redis_value(Value::Array(texts.collect())).unwrap();
        session
    }

    #[test]
    fn a_client_is_read_as_it_was_written() {
        for (ip, agent) in [
            (None, None),
            (Some("203.0.113.7"), Some("curl/8.5.0")),
            (Some("203.0.113.7"), None),
            (None, Some("Mozilla/5.0 (X11; Linux x86_64)")),
            (Some("::1"), Some("a b")),
            (
                Some("2001:db8:85a3:8d3:1319:8a2e:370:7348"),
                Some("Samsung Internet on Android"),
            ),
            (Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), None),
        ] {
            let written = Client {
                ip: ip.map(str::to_owned),
                user_agent: agent.map(str::to_owned),
            };
            let text = format!("1764523000 {}", client(&written));
            assert!(text.len() <= 64, "{text}");
            let read = session(&[("user", "amy"), (ORIGIN, &text)]).unwrap();
            assert_eq!(read.client, written);
            assert_eq!(read.created_at, Some(from_unix_time(1_764_523_000)));
        }
    }

    #[test]
    fn what_is_not_known_is_none_and_an_earlier_field_counts() {
        let earlier = session(&[
            ("user", "amy"),
            (ORIGIN, "- - -"),
            (CREATED, "1000"),
            (IP, "203.0.113.7"),
            (AGENT, "curl"),
        ]);
        let earlier = earlier.unwrap();
        let since = earlier
            .created_at
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH);
        assert_eq!(since.unwrap(), Duration::from_secs(1000));
        assert_eq!(earlier.client.ip.as_deref(), Some("203.0.113.7"));
        for origin in ["", "-", "soon", "- - -", "-1 -"] {
            let read = session(&[("user", "amy"), (ORIGIN, origin)]).unwrap();
            assert_eq!(
                (read.created_at, read.client),
                (None, Client::default()),
                "{origin}"
            );
        }
        assert_eq!(session(&[(ORIGIN, "1000 - -")]), None);
    }
}
