//! A file that an older version of Innkeeper has written is taken over by the embedded store.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use innkeeper::{Clock, EmbeddedStore, Lifetimes, OpenError, SessionId, SessionStore, StorePath};
use redb::{Database, TableDefinition, TableError};

use crate::support::http;
use crate::support::program::Program;

const FILE: &str = "sessions.redb";
const COPY: &str = "sessions.redb.new";
const HOUR: Duration = Duration::from_secs(3600);

type Rows = TableDefinition<'static, &'static [u8; 32], (u64, &'static [u8])>;
type Users = TableDefinition<'static, (&'static str, u64, &'static [u8; 32]), ()>;

const SESSIONS: Rows = Rows::new("sessions");
const USERS: Users = Users::new("users");
const ENDINGS: Rows = Rows::new("endings");
const INVITATIONS: Rows = Rows::new("invitations");
const ACCOUNTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("accounts");

/// A file of version 1, as its sign-ins would have left it.
struct Old {
    ids: Vec<SessionId>,
    expired: SessionId,
    unreadable: SessionId,
    ended: SessionId,
}

fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl Old {
    fn write(folder: &Path, sessions: u64) -> Self {
        fs::create_dir_all(folder).unwrap();
        let now = SystemTime::now();
        let (now_millis, later) = (millis(now), millis(now + HOUR));
        let old = Self {
            ids: (0..sessions).map(|_| SessionId::generate()).collect(),
            expired: SessionId::generate(),
            unreadable: SessionId::generate(),
            ended: SessionId::generate(),
        };
        let database = Database::create(folder.join(FILE)).unwrap();
        let writing = database.begin_write().unwrap();
        {
            let mut table = writing.open_table(SESSIONS).unwrap();
            let mut users = writing.open_table(USERS).unwrap();
            let mut add = |id: &SessionId, born: u64, until: u64, rest: &str| {
                let created = now_millis / 1000;
                let text = format!(
                    r#"{{"born":{born},"user":"amy","status":"active"{rest},"created":{created},"ip":"203.0.113.195","agent":"Firefox on Linux"}}"#
                );
                table
                    .insert(&id.digest(), (until, text.as_bytes()))
                    .unwrap();
                users.insert(("amy", born, &id.digest()), ()).unwrap();
            };
            for (number, id) in (0..).zip(&old.ids) {
                let rest = r#","data":{"theme":"1"},"own":{"_notice":"2"}"#;
                let rest = if number == 0 { rest } else { "" };
                add(id, now_millis * 1000 + number, later, rest);
            }
            add(&old.expired, 1, now_millis - 1, "");
            table
                .insert(&old.unreadable.digest(), (later, b"{}".as_slice()))
                .unwrap();
            let mut table = writing.open_table(ENDINGS).unwrap();
            let ending = br#"{"reason":"signed_out","at":1764523000}"#.as_slice();
            table.insert(&old.ended.digest(), (later, ending)).unwrap();
            // Those of known browsers are missing: an even older version had none.
            let mut table = writing.open_table(INVITATIONS).unwrap();
            table.insert(&[7; 32], (later, b"{}".as_slice())).unwrap();
            let mut table = writing.open_table(ACCOUNTS).unwrap();
            table.insert("amy", b"{}".as_slice()).unwrap();
        }
        writing.commit().unwrap();
        old
    }

    async fn assert_is_whole_in(&self, store: &EmbeddedStore) {
        for (number, id) in self.ids.iter().enumerate() {
            let active = store.peek(id).await.unwrap().unwrap();
            let left = active.expires_in;
            assert!(left <= HOUR && left > HOUR * 11 / 12, "{left:?}");
            let session = store.touch(id).await.unwrap().unwrap().session;
            assert_eq!((&*session.user, &*session.status), ("amy", "active"));
            assert_eq!(session.client.ip.as_deref(), Some("203.0.113.195"));
            let user_agent = session.client.user_agent.as_deref();
            assert_eq!(user_agent, Some("Firefox on Linux"));
            assert!(session.created_at.unwrap().elapsed().unwrap() < HOUR);
            let fields: Vec<_> = session.data.into_iter().chain(session.own).collect();
            let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let expected = [("theme", "1"), ("_notice", "2")].map(pair).to_vec();
            assert_eq!(fields, if number == 0 { expected } else { Vec::new() });
        }
        assert!(store.touch(&self.expired).await.unwrap().is_none());
        assert!(store.touch(&self.unreadable).await.is_err());
        assert!(store.ended(&self.ended).await.unwrap().is_some());
        let listed = store.list("amy", None).await.unwrap().sessions;
        assert_eq!(listed.len(), self.ids.len());
    }
}

fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    let lifetimes = Lifetimes {
        idle: HOUR,
        absolute: None,
    };
    EmbeddedStore::open(
        &StorePath::Folder(folder.to_owned()),
        lifetimes,
        Clock::start(),
    )
}

#[tokio::test]
async fn an_older_versions_sessions_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = Old::write(folder.path(), 500);
    // A copy that was never finished, of whatever kind.
    fs::write(folder.path().join(COPY), "half a copy").unwrap();
    for _ in 0..3 {
        let store = open(folder.path()).unwrap();
        old.assert_is_whole_in(&store).await;
        assert!(!folder.path().join(COPY).exists());
        store.close().await;
    }
    let store = open(folder.path()).unwrap();
    let [first, second] = [&old.ids[0], &old.ids[1]];
    let why = store.ended(&old.ended).await.unwrap().unwrap();
    assert_eq!(
        store.delete(first, &why).await.unwrap().as_deref(),
        Some("amy")
    );
    assert!(store.touch(first).await.unwrap().is_none());
    assert!(store.touch(second).await.unwrap().is_some());
    assert!(store.delete(&old.unreadable, &why).await.is_ok());
    assert!(store.touch(&old.unreadable).await.unwrap().is_none());
    let listed = store.list("amy", None).await.unwrap().sessions;
    assert_eq!(listed.len(), old.ids.len() - 1);
    drop(store);

    let database = Database::open(folder.path().join(FILE)).unwrap();
    let writing = database.begin_write().unwrap();
    let accounts = writing.open_table(ACCOUNTS).unwrap();
    assert!(
        redb::ReadableTable::get(&accounts, "amy")
            .unwrap()
            .is_some()
    );
    let invitations = writing.open_table(INVITATIONS).unwrap();
    assert!(
        redb::ReadableTable::get(&invitations, &[7; 32])
            .unwrap()
            .is_some()
    );
    // So an older program refuses the file: it finds other tables by the names of its own.
    let refused = writing.open_table(SESSIONS).map(drop);
    assert!(matches!(refused, Err(TableError::TableTypeMismatch { .. })));
}

#[test]
fn a_kill_in_the_middle_of_the_upgrade_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let old = Old::write(&data, 10_000);
    let variables = [
        ("INNKEEPER_IDLE_TIMEOUT_SECS", "3600"),
        // So that the copy reaches the file while it is made.
        ("INNKEEPER_STORE_CACHE_MB", "1"),
    ];
    let copy = data.join(COPY);
    for len in [0, 1 << 20, 2 << 20] {
        let is_half_made = || fs::metadata(&copy).is_ok_and(|file| file.len() >= len);
        assert!(Program::start_and_kill(
            folder.path(),
            &variables,
            is_half_made
        ));
        fs::remove_file(&copy).unwrap();
    }
    let was_there = Cell::new(false);
    let is_replaced = || was_there.replace(was_there.get() || copy.exists()) && !copy.exists();
    Program::start_and_kill(folder.path(), &variables, is_replaced);

    let program = Program::start_in(folder.path(), &variables);
    for id in old.ids.iter().step_by(1000) {
        assert_eq!(http::profile_status(program.port(), &id.to_string()), 200);
    }
    assert_eq!(
        http::profile_status(program.port(), &old.expired.to_string()),
        404
    );
    assert!(!copy.exists());
}

#[test]
fn a_command_leaves_an_older_file_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = folder.join("data");
    let old = Old::write(&data, 3);
    let password = [("INNKEEPER_SIGN_IN", "password")];
    let said = Program::operate(folder, &["doctor"], &[]);
    said.assert_says(0, &["older version", "next start of the server"]);
    for (words, variables) in [
        (&["sessions", "list"][..], &[][..]),
        (&["sessions", "end", "--all"], &[]),
        (&["accounts", "list"], &password),
        (&["accounts", "disable", "amy"], &password),
    ] {
        let said = Program::operate(folder, words, variables);
        said.assert_says(2, &["older version", "start the server"]);
    }
    // As the older program opens it.
    let database = Database::open(data.join(FILE)).unwrap();
    let reading = redb::ReadableDatabase::begin_read(&database).unwrap();
    let sessions = reading.open_table(SESSIONS).unwrap();
    for id in &old.ids {
        assert!(sessions.get(&id.digest()).unwrap().is_some());
    }
    drop((sessions, reading, database));

    let program = Program::start_in(folder, &[]);
    for id in &old.ids {
        assert_eq!(http::profile_status(program.port(), &id.to_string()), 200);
    }
    Program::operate(folder, &["sessions", "list", "amy"], &[]).assert_says(0, &["amy"]);
}

#[tokio::test]
async fn a_newer_versions_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let database = Database::open(folder.path().join(FILE)).unwrap();
    let writing = database.begin_write().unwrap();
    let format: TableDefinition<'_, (), u32> = TableDefinition::new("format");
    writing.open_table(format).unwrap().insert((), 3).unwrap();
    writing.commit().unwrap();
    drop(database);

    let error = open(folder.path()).unwrap_err();
    assert!(!error.is_damaged(), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    let data = folder.path().display().to_string();
    let said = Program::refusal(folder.path(), &[("INNKEEPER_STORE_PATH", &data)]);
    assert!(said.contains("newer version of Innkeeper"), "{said}");
}
