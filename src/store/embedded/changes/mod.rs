//! What changes the tables.

pub(crate) mod pending_expiry;
pub(crate) mod record;

#[cfg(test)]
use std::sync::{Mutex, mpsc::Receiver};
use std::time::{Duration, SystemTime};

use redb::{ReadableTable, Table, WriteTransaction};

use self::pending_expiry::PendingExpiries;
use self::record::Record;
use crate::session::{Created, EndedSession, Selection, SessionHandle, StoreError, WriteOutcome};
use crate::store::embedded::database::schema::{
    ENDED, Key, SESSIONS, USERS, failed, keys_of, unix_millis,
};

/// What can be written.
#[derive(Debug)]
pub(crate) enum Change {
    Create(Box<Creation>),
    Delete {
        key: Key,
        why: EndedSession,
    },
    End {
        user: String,
        selection: Selection,
        why: EndedSession,
    },
    DeleteThese {
        keys: Vec<Key>,
        why: EndedSession,
    },
    Write {
        key: Key,
        field: String,
        value: Option<String>,
        limit: usize,
    },
    /// Lets a session begin now that begins later.
    Date {
        key: Key,
        now: SystemTime,
    },
    /// Writes the pending expiries, at once.
    Flush,
    #[cfg(test)]
    Panic,
    /// From a first answer to a second one.
    #[cfg(test)]
    Hang(Mutex<Receiver<()>>),
}

impl Change {
    /// Whether it leaves no more in the file than there was, so that it goes on with a full disk.
    pub(crate) fn adds_nothing(&self) -> bool {
        match self {
            Self::Create(_) => false,
            Self::Write { value, .. } => value.is_none(),
            Self::Delete { .. }
            | Self::End { .. }
            | Self::DeleteThese { .. }
            | Self::Date { .. }
            | Self::Flush => true,
            #[cfg(test)]
            Self::Panic | Self::Hang(_) => true,
        }
    }

    /// Whether it may change far more of the file than one session's pages.
    pub(crate) fn ends_many(&self) -> bool {
        matches!(self, Self::End { .. } | Self::DeleteThese { .. })
    }
}

/// A session that is to be created.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) key: Key,
    pub(crate) end: u64,
    pub(crate) record: Record,
    pub(crate) replaced: Option<(Key, EndedSession)>,
    pub(crate) limit: usize,
    pub(crate) over_limit: EndedSession,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Done,
    Created(Created),
    /// Whose live session it was.
    Deleted(Option<String>),
    Ended(Vec<SessionHandle>),
    Written(WriteOutcome),
}

/// A session that was alive until it was ended; `user` is `None` where its record could not be read.
pub(crate) struct Removed {
    user: Option<String>,
}

/// The tables inside one writing transaction, at one moment.
pub(crate) struct Tables<'t> {
    sessions: Table<'t, &'static Key, (u64, &'static [u8])>,
    users: Table<'t, (&'static str, u64, &'static Key), ()>,
    endings: Table<'t, &'static Key, (u64, &'static [u8])>,
    pending: &'t PendingExpiries,
    now: SystemTime,
    /// How long an ending is remembered.
    ended_ttl: Duration,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(
        transaction: &'t WriteTransaction,
        pending: &'t PendingExpiries,
        now: SystemTime,
        ended_ttl: Duration,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            sessions: transaction.open_table(SESSIONS).map_err(failed)?,
            users: transaction.open_table(USERS).map_err(failed)?,
            endings: transaction.open_table(ENDED).map_err(failed)?,
            pending,
            now,
            ended_ttl,
        })
    }

    /// Makes a change that was asked for at a moment of its own.
    pub(crate) fn apply(
        &mut self,
        change: &Change,
        asked_at: SystemTime,
    ) -> Result<Applied, StoreError> {
        self.now = asked_at;
        match change {
            Change::Create(creation) => self.create(creation).map(Applied::Created),
            Change::Delete { key, why } => self
                .end(key, Some(why))
                .map(|over| Applied::Deleted(over.and_then(|Removed { user }| user))),
            Change::End {
                user,
                selection,
                why,
            } => self.end_of(user, *selection, why).map(Applied::Ended),
            Change::DeleteThese { keys, why } => self.end_these(keys, why).map(Applied::Ended),
            Change::Write {
                key,
                field,
                value,
                limit,
            } => self
                .write(key, field, value.as_ref(), *limit)
                .map(Applied::Written),
            Change::Date { key, now } => self.date(key, *now).map(|()| Applied::Done),
            Change::Flush => Ok(Applied::Done),
            #[cfg(test)]
            Change::Panic => panic!("a change that cannot be made"),
            #[cfg(test)]
            Change::Hang(answers) => {
                let answers = answers.lock().unwrap();
                let _ = answers.recv().and_then(|()| answers.recv());
                Ok(Applied::Done)
            }
        }
    }

    fn create(&mut self, creation: &Creation) -> Result<Created, StoreError> {
        let mut created = Created::default();
        if let Some((replaced, why)) = &creation.replaced {
            let over = self.end(replaced, Some(why))?;
            created.replaced = over.and_then(|Removed { user }| user);
        }
        let record = &creation.record;
        let bytes = record.to_bytes()?;
        self.sessions
            .insert(&creation.key, (creation.end, bytes.as_slice()))
            .map_err(failed)?;
        self.users
            .insert((record.user(), record.created_micros(), &creation.key), ())
            .map_err(failed)?;

        let mut live = Vec::new();
        for key in self.keys_of(record.user())? {
            // Not the newcomer, even where a clock that was set back makes it the oldest.
            if key != creation.key && self.is_alive(&key)? {
                live.push(key);
            }
        }
        let excess = (live.len() + 1).saturating_sub(creation.limit);
        for key in live.iter().take(excess) {
            self.end(key, Some(&creation.over_limit))?;
            created.evicted.push(SessionHandle::of_digest(key));
        }
        Ok(created)
    }

    fn end_these(
        &mut self,
        keys: &[Key],
        why: &EndedSession,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut ended = Vec::new();
        for key in keys {
            // A record that cannot be read goes too.
            let record = self.row(key).ok().flatten();
            let why = record.map_or_else(|| why.clone(), |(_, record)| why.of(record.user()));
            if self.end(key, Some(&why))?.is_some() {
                ended.push(SessionHandle::of_digest(key));
            }
        }
        Ok(ended)
    }

    fn end_of(
        &mut self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut ended = Vec::new();
        for key in self.keys_of(user)? {
            let handle = SessionHandle::of_digest(&key);
            if selection.includes(handle) && self.end(&key, Some(why))?.is_some() {
                ended.push(handle);
            }
        }
        Ok(ended)
    }

    /// Removes a session's rows; `None` if it was not alive any more.
    ///
    /// A record that cannot be read goes too: its visitor wants to be rid of it. (Its entry in a list, which only
    /// the record tells, is then one without a session; readers skip it.)
    pub(crate) fn end(
        &mut self,
        key: &Key,
        why: Option<&EndedSession>,
    ) -> Result<Option<Removed>, StoreError> {
        let alive = self.is_alive(key)?;
        let removed = self.sessions.remove(key).map_err(failed)?;
        let record = removed.and_then(|row| Record::from_bytes(row.value().1).ok());
        if let Some(record) = &record {
            self.users
                .remove((record.user(), record.created_micros(), key))
                .map_err(failed)?;
        }
        if let Some(why) = why.filter(|_| alive) {
            let until = unix_millis(self.now + self.ended_ttl);
            let text =
                serde_json::to_vec(why).map_err(|error| StoreError::Unreadable(Box::new(error)))?;
            self.endings
                .insert(key, (until, text.as_slice()))
                .map_err(failed)?;
        }
        Ok(alive.then(|| Removed {
            user: record.map(|record| record.user().to_owned()),
        }))
    }

    fn write(
        &mut self,
        key: &Key,
        field: &str,
        value: Option<&String>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        if !self.is_alive(key)? {
            return Ok(WriteOutcome::NoSession);
        }
        let Some((end, mut record)) = self.row(key)? else {
            return Ok(WriteOutcome::NoSession);
        };
        if !record.write(field, value.cloned(), limit) {
            return Ok(WriteOutcome::TooManyFields);
        }
        let bytes = record.to_bytes()?;
        self.sessions
            .insert(key, (end, bytes.as_slice()))
            .map_err(failed)?;
        Ok(WriteOutcome::Written)
    }

    fn date(&mut self, key: &Key, now: SystemTime) -> Result<(), StoreError> {
        let Some((end, mut record)) = self.row(key)? else {
            return Ok(());
        };
        record.begin_by(now);
        let bytes = record.to_bytes()?;
        self.sessions
            .insert(key, (end, bytes.as_slice()))
            .map_err(failed)?;
        Ok(())
    }

    /// Moves a session's end; a row that is gone stays gone.
    pub(crate) fn slide(&mut self, key: &Key, end: u64) -> Result<(), StoreError> {
        let record = self
            .sessions
            .get(key)
            .map_err(failed)?
            .map(|row| row.value().1.to_vec());
        if let Some(record) = record {
            self.sessions
                .insert(key, (end, record.as_slice()))
                .map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn forget_ending(&mut self, key: &Key) -> Result<(), StoreError> {
        self.endings.remove(key).map_err(failed)?;
        Ok(())
    }

    fn row(&self, key: &Key) -> Result<Option<(u64, Record)>, StoreError> {
        let row = self.sessions.get(key).map_err(failed)?;
        row.map(|row| {
            let (end, bytes) = row.value();
            Ok((end, Record::from_bytes(bytes)?))
        })
        .transpose()
    }

    fn is_alive(&self, key: &Key) -> Result<bool, StoreError> {
        let row = self.sessions.get(key).map_err(failed)?;
        Ok(row
            .is_some_and(|row| unix_millis(self.now) < self.pending.effective(key, row.value().0)))
    }

    /// A user's sessions, the oldest first.
    fn keys_of(&self, user: &str) -> Result<Vec<Key>, StoreError> {
        keys_of(&self.users, user)
    }
}
