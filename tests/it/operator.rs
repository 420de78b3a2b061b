//! The operator's commands: what they say, and what they do.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::program::{Output, Program};
use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};
use crate::support::sentinel::Sentinels;
use crate::support::{free_port, http};
use crate::tls;

pub(crate) fn doctor(variables: &[(&str, &str)]) -> Output {
    doctor_in(tempfile::tempdir().unwrap().path(), variables)
}

fn doctor_in(folder: &Path, variables: &[(&str, &str)]) -> Output {
    Program::operate(folder, &["doctor"], variables)
}

pub(crate) fn doctor_of(redis_url: &str) -> Output {
    doctor(&[("REDIS_URL", redis_url)])
}

impl Output {
    /// Level and subject of what is not ok and not known to every run.
    pub(crate) fn troubles(&self) -> Vec<(&str, &str)> {
        let always = ["cookie", "open"];
        self.findings()
            .filter(|(level, subject)| *level != "ok" && !always.contains(subject))
            .collect()
    }

    fn findings(&self) -> impl Iterator<Item = (&str, &str)> {
        let rows = self.out.lines().count() - 1;
        self.out.lines().take(rows).map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        })
    }

    #[track_caller]
    pub(crate) fn assert_says(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        for word in words {
            assert!(
                self.out.contains(word) || self.problem.contains(word),
                "{word} in: {self:?}"
            );
        }
    }

    #[track_caller]
    pub(crate) fn assert_hides(&self, secret: &str) {
        assert!(
            !self.out.contains(secret) && !self.problem.contains(secret),
            "{self:?}"
        );
    }
}

#[test]
fn a_healthy_redis_is_said_to_be_well() {
    let redis = RedisServer::with(&["--appendonly", "yes", "--maxmemory", "100mb"]);
    let said = doctor_of(&redis.url_of_all());
    said.assert_says(0, &["All well", "append-only", "noeviction", "begun, used"]);
    assert_eq!(said.troubles(), []);
    assert!(
        !said.out.contains('\u{1b}') && said.problem.is_empty(),
        "{said:?}"
    );

    let left = redis.keys();
    assert_eq!(left.len(), 1);
    let id = left[0].strip_prefix("ended_session:").unwrap();
    said.assert_hides(id);
}

#[test]
fn what_will_cause_trouble_is_named_with_what_to_change() {
    let nothing: &[&str] = &[];
    for (settings, commands, trouble, words) in [
        (
            &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"][..],
            nothing,
            ("warning", "eviction"),
            "Set `maxmemory-policy noeviction`",
        ),
        (
            &["--maxmemory", "100mb", "--save", "3600", "1"],
            nothing,
            ("warning", "persistence"),
            "appendonly yes",
        ),
        (
            &["--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"],
            &[
                "SET k v EX 900",
                "CONFIG SET maxmemory 1",
                "CONFIG SET maxmemory 100mb",
            ],
            ("warning", "eviction"),
            "(1 since it started)",
        ),
        (
            &[],
            &["SETRANGE k 4000000 x", "CONFIG SET maxmemory 6000000"],
            ("warning", "memory"),
            "Raise `maxmemory`",
        ),
        (
            &[],
            &["REPLICAOF 127.0.0.1 1"],
            ("failure", "Redis"),
            "Name the primary",
        ),
        (
            &["--cluster-enabled", "yes"],
            nothing,
            ("failure", "Redis"),
            "redis-cluster://",
        ),
    ] {
        let redis = RedisServer::with(settings);
        for command in commands {
            redis.run::<()>(command);
        }
        let said = doctor_of(&redis.url_of_all());
        let status = if trouble.0 == "failure" { 2 } else { 1 };
        said.assert_says(status, &[words]);
        assert!(said.troubles().contains(&trouble), "{said:?}");
    }
}

#[test]
fn a_redis_that_cannot_be_used_is_a_failure_within_seconds() {
    let redis = RedisServer::start();
    let dead = format!("redis://innkeeper:s3cret@127.0.0.1:{}", free_port());
    doctor_of(&dead).assert_says(2, &["cannot be used", "It does not work"]);

    let wrong = redis.url_of("innkeeper:s3cret");
    let said = doctor_of(&wrong);
    said.assert_says(2, &["right user and password", &redis.address()]);
    said.assert_hides("s3cret");
    redis.run::<()>("CONFIG SET requirepass s3cret");
    doctor_of(&redis.url_of_all()).assert_says(2, &["NOAUTH", "right user and password"]);

    redis.signal("STOP");
    let begun = Instant::now();
    for words in [&["doctor"][..], &["sessions", "list", "abdullah"]] {
        let folder = tempfile::tempdir().unwrap();
        let url = redis.url();
        let said = Program::operate(folder.path(), words, &[("REDIS_URL", &url)]);
        assert_eq!(said.status, 2, "{said:?}");
        said.assert_hides("innkeeper:least");
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
    redis.signal("CONT");
}

#[test]
fn every_primary_of_a_cluster_is_asked() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.allow(OPERATORS_RIGHTS);
    }
    let said = doctor_of(&cluster.url());
    let lone = format!("{}: It has no replica", {
        let mut names = [cluster.nodes[1].address(), cluster.nodes[2].address()];
        names.sort_by_key(|name| name.split(':').next_back().unwrap().parse::<u16>().unwrap());
        names.join(", ")
    });
    said.assert_says(1, &["the cluster's primaries answer", &lone, "begun, used"]);

    let folder = tempfile::tempdir().unwrap();
    let url = cluster.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    for _ in 0..5 {
        http::log_in(program.port(), "abdullah");
    }
    for handle in handles(folder.path(), &url, "abdullah") {
        end(folder.path(), &url, &[&handle]).assert_says(0, &[&handle, "abdullah"]);
    }
    assert!(handles(folder.path(), &url, "abdullah").is_empty());
}

#[test]
fn the_primary_that_sentinels_name_is_asked() {
    let sentinels = Sentinels::start();
    sentinels.primary.allow(OPERATORS_RIGHTS);
    let said = doctor_of(&sentinels.url());
    said.assert_says(
        0,
        &["the Sentinels' primary answers", "It has one that can"],
    );
    assert_eq!(
        said.troubles(),
        [("note", "memory"), ("note", "persistence")]
    );
}

#[test]
fn tls_is_seen_in_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = tls::certificate(folder.path());
    let redis = RedisServer::start();
    let port = tls::with_tls(&redis, &certificate, &key);
    let url = format!("rediss://localhost:{port}");
    let ours = ("INNKEEPER_REDIS_CA_FILE", certificate.to_str().unwrap());
    doctor(&[("REDIS_URL", &url), ours]).assert_says(0, &["certificate is checked"]);
    doctor_of(&url).assert_says(2, &["certificate is not trusted", "`redis_ca_file`"]);
}

#[test]
fn with_nothing_configured_all_is_well_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let said = doctor_in(folder.path(), &[]);
    said.assert_says(0, &["All well", "first launch"]);
    assert!(!folder.path().join("data").exists());

    let data = folder.path().join("data");
    let elsewhere = tempfile::tempdir().unwrap();
    let path = [("INNKEEPER_STORE_PATH", data.to_str().unwrap())];
    let program = Program::start_in(folder.path(), &[]);
    let said = doctor_in(elsewhere.path(), &path);
    said.assert_says(0, &["in use by a running Innkeeper", "takes commands"]);
    http::log_in(program.port(), "abdullah");
    drop(program);
    doctor_in(elsewhere.path(), &path).assert_says(0, &["for one process", "begun, used"]);

    fs::write(folder.path().join("file"), "").unwrap();
    let path = [("INNKEEPER_STORE_PATH", "file/data")];
    doctor_in(folder.path(), &path).assert_says(2, &["file/data", "store_path"]);
}

#[test]
fn settings_that_expose_people_are_warned_of() {
    let public = |url| doctor(&[("INNKEEPER_PUBLIC_URL", url)]);
    let said = public("https://app.example");
    said.assert_says(1, &["under any name", "ip_header"]);
    assert_eq!(
        said.troubles(),
        [("warning", "sign-in"), ("note", "addresses")]
    );
    public("http://app.example").assert_says(1, &["on the network can steal it", "not Secure"]);
    let open = [
        ("ROCKET_ADDRESS", "0.0.0.0"),
        ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
    ];
    doctor(&open).assert_says(1, &["0.0.0.0", "open_to_the_world"]);
}

#[test]
fn a_wrong_setting_is_told_as_at_launch() {
    for (name, value, word) in [
        ("INNKEEPER_IDLE_TIMEOUT_SECS", "soon", "`idle_timeout_secs`"),
        ("INNKEEPER_REDISURL", "x", "`redisurl`"),
        ("REDIS_URL", "http://:s3cret@x", "REDIS_URL"),
        ("ROCKET_PORT", "http", "PORT"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let launch = Program::refusal_as_given(folder.path(), &[(name, value)]);
        let said = doctor_in(folder.path(), &[(name, value)]);
        said.assert_says(2, &[word]);
        said.assert_hides("s3cret");
        assert_eq!(
            said.problem.strip_prefix("innkeeper doctor: "),
            launch.strip_prefix("innkeeper does not start: ")
        );
    }
}

/// On the embedded store where there is no address.
fn on(redis_url: &str) -> Vec<(&str, &str)> {
    if redis_url.is_empty() {
        return Vec::new();
    }
    vec![("REDIS_URL", redis_url)]
}

fn list(folder: &Path, redis_url: &str, words: &[&str]) -> Output {
    let words: Vec<_> = ["sessions", "list"].iter().chain(words).copied().collect();
    Program::operate(folder, &words, &on(redis_url))
}

pub(crate) fn end(folder: &Path, redis_url: &str, words: &[&str]) -> Output {
    let words: Vec<_> = ["sessions", "end"].iter().chain(words).copied().collect();
    Program::operate(folder, &words, &on(redis_url))
}

/// By the list in JSON.
pub(crate) fn handles(folder: &Path, redis_url: &str, user: &str) -> Vec<String> {
    let said = list(folder, redis_url, &[user, "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    rows.iter()
        .map(|row| row["handle"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_told_why(program: &Program, id: &str) {
    let cookie = format!("Cookie: session_id={id}");
    let answer = http::request(program.port(), "GET /session/", &[&cookie], "");
    assert_eq!(http::status(&answer), 404);
    assert!(
        answer.contains("An administrator ended your session, just now."),
        "{answer}"
    );
}

#[test]
fn an_operator_ends_sessions_of_a_running_server_on_redis() {
    let redis = RedisServer::start();
    redis.allow(OPERATORS_RIGHTS);
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ids: Vec<_> = (0..3)
        .map(|_| http::log_in(program.port(), "zo\u{eb}"))
        .collect();
    let other = http::log_in(program.port(), "abdullah");

    let said = list(folder, &url, &["zoe\u{308}"]);
    said.assert_says(0, &["HANDLE", "USER AGENT", "127.0.0.1"]);
    assert_eq!(said.out.lines().count(), 4);
    for id in &ids {
        said.assert_hides(id);
    }

    let handle = &handles(folder, &url, "abdullah")[0];
    let said = end(folder, &url, &[handle]);
    said.assert_says(0, &[handle, "abdullah"]);
    said.assert_hides(&other);
    assert_eq!(http::profile_status(program.port(), &other), 404);
    assert_told_why(&program, &other);
    end(folder, &url, &[handle]).assert_says(1, &["No session has this handle"]);
    let mistyped = end(folder, &url, &[&ids[0]]);
    mistyped.assert_says(1, &["no handle"]);
    mistyped.assert_hides(&ids[0]);

    end(folder, &url, &["--user", "zo\u{eb}"]).assert_says(0, &["3 sessions", "zo\u{eb}"]);
    for id in &ids {
        assert_told_why(&program, id);
    }
    end(folder, &url, &["--user", "zo\u{eb}"]).assert_says(1, &["has no session"]);
    list(folder, &url, &["zo\u{eb}"]).assert_says(0, &["has no session"]);
}

#[test]
fn a_session_that_another_program_began_can_be_ended_by_its_handle() {
    let redis = RedisServer::start();
    let id = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let handle = "a8fd254216dc5676881f6077e5477578";
    redis.run::<()>(&format!("HSET session:{id} user \u{1b}[2J status active"));
    // Among more keys than one step of the search looks at, some of other kinds.
    redis.run::<()>("EVAL for\ti=1,3000\tdo\tredis.call('SET','session:'..i,i)\tend 0");
    let folder = tempfile::tempdir().unwrap();
    let url = redis.url();
    let said = end(folder.path(), &url, &[handle]);
    said.assert_says(2, &["+scan", "--user"]);

    redis.allow("+scan");
    let said = end(folder.path(), &url, &[handle]);
    said.assert_says(0, &[handle]);
    said.assert_hides("\u{1b}");
    assert!(!redis.keys().contains(&format!("session:{id}")));
}

/// A list can be evicted; what it lists lives on.
#[test]
fn an_operator_sees_and_ends_sessions_that_their_list_has_lost() {
    let redis = RedisServer::start();
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ids: Vec<_> = (0..2)
        .map(|_| http::log_in(program.port(), "amy"))
        .collect();
    let others = http::log_in(program.port(), "amya");
    redis.run::<u64>("DEL user_sessions:amy");

    let said = end(folder, &url, &["--user", "amy"]);
    said.assert_says(
        1,
        &[
            "amy has no session",
            "+scan",
            "no permissions to run the 'scan' command",
        ],
    );
    redis.allow("+scan");
    assert_eq!(handles(folder, &url, "amy").len(), 2);
    redis.run::<u64>("DEL user_sessions:amy");
    let said = end(folder, &url, &["--user", "amy"]);
    said.assert_says(0, &["Ended 2 sessions of amy."]);
    assert_eq!(said.problem, "");
    for id in &ids {
        assert_told_why(&program, id);
    }
    assert_eq!(http::profile_status(program.port(), &others), 200);
}

/// Both spellings look the same, and another program may write the one that nobody signs in with here.
#[test]
fn a_name_in_the_other_spelling_of_its_letters_is_listed_and_ended() {
    let redis = RedisServer::start();
    redis.allow("+scan");
    let url = redis.url();
    let id = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let folder = tempfile::tempdir().unwrap();
    for typed in ["zo\u{eb}", "zoe\u{308}"] {
        redis.run::<()>(&format!("HSET session:{id} user zoe\u{308} status active"));
        redis.run::<()>(&format!("EXPIRE session:{id} 900"));
        assert_eq!(handles(folder.path(), &url, typed).len(), 1);
        let said = end(folder.path(), &url, &["--user", typed]);
        said.assert_says(0, &["Ended 1 session of"]);
        assert!(!redis.keys().contains(&format!("session:{id}")));
    }
}

#[test]
fn the_embedded_store_is_for_the_operator_whether_or_not_a_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // What is not there, or cannot be seen, is not taken for empty.
    list(folder, "", &["abdullah"]).assert_says(2, &["cannot be opened", "there is none"]);
    let said = Program::operate(folder, &["sessions", "end", "--user", "abdullah"], &[]);
    said.assert_says(2, &["cannot be opened", "there is none"]);
    assert!(!folder.join("data").exists());

    let program = Program::start_in(folder, &[]);
    let ids: Vec<_> = (0..3)
        .map(|_| http::log_in(program.port(), "abdullah"))
        .collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let data = folder.join("data");
    let path = [("INNKEEPER_STORE_PATH", data.to_str().unwrap())];
    let said = Program::operate(elsewhere.path(), &["sessions", "list", "abdullah"], &path);
    said.assert_says(0, &["HANDLE", "abdullah"]);
    let handle = &handles(folder, "", "abdullah")[0];
    end(folder, "", &[handle]).assert_says(0, &[handle, "abdullah"]);
    end(folder, "", &[handle]).assert_says(1, &["No session"]);
    drop(program);

    let handle = &handles(folder, "", "abdullah")[0];
    end(folder, "", &[handle]).assert_says(0, &[handle, "abdullah"]);
    end(folder, "", &[handle]).assert_says(1, &["No session"]);
    end(folder, "", &["--user", "abdullah"]).assert_says(0, &["1 session"]);
    let program = Program::start_in(folder, &[]);
    for id in &ids {
        assert_told_why(&program, id);
    }

    let memory = [("INNKEEPER_STORE_PATH", ":memory:")];
    Program::operate(folder, &["sessions", "list", "abdullah"], &memory)
        .assert_says(2, &[":memory:"]);
}

/// Two ids whose handles begin with the same eight digits, and those digits.
const ALIKE: ([&str; 2], &str) = (
    [
        "7f856e55-e968-4782-a03f-e300b4d7eef3",
        "52515742-dfa1-47ba-992f-e451d606f5a5",
    ],
    "c14adc18",
);

fn rows(said: &Output) -> Vec<Value> {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

/// The first eight digits of the handle of the session that signed in, as the log has them.
fn digits_in_log(program: &Program, user: &str) -> String {
    let log = program.log();
    let line = log
        .lines()
        .find(|line| line.contains("signed in") && line.contains(user))
        .unwrap_or_else(|| panic!("no sign-in in {log}"));
    let (_, rest) = line.split_once("session=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn an_operator_ends_the_session_that_he_reads_of_in_the_log() {
    let redis = RedisServer::start();
    redis.allow("+scan");
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let id = http::log_in(program.port(), "abdullah");
    let digits = digits_in_log(&program, "abdullah");
    assert_eq!(digits.len(), 8);
    end(folder, &url, &[&digits[..7]]).assert_says(1, &["no handle"]);
    end(folder, &url, &[&digits]).assert_says(0, &[&digits, "abdullah"]);
    assert_told_why(&program, &id);
    end(folder, &url, &[&digits]).assert_says(1, &["No session has this handle"]);

    let (ids, digits) = ALIKE;
    for (id, user) in ids.iter().zip(["amy", "zoe"]) {
        redis.run::<()>(&format!("HSET session:{id} user {user} status active"));
    }
    let said = end(folder, &url, &[digits]);
    let both = [
        "c14adc18445bafda2bc0ff7eeaf4046e",
        "c14adc181a681e5a0e4c272b833f7f83",
    ];
    said.assert_says(
        3,
        &[
            "2 sessions",
            "none was ended",
            both[0],
            both[1],
            "amy",
            "zoe",
        ],
    );
    assert_eq!(
        redis
            .keys()
            .iter()
            .filter(|key| key.starts_with("session:"))
            .count(),
        2
    );
    end(folder, &url, &["c14adc184"]).assert_says(0, &[both[0], "amy"]);
    end(folder, &url, &[digits]).assert_says(0, &[both[1], "zoe"]);
}

#[test]
fn an_operator_whose_own_limits_are_shorter_ends_all_the_same() {
    let redis = RedisServer::start();
    redis.allow("+scan");
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let ids = ["amy", "bob"].map(|user| http::log_in(program.port(), user));
    std::thread::sleep(Duration::from_millis(2100));
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_ABSOLUTE_TIMEOUT_SECS", "1"),
    ];
    let handle =
        innkeeper::SessionHandle::from(&innkeeper::SessionId::parse(&ids[0]).unwrap()).to_string();
    for words in [
        &["sessions", "end", handle.as_str()][..],
        &["sessions", "end", "--all"],
    ] {
        let said = Program::operate(folder.path(), words, &variables);
        said.assert_says(0, &["Ended"]);
    }
    for id in ids {
        assert_eq!(http::profile_status(program.port(), &id), 404);
    }
}

#[test]
fn an_operator_sees_and_ends_all_sessions_of_a_running_server_on_redis() {
    let redis = RedisServer::start();
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    list(folder, &url, &[]).assert_says(2, &["needs +scan"]);
    end(folder, &url, &["--all"]).assert_says(2, &["needs +scan"]);
    redis.allow("+scan");
    list(folder, &url, &[]).assert_says(0, &["Nobody has a session."]);
    assert_eq!(list(folder, &url, &["--json"]).out.trim(), "[]");
    end(folder, &url, &["--all"]).assert_says(1, &["Nobody has a session."]);

    let users = ["amy", "zo\u{eb}", "amy", "bob"];
    let ids = users.map(|user| http::log_in(program.port(), user));
    let other = ALIKE.0[0];
    redis.run::<()>(&format!(
        "HSET session:{other} user \u{1b}[2J status active"
    ));
    redis.run::<()>("EVAL for\ti=1,3000\tdo\tredis.call('SET','session:'..i,i)\tend 0");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(http::profile_status(program.port(), &ids[1]), 200);

    let said = list(folder, &url, &[]);
    said.assert_says(0, &["HANDLE", "USER", "amy", "bob"]);
    assert_eq!(said.out.lines().count(), 6);
    said.assert_hides("\u{1b}");
    let listed = rows(&list(folder, &url, &["--json"]));
    let of = |user: &str| listed.iter().filter(|row| row["user"] == user).count();
    assert_eq!(
        (of("amy"), of("zo\u{eb}"), of("bob"), of("\u{1b}[2J")),
        (2, 1, 1, 1)
    );
    let keys: Vec<_> = listed[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "created_at",
            "expires_at",
            "handle",
            "ip",
            "last_active_at",
            "user",
            "user_agent"
        ]
    );

    // The one without an expiry counts as used this moment.
    let said = list(folder, &url, &["--json", "--limit", "2"]);
    assert_eq!(rows(&said)[1]["user"], "zo\u{eb}");
    said.assert_says(0, &["3 more are not shown"]);
    for id in ids.iter().map(String::as_str).chain([other]) {
        said.assert_hides(id);
    }
    list(folder, &url, &["--limit", "0"]).assert_says(2, &["--limit"]);
    end(folder, &url, &["--all", "--user", "amy"]).assert_says(2, &["cannot be used with"]);

    end(folder, &url, &["--all"]).assert_says(0, &["Ended 5 sessions."]);
    for id in &ids {
        assert_told_why(&program, id);
    }
    let left = redis.keys();
    let is_list = |key: &String| key.starts_with("user_sessions:");
    assert!(!left.contains(&format!("session:{other}")) && !left.iter().any(is_list));
    assert!(left.contains(&"session:3000".to_owned()));
}

#[test]
fn all_sessions_of_a_cluster_are_seen_and_ended() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.allow("+scan");
    }
    let url = cluster.url();
    let program = Program::start(&[("REDIS_URL", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sign_in = |number| http::log_in(program.port(), &format!("user {}", number % 4));
    let ids: Vec<_> = (0..20).map(sign_in).collect();
    let nodes: HashSet<_> = ids
        .iter()
        .map(|id| cluster.place_of(&format!("session:{id}")).0)
        .collect();
    assert_eq!(nodes.len(), 3);
    let listed = rows(&list(folder, &url, &["--json"]));
    assert_eq!(listed.len(), 20);
    assert_eq!(
        listed.iter().filter(|row| row["user"] == "user 3").count(),
        5
    );

    let handle = listed[7]["handle"].as_str().unwrap();
    end(folder, &url, &[&handle[..8]]).assert_says(0, &[handle]);
    end(folder, &url, &["--all"]).assert_says(0, &["Ended 19 sessions."]);
    for id in &ids {
        assert_told_why(&program, id);
    }
    list(folder, &url, &[]).assert_says(0, &["Nobody has a session."]);
}

#[test]
fn all_sessions_of_the_embedded_store_are_seen_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = Program::start_in(folder, &[]);
    let ids = ["amy", "zo\u{eb}", "amy", "bob"].map(|user| http::log_in(program.port(), user));
    let digits = digits_in_log(&program, "bob");
    let see_all = || {
        let said = list(folder, "", &[]);
        said.assert_says(0, &["USER", "amy", "zo\u{eb}", &digits]);
        assert_eq!(said.out.lines().count(), 5);
        let said = list(folder, "", &["--json", "--limit", "3"]);
        said.assert_says(0, &["1 more are not shown"]);
        assert_eq!(rows(&said).len(), 3);
        said.out
    };
    let through_the_server = see_all();
    drop(program);
    assert_eq!(see_all(), through_the_server);

    end(folder, "", &[&digits]).assert_says(0, &["bob"]);
    end(folder, "", &[&digits]).assert_says(1, &["No session"]);
    end(folder, "", &["--all"]).assert_says(0, &["Ended 3 sessions."]);
    end(folder, "", &["--all"]).assert_says(1, &["Nobody has a session."]);
    list(folder, "", &[]).assert_says(0, &["Nobody has a session."]);
    let program = Program::start_in(folder, &[]);
    for id in &ids {
        assert_told_why(&program, id);
    }
}

#[test]
fn help_and_version_are_there_and_a_wrong_word_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let operate = |words: &[&str]| Program::operate(folder.path(), words, &[]);
    operate(&["--help"]).assert_says(0, &["doctor", "sessions"]);
    operate(&["--version"]).assert_says(0, &[env!("CARGO_PKG_VERSION")]);
    operate(&["docter"]).assert_says(2, &["docter", "'doctor'"]);
    operate(&["sessions", "end"]).assert_says(2, &["--user"]);
    assert!(!folder.path().join("data").exists());
}
