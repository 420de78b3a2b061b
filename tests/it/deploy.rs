//! What stands in `examples/deploy/` is true: its settings are settings, and its rights suffice.
//!
//! `tests/package` does what needs root and more programs: it installs the Debian package, and asks promtool and systemd.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::nginx;
use crate::support::program::{Program, signal};
use crate::support::redis::{
    FURTHER_RIGHTS, LEAST_RIGHTS, OPERATORS_RIGHTS, RedisServer, SIGN_IN_RIGHTS,
};
use crate::support::scrape::Scrape;
use crate::support::{eventually, free_port, http};

const DOCKERFILE: &str = include_str!("../../examples/deploy/Dockerfile");
const COMPOSE: &str = include_str!("../../examples/deploy/compose.yaml");
const UNIT: &str = include_str!("../../examples/deploy/innkeeper.service");
const ENVIRONMENT: &str = include_str!("../../examples/deploy/innkeeper.env");

const METRICS: (&str, &str) = ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn nginx_accepts_the_configuration_as_it_stands() {
    let key = rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).unwrap();
    nginx::check(&key.cert.pem(), &key.signing_key.serialize_pem()).unwrap();
}

/// All keys that stand in the file, those in comments too, with their values.
fn examples_of(file: &str) -> Vec<(&str, &str)> {
    file.lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .filter(|(key, _)| key.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect()
}

/// A folder with the secrets that `make-secrets` writes.
fn secrets() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("make-secrets");
    fs::copy(root().join("examples/deploy/make-secrets"), &script).unwrap();
    let made = Command::new(&script).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let again = Command::new(&script).output().unwrap();
    assert!(!again.status.success(), "it must not replace a password");
    folder
}

#[test]
fn each_line_of_the_packages_settings_is_one_that_works() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("redis_url"), redis.url()).unwrap();
    let lines: Vec<_> = examples_of(ENVIRONMENT)
        .into_iter()
        .map(|(key, value)| {
            let value = match key {
                "REDIS_URL_FILE" => folder.path().join("redis_url").display().to_string(),
                key if key == METRICS.0 => METRICS.1.to_owned(),
                _ => value.to_owned(),
            };
            format!("{key}={value}")
        })
        .collect();
    assert!(lines.len() > 7, "{lines:?}");
    fs::write(folder.path().join(".env"), lines.join("\n")).unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let body = r#"{"username":"abdullah"}"#;
    let json = ["Content-Type: application/json"];
    let answer = http::request(program.port(), "POST /login/", &json, body);
    assert!(answer.contains("__Host-session_id="), "{answer}");
    assert!(redis.keys().contains(&"user_sessions:abdullah".to_owned()));
    assert!(program.log().contains("\"message\""), "{}", program.log());
}

#[test]
fn the_unit_gives_the_program_its_secrets_folder_and_time() {
    let value = |key: &str| {
        let lines = UNIT.lines().filter_map(|line| line.split_once('='));
        let found: Vec<_> = lines.filter(|(name, _)| *name == key).collect();
        found
            .into_iter()
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    let secret = |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "nonsense").unwrap();
        let credentials = folder.path().to_str().unwrap();
        let upstash = ("UPSTASH_REDIS_REST_URL", "https://name.upstash.io");
        let mut variables = vec![("CREDENTIALS_DIRECTORY", credentials)];
        variables.extend((name != "redis_url").then_some(upstash));
        Program::operate(folder.path(), &["doctor"], &variables)
    };
    let credentials = value("LoadCredential");
    assert_eq!(credentials.len(), 2, "{credentials:?}");
    for (name, _) in credentials.iter().map(|line| line.split_once(':').unwrap()) {
        // It is read: without it all would be well.
        assert_eq!(secret(name).status, 2, "{name}");
    }
    let folder = format!(
        "INNKEEPER_STORE_PATH=/var/lib/{}",
        value("StateDirectory")[0]
    );
    assert_eq!(value("Environment"), [folder.as_str()]);
    assert!(ENVIRONMENT.contains(&format!("\n{folder}\n")));
    // The guide: "up to seven if the embedded store's disk hangs".
    let seconds = value("TimeoutStopSec")[0].strip_suffix('s').unwrap();
    assert!(seconds.parse::<u32>().unwrap() > 7);
}

/// The lines of compose.yaml that stand deeper than this one, without their indentation.
fn compose_block(service: &str, key: &str) -> Vec<&'static str> {
    let (_, rest) = COMPOSE.split_once(&format!("\n  {service}:\n")).unwrap();
    let (_, block) = rest.split_once(&format!("\n    {key}:\n")).unwrap();
    let lines = block.lines().take_while(|line| line.starts_with("      "));
    let lines = lines.map(str::trim);
    lines.filter(|line| !line.starts_with('#')).collect()
}

/// The Redis of compose.yaml, with the user that `make-secrets` made; ends with this value, by its process id.
struct ComposeRedis(Child);

impl ComposeRedis {
    fn start(port: u16, folder: &Path) -> Self {
        let words = compose_block("redis", "command");
        let words = words.iter().map(|word| {
            let word = word.strip_prefix("- ").unwrap().trim_matches('"');
            word.replace(
                "/run/secrets/users_acl",
                folder.join("secrets/users.acl").to_str().unwrap(),
            )
        });
        let words: Vec<_> = words.collect();
        let process = Command::new(&words[0])
            .args(&words[1..])
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(process)
    }
}

impl Drop for ComposeRedis {
    fn drop(&mut self) {
        // Asked politely it writes its append-only file.
        signal(self.0.id(), "TERM");
        drop(self.0.wait());
    }
}

#[test]
fn the_redis_of_compose_serves_innkeeper_and_nobody_else() {
    let folder = secrets();
    let port = free_port();
    let redis = ComposeRedis::start(port, folder.path());
    let path = folder.path().join("secrets/redis_url");
    let url = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        url.replace("@redis:6379", &format!("@127.0.0.1:{port}")),
    )
    .unwrap();
    let file = path.to_str().unwrap().to_owned();

    let lines = compose_block("innkeeper", "environment");
    let variables: Vec<_> = lines
        .iter()
        .map(|line| {
            let (key, value) = line.split_once(": ").unwrap();
            let value = match key {
                "INNKEEPER_PUBLIC_URL" => "https://example.org",
                "REDIS_URL_FILE" => file.as_str(),
                key if key == METRICS.0 => METRICS.1,
                _ => value.trim_matches('"'),
            };
            (key, value)
        })
        .collect();
    assert!(variables.len() > 4, "{variables:?}");
    let program = Program::start_in(folder.path(), &variables);
    eventually("Redis to be there", || {
        let answer = http::request(program.port(), "GET /readyz", &[], "");
        (http::status(&answer) == 200).then_some(())
    });
    let body = r#"{"username":"abdullah"}"#;
    let json = ["Content-Type: application/json"];
    let answer = http::request(program.port(), "POST /login/", &json, body);
    assert!(answer.contains("__Host-session_id="), "{answer}");
    let metrics = program.metrics_port();
    let active = || Scrape::of(metrics).value("innkeeper_sessions_active");
    assert!((active() - 1.0).abs() < 0.5, "{}", active());

    let said = Program::operate(folder.path(), &["doctor"], &variables);
    let troubles: Vec<_> = said.troubles().into_iter().map(|(_, what)| what).collect();
    // Everybody may read the file, because containers' users have numbers of their own; its folder is closed.
    assert_eq!(troubles, ["sign-in", "secrets"], "{said:?}");

    let ask = |words: &[&str]| {
        let output = Command::new("redis-cli")
            .args(["-p", &port.to_string()])
            .args(words)
            .output()
            .unwrap();
        output.status.success()
    };
    let check = COMPOSE
        .lines()
        .find_map(|line| line.trim().strip_prefix("test: [CMD, redis-cli, "));
    let check: Vec<_> = check.unwrap().trim_end_matches(']').split(", ").collect();
    assert!(ask(&check), "{check:?}");
    let as_health = &check[..check.len() - 1];
    for words in [&["keys", "*"][..], &["get", "session:x"], &["info"]] {
        assert!(!ask(&[as_health, words].concat()), "{words:?}");
        assert!(!ask(&[&["-e"], words].concat()), "{words:?}");
    }
    assert!(!ask(&["-e", "--user", "default", "--pass", "", "ping"]));

    // Redis loses transactions of its append-only file that its user `default` may not execute.
    drop(redis);
    let _redis = ComposeRedis::start(port, folder.path());
    eventually("Redis to be back", || {
        let answer = http::request(program.port(), "GET /readyz", &[], "");
        (http::status(&answer) == 200).then_some(())
    });
    assert!((active() - 1.0).abs() < 0.5, "{}", active());
}

#[test]
fn the_user_of_compose_has_the_rights_of_the_guide() {
    let folder = secrets();
    let acl = fs::read_to_string(folder.path().join("secrets/users.acl")).unwrap();
    let line = acl
        .lines()
        .find(|line| line.starts_with("user innkeeper"))
        .unwrap();
    let (_, rights) = line.split_once(" ~").unwrap();
    let given: BTreeSet<_> = format!("~{rights}").split(' ').map(str::to_owned).collect();
    let all = format!("{LEAST_RIGHTS} {SIGN_IN_RIGHTS} {FURTHER_RIGHTS} {OPERATORS_RIGHTS}");
    let mut suffice: BTreeSet<_> = all.split_whitespace().map(str::to_owned).collect();
    // A single server asks for neither.
    for right in ["+cluster|slots", "+asking", "+role"] {
        assert!(suffice.remove(right), "{right}");
    }
    assert_eq!(given, suffice);
}

#[test]
fn the_image_is_built_from_what_is_there_and_let_through() {
    let let_through = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let let_through: BTreeSet<_> = let_through
        .lines()
        .filter_map(|l| l.strip_prefix('!'))
        .collect();
    let copies = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "));
    let sources: Vec<_> = copies
        .filter(|copy| !copy.starts_with("--from"))
        .flat_map(|copy| {
            let words: Vec<_> = copy.split(' ').collect();
            words[..words.len() - 1].to_vec()
        })
        .collect();
    assert!(sources.len() > 5, "{sources:?}");
    for source in &sources {
        assert!(root().join(source).exists(), "{source}");
        assert!(let_through.contains(source), "{source}");
    }
    for included in included_by(&root().join("src")) {
        let is_copied = sources.iter().any(|source| included.starts_with(source));
        assert!(is_copied, "{} is not copied", included.display());
    }
}

/// What the source includes by name from outside of `src`, from the repository's top.
fn included_by(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(included_by(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for rest in text
                .split("include_str!(\"")
                .chain(text.split("include_bytes!(\""))
                .skip(1)
            {
                let Some((name, _)) = rest.split_once("\")") else {
                    continue;
                };
                if let Ok(included) = path.parent().unwrap().join(name).canonicalize() {
                    found.push(included.strip_prefix(root()).unwrap().to_owned());
                }
            }
        }
    }
    found
}
