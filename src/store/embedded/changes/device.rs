//! The browsers that have signed in before.

use redb::ReadableTable;
use redb::ReadableTableMetadata;
use serde::{Deserialize, Serialize};

use super::Tables;
use crate::session::StoreError;
use crate::store::embedded::database::schema::{Digest, KNOWN_DEVICES, failed};

/// The most users that one browser is known to.
const MAX_USERS: usize = 100;
/// The most browsers; about ten megabytes.
const MAX_DEVICES: u64 = 50_000;
/// Among how many browsers the one is chosen that makes room.
const SAMPLE_SIZE: usize = 32;

/// The users whom a browser has signed in, with the time until which it is known, in milliseconds since 1970.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Device(Vec<(String, u64)>);

impl Device {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Unreadable(error.into()))
    }

    /// Until when it is known to the user.
    pub(crate) fn until(&self, user: &str) -> Option<u64> {
        let mut users = self.0.iter();
        users
            .find(|(name, _)| name == user)
            .map(|(_, until)| *until)
    }

    fn set(&mut self, user: &str, until: u64) {
        self.0.retain(|(name, _)| name != user);
        // In the order in which they were last here.
        let surplus = (self.0.len() + 1).saturating_sub(MAX_USERS);
        self.0.drain(..surplus);
        self.0.push((user.to_owned(), until));
    }
}

impl Tables<'_> {
    pub(crate) fn remember_device(
        &mut self,
        key: &Digest,
        user: &str,
        until: u64,
    ) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(KNOWN_DEVICES).map_err(failed)?;
        let mut device = match table.get(key).map_err(failed)? {
            // What cannot be read is written anew.
            Some(row) => Device::from_bytes(row.value().1).unwrap_or_default(),
            None => Device::default(),
        };
        if device.0.is_empty() && table.len().map_err(failed)? >= MAX_DEVICES {
            let victim = victim(&table, key, user)?;
            if let Some(victim) = victim {
                table.remove(&victim).map_err(failed)?;
            }
        }
        device.set(user, until);
        let latest = device.0.iter().map(|(_, until)| *until).max();
        let bytes =
            serde_json::to_vec(&device).map_err(|error| StoreError::Unreadable(error.into()))?;
        let row = (latest.unwrap_or(until), bytes.as_slice());
        table.insert(key, row).map(drop).map_err(failed)
    }

    pub(crate) fn remove_devices(&mut self, keys: &[Digest]) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(KNOWN_DEVICES).map_err(failed)?;
        for key in keys {
            table.remove(key).map_err(failed)?;
        }
        Ok(())
    }
}

/// A browser to forget: of some at random (keys are digests), one of the same user, so that nobody displaces the others' by
/// many sign-ins; else the one that has not been here for longest.
fn victim(
    table: &impl ReadableTable<&'static Digest, (u64, &'static [u8])>,
    key: &Digest,
    user: &str,
) -> Result<Option<Digest>, StoreError> {
    let after = table.range::<&Digest>(key..).map_err(failed)?;
    let from_start = table.iter().map_err(failed)?;
    let mut oldest: Option<(u64, Digest)> = None;
    for row in after.chain(from_start).take(SAMPLE_SIZE) {
        let (key, value) = row.map_err(failed)?;
        let (until, bytes) = value.value();
        let is_same_users =
            Device::from_bytes(bytes).is_ok_and(|device| device.until(user).is_some());
        if is_same_users {
            return Ok(Some(*key.value()));
        }
        if oldest.is_none_or(|(earliest, _)| until < earliest) {
            oldest = Some((until, *key.value()));
        }
    }
    Ok(oldest.map(|(_, key)| key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_knows_the_last_hundred_users() {
        let mut device = Device::default();
        for number in 0..150 {
            device.set(&number.to_string(), number);
        }
        device.set("60", 200);
        device.set("new", 201);
        assert_eq!(device.0.len(), MAX_USERS);
        assert_eq!((device.until("50"), device.until("51")), (None, Some(51)));
        assert_eq!(
            (device.until("60"), device.until("new")),
            (Some(200), Some(201))
        );
    }
}
