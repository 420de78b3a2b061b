//! How long a session lives.

use std::time::{Duration, SystemTime};

/// The two limits of a session's life (OWASP: idle and absolute timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// A session expires this long after its last request.
    pub idle: Duration,
    /// It expires this long after sign-in in any case; `None`: no such limit.
    pub absolute: Option<Duration>,
}

impl Lifetimes {
    /// How long a session that is used at `now` may live on; `None` once its absolute limit is reached.
    ///
    /// A session without a known time of creation has no absolute limit; one whose creation lies in the future (another
    /// machine's clock is ahead) counts as created now.
    #[must_use]
    pub fn expires_in(&self, created_at: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
        match self.absolute_expires_in(created_at, now) {
            None => Some(self.idle),
            Some(Duration::ZERO) => None,
            Some(left) => Some(left.min(self.idle)),
        }
    }

    /// The time until the absolute limit, zero once it is reached; `None` where there is no such limit.
    #[must_use]
    pub fn absolute_expires_in(
        &self,
        created_at: Option<SystemTime>,
        now: SystemTime,
    ) -> Option<Duration> {
        let end = created_at?.min(now).checked_add(self.absolute?)?;
        Some(end.duration_since(now).unwrap_or_default())
    }

    /// Whether the absolute limit is always reached first, so that the idle timeout has no effect.
    pub(crate) fn absolute_comes_first(&self) -> bool {
        self.absolute.is_some_and(|absolute| absolute < self.idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_absolute_limit_cuts_the_idle_one() {
        let second = Duration::from_secs(1);
        let lifetimes = Lifetimes {
            idle: 900 * second,
            absolute: Some(1000 * second),
        };
        let created_at = SystemTime::UNIX_EPOCH;
        let left = |age| lifetimes.expires_in(Some(created_at), created_at + age * second);
        assert_eq!(left(0), Some(900 * second));
        assert_eq!(left(100), Some(900 * second));
        assert_eq!(left(101), Some(899 * second));
        assert_eq!(left(999), Some(second));
        assert_eq!(left(1000), None);
        assert_eq!(left(5000), None);
        assert_eq!(lifetimes.expires_in(None, created_at), Some(900 * second));
    }

    #[test]
    fn a_creation_in_the_future_counts_as_now() {
        let second = Duration::from_secs(1);
        let lifetimes = Lifetimes {
            idle: 900 * second,
            absolute: Some(600 * second),
        };
        let now = SystemTime::UNIX_EPOCH + 1_000_000 * second;
        let future = Some(now + 86_400 * second);
        assert_eq!(lifetimes.expires_in(future, now), Some(600 * second));
        assert_eq!(
            lifetimes.absolute_expires_in(future, now),
            Some(600 * second)
        );
    }
}
