//! The program's commands that need no store: settings, healthcheck, completions, manual pages; and `--config`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::folder_with;
use crate::support::free_port;
use crate::support::http;
use crate::support::program::{ARGUMENTS, Output, Program};
use crate::support::redis::RedisServer;

const OTHER_STORE: &str = "[default.innkeeper]\nstore_path = \"there\"\n";

fn settings(folder: &Path, variables: &[(&str, &str)]) -> Vec<Value> {
    let said = Program::operate(folder, &["settings", "--json"], variables);
    assert_eq!(said.status, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[track_caller]
fn find<'a>(settings: &'a [Value], key: &str) -> &'a Value {
    let mut found = settings.iter().filter(|one| one["key"] == key);
    let one = found.next().unwrap_or_else(|| panic!("{key} is missing"));
    assert!(found.next().is_none(), "{key} is there twice");
    one
}

fn keys_of(owner: &str, settings: &[Value]) -> Vec<String> {
    let of_owner = settings.iter().filter(|one| one["owner"] == owner);
    of_owner
        .map(|one| one["key"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn settings_says_what_is_in_force_and_where_it_was_set() {
    let folder = folder_with(&[
        (
            "Rocket.toml",
            "[default]\nport = 8123\nlimits.json = \"4KiB\"\n[default.innkeeper]\nidle_timeout_secs = 60\nlog_format = \"json\"\n",
        ),
        (
            ".env",
            "INNKEEPER_DRAIN_SECS=7\nINNKEEPER_LOG_FORMAT=json\n",
        ),
        ("secret", "s3cret"),
    ]);
    let rest = "https://x.upstash.io";
    let variables = [
        ("INNKEEPER_LOG_FORMAT", "text"),
        ("UPSTASH_REDIS_REST_URL", rest),
        ("UPSTASH_REDIS_REST_TOKEN_FILE", "secret"),
        ("INNKEEPER_PUBLIC_URL", "https://Inn.Example/"),
        ("INNKEEPER_REDIS_TIMEOUT_MS", "2500"),
        ("ROCKET_IP_HEADER", "X-Real-IP"),
    ];
    let path = |name| folder.path().join(name).display().to_string();
    let (toml, env, secret) = (path("Rocket.toml"), path(".env"), path("secret"));
    let found = settings(folder.path(), &variables);
    for (key, value, source, variable, file) in [
        ("store_path", Value::Null, "default", None, None),
        ("store_cache_mb", json!(32), "default", None, None),
        ("idle_timeout_secs", json!(60), "file", None, Some(&toml)),
        (
            "drain_secs",
            json!(7),
            "env_file",
            Some("INNKEEPER_DRAIN_SECS"),
            Some(&env),
        ),
        (
            "log_format",
            json!("text"),
            "environment",
            Some("INNKEEPER_LOG_FORMAT"),
            None,
        ),
        (
            "public_url",
            json!("https://inn.example"),
            "environment",
            Some("INNKEEPER_PUBLIC_URL"),
            None,
        ),
        (
            "upstash_redis_rest_url",
            json!(rest),
            "environment",
            Some("UPSTASH_REDIS_REST_URL"),
            None,
        ),
        (
            "upstash_redis_rest_token",
            json!("***"),
            "secret_file",
            Some("UPSTASH_REDIS_REST_TOKEN_FILE"),
            Some(&secret),
        ),
        ("redis_url", Value::Null, "default", None, None),
        ("port", json!(8123), "file", None, Some(&toml)),
        ("limits.json", json!("4KiB"), "file", None, Some(&toml)),
        (
            "ip_header",
            json!("X-Real-IP"),
            "environment",
            Some("ROCKET_IP_HEADER"),
            None,
        ),
        ("address", json!("127.0.0.1"), "default", None, None),
        ("template_dir", Value::Null, "default", None, None),
        // What requests in flight get, which depends on `redis_timeout_ms`.
        ("shutdown.grace", json!(4), "default", None, None),
    ] {
        let one = find(&found, key);
        assert_eq!(one["value"], value, "{one}");
        assert_eq!(one["source"], source, "{one}");
        assert_eq!(one["variable"], json!(variable), "{one}");
        assert_eq!(one["file"], json!(file), "{one}");
    }
    for key in ["workers", "tls", "limits.form"] {
        find(&found, key);
    }

    let said = Program::operate(folder.path(), &["settings"], &variables);
    said.assert_says(
        0,
        &[&toml, &format!("INNKEEPER_DRAIN_SECS in {env}"), "***"],
    );
    said.assert_hides("s3cret");
    let keys = keys_of("innkeeper", &found);
    for key in keys.iter().chain(&keys_of("rocket", &found)) {
        let is_its_line = |line: &str| line.split_whitespace().next() == Some(key);
        assert!(said.out.lines().any(is_its_line), "{key} in {said:?}");
    }
}

#[test]
fn settings_says_what_the_server_would_say_about_a_mistake() {
    let toml = |table: &str| format!("[default.innkeeper]\n{table}\n");
    for (table, variables) in [
        ("", &[("INNKEEPER_IDLE_TIMEOUT_SECS", "soon")][..]),
        ("idle_timout_secs = 5", &[]),
        ("redis_url = [\"s3cret\"]", &[]),
        ("", &[("REDIS_URL", "redis://:s3cret@host?x=1")]),
        (
            "",
            &[
                ("REDIS_URL", "rediss://:s3cret@h"),
                ("INNKEEPER_REDIS_CA_FILE", "none.pem"),
            ],
        ),
        ("", &[("ROCKET_PORT", "http")]),
        ("", &[("ROCKET_CONFIG", "none.toml")]),
        ("", &[("REDIS_URI", "redis://x")]),
    ] {
        let folder = folder_with(&[("Rocket.toml", &toml(table))]);
        let server = Program::refusal_as_given(folder.path(), variables);
        let problem = server.trim().strip_prefix("innkeeper does not start: ");
        let said = Program::operate(folder.path(), &["settings"], variables);
        let expected = format!("innkeeper settings: {}\n", problem.unwrap());
        assert_eq!((said.status, said.problem), (2, expected));
        assert_eq!(said.out, "");
    }
}

/// The keys of the guide's table, each with its default.
fn guide() -> Vec<(String, String)> {
    let chapter = include_str!("../../src/guide/settings.md");
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let cells = rows.flat_map(|cells| {
        let keys = cells[1].split(", ");
        let default = cells[3].to_owned();
        keys.map(move |key| (key.trim_matches('`').to_owned(), default.clone()))
            .collect::<Vec<_>>()
    });
    cells.collect()
}

#[test]
fn the_guide_and_the_example_know_every_setting_and_its_default() {
    let folder = folder_with(&[]);
    let found = settings(folder.path(), &[]);
    let ours: BTreeSet<_> = keys_of("innkeeper", &found).into_iter().collect();
    assert!(ours.contains("redis_url") && ours.len() > 20, "{ours:?}");

    let in_guide: BTreeSet<_> = guide().into_iter().map(|(key, _)| key).collect();
    assert_eq!(in_guide, ours, "src/guide/settings.md");
    for (key, default) in guide() {
        let value = &find(&found, &key)["value"];
        let said = default.trim_matches('`');
        match value {
            // Which is then told in words.
            Value::Null => {
                assert!(
                    !default.starts_with('`') && default.parse::<u32>().is_err(),
                    "{key}: {default}"
                );
            }
            Value::String(text) => assert_eq!(
                said, text,
                "{key}: if it has another default, tell src/config/in_force.rs"
            ),
            _ if key == "redis_connections" => {}
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                assert_eq!(said, value.to_string(), "{key}");
            }
        }
    }

    let example = include_str!("../../.env.example");
    let lines = example.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix('#')?.split_once('=')?;
        (name.to_ascii_uppercase() == name && !name.contains(' ')).then_some((name, value))
    });
    let mut in_example = BTreeSet::new();
    for (name, value) in lines.filter(|(name, _)| !name.starts_with("ROCKET_")) {
        let key = name.strip_prefix("INNKEEPER_").unwrap_or(name);
        let key = key.to_ascii_lowercase();
        let default = &find(&found, &key)["value"];
        let as_text = default.as_str().map_or(default.to_string(), str::to_owned);
        if !default.is_null() && key != "redis_connections" {
            assert_eq!(value, as_text, "{name} in .env.example");
        }
        in_example.insert(key);
    }
    assert_eq!(in_example, ours, ".env.example");
}

#[test]
fn each_value_of_the_example_is_accepted() {
    let example = include_str!("../../.env.example");
    // Together, but for the ways to name a Redis, of which there can be one.
    let lines = example.lines().filter_map(|line| line.strip_prefix('#'));
    let lines = lines.filter(|line| line.starts_with("INNKEEPER_") || line.starts_with("ROCKET_"));
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(text.contains("INNKEEPER_METRICS_ADDRESS="), "{text}");
    let folder = folder_with(&[(".env", &text)]);
    let found = settings(folder.path(), &[]);
    assert_eq!(find(&found, "drain_secs")["source"], "env_file");
}

#[test]
fn another_file_of_settings_is_read_by_the_server_and_all_commands() {
    let folder = folder_with(&[
        ("other.toml", OTHER_STORE),
        (
            "wrong.toml",
            "[default.innkeeper]\nredis_uri = \"redis://:s3cret@x\"\n",
        ),
        ("Rocket.toml", "[default]\nport = \"none\"\n"),
    ]);
    let variables = [
        (ARGUMENTS, "--config other.toml"),
        // It is not read, so it need not be there.
        ("ROCKET_CONFIG", "none.toml"),
    ];
    let program = Program::start_in(folder.path(), &variables);
    http::log_in(program.port(), "abdullah");
    assert!(folder.path().join("there").exists());
    let log = program.log();
    let path = folder.path().join("other.toml").display().to_string();
    assert!(
        log.contains(&format!("settings are read from {path}")),
        "{log}"
    );
    drop(program);

    for words in [
        &["--config", "other.toml", "sessions", "list"][..],
        &["sessions", "list", "--config", "other.toml"],
        &["sessions", "--config=other.toml", "list", "abdullah"],
    ] {
        let said = Program::operate(folder.path(), words, &[]);
        said.assert_says(0, &["abdullah"]);
    }
    let doctor = Program::operate(folder.path(), &["doctor", "--config", "other.toml"], &[]);
    doctor.assert_says(0, &["there"]);
    let said = Program::operate(folder.path(), &["--config", "other.toml", "settings"], &[]);
    said.assert_says(0, &[&path]);

    for (file, words) in [
        ("none.toml", ["`--config`", "none.toml, which is not there"]),
        ("there", ["`--config`", "there, which is not a file"]),
        ("wrong.toml", ["`redis_uri`", "wrong.toml"]),
    ] {
        let arguments = format!("--config {file}");
        let server = Program::refusal(folder.path(), &[(ARGUMENTS, &arguments)]);
        let said = Program::operate(folder.path(), &["--config", file, "doctor"], &[]);
        assert_eq!(said.status, 2);
        for word in words {
            assert!(server.contains(word), "{word} in {server}");
            assert!(said.problem.contains(word), "{word} in {said:?}");
        }
        said.assert_hides("s3cret");
    }
}

fn healthcheck(port: u16, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = folder_with(&[]);
    let port = port.to_string();
    let variables = [&[("ROCKET_PORT", port.as_str())], variables].concat();
    Program::operate(
        folder.path(),
        &[&["healthcheck"], words].concat(),
        &variables,
    )
}

#[track_caller]
fn assert_unhealthy(said: &Output, words: &[&str]) {
    said.assert_says(1, words);
    assert_eq!(said.out, "");
    assert!(
        said.problem.starts_with("innkeeper healthcheck: "),
        "{said:?}"
    );
    assert_eq!(said.problem.lines().count(), 1, "{said:?}");
}

#[test]
fn a_healthcheck_tells_a_server_that_lives_from_one_that_does_not() {
    let redis = RedisServer::start();
    let url = redis.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
    ];
    let mut program = Program::start(&variables);
    let said = healthcheck(program.port(), &[], &[]);
    assert_eq!((said.status, said.out.as_str()), (0, "alive\n"), "{said:?}");
    let said = healthcheck(program.port(), &["--ready"], &[]);
    assert_eq!((said.status, said.out.as_str()), (0, "ready\n"), "{said:?}");

    // A mistake that was made after its start does not make it ill.
    let later = [("INNKEEPER_LOG_FORMAT", "xml")];
    assert_eq!(healthcheck(program.port(), &[], &later).status, 0);

    drop(redis);
    assert_eq!(healthcheck(program.port(), &[], &[]).status, 0);
    let said = healthcheck(program.port(), &["--ready"], &[]);
    assert_unhealthy(
        &said,
        &["/readyz answers 503", "the session store does not answer"],
    );

    program.stop();
    let begun = Instant::now();
    let said = healthcheck(program.port(), &["--timeout", "1"], &[]);
    assert_unhealthy(&said, &["within 1 s"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    program.go_on();
    program.kill();
    assert_unhealthy(
        &healthcheck(program.port(), &[], &[]),
        &["/healthz cannot be asked"],
    );
}

#[test]
fn a_healthcheck_finds_a_server_on_all_addresses() {
    let world = [
        ("ROCKET_ADDRESS", "0.0.0.0"),
        ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
    ];
    let program = Program::start(&world);
    assert_eq!(healthcheck(program.port(), &[], &world).status, 0);
    // Another name than loopback's is refused by a server on loopback; the check does not use one.
    let here = [("ROCKET_ADDRESS", "127.0.0.1")];
    assert_eq!(healthcheck(program.port(), &["--ready"], &here).status, 0);
}

#[test]
fn a_healthcheck_does_not_take_another_program_for_innkeeper() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "",
    ] {
        let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let answered = thread::spawn(move || {
            let (mut client, _) = other.accept().unwrap();
            client.write_all(answer.as_bytes()).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            // Until the client has gone: closed with unread bytes, the connection would be reset.
            std::io::copy(&mut client, &mut std::io::sink()).ok();
        });
        assert_unhealthy(&healthcheck(port, &[], &[]), &["another program"]);
        answered.join().unwrap();
    }
    assert_unhealthy(&healthcheck(0, &[], &[]), &["`port` is 0"]);
    let said = healthcheck(free_port(), &[], &[("ROCKET_ADDRESS", "nowhere")]);
    assert_unhealthy(&said, &["ADDRESS"]);
}

#[test]
fn completions_know_every_command() {
    let folder = folder_with(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = Program::operate(folder.path(), &["completions", shell], &[]);
        said.assert_says(
            0,
            &["doctor", "sessions", "healthcheck", "settings", "json"],
        );
        if shell == "bash" {
            let mut bash = Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let mut script = bash.stdin.take().unwrap();
            script.write_all(said.out.as_bytes()).unwrap();
            drop(script);
            assert!(bash.wait().unwrap().success());
        }
    }
    let said = Program::operate(folder.path(), &["completions", "csh"], &[]);
    said.assert_says(2, &["bash"]);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = folder_with(&[(".env", "REDIS_URL = no = line")]);
    let said = Program::operate(folder.path(), &["man", "--folder", "pages"], &[]);
    assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    let mut pages = BTreeSet::new();
    for page in fs::read_dir(folder.path().join("pages")).unwrap() {
        let page = page.unwrap();
        let text = fs::read_to_string(page.path()).unwrap();
        for part in [".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n"] {
            assert_eq!(text.matches(part).count(), 1, "{part} in {page:?}");
        }
        pages.insert(page.file_name().into_string().unwrap());
    }
    let commands = [
        "",
        "-accounts",
        "-accounts-add",
        "-accounts-disable",
        "-accounts-enable",
        "-accounts-export",
        "-accounts-import",
        "-accounts-list",
        "-accounts-remove",
        "-accounts-reset",
        "-completions",
        "-doctor",
        "-healthcheck",
        "-man",
        "-sessions",
        "-sessions-end",
        "-sessions-list",
        "-settings",
    ];
    let expected: BTreeSet<_> = commands.map(|name| format!("innkeeper{name}.1")).into();
    assert_eq!(pages, expected);

    for words in [&["man"][..], &["man", "sessions", "end"]] {
        let said = Program::operate(folder.path(), words, &[]);
        let name = words.join("-").replace("man", "innkeeper");
        let page = fs::read_to_string(folder.path().join(format!("pages/{name}.1"))).unwrap();
        assert_eq!((said.status, said.out), (0, page));
    }
    let said = Program::operate(folder.path(), &["man", "session"], &[]);
    said.assert_says(2, &["no command `session`"]);
}

#[test]
fn doctors_findings_are_there_for_programs_too() {
    let folder = folder_with(&[]);
    for (variables, status) in [
        (&[][..], 0),
        (&[("INNKEEPER_ABSOLUTE_TIMEOUT_SECS", "300")], 1),
        (&[("INNKEEPER_STORE_PATH", "/proc/x")], 2),
        (&[("INNKEEPER_IDLE_TIMEOUT_SECS", "soon")], 2),
    ] {
        let text = Program::operate(folder.path(), &["doctor"], variables);
        let said = Program::operate(folder.path(), &["doctor", "--json"], variables);
        assert_eq!((text.status, said.status), (status, status), "{said:?}");
        assert_eq!(text.problem, said.problem);
        let findings: Vec<Value> = serde_json::from_str(&said.out).unwrap();
        assert!(!findings.is_empty());
        let mut worst = 0;
        for one in &findings {
            let level = one["level"].as_str().unwrap();
            worst = worst.max(match level {
                "ok" | "note" => 0,
                "warning" => 1,
                "failure" => 2,
                other => panic!("{other}"),
            });
            let fields: Vec<_> = one.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["level", "subject", "text"]);
            let (subject, problem) = (
                one["subject"].as_str().unwrap(),
                one["text"].as_str().unwrap(),
            );
            let all = text.out.clone() + &text.problem;
            assert!(all.contains(problem), "{problem} in {text:?}");
            // As text, this one is a line on standard error alone.
            assert!(all.contains(subject) || subject == "settings", "{text:?}");
        }
        assert_eq!(worst, status);
    }
}
