//! The name of one request, in its answer and in the log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Names requests, managed by Rocket: what this instance drew when it began, and a number.
///
/// Always our own. A name that a visitor chose (`X-Request-Id`) could be a text of any length, and another request's.
pub(super) struct RequestIds {
    instance: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self {
            instance: Uuid::new_v4().as_fields().0,
            next: AtomicU64::new(1),
        }
    }

    pub(super) fn next(&self) -> RequestId {
        RequestId {
            instance: self.instance,
            number: self.next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// The name of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestId {
    instance: u32,
    number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.instance, self.number)
    }
}
