//! The commands on accounts, beside a running server and without one, on both stores.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Output, Program};
use crate::support::redis::RedisServer;
use crate::support::{eventually, http};

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "a wholly different phrase of words";

/// A folder, and the settings for a store of its own.
struct Place {
    folder: TempDir,
    redis: Option<RedisServer>,
    url: String,
}

impl Place {
    fn both() -> [Self; 2] {
        let redis = RedisServer::with(&["--appendonly", "yes"]);
        let with_redis = Self {
            folder: tempfile::tempdir().unwrap(),
            url: redis.url_of_all(),
            redis: Some(redis),
        };
        [Self::embedded(), with_redis]
    }

    fn embedded() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            redis: None,
            url: String::new(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let mut variables = vec![("INNKEEPER_SIGN_IN", "password")];
        if self.redis.is_some() {
            variables.push(("REDIS_URL", &self.url));
        }
        variables
    }

    fn start(&self) -> Program {
        Program::start_in(self.path(), &self.variables())
    }

    /// In a folder of its own, so that the server's log stays as it is.
    fn run(&self, words: &[&str], input: &str) -> Output {
        let data = self.path().join("data");
        let mut variables = self.variables();
        variables.push(("INNKEEPER_STORE_PATH", data.to_str().unwrap()));
        variables.push(("INNKEEPER_PUBLIC_URL", "https://inn.example"));
        operate(&variables, words, input)
    }

    #[track_caller]
    fn add(&self, user: &str) {
        self.run(&["accounts", "add", user, "--password-stdin"], PASSWORD)
            .assert_says(0, &["Made an account", user]);
    }

    fn list(&self) -> Vec<Value> {
        let said = self.run(&["accounts", "list", "--json"], "");
        said.assert_says(0, &[]);
        serde_json::from_str(&said.out).unwrap()
    }

    fn states(&self) -> Vec<(String, String)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = self.list();
        rows.iter()
            .map(|row| (text(row, "user"), text(row, "state")))
            .collect()
    }
}

pub(crate) fn operate(variables: &[(&str, &str)], words: &[&str], input: &str) -> Output {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_innkeeper"))
        .args(words)
        .env_clear()
        .env("PATH", path)
        .envs(variables.iter().copied())
        .current_dir(elsewhere.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read it may have ended.
    drop(process.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = process.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output {
        status: output.status.code().unwrap(),
        out: text(output.stdout),
        problem: text(output.stderr),
    }
}

/// Status and session of a sign-in.
fn sign_in(port: u16, user: &str, password: &str) -> (u16, String) {
    let body = json!({ "username": user, "password": password }).to_string();
    let json = ["Content-Type: application/json"];
    let answer = http::request(port, "POST /login/", &json, &body);
    let cookie = answer.split("set-cookie: session_id=").nth(1);
    let id = cookie
        .and_then(|rest| rest.split(';').next())
        .unwrap_or_default();
    (http::status(&answer), id.to_owned())
}

/// The link, which stands alone in its line.
#[track_caller]
fn link(said: &str) -> &str {
    let mut links = said.lines().filter(|line| line.starts_with("http"));
    let link = links.next().unwrap_or_else(|| panic!("no link in {said}"));
    assert_eq!(links.next(), None);
    link
}

#[track_caller]
fn assert_is_token(token: &str) {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(token.len() == 64 && token.chars().all(is_digit), "{token}");
}

#[test]
fn accounts_are_made_listed_disabled_and_removed_beside_a_running_server() {
    for place in Place::both() {
        let server = place.start();
        let port = server.port();
        assert_eq!(sign_in(port, "amy", PASSWORD).0, 401);
        place.add("amy");
        place.add("zo\u{eb}");
        let (status, id) = sign_in(port, "amy", PASSWORD);
        assert_eq!(status, 200);
        assert_eq!(sign_in(port, "amy", OTHER).0, 401);

        let rows = place.list();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["user"], "amy");
        for time in ["created_at", "password_changed_at"] {
            assert!(rows[0][time].as_str().unwrap().ends_with('Z'), "{rows:?}");
        }
        place
            .run(&["accounts", "list"], "")
            .assert_says(0, &["USER", "zo\u{eb}", "active"]);

        place
            .run(&["accounts", "disable", "amy"], "")
            .assert_says(0, &["Disabled amy", "1 session was"]);
        assert_eq!(http::profile_status(port, &id), 404);
        assert_eq!(sign_in(port, "amy", PASSWORD).0, 401);
        place
            .run(&["accounts", "disable", "amy"], "")
            .assert_says(0, &["no session was"]);
        place
            .run(&["accounts", "enable", "amy"], "")
            .assert_says(0, &["Enabled amy."]);
        let (status, id) = sign_in(port, "amy", PASSWORD);
        assert_eq!(status, 200);

        place
            .run(&["accounts", "remove", "amy"], "")
            .assert_says(0, &["Removed amy", "1 session was"]);
        assert_eq!(http::profile_status(port, &id), 404);
        assert_eq!(sign_in(port, "amy", PASSWORD).0, 401);
        assert_eq!(
            place.states(),
            [("zo\u{eb}".to_owned(), "active".to_owned())]
        );
        for command in ["disable", "enable", "remove", "reset"] {
            let said = place.run(&["accounts", command, "amy"], "");
            said.assert_says(1, &["amy has no account."]);
            assert_eq!(said.out, "");
        }
        let log = server.log();
        assert!(!log.contains(PASSWORD) && !log.contains(&id), "{log}");
        // On Redis the server does not know.
        for event in ["made", "disabled", "enabled", "removed"] {
            let event = format!("account {event}");
            let lines = log.lines().filter(|line| line.contains(&event));
            let lines: Vec<_> = lines.filter(|line| line.contains("operator")).collect();
            assert_eq!(lines.is_empty(), place.redis.is_some(), "{event} in {log}");
            assert!(
                lines
                    .iter()
                    .all(|line| line.contains("user=") && !line.contains("argon2"))
            );
        }
    }
}

#[test]
fn accounts_are_made_and_listed_while_nobody_serves() {
    for place in Place::both() {
        drop(place.start());
        place.add("amy");
        assert_eq!(place.states(), [("amy".to_owned(), "active".to_owned())]);
        place
            .run(&["accounts", "disable", "amy"], "")
            .assert_says(0, &["Disabled amy"]);
        assert_eq!(place.states(), [("amy".to_owned(), "disabled".to_owned())]);
        place
            .run(&["accounts", "enable", "amy"], "")
            .assert_says(0, &["Enabled amy"]);
        let server = place.start();
        assert_eq!(sign_in(server.port(), "amy", PASSWORD).0, 200);
    }
}

#[test]
fn a_name_that_is_taken_and_a_password_that_is_no_good_are_refused() {
    let place = Place::embedded();
    let server = place.start();
    place.add("amy");
    let add = |user: &str, password: &str| {
        place.run(&["accounts", "add", user, "--password-stdin"], password)
    };
    let said = add("amy", OTHER);
    said.assert_says(1, &["amy has an account already"]);
    place
        .run(&["accounts", "add", "amy", "--invite"], "")
        .assert_says(1, &["amy has an account already"]);
    for (user, password, why) in [
        ("bob", "short", "at least 15 characters"),
        ("bob", "", "at least"),
        ("bobby tables", "the password of bobby tables", "user name"),
        ("bob", "aaaaaaaaaaaaaaaaaaaaaaaa", "easy to guess"),
        (
            "bob",
            "a control \u{7} character in it",
            "control characters",
        ),
        ("bob", &"long ".repeat(2000), "over 4096 bytes"),
        ("bob\u{202e}", PASSWORD, "control, invisible"),
    ] {
        let said = add(user, password);
        said.assert_says(2, &[why]);
        assert!(said.out.is_empty(), "{said:?}");
        if password.len() > 10 {
            said.assert_hides(password);
        }
    }
    assert_eq!(place.states().len(), 1);
    // One line is read, and its end is no part of the password.
    add("cleo", &format!("{OTHER}\r\nmore\n")).assert_says(0, &["cleo"]);
    assert_eq!(sign_in(server.port(), "cleo", OTHER).0, 200);
}

#[test]
fn where_nobody_can_be_asked_the_flags_are_named() {
    let place = Place::embedded();
    let said = place.run(&["accounts", "add", "amy"], PASSWORD);
    said.assert_says(2, &["--password-stdin", "--invite", "no terminal"]);
    assert!(!place.path().join("data").exists());
    place
        .run(
            &["accounts", "add", "amy", "--invite", "--password-stdin"],
            "",
        )
        .assert_says(2, &["cannot be used with"]);
}

/// `script` runs a command at a terminal of its own.
#[test]
fn at_a_terminal_the_password_is_asked_for_twice_and_not_shown() {
    let place = Place::embedded();
    let server = place.start();
    let data = place.path().join("data");
    let type_in = |lines: &[&str]| {
        let mut terminal = Command::new("script")
            .args(["--quiet", "--return", "--command"])
            .arg(format!(
                "exec {} accounts add amy",
                env!("CARGO_BIN_EXE_innkeeper")
            ))
            .arg("/dev/null")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("SHELL", "/bin/sh")
            .env("INNKEEPER_STORE_PATH", &data)
            .env("INNKEEPER_SIGN_IN", "password")
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script cannot be started; it is part of util-linux (bsdutils)");
        let mut keyboard = terminal.stdin.take().unwrap();
        let mut screen = terminal.stdout.take().unwrap();
        let mut shown = String::new();
        for (line, question) in lines.iter().zip(["Password for amy: ", "Again: "]) {
            // Typed only when it is asked for: until then the terminal shows what is typed.
            while !shown.ends_with(question) {
                let mut byte = [0; 1];
                let read = std::io::Read::read(&mut screen, &mut byte).unwrap();
                assert_eq!(read, 1, "{shown}");
                shown.push(char::from(byte[0]));
            }
            keyboard.write_all(line.as_bytes()).unwrap();
        }
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut screen, &mut rest).unwrap();
        shown += &String::from_utf8_lossy(&rest);
        let status = terminal.wait().unwrap().code().unwrap();
        assert!(
            !shown.contains(PASSWORD) && !shown.contains(OTHER),
            "{shown}"
        );
        (status, shown)
    };
    let (password, other) = (format!("{PASSWORD}\n"), format!("{OTHER}\n"));
    let (status, shown) = type_in(&[&password, &other]);
    assert!(
        status == 2 && shown.contains("two different passwords"),
        "{shown}"
    );
    // Ctrl-C.
    let (status, shown) = type_in(&["\u{3}"]);
    assert!(
        status == 2 && shown.contains("no account was made"),
        "{shown}"
    );
    assert_eq!(place.states(), []);
    let (status, shown) = type_in(&[&password, &password]);
    assert!(
        status == 0 && shown.contains("Made an account for amy."),
        "{shown}"
    );
    assert_eq!(sign_in(server.port(), "amy", PASSWORD).0, 200);
}

#[test]
fn a_link_is_absolute_and_stands_on_standard_output_alone() {
    for place in Place::both() {
        let server = place.start();
        let invited = place.run(&["accounts", "add", "amy", "--invite"], "");
        invited.assert_says(0, &["once, within a day"]);
        let token = invited
            .out
            .strip_prefix("https://inn.example/invitation/")
            .unwrap();
        assert_is_token(token.strip_suffix('\n').unwrap());
        invited.assert_says(0, &["amy"]);
        assert!(!invited.problem.contains(token.trim()), "{invited:?}");
        assert_eq!(place.states(), [("amy".to_owned(), "invited".to_owned())]);
        assert_eq!(place.list()[0]["password_changed_at"], Value::Null);

        place.add("bob");
        let (_, id) = sign_in(server.port(), "bob", PASSWORD);
        let reset = place.run(&["accounts", "reset", "bob"], "");
        assert_ne!(link(&reset.out), link(&invited.out));
        // Nothing has happened yet.
        assert_eq!(http::profile_status(server.port(), &id), 200);
        let log = server.log();
        assert!(!log.contains(token.trim()), "{log}");
    }
}

#[test]
fn a_link_without_a_public_url_leads_to_the_servers_own_address() {
    let place = Place::embedded();
    let data = place.path().join("data");
    drop(place.start());
    let with = |port: &str, address: &str| {
        let variables = [
            ("INNKEEPER_STORE_PATH", data.to_str().unwrap()),
            ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
            ("ROCKET_PORT", port),
            ("ROCKET_ADDRESS", address),
        ];
        operate(&variables, &["accounts", "add", "amy", "--invite"], "")
    };
    let said = with("8123", "127.0.0.1");
    assert!(
        link(&said.out).starts_with("http://127.0.0.1:8123/invitation/"),
        "{said:?}"
    );
    // It can be used when `sign_in` is `password`, which it is not here.
    said.assert_says(0, &["`sign_in"]);
    let said = with("80", "0.0.0.0");
    assert!(
        link(&said.out).starts_with("http://127.0.0.1:80/invitation/"),
        "{said:?}"
    );
    let said = with("80", "::");
    assert!(
        link(&said.out).starts_with("http://[::1]:80/invitation/"),
        "{said:?}"
    );
    with("0", "127.0.0.1").assert_says(2, &["public_url"]);
}

#[test]
fn a_server_without_accounts_prints_a_link_for_the_first_one() {
    for place in Place::both() {
        let server = place.start();
        let said = eventually("a link", || {
            let said = server.raw_log();
            said.contains("/invitation/").then_some(said)
        });
        let begin = format!("http://127.0.0.1:{}/invitation/", server.port());
        assert_is_token(link(&said).strip_prefix(&begin).unwrap());
        // The log has a line without it.
        let log: Vec<_> = said
            .lines()
            .filter(|line| line.contains("nobody has an account"))
            .collect();
        assert_eq!(log.len(), 1, "{said}");
        drop(server);

        // Not the same one again.
        let again = place.start();
        let other = eventually("a link", || {
            let said = again.raw_log();
            said.contains("/invitation/").then_some(said)
        });
        assert_ne!(link(&said), link(&other));
        place.add("amy");
        drop(again);
        let third = place.start();
        assert_eq!(sign_in(third.port(), "amy", PASSWORD).0, 200);
        assert!(!third.log().contains("/invitation/"));
    }
}

#[test]
fn where_a_name_is_enough_no_link_is_printed() {
    let server = Program::start(&[]);
    http::log_in(server.port(), "amy");
    assert!(!server.log().contains("account"));
}

#[test]
fn a_server_that_starts_before_its_redis_prints_the_link_when_it_is_there() {
    let mut redis = RedisServer::start();
    let url = redis.url_of_all();
    redis.kill();
    let server = Program::start(&[("INNKEEPER_SIGN_IN", "password"), ("REDIS_URL", &url)]);
    assert!(!server.raw_log().contains("/invitation/"));
    redis.restart();
    eventually("a link", || {
        server.raw_log().contains("/invitation/").then_some(())
    });
}

#[test]
fn doctor_says_whether_accounts_are_safe() {
    for place in Place::both() {
        let doctor = || place.run(&["doctor"], "");
        let server = place.start();
        let said = doctor();
        said.assert_says(0, &["Nobody has an account", "innkeeper accounts add"]);
        place.add("amy");
        doctor().assert_says(0, &["Accounts can be read.", "Users have passwords"]);
        drop(server);
        doctor().assert_says(0, &["Accounts can be read."]);
    }
    for (settings, word) in [
        (
            ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
            "evicts accounts",
        ),
        (
            ["--maxmemory", "100mb", "--appendonly", "no"],
            "loses all accounts",
        ),
    ] {
        let redis = RedisServer::with(&settings);
        let url = redis.url_of_all();
        let variables = [
            ("INNKEEPER_SIGN_IN", "password"),
            ("REDIS_URL", url.as_str()),
        ];
        operate(&variables, &["doctor"], "").assert_says(2, &["failure", word]);
        let server = Program::start(&variables);
        eventually("a warning", || {
            server
                .raw_log()
                .contains("accounts can vanish")
                .then_some(())
        });
    }
    let in_clear_text = [
        ("INNKEEPER_SIGN_IN", "password"),
        ("INNKEEPER_PUBLIC_URL", "http://inn.example"),
    ];
    operate(&in_clear_text, &["doctor"], "").assert_says(2, &["can read the passwords"]);
}

#[test]
fn the_server_may_start_and_stop_while_commands_run() {
    let place = Place::embedded();
    drop(place.start());
    place.add("amy");
    std::thread::scope(|scope| {
        let commands = scope.spawn(|| {
            for _ in 0..12 {
                assert_eq!(place.states().len(), 1);
            }
        });
        while !commands.is_finished() {
            let mut server = place.start();
            std::thread::sleep(Duration::from_millis(20));
            assert!(server.terminate().success());
        }
        commands.join().unwrap();
    });
}

#[test]
fn accounts_move_from_the_embedded_store_to_redis_and_back() {
    let [embedded, redis] = Place::both();
    let server = embedded.start();
    embedded.add("amy");
    embedded.add("zo\u{eb}");
    embedded
        .run(&["accounts", "disable", "zo\u{eb}"], "")
        .assert_says(0, &[]);
    embedded
        .run(&["accounts", "add", "bob", "--invite"], "")
        .assert_says(0, &[]);
    let exported = embedded.run(&["accounts", "export"], "");
    exported.assert_says(0, &[]);
    assert_eq!(
        (exported.out.lines().count(), exported.problem.as_str()),
        (3, "")
    );
    exported.assert_hides(PASSWORD);

    redis
        .run(&["accounts", "import", "-"], &exported.out)
        .assert_says(0, &["Imported 3 accounts."]);
    assert_eq!(redis.list(), embedded.list());
    let there = redis.start();
    assert_eq!(sign_in(there.port(), "amy", PASSWORD).0, 200);
    assert_eq!(sign_in(there.port(), "zo\u{eb}", PASSWORD).0, 401);
    // Again is no harm, and what is there is left.
    redis
        .run(&["accounts", "import", "-"], &exported.out)
        .assert_says(0, &[]);
    redis
        .run(&["accounts", "remove", "amy"], "")
        .assert_says(0, &[]);
    redis
        .run(&["accounts", "add", "amy", "--password-stdin"], OTHER)
        .assert_says(0, &[]);
    let said = redis.run(&["accounts", "import", "-"], &exported.out);
    said.assert_says(1, &["exists already", "Imported 2 accounts."]);
    assert_eq!(sign_in(there.port(), "amy", OTHER).0, 200);

    let back = redis.run(&["accounts", "export"], "");
    embedded
        .run(&["accounts", "remove", "amy"], "")
        .assert_says(0, &[]);
    embedded
        .run(&["accounts", "import", "-"], &back.out)
        .assert_says(0, &["Imported"]);
    assert_eq!(sign_in(server.port(), "amy", OTHER).0, 200);
}

#[test]
fn a_file_of_htpasswd_is_imported_and_no_bad_line_is_quoted() {
    let place = Place::embedded();
    let server = place.start();
    let file = place.path().join("htpasswd");
    // "correct horse battery staple", by bcrypt with cost 4.
    let hash = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";
    let lines = [
        "# users",
        "",
        &format!("amy:{hash}"),
        "bob:in clear text",
        "a line of something else",
        "\u{202e}:$2y$04$abc",
        &format!("cleo:{hash}"),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let said = place.run(&["accounts", "import", file.to_str().unwrap()], "");
    said.assert_says(2, &["Imported 2 accounts.", "line 4", "line 5", "line 6"]);
    for secret in ["clear text", "something else", hash] {
        said.assert_hides(secret);
    }
    assert_eq!(sign_in(server.port(), "cleo", PASSWORD).0, 200);
    assert_eq!(sign_in(server.port(), "amy", OTHER).0, 401);

    place
        .run(&["accounts", "import", "none"], "")
        .assert_says(2, &["none cannot be read"]);
    place
        .run(&["accounts", "import", "-"], "\u{0}")
        .assert_says(2, &["line 1"]);
}

#[test]
fn help_names_the_commands() {
    let said = operate(&[], &["accounts", "--help"], "");
    said.assert_says(
        0,
        &[
            "add", "list", "disable", "enable", "remove", "reset", "import", "export",
        ],
    );
}
