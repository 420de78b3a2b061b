//! An account and an invitation in their rows: JSON, so that a later version can add fields and still read the old rows.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::account::{Account, Invitation, Purpose};
use crate::clock::{from_unix_micros, unix_micros};
use crate::session::StoreError;
use crate::store::embedded::database::schema::Digest;
use crate::user_name::UserName;

/// How long a change of password may take, in milliseconds.
const CHANGE_TTL: u64 = 60_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Microseconds since 1970, as `changed`.
    created: u64,
    changed: u64,
    /// A number, so that a row is as long when it is disabled: that must not need room on the disk.
    #[serde(default)]
    disabled: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
}

/// A change of password that has begun.
#[derive(Debug, Serialize, Deserialize)]
struct Change {
    by: Digest,
    /// Milliseconds since 1970.
    until: u64,
}

impl Change {
    /// A later end than any can have was written before the clock was set back.
    fn is_running(&self, now: u64) -> bool {
        now < self.until && self.until <= now + CHANGE_TTL
    }
}

impl AccountRecord {
    pub(crate) fn new(account: &Account) -> Self {
        Self {
            password: account.password.clone(),
            created: unix_micros(account.created),
            changed: unix_micros(account.changed),
            disabled: account.disabled.into(),
            change: None,
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        from_json(bytes)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        to_json(self)
    }

    /// Whether both were made by the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.password == other.password && self.created == other.created
    }

    /// In microseconds since 1970.
    pub(crate) fn was_created_at(&self, created: u64) -> bool {
        self.created == created
    }

    /// `now`: in milliseconds since 1970.
    pub(crate) fn account(self, now: u64) -> Account {
        let change = self.change;
        Account {
            password: self.password,
            created: from_unix_micros(self.created),
            changed: from_unix_micros(self.changed),
            disabled: self.disabled != 0,
            is_changing: change.is_some_and(|change| change.is_running(now)),
        }
    }

    pub(crate) fn begin_change(&mut self, by: Digest, now: u64) {
        let until = now + CHANGE_TTL;
        self.change = Some(Change { by, until });
    }

    /// Whether the change was there.
    pub(crate) fn cancel_change(&mut self, by: &Digest) -> bool {
        self.change.take_if(|change| change.by == *by).is_some()
    }

    /// Whether the change was there, and not too old.
    pub(crate) fn complete_change(
        &mut self,
        by: &Digest,
        password: &str,
        changed_micros: u64,
        now: u64,
    ) -> bool {
        let is_good = |change: &mut Change| change.by == *by && change.is_running(now);
        if self.change.take_if(is_good).is_none() {
            return false;
        }
        self.password = Some(password.to_owned());
        self.changed = changed_micros;
        true
    }

    /// Whether the password was `old`.
    pub(crate) fn rehash(&mut self, old: &str, new: &str) -> bool {
        let is_old = self.password.as_deref() == Some(old);
        if is_old {
            self.password = Some(new.to_owned());
        }
        is_old
    }

    pub(crate) fn set_disabled(&mut self, disabled: bool) {
        self.disabled = disabled.into();
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InvitationRecord {
    purpose: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
}

impl InvitationRecord {
    pub(crate) fn new(invitation: &Invitation) -> Self {
        Self {
            purpose: invitation.purpose.as_str().to_owned(),
            user: invitation.user.as_ref().map(ToString::to_string),
            stamp: invitation.stamp.clone(),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        from_json(bytes)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        to_json(self)
    }

    /// `None`: a later version wrote what this one does not know.
    pub(crate) fn invitation(&self) -> Option<Invitation> {
        let purpose = Purpose::parse(&self.purpose)?;
        let user = self.user.as_deref().map(UserName::parse).transpose().ok()?;
        Some(Invitation {
            stamp: self.stamp.clone(),
            ..Invitation::new(purpose, user)
        })
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Unreadable(error.into()))
}

fn to_json(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError::Unreadable(error.into()))
}
