//! Searches the file for expired sessions, a part of it at a time, so that no change waits long behind it.

use std::time::{Duration, Instant, SystemTime};

use crate::session::StoreError;
use crate::store::embedded::changes::Tables;
use crate::store::embedded::changes::pending_expiry::PendingExpiries;
use crate::store::embedded::database::Snapshot;
use crate::store::embedded::database::schema::{
    Digest, ENDED, EndKey, INVITATIONS, KNOWN_DEVICES, Key, failed, unix_millis,
};

/// How often the file is searched; more often where sessions live shorter than that.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a session must have been over before it is removed: a request that found it alive in its last moment has
/// slid it by then.
const GRACE: Duration = Duration::from_secs(2);
/// How many sessions one part of the search looks at.
const PART_SIZE: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Sweep {
    ended_ttl: Duration,
    swept_at: Instant,
    /// Where the next part begins, if the search has not reached the end.
    next: Option<EndKey>,
}

/// The rows that one part of a sweep found.
#[derive(Default)]
pub(crate) struct Expired {
    sessions: Vec<Key>,
    ended: Vec<Key>,
    invitations: Vec<Digest>,
    devices: Vec<Digest>,
    /// Sessions that expire later than any can, with the latest expiry possible: they were written before the machine's
    /// clock was set back, or with a longer idle timeout.
    pub(crate) too_late: Vec<(Key, u64)>,
}

impl Sweep {
    pub(crate) fn new(ended_ttl: Duration) -> Self {
        Self {
            ended_ttl,
            swept_at: Instant::now(),
            next: None,
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.next.is_some()
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_under_way() || self.swept_at.elapsed() >= self.ended_ttl.min(INTERVAL)
    }

    /// Searches the next part of the tables, and finds no more than `limit` sessions and as many ended ones.
    pub(crate) fn next_part(
        &mut self,
        snapshot: &Snapshot,
        pending: &PendingExpiries,
        now: SystemTime,
        limit: usize,
    ) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let latest = now + self.ended_ttl;
        let (latest, too_late) = (unix_millis(latest), unix_millis(latest + GRACE));
        let now = unix_millis(now - GRACE);
        let ended = snapshot.transaction.open_table(ENDED).map_err(failed)?;
        let from = self.next.take().unwrap_or_default();

        let rows = snapshot.ends.range::<&EndKey>(&from..).map_err(failed)?;
        for (number, row) in rows.enumerate() {
            let (end_key, end) = row.map_err(failed)?;
            let (end_key, end) = (*end_key.value(), end.value());
            if number == PART_SIZE || expired.sessions.len() + expired.too_late.len() == limit {
                self.next = Some(end_key);
                break;
            }
            if now < end && end <= too_late {
                continue;
            }
            let Some(key) = session_of(snapshot, end_key)? else {
                continue;
            };
            let expires_at = pending.get(&key).unwrap_or(end);
            if now >= expires_at {
                expired.sessions.push(key);
            } else if expires_at > too_late {
                expired.too_late.push((key, latest));
            }
        }
        let to = self.next.unwrap_or([u8::MAX; 8]);
        let (first, last): (Key, Key) = (filled(from, 0), filled(to, u8::MAX));
        for row in ended.range::<&Key>(&first..=&last).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if expired.ended.len() == limit {
                // The rest is the next sweep's.
                break;
            }
            let until = value.value().0;
            if now >= until || until > too_late {
                expired.ended.push(*key.value());
            }
        }
        let (first, last): (Digest, Digest) = (filled(from, 0), filled(to, u8::MAX));
        for (table, keys) in [
            (INVITATIONS, &mut expired.invitations),
            (KNOWN_DEVICES, &mut expired.devices),
        ] {
            let table = snapshot.transaction.open_table(table).map_err(failed)?;
            for row in table.range::<&Digest>(&first..=&last).map_err(failed)? {
                let (key, value) = row.map_err(failed)?;
                if keys.len() == limit {
                    break;
                }
                if now >= value.value().0 {
                    keys.push(*key.value());
                }
            }
        }
        if self.next.is_none() {
            self.swept_at = Instant::now();
        }
        Ok(expired)
    }
}

/// The key that begins like this, and goes on with `fill`.
fn filled<const N: usize>(start: EndKey, fill: u8) -> [u8; N] {
    let mut key = [fill; N];
    for (byte, own) in key.iter_mut().zip(start) {
        *byte = own;
    }
    key
}

fn session_of(snapshot: &Snapshot, end_key: EndKey) -> Result<Option<Key>, StoreError> {
    let (first, last): (Key, Key) = (filled(end_key, 0), filled(end_key, u8::MAX));
    let mut sessions = snapshot
        .sessions
        .range::<&Key>(&first..=&last)
        .map_err(failed)?;
    let row = sessions.next().transpose().map_err(failed)?;
    Ok(row.map(|(key, _)| *key.value()))
}

impl Expired {
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            sessions,
            ended,
            invitations,
            devices,
            too_late,
        } = self;
        sessions.is_empty()
            && ended.is_empty()
            && invitations.is_empty()
            && devices.is_empty()
            && too_late.is_empty()
    }

    pub(crate) fn remove(&self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        for key in &self.sessions {
            tables.remove(key, None)?;
        }
        for key in &self.ended {
            tables.remove_ended(key)?;
        }
        if !self.invitations.is_empty() {
            tables.remove_invitations(&self.invitations)?;
        }
        if !self.devices.is_empty() {
            tables.remove_devices(&self.devices)?;
        }
        Ok(())
    }
}
