//! Answers that the client library has no type for.

use deadpool_redis::redis::{FromRedisValue, ParsingError, Value};

use super::record::Fields;

/// The answer to `HGET` for a session's user.
pub(super) struct Owner(pub(super) Option<String>);

impl FromRedisValue for Owner {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        if is_wrong_type(&value) {
            return Ok(Self(None));
        }
        let user = Option::<Vec<u8>>::from_redis_value(value)?;
        Ok(Self(
            user.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ))
    }
}

/// The numbers that a pipeline of counting commands answers; an error among them is the error of all.
pub(super) struct Counts(pub(super) Vec<i64>);

impl FromRedisValue for Counts {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let answers = Vec::<Value>::from_redis_value(value)?;
        let counts = answers.into_iter().map(|answer| {
            if let Value::ServerError(error) = &answer {
                return Err(ParsingError::from(error.code().to_owned()));
            }
            i64::from_redis_value(answer)
        });
        counts.collect::<Result<_, _>>().map(Self)
    }
}

/// The answers to pairs of `HGETALL` and `PTTL`; a key that holds something else has no fields.
pub(super) struct Rows(pub(super) Vec<(Fields, i64)>);

impl FromRedisValue for Rows {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut answers = Vec::<Value>::from_redis_value(value)?.into_iter();
        let mut rows = Vec::with_capacity(answers.len() / 2);
        while let (Some(fields), Some(left)) = (answers.next(), answers.next()) {
            let fields = if is_wrong_type(&fields) {
                Fields::default()
            } else {
                Fields::from_redis_value(fields)?
            };
            rows.push((fields, i64::from_redis_value(left)?));
        }
        Ok(Self(rows))
    }
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}
