//! Settings that nobody reads: a slip of the pen must not start on defaults.

use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use tempfile::TempDir;

use crate::config::folder_with;
use crate::support::program::Program;
use crate::support::redis::RedisServer;
use crate::support::{configured, http};

#[track_caller]
fn assert_refused(folder: &TempDir, variables: &[(&str, &str)], words: &[&str]) {
    let said = Program::refusal(folder.path(), variables);
    for word in words {
        assert!(said.contains(word), "{word} in: {said}");
    }
    assert!(!said.contains("s3cret"), "{said}");
    assert!(!folder.path().join("data").exists(), "{said}");
}

#[test]
fn a_variable_that_is_nearly_a_setting_stops_the_launch() {
    for (variables, words) in [
        (
            &[("REDIS_URI", "redis://x")][..],
            &["`REDIS_URI`", "`REDIS_URL`"][..],
        ),
        (
            &[("redis_url", "redis://x")],
            &["`redis_url`", "`REDIS_URL`"],
        ),
        (
            &[("UPSTASH_REDIS_REST_TOKE", "s3cret")],
            &["`UPSTASH_REDIS_REST_TOKE`", "`UPSTASH_REDIS_REST_TOKEN`"],
        ),
        (
            &[("innkeeper_log_format", "json")],
            &["`innkeeper_log_format`", "`INNKEEPER_LOG_FORMAT`"],
        ),
        (
            &[("INKEEPER_PUBLIC_URL", "https://app.example")],
            &["`INKEEPER_PUBLIC_URL`", "`INNKEEPER_PUBLIC_URL`"],
        ),
        (
            &[("INNKEEPER_PORT", "8001")],
            &["`INNKEEPER_PORT`", "`ROCKET_PORT`"],
        ),
        (
            &[("ROCKET_PROT", "8001")],
            &["`ROCKET_PROT`", "`ROCKET_PORT`"],
        ),
        (
            &[("ROCKET_REDIS_URL", "redis://:s3cret@x")],
            &["`ROCKET_REDIS_URL`", "`INNKEEPER_REDIS_URL`"],
        ),
        (
            &[("ROCKET_INNKEEPER", "{redis_uri=\"redis://:s3cret@x\"}")],
            &["`redis_uri`", "`ROCKET_INNKEEPER`", "`redis_url`"],
        ),
        (&[("ROCKET_PROFILE", "relase")], &["`relase`", "`release`"]),
        (
            &[("ROCKET_CHAT_URL", "https://:s3cret@chat.example")],
            &["`ROCKET_CHAT_URL`", "none of Rocket's"],
        ),
        (
            &[("INNKEEPERLOG_FORMAT", "json")],
            &["`INNKEEPERLOG_FORMAT`", "`INNKEEPER_LOG_FORMAT`"],
        ),
        (
            &[("REDIS_URL_FILES", "s3cret")],
            &["`REDIS_URL_FILES`", "`REDIS_URL_FILE`"],
        ),
        (
            &[("INNKEEPER_REDIS_URLFILE", "s3cret")],
            &["`INNKEEPER_REDIS_URLFILE`", "`redis_url_file`"],
        ),
        (
            &[("INNKEEPER_STORE_PATH_FILE", "s3cret")],
            &[
                "`INNKEEPER_STORE_PATH_FILE`",
                "only secrets",
                "`redis_url_file`",
            ],
        ),
        (
            &[("Innkeeper_Foo", "s3cret")],
            &["`Innkeeper_Foo`", "`INNKEEPER_`", "in capitals"],
        ),
        (
            &[("innkeeper_chat_url", "s3cret")],
            &["`innkeeper_chat_url`", "another program's"],
        ),
    ] {
        assert_refused(&folder_with(&[]), variables, words);
    }
}

#[test]
fn what_nobody_reads_in_a_file_stops_the_launch() {
    let words: &[(&str, &[&str])] = &[
        (
            "[default.inkeeper]\nredis_url = \"redis://x\"",
            &["inkeeper", "Rocket.toml", "`[default.innkeeper]`"],
        ),
        (
            "[inkeeper]\nredis_url = \"redis://x\"",
            &["inkeeper", "Rocket.toml", "`[default.innkeeper]`"],
        ),
        (
            "[default]\nredis_url = \"redis://:s3cret@x\"",
            &[
                "`redis_url`",
                "`[default]`",
                "Rocket.toml",
                "`[default.innkeeper]`",
            ],
        ),
        (
            "[release]\nidle_timout_secs = 5",
            &["`idle_timout_secs`", "`[release]`", "`idle_timeout_secs`"],
        ),
        (
            "[release.innkeeper]\nstorepath = \"x\"",
            &["`storepath`", "`[release.innkeeper]`", "`store_path`"],
        ),
        (
            "[default]\nprot = 8001",
            &["`prot`", "Rocket.toml", "`port`"],
        ),
        (
            "[global.databases.main]\nurl = \"x\"",
            &["`databases`", "`[global]`", "Rocket.toml"],
        ),
        (
            "[default.shutdown]\ngarce = 5",
            &["`shutdown.garce`", "Rocket.toml", "grace"],
        ),
        ("[defualt]\nport = 8001", &["`[defualt]`", "`[default]`"]),
    ];
    for (toml, words) in words {
        assert_refused(&folder_with(&[("Rocket.toml", toml)]), &[], words);
    }
}

#[test]
fn an_empty_address_of_redis_is_not_taken_for_the_embedded_store() {
    for name in [
        "REDIS_URL",
        "INNKEEPER_REDIS_URL",
        "REDIS_URL_FILE",
        "UPSTASH_REDIS_REST_TOKEN",
    ] {
        let folder = folder_with(&[]);
        let said = Program::refusal(folder.path(), &[(name, "")]);
        assert!(said.contains(&format!("`{name}`")), "{said}");
        assert!(said.contains("empty"), "{said}");
        assert!(!folder.path().join("data").exists());
    }
    let folder = folder_with(&[("Rocket.toml", "[default.innkeeper]\nredis_url = ''\n")]);
    let said = Program::refusal(folder.path(), &[]);
    assert!(
        said.contains("Rocket.toml") && said.contains("empty"),
        "{said}"
    );
    let folder = folder_with(&[(".env", "REDIS_URL=\n")]);
    assert!(Program::refusal(folder.path(), &[]).contains("`REDIS_URL`"));

    let folder = folder_with(&[]);
    let variables = [("REDIS_URL", ""), ("INNKEEPER_STORE_PATH", ":memory:")];
    let program = Program::start_in(folder.path(), &variables);
    assert_eq!(http::profile_status(program.port(), "none"), 404);

    // Where it is clear which Redis it is, an empty one is none.
    let redis = RedisServer::start();
    let url = redis.url();
    let variables = [("REDIS_URL", ""), ("INNKEEPER_REDIS_URL", url.as_str())];
    let program = Program::start(&variables);
    let id = http::log_in(program.port(), "abdullah");
    assert!(redis.keys().contains(&format!("session:{id}")));
}

#[test]
fn what_is_another_programs_does_not_stop_the_launch() {
    let variables = [
        ("REDIS_HOST", "10.0.0.7"),
        ("REDIS_PORT", "tcp://10.0.0.7:6379"),
        ("REDIS_SERVICE_HOST", "10.0.0.7"),
        ("REDIS_TLS_URL", "rediss://x"),
        ("REDIS_TTL", "60"),
        // Kubernetes' links to a service called `innkeeper`.
        ("INNKEEPER_SERVICE_HOST", "10.0.0.11"),
        ("INNKEEPER_SERVICE_PORT", "8000"),
        ("INNKEEPER_SERVICE_PORT_HTTP", "8000"),
        ("INNKEEPER_SERVICE_PORT_FILE", "8001"),
        ("INNKEEPER_PORT", "tcp://10.0.0.11:8000"),
        ("INNKEEPER_PORT_8000_TCP", "tcp://10.0.0.11:8000"),
        ("INNKEEPER_PORT_8000_TCP_PROTO", "tcp"),
        ("INNKEEPER_PORT_8000_TCP_PORT", "8000"),
        ("INNKEEPER_PORT_8000_TCP_ADDR", "10.0.0.11"),
    ];
    let program = Program::start(&variables);
    http::log_in(program.port(), "abdullah");

    // With a Redis there is nothing to take for another one.
    let redis = RedisServer::start();
    let url = redis.url();
    let program = Program::start(&[("REDIS_URL", url.as_str()), ("REDIS_URI", "redis://x")]);
    http::log_in(program.port(), "abdullah");

    let folder = folder_with(&[]);
    let said = Program::refusal(folder.path(), &[("INNKEEPER_SERVICE_HOST", "app.example")]);
    assert!(said.contains("INNKEEPER_SERVICE_HOST"), "{said}");
}

#[test]
fn profiles_of_nearly_one_name_are_several_instances() {
    let toml =
        "[node1.innkeeper]\nidle_timeout_secs = 60\n[node2.innkeeper]\nidle_timeout_secs = 70\n";
    let folder = folder_with(&[("Rocket.toml", toml)]);
    let variables = [
        ("ROCKET_PROFILE", "node2"),
        ("INNKEEPER_STORE_PATH", ":memory:"),
    ];
    let program = Program::start_in(folder.path(), &variables);
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

#[test]
fn tls_that_is_not_there_is_not_promised() {
    let folder = folder_with(&[]);
    let tls = "{certs=\"c.pem\",key=\"k.pem\"}";
    let said = Program::refusal(folder.path(), &[("ROCKET_TLS", tls)]);
    assert!(
        said.contains("ROCKET_TLS") && said.contains("no TLS"),
        "{said}"
    );
    let folder = folder_with(&[("Rocket.toml", "[default.tls]\ncerts = \"c\"\nkey = \"k\"\n")]);
    let said = Program::refusal(folder.path(), &[]);
    assert!(
        said.contains("Rocket.toml") && said.contains("no TLS"),
        "{said}"
    );
}

#[test]
fn a_file_of_settings_that_is_not_there_stops_the_launch() {
    let folder = folder_with(&[(
        "other.toml",
        "[default.innkeeper]\nstore_path = \"there\"\n",
    )]);
    let said = Program::refusal(folder.path(), &[("ROCKET_CONFIG", "no.toml")]);
    assert!(
        said.contains("`ROCKET_CONFIG`") && said.contains("no.toml"),
        "{said}"
    );
    let program = Program::start_in(folder.path(), &[("ROCKET_CONFIG", "other.toml")]);
    assert!(folder.path().join("there").exists());
    let log = program.log();
    assert!(log.contains("other.toml"), "{log}");
}

#[tokio::test]
async fn an_applications_own_settings_are_its_own() {
    let own = configured("", &[]);
    let figment = own
        .figment()
        .clone()
        .merge(("redis_url", "redis://x"))
        .merge(("port_of_call", "Lisbon"))
        .merge(("inkeeper", "somebody"));
    let rocket = own.configure(figment).attach(innkeeper::stage());
    assert!(Client::untracked(rocket).await.is_ok());

    // Without a table of ours, one that is nearly called so was meant to be it.
    let figment = Figment::from(rocket::Config::default())
        .merge(("log_level", "off"))
        .merge(("inkeeper.store_path", ":memory:"));
    let rocket = rocket::custom(figment).attach(innkeeper::stage());
    let refused = Client::untracked(rocket).await.err().unwrap();
    assert!(matches!(refused.kind(), ErrorKind::FailedFairings(_)));
}
