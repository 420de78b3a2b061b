//! A session in its row.
//!
//! A row is a sequence of fields: a byte that says which, the length of the value, the value. A later version can add
//! fields and still read the old rows; what this one does not know, it skips. (As JSON a row takes twice the room, and
//! reading it several times as long.)

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::client::Client;
use crate::clock::{from_unix_time, unix_micros, unix_time};
use crate::session::field;
use crate::session::{Session, StoreError};

/// The status that has no field.
const ACTIVE: &str = "active";

/// A field of a row. Numbers are little-endian without the zeros at their end.
mod tag {
    pub(super) const CREATED_MICROS: u8 = 1;
    pub(super) const USER: u8 = 2;
    pub(super) const STATUS: u8 = 3;
    pub(super) const CREATED: u8 = 4;
    pub(super) const IP: u8 = 5;
    pub(super) const USER_AGENT: u8 = 6;
    /// The length of the name, the name, the value.
    pub(super) const DATA: u8 = 7;
    pub(super) const OWN: u8 = 8;
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Microseconds since 1970: the order of a user's sessions, finer than `Session::created_at`.
    pub(crate) created_micros: u64,
    pub(crate) session: Session,
}

impl Record {
    pub(crate) fn new(session: &Session, created_at: SystemTime) -> Self {
        Self {
            created_micros: unix_micros(created_at),
            session: session.clone(),
        }
    }

    pub(crate) fn from_bytes(mut row: &[u8]) -> Result<Self, StoreError> {
        let (mut created_micros, mut user, mut status) = (0, None, None);
        let (mut data, mut own) = (BTreeMap::new(), BTreeMap::new());
        let (mut created_at, mut client) = (None, Client::default());
        while let Some((tag, rest)) = row.split_first() {
            let (value, rest) = split_value(rest)?;
            row = rest;
            match *tag {
                tag::CREATED_MICROS => created_micros = number(value)?,
                tag::USER => user = Some(text(value)?),
                tag::STATUS => status = Some(text(value)?),
                tag::CREATED => created_at = Some(from_unix_time(number(value)?)),
                tag::IP => client.ip = Some(text(value)?),
                tag::USER_AGENT => client.user_agent = Some(text(value)?),
                tag::DATA | tag::OWN => {
                    let fields = if *tag == tag::DATA {
                        &mut data
                    } else {
                        &mut own
                    };
                    let (name, value) = split_value(value)?;
                    fields.insert(text(name)?, text(value)?);
                }
                _ => {}
            }
        }
        let session = Session {
            user: user.ok_or_else(|| unreadable("it names no user"))?,
            status: status.unwrap_or_else(|| ACTIVE.to_owned()),
            data,
            own,
            created_at,
            client,
        };
        Ok(Self {
            created_micros,
            session,
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Session {
            user,
            status,
            data,
            own,
            created_at,
            client,
        } = &self.session;
        let mut row = Vec::new();
        push_number(&mut row, tag::CREATED_MICROS, self.created_micros);
        push(&mut row, tag::USER, user.as_bytes());
        if status != ACTIVE {
            push(&mut row, tag::STATUS, status.as_bytes());
        }
        if let Some(created_at) = created_at {
            push_number(&mut row, tag::CREATED, unix_time(*created_at).as_secs());
        }
        if let Some(ip) = &client.ip {
            push(&mut row, tag::IP, ip.as_bytes());
        }
        if let Some(user_agent) = &client.user_agent {
            push(&mut row, tag::USER_AGENT, user_agent.as_bytes());
        }
        for (tag, fields) in [(tag::DATA, data), (tag::OWN, own)] {
            for (name, value) in fields {
                let mut field = Vec::new();
                push_value(&mut field, name.as_bytes());
                field.extend_from_slice(value.as_bytes());
                push(&mut row, tag, &field);
            }
        }
        row
    }

    pub(crate) fn user(&self) -> &str {
        &self.session.user
    }

    /// Moves a time of creation in the future back to `now`.
    pub(crate) fn cap_created(&mut self, now: SystemTime) {
        let now = from_unix_time(unix_time(now).as_secs());
        self.session.created_at = self.session.created_at.map(|created| created.min(now));
    }

    /// Writes or removes a field; `false`: there are `limit` others.
    pub(crate) fn set_field(&mut self, name: &str, value: Option<&str>, limit: usize) -> bool {
        let Session { data, own, .. } = &mut self.session;
        field::write(data, own, name, value, limit)
    }
}

fn push_number(row: &mut Vec<u8>, tag: u8, number: u64) {
    let bytes = number.to_le_bytes();
    let zeros = number.leading_zeros() as usize / 8;
    push(row, tag, bytes.get(..bytes.len() - zeros).unwrap_or(&bytes));
}

fn push(row: &mut Vec<u8>, tag: u8, value: &[u8]) {
    row.push(tag);
    push_value(row, value);
}

/// The length in groups of seven bits, the lowest first; all but the last have the eighth bit.
fn push_value(row: &mut Vec<u8>, value: &[u8]) {
    let mut len = value.len();
    while len >= 0x80 {
        row.push(0x80 | len.to_le_bytes()[0]);
        len >>= 7;
    }
    row.push(len.to_le_bytes()[0]);
    row.extend_from_slice(value);
}

fn split_value(row: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let mut len = 0_usize;
    for (index, byte) in row.iter().enumerate().take(4) {
        len |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let rest = row.get(index + 1..).unwrap_or_default();
            return rest
                .split_at_checked(len)
                .ok_or_else(|| unreadable("it ends in the middle of a field"));
        }
    }
    Err(unreadable("a field has no length"))
}

fn number(value: &[u8]) -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    let low = bytes.get_mut(..value.len());
    low.ok_or_else(|| unreadable("a number has more than eight bytes"))?
        .copy_from_slice(value);
    Ok(u64::from_le_bytes(bytes))
}

fn text(value: &[u8]) -> Result<String, StoreError> {
    match str::from_utf8(value) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(StoreError::Unreadable(error.into())),
    }
}

fn unreadable(why: &'static str) -> StoreError {
    StoreError::Unreadable(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let fields = |name: &str| [(name.to_owned(), "\"☂\"".repeat(100))].into();
        Record {
            created_micros: 1_764_523_000_000_001,
            session: Session {
                user: "amélie".to_owned(),
                status: "waiting".to_owned(),
                data: fields("colour"),
                own: fields("_notice"),
                created_at: Some(from_unix_time(1_764_523_000)),
                client: Client {
                    ip: Some("2001:db8::1".to_owned()),
                    user_agent: Some("Firefox on Linux".to_owned()),
                },
            },
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let mut records = vec![record()];
        for number in [0, 255, 256, u64::MAX] {
            let mut other = record();
            other.created_micros = number;
            other.session.created_at = None;
            other.session.client = Client::default();
            other.session.status = ACTIVE.to_owned();
            other.session.user = "x".repeat(20_000);
            records.push(other);
        }
        for record in records {
            assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), record);
        }
    }

    #[test]
    fn an_ordinary_session_is_small() {
        let session = Session {
            client: Client {
                ip: Some("203.0.113.195".to_owned()),
                user_agent: Some("Firefox on Linux".to_owned()),
            },
            ..Session::new(
                "guest0000001",
                Client::default(),
                from_unix_time(1_764_523_000),
            )
        };
        let row = Record::new(&session, from_unix_time(1_764_523_000)).to_bytes();
        assert!(row.len() <= 64, "{}", row.len());
    }

    #[test]
    fn a_field_of_a_later_version_is_skipped() {
        let mut row = record().to_bytes();
        push(&mut row, 200, b"something");
        assert_eq!(Record::from_bytes(&row).unwrap(), record());
    }

    #[test]
    fn a_row_that_is_cut_or_changed_is_refused_or_read_and_nothing_panics() {
        let row = record().to_bytes();
        let mut refused = 0;
        for len in 0..row.len() {
            refused += usize::from(Record::from_bytes(row.get(..len).unwrap()).is_err());
        }
        assert!(refused + 10 > row.len(), "{refused} of {}", row.len());
        for index in 0..row.len() {
            for byte in 0..=u8::MAX {
                let mut changed = row.clone();
                changed[index] = byte;
                drop(Record::from_bytes(&changed));
            }
        }
        assert!(Record::from_bytes(b"{}").is_err());
    }
}
