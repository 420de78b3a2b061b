//! Creates, ends and changes sessions. A change that fails with [`StoreError::Unreadable`] has changed nothing.

use redb::ReadableTable;

use super::Tables;
use super::record::Record;
use crate::session::{EndedSession, Selection, SessionHandle, StoreError, WriteOutcome};
use crate::store::embedded::database::schema::{Key, end_key, failed, keys_of, unix_millis};

/// A session that was alive until it was removed.
pub(crate) struct Removed {
    /// `None` where its record could not be read.
    pub(crate) user: Option<String>,
}

impl Tables<'_> {
    pub(crate) fn create(
        &mut self,
        key: &Key,
        expires_at: u64,
        record: &Record,
    ) -> Result<(), StoreError> {
        // Two keys in ten billion billions agree in their first halves. The next try of this sign-in has another id.
        if self.ends.get(&end_key(key)).map_err(failed)?.is_some() {
            let error = "the first half of its key is another session's";
            return Err(StoreError::Unreadable(error.into()));
        }
        self.write_record(key, record)?;
        let inserted = self.ends.insert(&end_key(key), expires_at);
        inserted.map(drop).map_err(failed)?;
        let row = (record.user(), record.created_micros, key);
        self.users.insert(row, ()).map(drop).map_err(failed)
    }

    /// Ends a user's oldest sessions beyond the limit, but never `newest`, even where a clock that was set back makes
    /// it the oldest.
    pub(crate) fn remove_over_limit(
        &mut self,
        user: &str,
        newest: &Key,
        limit: usize,
        why: &EndedSession,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut others = Vec::new();
        for key in keys_of(&self.users, user)? {
            if key != *newest && self.is_alive(&key)? {
                others.push(key);
            }
        }
        others.truncate((others.len() + 1).saturating_sub(limit));
        for key in &others {
            self.remove(key, Some(why))?;
        }
        let handles = others.into_iter().map(SessionHandle::from_bytes);
        Ok(handles.collect())
    }

    /// Ends sessions of any users; the reason that is kept for each names its user.
    pub(crate) fn remove_all(
        &mut self,
        keys: &[Key],
        why: &EndedSession,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut ended = Vec::new();
        for key in keys {
            // A record that cannot be read is removed, too.
            let record = self.record(key).ok().flatten();
            let why = record.map_or_else(|| why.clone(), |record| why.with_user(record.user()));
            if self.remove(key, Some(&why))?.is_some() {
                ended.push(SessionHandle::from_bytes(*key));
            }
        }
        Ok(ended)
    }

    pub(crate) fn remove_of_user(
        &mut self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut ended = Vec::new();
        for key in keys_of(&self.users, user)? {
            let handle = SessionHandle::from_bytes(key);
            if selection.includes(handle) && self.remove(&key, Some(why))?.is_some() {
                ended.push(handle);
            }
        }
        Ok(ended)
    }

    /// Removes a session's rows; `None` if it was not alive any more.
    ///
    /// A record that cannot be read is removed, too: its user wants to be signed out. (Its row in `users` stays,
    /// because only the record names the user; readers skip a row whose session is gone.)
    pub(crate) fn remove(
        &mut self,
        key: &Key,
        why: Option<&EndedSession>,
    ) -> Result<Option<Removed>, StoreError> {
        let was_alive = self.is_alive(key)?;
        let Some(row) = self.sessions.remove(key).map_err(failed)? else {
            return Ok(None);
        };
        let record = Record::from_bytes(row.value()).ok();
        drop(row);
        self.ends.remove(&end_key(key)).map_err(failed)?;
        if let Some(record) = &record {
            let row = (record.user(), record.created_micros, key);
            self.users.remove(row).map_err(failed)?;
        }
        if !was_alive {
            return Ok(None);
        }
        if let Some(why) = why {
            let until = unix_millis(self.now + self.ended_ttl);
            let text =
                serde_json::to_vec(why).map_err(|error| StoreError::Unreadable(error.into()))?;
            let row = (until, text.as_slice());
            self.ended.insert(key, row).map_err(failed)?;
        }
        let user = record.map(|record| record.user().to_owned());
        Ok(Some(Removed { user }))
    }

    pub(crate) fn write_field(
        &mut self,
        key: &Key,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        if !self.is_alive(key)? {
            return Ok(WriteOutcome::NoSession);
        }
        let Some(mut record) = self.record(key)? else {
            return Ok(WriteOutcome::NoSession);
        };
        if !record.set_field(field, value, limit) {
            return Ok(WriteOutcome::TooManyFields);
        }
        self.write_record(key, &record)?;
        Ok(WriteOutcome::Written)
    }

    /// Writes a field into a user's sessions but one, and returns how many have it. A record that cannot be read is left.
    pub(crate) fn write_others(
        &mut self,
        user: &str,
        except: &Key,
        field: &str,
        value: &str,
    ) -> Result<usize, StoreError> {
        let mut written = 0;
        for key in keys_of(&self.users, user)? {
            if key == *except {
                continue;
            }
            match self.write_field(&key, field, Some(value), usize::MAX) {
                Ok(outcome) => written += usize::from(outcome == WriteOutcome::Written),
                Err(StoreError::Unreadable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Moves a session's time of creation back to now, if it lies in the future.
    pub(crate) fn cap_created(&mut self, key: &Key) -> Result<(), StoreError> {
        let Some(mut record) = self.record(key)? else {
            return Ok(());
        };
        record.cap_created(self.now);
        self.write_record(key, &record)
    }
}
