//! Answers that the client library has no type for.

use deadpool_redis::redis::{FromRedisValue, RedisError, Value};

use crate::session::StoreError;
use crate::store::redis::connection::error::into_store_error;
use crate::store::redis::sessions::record::Fields;

/// Reads the answers to several commands together, as a tuple or a list; an error among them is the error of all.
pub(in crate::store::redis) fn read<T: FromRedisValue>(
    answers: Vec<Value>,
) -> Result<T, StoreError> {
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(into_store_error(RedisError::from(error.clone())));
        }
    }
    T::from_redis_value(Value::Array(answers)).map_err(|error| into_store_error(error.into()))
}

/// The answer to `HGET` for a session's user; a key that holds something else has none.
pub(in crate::store::redis) fn owner(answers: Vec<Value>) -> Result<Option<String>, StoreError> {
    if answers.iter().any(is_wrong_type) {
        return Ok(None);
    }
    let (user,): (Option<Vec<u8>>,) = read(answers)?;
    Ok(user.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The answers to `HGETALL` and `PTTL`; a key that holds something else has no fields.
pub(in crate::store::redis) fn row(mut answers: Vec<Value>) -> Result<(Fields, i64), StoreError> {
    if answers.first().is_some_and(is_wrong_type) {
        let (left,) = read(answers.split_off(1))?;
        return Ok((Fields::default(), left));
    }
    read(answers)
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}
