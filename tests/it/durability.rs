//! The embedded store across crashes and restarts.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use innkeeper::{
    Client, Clock, EmbeddedLimits, EmbeddedStore, EndReason, EndedSession, Lifetimes, NewSession,
    Session, SessionId, SessionStore, StoreError, StorePath,
};

use crate::accounts_commands::operate;
use crate::support::eventually;
use crate::support::http;
use crate::support::program::{DISK_TYPE, Program, SMALL_DISK};

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut alive = Vec::new();
    let mut ended = Vec::new();
    for round in 0..5 {
        let mut program = Program::start_in(folder.path(), &[]);
        for number in 0..10 {
            alive.push(http::log_in(
                program.port(),
                &format!("user {round} {number}"),
            ));
            let id = http::log_in(program.port(), "abdullah");
            let cookie = format!("Cookie: session_id={id}");
            http::request(program.port(), "POST /logout/", &[&cookie], "");
            ended.push(id);
        }
        program.kill();
        let program = Program::start_in(folder.path(), &[]);
        for id in &alive {
            assert_eq!(http::profile_status(program.port(), id), 200);
        }
        for id in &ended {
            assert_eq!(http::profile_status(program.port(), id), 404);
        }
    }
}

#[test]
fn nothing_half_done_is_found_after_a_kill_in_the_middle_of_sign_ins() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start_in(folder.path(), &[]);
    let port = program.port();
    let acknowledged = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    let json = ["Content-Type: application/json"];
                    while let body = format!(r#"{{"username":"user {client} {}"}}"#, ids.len())
                        && let answer = http::request_or_nothing(port, "POST /login/", &json, &body)
                        && let Some(rest) = answer.split("\"session_id\":\"").nth(1)
                    {
                        ids.push(rest.split('"').next().unwrap().to_owned());
                    }
                    ids
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        program.kill();
        let ids: Vec<_> = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        ids
    });
    assert!(!acknowledged.is_empty());
    let program = Program::start_in(folder.path(), &[]);
    for id in &acknowledged {
        assert_eq!(http::profile_status(program.port(), id), 200);
    }
}

#[test]
fn an_orderly_end_is_a_success_and_writes_the_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let idle = [("INNKEEPER_IDLE_TIMEOUT_SECS", "10")];
    let mut program = Program::start_in(folder.path(), &idle);
    let id = http::log_in(program.port(), "abdullah");
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(http::profile_status(program.port(), &id), 200);
    assert!(program.terminate().success());

    let program = Program::start_in(folder.path(), &idle);
    // Past the first end, and well before the one that the profile moved it to.
    std::thread::sleep(Duration::from_secs(11).saturating_sub(begun.elapsed()));
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

#[test]
fn sessions_that_are_over_are_swept_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let idle = [("INNKEEPER_IDLE_TIMEOUT_SECS", "1")];
    let program = Program::start_in(folder.path(), &idle);
    for _ in 0..20 {
        http::log_in(program.port(), "abdullah");
    }
    drop(program);
    let rows = || {
        use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
        type Sessions = TableDefinition<'static, &'static [u8; 16], &'static [u8]>;
        let table: Sessions = TableDefinition::new("sessions");
        let database = Database::open(folder.path().join("data/sessions.redb")).unwrap();
        let reading = database.begin_read().unwrap();
        reading.open_table(table).unwrap().len().unwrap()
    };
    assert_eq!(rows(), 20);
    eventually("the sweep", || {
        let program = Program::start_in(folder.path(), &idle);
        std::thread::sleep(Duration::from_millis(3500));
        drop(program);
        (rows() == 0).then_some(())
    });
}

#[test]
fn a_disk_that_was_full_is_used_again_when_it_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let port = program.port();
    let first = http::log_in(port, "abdullah");
    let size = fs::metadata(folder.path().join("data/sessions.redb"))
        .unwrap()
        .len();
    program.limit_files_to(&size.to_string());
    let json = ["Content-Type: application/json"];
    let statuses = (0..2000).map(|number| {
        let body = format!(
            r#"{{"username":"user {number}","x":"{}"}}"#,
            "x".repeat(4000)
        );
        http::status(&http::request(port, "POST /login/", &json, &body))
    });
    assert!(
        statuses.into_iter().any(|status| status == 503),
        "the disk never got full"
    );
    assert_eq!(http::profile_status(port, &first), 200);
    let log = program.log();
    assert_eq!(log.matches("failed: the session store").count(), 0, "{log}");

    program.limit_files_to("unlimited");
    eventually("sign-in to work again", || {
        let body = r#"{"username":"zoe"}"#;
        let answer = http::request(port, "POST /login/", &json, body);
        (http::status(&answer) == 200).then_some(())
    });
    assert_eq!(http::profile_status(port, &first), 200);
}

#[test]
fn a_file_system_that_keeps_no_room_for_the_file_is_told_at_the_launch() {
    let folder = tempfile::tempdir().unwrap();
    let disk = [(SMALL_DISK, "13m"), (DISK_TYPE, "ramfs")];
    let program = Program::start_in(folder.path(), &disk);
    http::log_in(program.port(), "amy");
    let log = program.log();
    assert!(log.contains("keeps no room for a file"), "{log}");
    let program = Program::start_in(folder.path(), &[]);
    http::log_in(program.port(), "amy");
    let log = program.log();
    assert!(!log.contains("keeps no room for a file"), "{log}");
}

/// Signs in until there is no more room, and returns the sessions' ids.
fn fill_with_sessions(port: u16) -> Vec<String> {
    let json = ["Content-Type: application/json"];
    let mut ids = Vec::new();
    let full = (0..20_000).any(|number| {
        let body = format!(r#"{{"username":"user {number} {}"}}"#, "界".repeat(50));
        let answer = http::request(port, "POST /login/", &json, &body);
        match answer.split("\"session_id\":\"").nth(1) {
            Some(rest) => ids.push(rest.split('"').next().unwrap().to_owned()),
            None => assert_eq!(http::status(&answer), 503, "{answer}"),
        }
        http::status(&answer) == 503
    });
    assert!(full, "the disk never got full");
    ids
}

fn log_out(port: u16, id: &str) -> String {
    http::request(
        port,
        "POST /logout/",
        &[&format!("Cookie: session_id={id}")],
        "",
    )
}

/// The file is cut when it is closed, and what it had kept for itself beyond its end is then anybody's.
#[test]
fn on_a_full_disk_everybody_can_sign_out_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start_in(folder.path(), &[(SMALL_DISK, "13m")]);
    let port = program.port();
    let ids = fill_with_sessions(port);
    let (early, late) = ids.split_at(20);
    drop(fs::write(
        program.own_folder().join("data/rest"),
        vec![0; 16 << 20],
    ));
    for id in early {
        let answer = log_out(port, id);
        assert_eq!(http::status(&answer), 200, "{answer} {}", program.log());
    }

    program.start_again_on_its_full_disk();
    for id in late {
        let answer = log_out(port, id);
        assert_eq!(http::status(&answer), 200, "{answer} {}", program.log());
    }
    for id in ids.iter().step_by(50) {
        assert_eq!(http::profile_status(port, id), 404);
    }
    let log = program.log();
    assert!(!log.contains("could not be written"), "{log}");
}

/// A file system of its own that is really full: what the file has kept for itself is enough to end every session.
#[test]
fn on_a_full_disk_everybody_can_sign_out_and_nobody_is_taken_for_signed_out() {
    let folder = tempfile::tempdir().unwrap();
    let disk = [
        // Eight megabytes are somebody else's, from the beginning.
        (SMALL_DISK, "13m"),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
    ];
    let program = Program::start_in(folder.path(), &disk);
    let port = program.port();
    let stays = http::log_in(port, "amy");
    let json = ["Content-Type: application/json"];
    let ids = fill_with_sessions(port);
    // Somebody else takes what is left, too.
    let others = program.own_folder().join("data/others");
    let rest = program.own_folder().join("data/rest");
    drop(fs::write(&rest, vec![0; 16 << 20]));

    let ready = http::request(port, "GET /readyz", &[], "");
    assert_eq!(http::status(&ready), 200, "{ready}");
    assert!(ready.contains("the disk is full"), "{ready}");
    let metrics = http::request(program.metrics_port(), "GET /metrics", &[], "");
    assert!(metrics.contains("innkeeper_store_full 1"), "{metrics}");
    for (number, id) in ids.iter().enumerate() {
        let answer = log_out(port, id);
        assert_eq!(http::status(&answer), 200, "{answer} {}", program.log());
        if number % 50 == 0 {
            assert_eq!(http::profile_status(port, id), 404);
            assert_eq!(http::profile_status(port, &stays), 200);
        }
    }
    assert!(
        !program.log().contains("could not be written"),
        "{}",
        program.log()
    );

    fs::remove_file(others).unwrap();
    fs::remove_file(rest).unwrap();
    eventually("sign-in to work again", || {
        let answer = http::request(port, "POST /login/", &json, r#"{"username":"zoe"}"#);
        (http::status(&answer) == 200).then_some(())
    });
    // The writer answers first, and then looks at the disk.
    eventually("the disk to be known as having room", || {
        let ready = http::request(port, "GET /readyz", &[], "");
        ready.contains(r#""ready""#).then_some(())
    });
    assert_eq!(http::profile_status(port, &stays), 200);
}

/// While the disk is full, nothing is added; but whoever must not sign in any more is kept out.
#[test]
fn on_a_full_disk_an_account_can_be_disabled_and_removed_and_other_changes_say_that_they_failed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = [(SMALL_DISK, "13m"), ("INNKEEPER_SIGN_IN", "password")];
    let program = Program::start_in(folder.path(), &disk);
    let data = program.own_folder().join("data");
    let variables = [
        ("INNKEEPER_SIGN_IN", "password"),
        ("INNKEEPER_STORE_PATH", data.to_str().unwrap()),
        ("INNKEEPER_PUBLIC_URL", "https://inn.example"),
    ];
    let run = |words: &[&str]| operate(&variables, &[&["accounts"], words].concat(), "");
    for user in ["amy", "bob", "cleo"] {
        run(&["add", user, "--invite"]).assert_says(0, &["https://inn.example/"]);
    }
    let (others, rest) = (data.join("others"), data.join("rest"));
    drop(fs::write(&rest, vec![0; 16 << 20]));
    let hash = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";
    let lines = (0..25_000).map(|number| format!("{}{number}:{hash}\n", "\u{754c}".repeat(50)));
    let lines: String = lines.collect();
    let said = operate(&variables, &["accounts", "import", "-"], &lines);
    said.assert_says(said.status, &["the disk is full"]);
    assert_ne!(said.status, 0);

    for words in [
        &["add", "dora", "--invite"] as &[_],
        &["reset", "amy"],
        &["add", "amy", "--invite"],
    ] {
        let said = run(words);
        said.assert_says(said.status, &["the disk is full"]);
        assert_ne!(said.status, 0, "{words:?}");
    }
    run(&["disable", "amy"]).assert_says(0, &["amy"]);
    run(&["disable", "bob"]).assert_says(0, &["bob"]);
    run(&["enable", "bob"]).assert_says(0, &["bob"]);
    run(&["remove", "cleo"]).assert_says(0, &["cleo"]);
    let listed: serde_json::Value = serde_json::from_str(&run(&["list", "--json"]).out).unwrap();
    let state = |user: &str| {
        let mut rows = listed.as_array().unwrap().iter();
        let row = rows.find(|row| row["user"] == user)?;
        Some(row["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(state("amy").as_deref(), Some("disabled"));
    assert_ne!(state("bob").as_deref(), Some("disabled"));
    assert_eq!(state("cleo"), None);
    assert_eq!(state("dora"), None);

    fs::remove_file(others).unwrap();
    fs::remove_file(rest).unwrap();
    eventually("accounts to be made again", || {
        (run(&["add", "dora", "--invite"]).status == 0).then_some(())
    });
}

#[test]
fn a_record_that_cannot_be_read_is_its_visitors_trouble_alone_and_he_can_leave() {
    use redb::{Database, ReadableTable, TableDefinition};
    type Sessions = TableDefinition<'static, &'static [u8; 16], &'static [u8]>;

    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let odd = http::log_in(program.port(), "abdullah");
    drop(program);
    let database = Database::open(folder.path().join("data/sessions.redb")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(Sessions::new("sessions")).unwrap();
        let key = *table.first().unwrap().unwrap().0.value();
        table.insert(&key, b"{}".as_slice()).unwrap();
    }
    writing.commit().unwrap();
    drop(database);

    let program = Program::start_in(folder.path(), &[]);
    let port = program.port();
    assert_eq!(http::profile_status(port, &odd), 503);
    let good = http::log_in(port, "zoe");
    let cookie = format!("Cookie: session_id={odd}");
    assert_eq!(
        http::status(&http::request(port, "POST /logout/", &[&cookie], "")),
        200
    );
    assert_eq!(http::profile_status(port, &odd), 404);
    assert_eq!(http::profile_status(port, &good), 200);
}

#[test]
fn numbers_that_nobody_can_have_meant_stop_nothing() {
    use redb::{Database, ReadableTable, TableDefinition};
    type Sessions = TableDefinition<'static, &'static [u8; 16], &'static [u8]>;
    type Ends = TableDefinition<'static, &'static [u8; 8], u64>;
    type Endings = TableDefinition<'static, &'static [u8; 16], (u64, &'static [u8])>;

    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let odd = http::log_in(program.port(), "abdullah");
    let ended = http::log_in(program.port(), "abdullah");
    let cookie = |id: &str| format!("Cookie: session_id={id}");
    http::request(program.port(), "POST /logout/", &[&cookie(&ended)], "");
    drop(program);
    let most = u64::MAX;
    let database = Database::open(folder.path().join("data/sessions.redb")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut table = writing.open_table(Sessions::new("sessions")).unwrap();
        let key = *table.first().unwrap().unwrap().0.value();
        // Created at both precisions in the last moment that the numbers can say.
        let [born, user, created] = [b"\x01\x08", b"\x02\x08", b"\x04\x08"];
        let most = most.to_le_bytes();
        let row = [&born[..], &most, user, b"abdullah", created, &most].concat();
        table.insert(&key, row.as_slice()).unwrap();
        let mut table = writing.open_table(Ends::new("ends")).unwrap();
        let key = *table.first().unwrap().unwrap().0.value();
        table.insert(&key, u64::MAX).unwrap();
        let mut table = writing.open_table(Endings::new("endings")).unwrap();
        let key = *table.first().unwrap().unwrap().0.value();
        let text = format!(r#"{{"reason":"signed_out","at":{}}}"#, u64::MAX);
        table.insert(&key, (u64::MAX, text.as_bytes())).unwrap();
    }
    writing.commit().unwrap();
    drop(database);

    let program = Program::start_in(folder.path(), &[]);
    let ask = |path: &str, id: &str| {
        let headers = [cookie(id), "Accept: text/html".to_owned()];
        let headers = headers.each_ref().map(String::as_str);
        http::status(&http::request(program.port(), path, &headers, ""))
    };
    for path in ["GET /profile/", "GET /sessions/", "GET /session/"] {
        assert_eq!(ask(path, &odd), 200, "{path}");
    }
    assert_eq!(http::profile_status(program.port(), &ended), 404);
    assert_ne!(ask("GET /session/", &ended), 500);
    assert_ne!(ask("GET /login/", &ended), 500);
    assert!(!program.log().contains("panicked"), "{}", program.log());
}

/// After a rush the file is as small again as what lives needs, and nothing that lives is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_shrinks_when_sessions_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.redb");
    let size = || fs::metadata(&file).unwrap().len();
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(6),
        absolute: None,
    };
    let location = StorePath::Folder(folder.path().to_owned());
    let store = Arc::new(EmbeddedStore::open(&location, lifetimes, Clock::start()).unwrap());
    let kept = SessionId::generate();
    create(&store, &kept).await;
    let using = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                store.touch(&kept).await.unwrap().unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    // Few and large, so that a slow machine writes them before the first expires.
    let rush: Vec<_> = (0..2500)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { create_large(&store, &SessionId::generate()).await })
        })
        .collect();
    for one in rush {
        one.await.unwrap();
    }
    let most = size();
    tokio::task::block_in_place(|| {
        eventually("the file to shrink", || (size() < most / 4).then_some(()));
    });
    let other = SessionId::generate();
    create(&store, &other).await;
    using.abort();
    assert!(using.await.is_err_and(|error| error.is_cancelled()));
    drop(store);
    let again = EmbeddedStore::open(&location, lifetimes, Clock::start()).unwrap();
    for id in [&kept, &other] {
        assert!(again.touch(id).await.unwrap().is_some());
    }
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

/// What cannot be read for a moment (a volume that is away) is read again when it is there, though nobody writes.
#[tokio::test]
async fn a_read_that_failed_is_no_reason_for_the_next_one_to_fail() {
    let folder = tempfile::tempdir().unwrap();
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(900),
        absolute: None,
    };
    let location = StorePath::Folder(folder.path().to_owned());
    let mut limits = EmbeddedLimits::default();
    // So that it reads the file.
    limits.cache_bytes = 0;
    let store = EmbeddedStore::open_within(&location, limits, lifetimes, Clock::start()).unwrap();
    let ids: Vec<_> = (0..200).map(|_| SessionId::generate()).collect();
    for id in &ids {
        create(&store, id).await;
    }
    let file = folder.path().join("sessions.redb");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, []).unwrap();
    let mut failed = 0;
    for id in &ids {
        failed += u32::from(store.peek(id).await.is_err());
    }
    fs::write(&file, &whole).unwrap();
    assert!(failed > 0);

    let begun = Instant::now();
    for id in &ids {
        while store.peek(id).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(store.peek(id).await.unwrap().is_some());
    }
}

/// The machine's clock was a day ahead, and has been set right while nobody served.
#[tokio::test]
async fn a_clock_that_was_ahead_gives_no_session_a_longer_life() {
    let folder = tempfile::tempdir().unwrap();
    let location = StorePath::Folder(folder.path().to_owned());
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(2),
        absolute: Some(Duration::from_secs(6)),
    };
    let (used, unused) = (SessionId::generate(), SessionId::generate());
    let ahead = Clock::start();
    advance(Duration::from_secs(86_400)).await;
    let store = EmbeddedStore::open(&location, lifetimes, ahead.clone()).unwrap();
    create_at(&store, &used, ahead.now()).await;
    create_at(&store, &unused, ahead.now()).await;
    let ended = SessionId::generate();
    create_at(&store, &ended, ahead.now()).await;
    store.delete(&ended, &ending()).await.unwrap();
    drop(store);
    assert_eq!(endings_in(folder.path()), 1);

    let store = EmbeddedStore::open(&location, lifetimes, Clock::start()).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(store.touch(&used).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Its two seconds, the writer's, and a slow machine's.
    while store.peek(&unused).await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while store.touch(&used).await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Nor is why a session has ended kept until that day.
    while store.ended(&ended).await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(store);
    assert_eq!(endings_in(folder.path()), 0);
}

/// How many endings a file holds that nobody has open.
fn endings_in(folder: &Path) -> u64 {
    use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
    type Endings = TableDefinition<'static, &'static [u8; 16], (u64, &'static [u8])>;
    let database = Database::open(folder.join("sessions.redb")).unwrap();
    let reading = database.begin_read().unwrap();
    let endings = reading.open_table(Endings::new("endings")).unwrap();
    endings.len().unwrap()
}

/// Moves every clock of this process ahead of the wall clock.
async fn advance(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

async fn create(store: &EmbeddedStore, id: &SessionId) {
    create_at(store, id, SystemTime::now()).await;
}

fn ending() -> EndedSession {
    EndedSession::new(EndReason::OverLimit, UNIX_EPOCH, &Client::default())
}

async fn create_at(store: &EmbeddedStore, id: &SessionId, created_at: SystemTime) {
    create_with(store, id, created_at, 250).await;
}

async fn create_large(store: &EmbeddedStore, id: &SessionId) {
    create_with(store, id, SystemTime::now(), 5000).await;
}

async fn create_with(store: &EmbeddedStore, id: &SessionId, created_at: SystemTime, size: usize) {
    let ending = ending();
    let mut client = Client::new(Some(Ipv4Addr::LOCALHOST.into()), None);
    client.user_agent = Some("x".repeat(size));
    let session = Session::new(id.to_string(), client, created_at);
    let new = NewSession::new(id, &session, 1, &ending);
    // While the machine's disk is busy with something else, the store refuses at once.
    let begun = Instant::now();
    while let Err(error) = store.create(&new).await {
        assert!(matches!(error, StoreError::Timeout(_)), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whatever has become of the file: it is told, nothing panics, and nobody else is signed in.
#[tokio::test]
async fn a_damaged_file_is_told_and_nothing_panics() {
    let folder = tempfile::tempdir().unwrap();
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(900),
        absolute: None,
    };
    let location = StorePath::Folder(folder.path().to_owned());
    let open = || EmbeddedStore::open(&location, lifetimes, Clock::start());
    let ids: Vec<_> = (0..200).map(|_| SessionId::generate()).collect();
    let store = open().unwrap();
    for id in &ids {
        create(&store, id).await;
    }
    drop(store);
    let file = folder.path().join("sessions.redb");
    let whole = fs::read(&file).unwrap();

    let (mut damaged, mut opened) = (0, 0);
    for bytes in spoilt(&whole) {
        fs::write(&file, bytes).unwrap();
        match open() {
            Err(error) => {
                assert!(error.is_damaged(), "{error}");
                assert!(error.to_string().contains("move the file"), "{error}");
                damaged += 1;
            }
            Ok(store) => {
                opened += 1;
                for id in &ids {
                    if let Ok(Some(active)) = store.touch(id).await {
                        assert_eq!(active.session.user, id.to_string());
                    }
                }
            }
        }
    }
    assert!(damaged > 20 && opened > 0, "{damaged} {opened}");
}

/// The file cut at many places, and with each of its pages overwritten in several ways.
fn spoilt(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let pages = whole.len() / 4096;
    let cut = (0..pages)
        .step_by(3)
        .map(|page| whole.get(..page * 4096 + page % 7 * 100).unwrap().to_vec());
    let overwritten = (0..pages).map(|page| {
        let mut bytes = whole.to_vec();
        for (number, byte) in bytes[page * 4096..(page + 1) * 4096].iter_mut().enumerate() {
            *byte = match page % 3 {
                0 => 0,
                1 => 0xFF,
                _ => u8::try_from(number * 31 % 251).unwrap(),
            };
        }
        bytes
    });
    let flipped = (0..pages * 2).map(|half| {
        let mut bytes = whole.to_vec();
        bytes[half * 2048 + half % 2000] ^= 0x55;
        bytes
    });
    cut.filter(|bytes| !bytes.is_empty())
        .chain(overwritten)
        .chain(flipped)
}
