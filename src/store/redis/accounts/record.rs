//! The fields of an account's and of an invitation's hash.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use deadpool_redis::redis::Value;

use crate::account::{Account, Invitation, Purpose};
use crate::clock::{from_unix_micros, unix_time};
use crate::session::StoreError;
use crate::store::redis::connection::reply::read;
use crate::store::redis::sessions::server_time::Time;
use crate::user_name::UserName;

/// Seconds since 1970, to the microsecond.
pub(super) fn timestamp(time: SystemTime) -> String {
    let time = unix_time(time);
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// Reads such a timestamp, or whole seconds.
fn parse_timestamp(text: &str) -> Option<SystemTime> {
    let (seconds, micros) = text.split_once('.').unwrap_or((text, ""));
    let micros: u64 = format!("{micros:0<6}").get(..6)?.parse().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(from_unix_micros(
        seconds.checked_mul(1_000_000)?.checked_add(micros)?,
    ))
}

type Fields = HashMap<String, String>;

/// The account in the answer to `HGETALL`, at this time of Redis' clock. A key that holds anything else is no account.
pub(super) fn account_of(answers: Vec<Value>, time: Time) -> Result<Option<Account>, StoreError> {
    Ok(fields(answers)?.and_then(|fields| parse_account(fields, time)))
}

fn parse_account(mut fields: Fields, (seconds, micros): Time) -> Option<Account> {
    let created = parse_timestamp(fields.get("created")?)?;
    let changed = fields.get("changed").and_then(|text| parse_timestamp(text));
    let now = Duration::from_secs(seconds) + Duration::from_micros(micros);
    let until = fields
        .get("_change_until")
        .and_then(|text| text.parse().ok());
    Some(Account {
        password: fields
            .remove("password")
            .filter(|password| !password.is_empty()),
        created,
        changed: changed.unwrap_or(created),
        disabled: fields.get("disabled").is_some_and(|text| text != "0"),
        is_changing: fields.contains_key("_change")
            && until.is_some_and(|until: f64| until > now.as_secs_f64()),
    })
}

/// The invitation in the answer to `HGETALL`, if nobody has taken it but `taker`.
pub(super) fn invitation_of(
    answer: Value,
    taker: Option<&str>,
) -> Result<Option<Invitation>, StoreError> {
    let Some(mut fields) = fields(vec![answer])? else {
        return Ok(None);
    };
    if fields.get("_taken").map(String::as_str) != taker {
        return Ok(None);
    }
    let purpose = fields.get("purpose").and_then(|text| Purpose::parse(text));
    let user = fields
        .get("user")
        .map(|name| UserName::parse(name))
        .transpose();
    let stamp = fields.remove("stamp");
    Ok(purpose.zip(user.ok()).map(|(purpose, user)| Invitation {
        stamp,
        ..Invitation::new(purpose, user)
    }))
}

/// `None` for a key of another type.
fn fields(answers: Vec<Value>) -> Result<Option<Fields>, StoreError> {
    let is_wrong_type =
        |answer: &Value| matches!(answer, Value::ServerError(error) if error.code() == "WRONGTYPE");
    if answers.iter().any(is_wrong_type) {
        return Ok(None);
    }
    let (fields,): (HashMap<Vec<u8>, Vec<u8>>,) = read(answers)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Some(
        fields
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_as_they_are_written() {
        for micros in [0, 1, 999_999, 1_764_512_345_123_456, 1_764_512_345_000_006] {
            let time = from_unix_micros(micros);
            assert_eq!(parse_timestamp(&timestamp(time)), Some(time));
        }
        assert_eq!(
            timestamp(from_unix_micros(1_764_512_345_000_006)),
            "1764512345.000006"
        );
        assert_eq!(parse_timestamp("12"), Some(from_unix_micros(12_000_000)));
        assert_eq!(parse_timestamp("12.5"), Some(from_unix_micros(12_500_000)));
        for wrong in ["", ".", "x", "-1", "1.x", "1.2.3", "99999999999999999999"] {
            assert_eq!(parse_timestamp(wrong), None, "{wrong}");
        }
    }
}
