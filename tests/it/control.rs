//! The socket by which commands reach a running server on the embedded store.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use innkeeper::{Client, Clock, EmbeddedStore, Lifetimes, Sessions, StorePath, UserName};
use serde_json::{Value, json};

use crate::support::program::{Output, Program};
use crate::support::{eventually, http};

const LIST: &[&str] = &["sessions", "list"];

fn socket(folder: &Path) -> PathBuf {
    folder.join("data/control.sock")
}

fn list(folder: &Path) -> Output {
    Program::operate(folder, LIST, &[])
}

/// The lines that a server answers to this one.
fn ask(folder: &Path, line: &str) -> Vec<Value> {
    let mut server = UnixStream::connect(socket(folder)).unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    server.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    answer
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn request(request: &Value) -> String {
    format!(
        "{}\n",
        json!({ "innkeeper": "1.2.3", "protocol": 1, "request": request })
    )
}

#[test]
fn only_the_servers_own_user_can_connect() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    http::log_in(program.port(), "amy");
    let found = fs::symlink_metadata(socket(folder.path())).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let data = folder.path().join("data");
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    list(folder.path()).assert_says(0, &["amy"]);
    if found.uid() != 0 {
        // Only root can become another user and try it.
        return;
    }
    // The program itself, where another user can run it.
    let copy = folder.path().join("innkeeper");
    fs::copy(env!("CARGO_BIN_EXE_innkeeper"), &copy).unwrap();
    let as_nobody = || {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(LIST)
            .env_clear()
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let everybody = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    everybody(folder.path(), 0o755);
    for (folder_mode, socket_mode) in [(0o700, 0o600), (0o755, 0o600), (0o777, 0o777)] {
        everybody(&data, folder_mode);
        everybody(&socket(folder.path()), socket_mode);
        let said = as_nobody();
        assert_eq!(said.status.code(), Some(2), "{said:?}");
        assert!(
            !String::from_utf8_lossy(&said.stdout).contains("amy"),
            "{said:?}"
        );
    }
    list(folder.path()).assert_says(0, &["amy"]);
}

#[test]
fn the_socket_goes_with_the_server_and_what_a_crash_leaves_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut program = Program::start_in(folder, &[]);
    http::log_in(program.port(), "amy");
    assert!(program.terminate().success());
    assert!(!socket(folder).exists());
    list(folder).assert_says(0, &["amy"]);

    program.start_again(&[]);
    program.kill();
    assert!(socket(folder).exists());
    list(folder).assert_says(0, &["amy"]);
    assert!(socket(folder).exists());
    program.start_again(&[]);
    list(folder).assert_says(0, &["amy"]);
    assert_eq!(
        fs::metadata(folder.join("data")).unwrap().mode() & 0o777,
        0o700
    );
    assert!(program.terminate().success());
    assert!(!socket(folder).exists());
}

#[test]
fn what_is_no_socket_is_left_and_the_server_serves_without() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(socket(folder), "somebody's").unwrap();
    let program = Program::start_in(folder, &[]);
    http::log_in(program.port(), "amy");
    assert!(program.log().contains("commands cannot reach this server"));
    list(folder).assert_says(2, &["another process", "still starting", "stop it first"]);
    drop(program);
    assert_eq!(fs::read_to_string(socket(folder)).unwrap(), "somebody's");
}

#[test]
fn a_folder_with_a_long_name_has_a_socket_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a".repeat(200));
    let path = [("INNKEEPER_STORE_PATH", data.to_str().unwrap())];
    let program = Program::start_in(folder.path(), &path);
    http::log_in(program.port(), "amy");
    let found = fs::metadata(data.join("control.sock")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    Program::operate(folder.path(), LIST, &path).assert_says(0, &["amy"]);
    drop(program);
}

#[test]
fn server_and_command_of_different_versions_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    http::log_in(program.port(), "amy");
    let newer = json!({ "innkeeper": "9.8.7", "protocol": 2, "request": { "end_the_world": {} } });
    let answer = ask(folder.path(), &format!("{newer}\n"));
    let ours = env!("CARGO_PKG_VERSION");
    assert_eq!(answer[0], json!({ "innkeeper": ours, "protocol": 1 }));
    let problem = answer[1]["failed"]["failed"].as_str().unwrap();
    assert!(
        problem.contains(ours) && problem.contains("9.8.7"),
        "{problem}"
    );
    assert_eq!(answer.len(), 2);
    drop(program);

    drop(fs::remove_file(socket(folder.path())));
    let server = UnixListener::bind(socket(folder.path())).unwrap();
    let other = thread::spawn(move || {
        let (mut command, _) = server.accept().unwrap();
        let greeting = json!({ "innkeeper": "9.8.7", "protocol": 2, "more": [] });
        writeln!(command, "{greeting}").unwrap();
        let mut line = String::new();
        BufReader::new(command).read_line(&mut line).unwrap();
    });
    let said = list(folder.path());
    said.assert_says(2, &["Innkeeper 9.8.7", ours, "restart"]);
    assert_eq!(said.problem.lines().count(), 1);
    other.join().unwrap();
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    program.stop();
    list(folder.path()).assert_says(2, &["has not answered for 10 s"]);
    program.go_on();
    list(folder.path()).assert_says(0, &["Nobody has a session."]);
}

#[test]
fn what_is_no_request_is_answered_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    http::log_in(program.port(), "amy");
    let too_long = request(&json!({ "list": { "user": "a".repeat(1 << 20) } }));
    for line in [
        "\n".to_owned(),
        "GET / HTTP/1.1\n".to_owned(),
        "{}\n".to_owned(),
        request(&json!("format_the_disk")),
        request(&json!({ "list": {} })),
        request(&json!({ "find": { "prefix": "../.." } })),
        request(&json!({ "account": { "remove": { "user": "\u{202e}" } } })),
    ] {
        let answer = ask(folder.path(), &line);
        assert_eq!(
            answer[1..],
            [json!({ "failed": { "failed": "the server cannot read what the command asks" } })],
            "{line}"
        );
    }
    // The server closes the connection before it has read all of it.
    let mut server = UnixStream::connect(socket(folder.path())).unwrap();
    drop(server.write_all(too_long.as_bytes()));
    let mut answer = String::new();
    drop(server.read_to_string(&mut answer));
    assert!(!answer.contains("done"), "{answer}");
    list(folder.path()).assert_says(0, &["amy"]);
    assert!(!program.log().contains("panicked"));
}

#[test]
fn clients_that_say_nothing_keep_the_others_waiting_for_a_moment_only() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let id = http::log_in(program.port(), "amy");
    let silent: Vec<_> = (0..40)
        .map(|_| UnixStream::connect(socket(folder.path())).unwrap())
        .collect();
    // HTTP does not notice.
    assert_eq!(http::profile_status(program.port(), &id), 200);
    let listed = eventually("the silent ones to be cut", || {
        let said = list(folder.path());
        (said.status == 0).then_some(said)
    });
    listed.assert_says(0, &["amy"]);
    drop(silent);
}

fn memory_of(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Makes sessions by the library, many at a time: each commit is synced.
fn fill(folder: &Path, number: usize) {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(900),
        absolute: None,
    };
    let path = StorePath::Folder(folder.join("data"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let store = EmbeddedStore::open(&path, lifetimes, clock.clone()).unwrap();
        let sessions = Sessions::new(Arc::new(store), lifetimes, 100, None, clock);
        for batch in 0..number / 1000 {
            let mut begun = tokio::task::JoinSet::new();
            for one in 0..1000 {
                let sessions = sessions.clone();
                begun.spawn(async move {
                    let user = UserName::parse(&format!("user {batch}-{one}")).unwrap();
                    sessions
                        .start(&user, Client::default(), None)
                        .await
                        .map(drop)
                });
            }
            begun.join_all().await.into_iter().for_each(Result::unwrap);
        }
        sessions.close().await;
    });
}

#[test]
fn a_long_list_is_sent_as_fast_as_it_is_read_and_costs_no_memory() {
    const NUMBER: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), NUMBER);
    let program = Program::start_in(folder.path(), &[]);
    let id = http::log_in(program.port(), "amy");
    // What is read stays in the store's cache.
    let said = Program::operate(
        folder.path(),
        &["sessions", "list", "--json", "--limit", "100000"],
        &[],
    );
    let rows: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    assert_eq!(rows.len(), NUMBER + 1);

    let before = memory_of(&program);
    let ask = || {
        let mut server = UnixStream::connect(socket(folder.path())).unwrap();
        server
            .write_all(request(&json!("list_all")).as_bytes())
            .unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        server
    };
    let mut slow: Vec<_> = (0..8).map(|_| ask()).collect();
    // They have all that the server is ready to send them, and read no more of it.
    for _ in 0..20 {
        assert_eq!(http::profile_status(program.port(), &id), 200);
    }
    let more = memory_of(&program).saturating_sub(before);
    let mut rest = String::new();
    slow[0].read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\"done\"\n"), "{}", rest.len());
    let all = u64::try_from(rest.len()).unwrap() * 8 / 1024;
    assert!(more < all / 3, "{more} KiB more for lists of {all} KiB");
}

#[test]
fn a_link_in_place_of_the_socket_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("precious"), "").unwrap();
    fs::set_permissions(folder.join("precious"), fs::Permissions::from_mode(0o644)).unwrap();
    symlink(folder.join("precious"), socket(folder)).unwrap();
    let program = Program::start_in(folder, &[]);
    assert!(program.log().contains("commands cannot reach this server"));
    let precious = fs::metadata(folder.join("precious")).unwrap();
    assert_eq!(precious.permissions().mode() & 0o777, 0o644);
}
