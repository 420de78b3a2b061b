//! Answers that the client library has no type for.

use deadpool_redis::redis::{FromRedisValue, RedisError, Value};

use super::faults::into_store_error;
use super::record::Fields;
use crate::session::StoreError;

/// Reads the answers to several commands together, as a tuple or a list; an error among them is the error of all.
pub(super) fn read<T: FromRedisValue>(answers: Vec<Value>) -> Result<T, StoreError> {
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(into_store_error(RedisError::from(error.clone())));
        }
    }
    T::from_redis_value(Value::Array(answers)).map_err(|error| into_store_error(error.into()))
}

/// The answer to `HGET` for a session's user; a key that holds something else has none.
pub(super) fn owner(answers: Vec<Value>) -> Result<Option<String>, StoreError> {
    if answers.iter().any(is_wrong_type) {
        return Ok(None);
    }
    let (user,): (Option<Vec<u8>>,) = read(answers)?;
    Ok(user.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The answers to pairs of `HGETALL` and `PTTL`; a key that holds something else has no fields.
pub(super) fn rows(answers: Vec<Value>) -> Result<Vec<(Fields, i64)>, StoreError> {
    let mut answers = answers.into_iter();
    let mut rows = Vec::with_capacity(answers.len() / 2);
    while let (Some(fields), Some(left)) = (answers.next(), answers.next()) {
        if is_wrong_type(&fields) {
            let (left,) = read(vec![left])?;
            rows.push((Fields::default(), left));
        } else {
            rows.push(read(vec![fields, left])?);
        }
    }
    Ok(rows)
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}
