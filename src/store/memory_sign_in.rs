//! What a sign-in counts and remembers, in memory: beside a session store that an application brings.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::attempts::AttemptCounters;
use crate::clock::Clock;
use crate::session::StoreError;
use crate::sign_in::{Attempts, Counted, Digest, SignInStore};
use crate::user_name::UserName;

/// The most pairs of a browser and a user.
const MAX_DEVICES: usize = 20_000;

/// Keeps counts of attempts, and the browsers that have signed in before, for one process; both are bounded. With the process
/// they are gone: then a browser is new again, and counts on its address and the account.
#[derive(Debug)]
pub struct MemorySignInStore {
    attempts: AttemptCounters,
    devices: Mutex<BTreeMap<([u8; 32], String), SystemTime>>,
    clock: Clock,
}

impl MemorySignInStore {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            attempts: AttemptCounters::default(),
            devices: Mutex::default(),
            clock,
        }
    }

    // A panic while the lock was held cannot leave the map half changed.
    fn devices(&self) -> MutexGuard<'_, BTreeMap<([u8; 32], String), SystemTime>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SignInStore for MemorySignInStore {
    async fn count(&self, attempts: &Attempts) -> Result<Counted, StoreError> {
        Ok(self.attempts.count(attempts, self.clock.now()))
    }

    async fn uncount(&self, counter: &Digest) -> Result<(), StoreError> {
        self.attempts.uncount(counter, self.clock.now());
        Ok(())
    }

    async fn reset(&self, counter: &Digest) -> Result<(), StoreError> {
        self.attempts.reset(counter);
        Ok(())
    }

    async fn remember_device(
        &self,
        device: &Digest,
        user: &UserName,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let key = (*device.as_bytes(), user.as_str().to_owned());
        let mut devices = self.devices();
        if devices.len() >= MAX_DEVICES && !devices.contains_key(&key) {
            devices.retain(|_, until| *until > now);
            // A browser at random, because the keys are digests: the one after the new one, or the first of all.
            let next = devices.range(key.clone()..).chain(devices.iter()).next();
            if devices.len() >= MAX_DEVICES
                && let Some(next) = next.map(|(key, _)| key.clone())
            {
                devices.remove(&next);
            }
        }
        devices.insert(key, now + ttl);
        Ok(())
    }

    async fn knows_device(&self, device: &Digest, user: &UserName) -> Result<bool, StoreError> {
        let key = (*device.as_bytes(), user.as_str().to_owned());
        let until = self.devices().get(&key).copied();
        Ok(until.is_some_and(|until| until > self.clock.now()))
    }
}
