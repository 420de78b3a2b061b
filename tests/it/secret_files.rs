//! Secrets in files of their own, and systemd's credentials.

use std::fs;
use std::process::Command;

use crate::config::folder_with;
use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;

const TOKEN_FILE: &str = "UPSTASH_REDIS_REST_TOKEN_FILE";

#[test]
fn an_address_is_read_from_the_file_that_is_named() {
    let redis = RedisServer::start();
    let other = "redis://127.0.0.1:1";
    let named_in_toml = "[default.innkeeper]\nredis_url_file = \"secret\"\n";
    let other_in_toml = &format!("[default.innkeeper]\nredis_url = \"{other}\"\n");
    let url = redis.url();
    let line = format!("{url}\n");
    for (name, text, variables) in [
        ("", "", &[("REDIS_URL_FILE", "secret")][..]),
        ("", "", &[("INNKEEPER_REDIS_URL_FILE", "secret")]),
        (".env", "REDIS_URL_FILE=secret\n", &[]),
        ("Rocket.toml", named_in_toml, &[]),
        ("", "", &[("CREDENTIALS_DIRECTORY", "credentials")]),
        // The environment and credentials win over Rocket.toml, whichever of the two names a file.
        (
            "Rocket.toml",
            other_in_toml,
            &[("REDIS_URL_FILE", "secret")],
        ),
        (
            "Rocket.toml",
            other_in_toml,
            &[("CREDENTIALS_DIRECTORY", "credentials")],
        ),
        (
            "Rocket.toml",
            "[default.innkeeper]\nredis_url_file = \"nowhere\"\n",
            &[("REDIS_URL", &url)],
        ),
        // An empty variable is none.
        ("", "", &[("REDIS_URL", ""), ("REDIS_URL_FILE", "secret")]),
    ] {
        let folder = folder_with(&[("secret", &line)]);
        if !name.is_empty() {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("credentials")).unwrap();
        fs::write(folder.path().join("credentials/redis_url"), &line).unwrap();
        let program = Program::start_in(folder.path(), variables);
        let id = http::log_in(program.port(), "abdullah");
        let key = format!("session:{id}");
        assert!(redis.keys().contains(&key), "{name} {variables:?}");
    }
}

#[test]
fn a_secret_that_is_set_twice_is_refused_by_both_names() {
    let in_toml =
        "[default.innkeeper]\nredis_url = \"redis://:s3cret@x\"\nredis_url_file = \"secret\"\n";
    for (toml, variables, words) in [
        (
            "",
            &[
                ("REDIS_URL", "redis://:s3cret@x"),
                ("REDIS_URL_FILE", "secret"),
            ][..],
            ["`REDIS_URL`", "`REDIS_URL_FILE`"],
        ),
        (
            "",
            &[
                ("INNKEEPER_REDIS_URL", "redis://:s3cret@x"),
                ("INNKEEPER_REDIS_URL_FILE", "secret"),
            ],
            ["`INNKEEPER_REDIS_URL`", "`INNKEEPER_REDIS_URL_FILE`"],
        ),
        (
            "",
            &[
                ("UPSTASH_REDIS_REST_URL", "https://x.upstash.io"),
                ("UPSTASH_REDIS_REST_TOKEN", "s3cret"),
                (TOKEN_FILE, "secret"),
            ],
            [
                "`UPSTASH_REDIS_REST_TOKEN`",
                "`UPSTASH_REDIS_REST_TOKEN_FILE`",
            ],
        ),
        (
            "",
            &[
                ("REDIS_URL_FILE", "secret"),
                ("CREDENTIALS_DIRECTORY", "credentials"),
            ],
            ["`REDIS_URL_FILE`", "credentials/redis_url"],
        ),
        (in_toml, &[], ["`redis_url` (in", "`redis_url_file` (in"]),
    ] {
        let folder = folder_with(&[("secret", "redis://:s3cret@y")]);
        fs::write(folder.path().join("Rocket.toml"), toml).unwrap();
        fs::create_dir(folder.path().join("credentials")).unwrap();
        fs::write(
            folder.path().join("credentials/redis_url"),
            "redis://:s3cret@z",
        )
        .unwrap();
        let said = Program::refusal(folder.path(), variables);
        for word in words {
            assert!(said.contains(word), "{word} in: {said}");
        }
        assert!(said.contains("both set"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_file_that_holds_no_secret_is_refused_by_its_name_and_not_shown() {
    let folder = folder_with(&[
        ("empty", "\n"),
        ("lines", "s3cret\ns3cret\n"),
        ("large", &"s3cret".repeat(3000)),
        ("address", "http://:s3cret@x"),
    ]);
    fs::write(folder.path().join("latin1"), b"s3cret\xe9").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    let pipe = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(pipe.unwrap().success());
    for (file, problem) in [
        ("missing", "cannot be read: No such file"),
        ("empty/below", "cannot be read: Not a directory"),
        ("empty", "is empty"),
        ("lines", "more than one line"),
        ("large", "larger than 16 KiB"),
        ("latin1", "not UTF-8"),
        ("folder", "not a file"),
        ("pipe", "not a file"),
        ("address", "not the address of a Redis server"),
    ] {
        let path = folder.path().join(file).display().to_string();
        for log_format in ["text", "json"] {
            let variables = [
                ("REDIS_URL_FILE", file),
                ("INNKEEPER_LOG_FORMAT", log_format),
            ];
            let said = Program::refusal(folder.path(), &variables);
            for word in ["REDIS_URL_FILE", &path, problem] {
                assert!(said.contains(word), "{word} in: {said}");
            }
            assert!(!said.contains("s3cret"), "{said}");
            assert_eq!(said.starts_with('{'), log_format == "json", "{said}");
        }
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_credential_of_nearly_the_name_is_not_passed_over() {
    let folder = folder_with(&[]);
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let variables = [("CREDENTIALS_DIRECTORY", "credentials")];
    // Those of another purpose are read by whoever names them.
    fs::write(credentials.join("redis_key"), "s3cret").unwrap();
    let program = Program::start_in(folder.path(), &variables);
    http::log_in(program.port(), "abdullah");
    drop(program);
    for name in [
        "redis-url",
        "REDIS_URL",
        "upstash_redis_rest_tokens",
        "innkeeper.redis_url",
        "innkeeper_redis_url",
        "redis_url_file",
    ] {
        let path = credentials.join(name);
        fs::write(&path, "redis://:s3cret@x").unwrap();
        let said = Program::refusal(folder.path(), &variables);
        assert!(said.contains(&format!("`{name}`")), "{said}");
        assert!(said.contains("did you mean"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        fs::remove_file(path).unwrap();
    }
    fs::write(credentials.join("redis_url"), "").unwrap();
    let said = Program::refusal(folder.path(), &variables);
    assert!(said.contains("credentials/redis_url is empty"), "{said}");
}

#[test]
fn a_password_from_a_file_is_shown_by_nothing() {
    let redis = RedisServer::start();
    redis.run::<()>("ACL SETUSER innkeeper resetpass >s3cret");
    let url = redis.url_of("innkeeper:s3cret");
    let folder = folder_with(&[("secret", &url)]);
    let variables = [("REDIS_URL_FILE", "secret"), ("RUST_LOG", "trace")];
    let program = Program::start_in(folder.path(), &variables);
    http::log_in(program.port(), "abdullah");
    assert!(!program.log().contains("s3cret"));
    for words in [
        &["doctor"][..],
        &["doctor", "--json"],
        &["settings"],
        &["settings", "--json"],
    ] {
        let said = Program::operate(folder.path(), words, &variables);
        assert_ne!(said.status, 2, "{said:?}");
        said.assert_hides("s3cret");
    }
    let doctor = Program::operate(folder.path(), &["doctor"], &variables);
    doctor.assert_says(
        doctor.status,
        &["secrets", "is open to every user", "secret"],
    );
}
