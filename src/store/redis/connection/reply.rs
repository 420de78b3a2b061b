//! The answers to several commands together.

use deadpool_redis::redis::{FromRedisValue, RedisError, Value};

use crate::session::StoreError;
use crate::store::redis::connection::error::into_store_error;

/// Reads them as a tuple or a list; an error among them is the error of all.
pub(crate) fn read<T: FromRedisValue>(answers: Vec<Value>) -> Result<T, StoreError> {
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(into_store_error(RedisError::from(error.clone())));
        }
    }
    T::from_redis_value(Value::Array(answers)).map_err(|error| into_store_error(error.into()))
}
