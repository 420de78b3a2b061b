//! The embedded store as a [`SignInStore`]: counts in memory, because the file is one process's; known browsers on disk.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::session::StoreError;
use crate::sign_in::{Attempts, Counted, Digest, SignInStore};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::changes::Tables;
use crate::store::embedded::changes::device::Device;
use crate::store::embedded::database::schema::{KNOWN_DEVICES, failed, unix_millis};
use crate::store::embedded::writer::Effect;
use crate::user_name::UserName;

/// By how much less than asked for a browser may be remembered, so that not each of its sign-ins is written.
const DEVICE_SLACK: Duration = Duration::from_secs(24 * 60 * 60);

#[async_trait]
impl SignInStore for EmbeddedStore {
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
        let until = self.clock.now() + ttl;
        let enough = unix_millis(until - DEVICE_SLACK.min(ttl / 10));
        if self.device_until(device, user)? >= Some(enough) {
            return Ok(());
        }
        let (key, user, until) = (*device.as_bytes(), user.clone(), unix_millis(until));
        let remember = self.commit(Effect::Grows, move |tables| {
            tables.remember_device(&key, user.as_str(), until)
        });
        remember.await
    }

    async fn knows_device(&self, device: &Digest, user: &UserName) -> Result<bool, StoreError> {
        let now = unix_millis(self.clock.now());
        Ok(self.device_until(device, user)? > Some(now))
    }
}

impl EmbeddedStore {
    fn device_until(&self, device: &Digest, user: &UserName) -> Result<Option<u64>, StoreError> {
        self.database.read(|snapshot| {
            let devices = snapshot
                .transaction
                .open_table(KNOWN_DEVICES)
                .map_err(failed)?;
            let Some(row) = devices.get(device.as_bytes()).map_err(failed)? else {
                return Ok(None);
            };
            // One that cannot be read is written anew by the next sign-in.
            let device = Device::from_bytes(row.value().1).ok();
            Ok(device.and_then(|device| device.until(user.as_str())))
        })
    }

    /// A change that no [`Sessions`](crate::Sessions) limits in time.
    pub(super) async fn commit<T: Send + 'static>(
        &self,
        effect: Effect,
        change: impl Fn(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let commit = self.writer.commit(effect, change);
        match self.timeout {
            Some(limit) => timeout(limit, commit)
                .await
                .unwrap_or(Err(StoreError::Timeout(limit))),
            None => commit.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use redb::ReadableTableMetadata;
    use tokio::time::sleep;

    use super::*;
    use crate::clock::Clock;
    use crate::config::StorePath;
    use crate::session::Lifetimes;
    use crate::sign_in::Token;
    use crate::store::embedded::database::schema::INVITATIONS;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[tokio::test]
    async fn what_has_expired_is_swept_from_the_file() {
        // The sweep runs as often as sessions can expire.
        let lifetimes = Lifetimes {
            idle: Duration::from_secs(1),
            absolute: None,
        };
        let clock = Clock::start();
        let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, clock.clone()).unwrap();
        let amy = UserName::parse("amy").unwrap();
        let lasting = Token::generate().digest();
        store
            .remember_device(&lasting, &amy, 9 * DAY)
            .await
            .unwrap();
        for _ in 0..3 {
            let token = Token::generate().digest();
            store.remember_device(&token, &amy, DAY).await.unwrap();
            let (key, until) = (*token.as_bytes(), unix_millis(clock.now() + DAY));
            let invite = store.commit(Effect::Grows, move |tables| {
                tables.invite(&key, until, b"{}")
            });
            invite.await.unwrap();
        }
        let rows = || {
            let count = store.database.read(|snapshot| {
                let reading = &snapshot.transaction;
                let [devices, invitations] = [KNOWN_DEVICES, INVITATIONS]
                    .map(|table| reading.open_table(table).unwrap().len().unwrap());
                Ok((devices, invitations))
            });
            count.unwrap()
        };
        assert_eq!(rows(), (4, 3));
        clock.advance(2 * DAY);
        let begun = Instant::now();
        while rows() != (1, 0) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", rows());
            sleep(Duration::from_millis(20)).await;
        }
        assert!(store.knows_device(&lasting, &amy).await.unwrap());
    }
}
