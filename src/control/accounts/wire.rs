//! What crosses the socket of accounts: hashes, and never a password or a token.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::account::{Account, Invitation, Purpose, SetPassword};
use crate::sign_in::Digest;
use crate::user_name::UserName;

/// One call of an account store's method.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::control) enum AccountRequest {
    Account {
        user: Name,
    },
    Add {
        user: Name,
        #[serde(with = "AccountOnWire")]
        account: Account,
    },
    BeginChange {
        user: Name,
        change: Sha256,
    },
    CancelChange {
        user: Name,
        change: Sha256,
    },
    SetPassword {
        user: Name,
        change: Sha256,
        password: String,
        changed: SystemTime,
    },
    Rehash {
        user: Name,
        old: String,
        new: String,
    },
    SetDisabled {
        user: Name,
        disabled: bool,
    },
    Remove {
        user: Name,
        created: SystemTime,
    },
    List,
    IsEmpty,
    Invite {
        token: Sha256,
        invitation: InvitationOnWire,
        ttl: Duration,
    },
    GiveBack {
        token: Sha256,
        invitation: InvitationOnWire,
        ttl: Duration,
    },
    Invitation {
        token: Sha256,
    },
    TakeInvitation {
        token: Sha256,
    },
}

/// What such a method returns.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::control) enum AccountReply {
    Account {
        user: Name,
        #[serde(with = "AccountOnWire")]
        account: Account,
    },
    /// Whether something was done.
    Done(bool),
    SetPassword(#[serde(with = "SetPasswordOnWire")] SetPassword),
    Invitation(InvitationOnWire),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Account")]
struct AccountOnWire {
    password: Option<String>,
    created: SystemTime,
    changed: SystemTime,
    disabled: bool,
    is_changing: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SetPassword", rename_all = "snake_case")]
enum SetPasswordOnWire {
    Done,
    Superseded,
    NoAccount,
}

#[derive(Serialize, Deserialize)]
pub(in crate::control) struct InvitationOnWire {
    purpose: String,
    user: Option<Name>,
    stamp: Option<String>,
}

impl From<&Invitation> for InvitationOnWire {
    fn from(invitation: &Invitation) -> Self {
        Self {
            purpose: invitation.purpose.as_str().to_owned(),
            user: invitation.user.clone().map(Name),
            stamp: invitation.stamp.clone(),
        }
    }
}

impl InvitationOnWire {
    /// `None`: it is for something that this version does not know.
    pub(super) fn read(&self) -> Option<Invitation> {
        let user = self.user.as_ref().map(|user| user.0.clone());
        let invitation = Invitation::new(Purpose::parse(&self.purpose)?, user);
        Some(Invitation {
            stamp: self.stamp.clone(),
            ..invitation
        })
    }
}

/// A [`UserName`].
#[derive(Clone)]
pub(in crate::control) struct Name(pub(super) UserName);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        UserName::parse(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// A [`Digest`].
pub(in crate::control) struct Sha256(pub(super) Digest);

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = Digest::parse(&text).map(Self);
        digest.ok_or_else(|| serde::de::Error::custom("no digest"))
    }
}
