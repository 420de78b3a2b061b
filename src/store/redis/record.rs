//! How a session is written in its hash.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, UNIX_EPOCH};

use super::unix_seconds;
use crate::session::{Session, Visitor};

/// The hash as Redis answers it.
pub(super) type Fields = HashMap<String, String>;

pub(super) const USER: &str = "user";
const STATUS: &str = "status";
const CREATED: &str = "_created";
const IP: &str = "_ip";
const AGENT: &str = "_agent";

/// A hash without `user` is no session.
pub(super) fn session(mut fields: Fields) -> Option<Session> {
    let user = fields.remove(USER)?;
    let status = fields.remove(STATUS).unwrap_or_default();
    let created_at = fields
        .remove(CREATED)
        .and_then(|text| text.parse().ok())
        .map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    let visitor = Visitor {
        ip: fields.remove(IP),
        agent: fields.remove(AGENT),
    };
    let data: BTreeMap<_, _> = fields
        .into_iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .collect();
    Some(Session {
        user,
        status,
        data,
        created_at,
        visitor,
    })
}

pub(super) fn pairs(session: &Session) -> Vec<(String, String)> {
    let ours = [
        (USER, Some(session.user.clone())),
        (STATUS, Some(session.status.clone())),
        (
            CREATED,
            session
                .created_at
                .map(|moment| unix_seconds(moment).to_string()),
        ),
        (IP, session.visitor.ip.clone()),
        (AGENT, session.visitor.agent.clone()),
    ];
    ours.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(session.data.clone())
        .collect()
}
