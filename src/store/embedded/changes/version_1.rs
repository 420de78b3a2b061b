//! The tables of version 1, and how their rows are copied into the present ones.
//!
//! A session's row held its end and the session as JSON, and every session's key was its whole digest.

use std::collections::BTreeMap;

use redb::{ReadTransaction, TableDefinition, WriteTransaction};
use serde::Deserialize;

use super::record::Record;
use crate::client::Client;
use crate::clock::from_unix_time;
use crate::session::{Session, StoreError};
use crate::store::embedded::database::OpenFile;
use crate::store::embedded::database::schema::{
    ACCOUNTS, Digest, ENDED, ENDS, INVITATIONS, KNOWN_DEVICES, Key, SESSIONS, USERS, end_key,
    failed,
};

const OLD_SESSIONS: TableDefinition<'_, &Digest, (u64, &[u8])> = TableDefinition::new("sessions");
const OLD_USERS: TableDefinition<'_, (&str, u64, &Digest), ()> = TableDefinition::new("users");
const OLD_ENDED: TableDefinition<'_, &Digest, (u64, &[u8])> = TableDefinition::new("endings");

/// A session as version 1 wrote it.
#[derive(Deserialize)]
struct OldRecord {
    #[serde(rename = "born", default)]
    created_micros: u64,
    user: String,
    status: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    own: BTreeMap<String, String>,
    created: Option<u64>,
    ip: Option<String>,
    agent: Option<String>,
}

impl From<OldRecord> for Record {
    fn from(old: OldRecord) -> Self {
        Self {
            created_micros: old.created_micros,
            session: Session {
                user: old.user,
                status: old.status,
                data: old.data,
                own: old.own,
                created_at: old.created.map(from_unix_time),
                client: Client {
                    ip: old.ip,
                    user_agent: old.agent,
                },
            },
        }
    }
}

/// Copies every row. A record that cannot be read stays so: an empty row is none, either.
pub(crate) fn copy(
    from: &ReadTransaction,
    to: &WriteTransaction,
    file: &OpenFile,
) -> Result<(), StoreError> {
    copy_sessions(from, to, file)?;
    let mut users = to.open_table(USERS).map_err(failed)?;
    file.each_row(from, OLD_USERS, |(user, created, digest), ()| {
        let row = (user, created, &key(digest));
        users.insert(row, ()).map(drop).map_err(failed)
    })?;
    let mut ended = to.open_table(ENDED).map_err(failed)?;
    file.each_row(from, OLD_ENDED, |digest, row| {
        ended.insert(&key(digest), row).map(drop).map_err(failed)
    })?;
    // These are as they were.
    file.copy_table(from, to, ACCOUNTS)?;
    file.copy_table(from, to, INVITATIONS)?;
    file.copy_table(from, to, KNOWN_DEVICES)
}

fn copy_sessions(
    from: &ReadTransaction,
    to: &WriteTransaction,
    file: &OpenFile,
) -> Result<(), StoreError> {
    let mut sessions = to.open_table(SESSIONS).map_err(failed)?;
    let mut ends = to.open_table(ENDS).map_err(failed)?;
    let mut last_end = None;
    file.each_row(from, OLD_SESSIONS, |digest, (expires_at, json)| {
        let key = key(digest);
        let end = end_key(&key);
        // Two sessions in a billion files: one of them has to sign in again.
        if last_end.replace(end) == Some(end) {
            return Ok(());
        }
        let record = serde_json::from_slice::<OldRecord>(json);
        let row = record.map_or_else(|_| Vec::new(), |old| Record::from(old).to_bytes());
        sessions.insert(&key, row.as_slice()).map_err(failed)?;
        ends.insert(&end, expires_at).map(drop).map_err(failed)
    })
}

fn key(digest: &Digest) -> Key {
    digest.first_chunk().copied().unwrap_or_default()
}
