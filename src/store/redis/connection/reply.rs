//! The answers to a pipeline.

use deadpool_redis::redis::{FromRedisValue, RedisError, Value};

use crate::session::StoreError;
use crate::store::redis::connection::error::into_store_error;

/// Parses the answers as a tuple or a list; the first error among them is the error of all.
pub(crate) fn read<T: FromRedisValue>(answers: Vec<Value>) -> Result<T, StoreError> {
    if let Some(error) = errors(&answers).next() {
        return Err(into_store_error(error));
    }
    T::from_redis_value(Value::Array(answers)).map_err(|error| into_store_error(error.into()))
}

/// The errors among the answers.
pub(crate) fn errors(answers: &[Value]) -> impl Iterator<Item = RedisError> {
    answers.iter().filter_map(|answer| {
        if let Value::ServerError(error) = answer {
            return Some(RedisError::from(error.clone()));
        }
        None
    })
}
