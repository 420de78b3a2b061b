//! A request's share of a connection, and what its silence says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{Pipeline, RedisError, RedisResult, Value};
use tokio::time::Instant;

use super::faults::is_unhealthy;
use super::link::Link;
use super::shared::SharedConnection;

/// What a request needs of a connection that others use, too.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) link: Link,
    broken: Arc<AtomicBool>,
}

impl From<&SharedConnection> for Share {
    fn from(shared: &SharedConnection) -> Self {
        Self {
            link: shared.link.clone(),
            broken: Arc::clone(&shared.broken),
        }
    }
}

impl Share {
    /// Whether a request got no answer, or one that shows that the connection leads nowhere.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whoever gets no answer from here on says so again.
    pub(super) fn trust_again(&self) {
        self.broken.store(false, Ordering::Relaxed);
    }

    /// Sends commands, and breaks the connection if there is no answer within `patience`.
    pub(super) async fn send(
        mut self,
        commands: &Pipeline,
        patience: Duration,
    ) -> RedisResult<Vec<Value>> {
        let asked = Asked {
            at: Instant::now(),
            patience,
            broken: &self.broken,
        };
        let outcome = self.link.send(commands).await;
        asked.answered(&outcome);
        outcome
    }
}

/// A request on its way. One that runs out of time is dropped, and then judges its connection: only a long
/// silence breaks it. (A short one may be the rest of a budget that making the connection has used up.)
struct Asked<'a> {
    at: Instant,
    patience: Duration,
    broken: &'a AtomicBool,
}

impl Asked<'_> {
    fn answered(self, outcome: &RedisResult<Vec<Value>>) {
        let leads_nowhere = match outcome {
            Ok(answers) => answers.iter().any(is_unhealthy_answer),
            Err(error) => is_unhealthy(error),
        };
        if leads_nowhere {
            self.broken.store(true, Ordering::Relaxed);
        }
        std::mem::forget(self);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.at.elapsed() >= self.patience {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

fn is_unhealthy_answer(answer: &Value) -> bool {
    if let Value::ServerError(error) = answer {
        return is_unhealthy(&RedisError::from(error.clone()));
    }
    false
}
