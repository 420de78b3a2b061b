//! A session in its row: JSON, so that a later version can add fields and still read the old rows.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::clock::{from_unix_time, unix_time};
use crate::session::field;
use crate::session::{Session, StoreError};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Microseconds since 1970: the order of a user's sessions, finer than `created`.
    #[serde(rename = "born", default)]
    created_micros: u64,
    user: String,
    status: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    own: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(rename = "agent", default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl Record {
    pub(crate) fn new(session: &Session, created_at: SystemTime) -> Self {
        let seconds = |timestamp| unix_time(timestamp).as_secs();
        Self {
            created_micros: u64::try_from(unix_time(created_at).as_micros()).unwrap_or(u64::MAX),
            user: session.user.clone(),
            status: session.status.clone(),
            data: session.data.clone(),
            own: session.own.clone(),
            created: session.created_at.map(seconds),
            ip: session.client.ip.clone(),
            user_agent: session.client.user_agent.clone(),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Unreadable(error.into()))
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Unreadable(error.into()))
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn created_micros(&self) -> u64 {
        self.created_micros
    }

    /// Moves a time of creation in the future back to `now`.
    pub(crate) fn cap_created(&mut self, now: SystemTime) {
        let now = unix_time(now).as_secs();
        self.created = self.created.map(|created| created.min(now));
    }

    /// Writes or removes a field; `false`: there are `limit` others.
    pub(crate) fn set_field(&mut self, name: &str, value: Option<&str>, limit: usize) -> bool {
        field::write(&mut self.data, &mut self.own, name, value, limit)
    }
}

impl From<Record> for Session {
    fn from(record: Record) -> Self {
        Self {
            user: record.user,
            status: record.status,
            data: record.data,
            own: record.own,
            created_at: record.created.map(from_unix_time),
            client: Client {
                ip: record.ip,
                user_agent: record.user_agent,
            },
        }
    }
}
