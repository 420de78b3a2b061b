//! Settings: where they come from, which wins, and what a mistake says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;

pub(crate) fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn with_nothing_configured_sessions_are_kept_in_a_private_file() {
    let folder = folder_with(&[]);
    let program = Program::start_in(folder.path(), &[]);
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600);
        // The socket for commands.
        if !file.file_type().unwrap().is_file() {
            continue;
        }
        let bytes = fs::read(file.path()).unwrap();
        let found = bytes
            .windows(id.len())
            .any(|window| window == id.as_bytes());
        assert!(!found, "the id stands in {:?}", file.path());
    }
}

#[test]
fn each_source_of_a_setting_works() {
    let redis = RedisServer::start();
    let toml = format!("[default.innkeeper]\nredis_url = \"{}\"\n", redis.url());
    let env = format!("REDIS_URL={}\n", redis.url());
    let prefixed = format!("INNKEEPER_REDIS_URL='{}'\n", redis.url());
    let url = redis.url();
    for (files, variables) in [
        (&[("Rocket.toml", toml.as_str())][..], &[][..]),
        (&[(".env", env.as_str())], &[]),
        (&[(".env", prefixed.as_str())], &[]),
        (&[], &[("REDIS_URL", url.as_str())][..]),
        (&[], &[("INNKEEPER_REDIS_URL", url.as_str())]),
        // The environment wins over both files, and our prefix over the general name.
        (
            &[(
                "Rocket.toml",
                "[default.innkeeper]\nredis_url = \"redis://127.0.0.1:1\"\n",
            )],
            &[("REDIS_URL", url.as_str())],
        ),
        (
            &[(".env", "REDIS_URL=redis://127.0.0.1:1\n")],
            &[("REDIS_URL", url.as_str())],
        ),
        (
            &[],
            &[
                ("REDIS_URL", "redis://127.0.0.1:1"),
                ("INNKEEPER_REDIS_URL", url.as_str()),
            ],
        ),
    ] {
        let folder = folder_with(files);
        let program = Program::start_in(folder.path(), variables);
        let id = http::log_in(program.port(), "abdullah");
        let key = format!("session:{id}");
        assert!(redis.keys().contains(&key), "{files:?} {variables:?}");
        assert!(!folder.path().join("data").exists());
    }
}

#[test]
fn the_env_file_speaks_to_rocket_too() {
    let folder = folder_with(&[(
        ".env",
        "ROCKET_ADDRESS=127.0.0.2\nINNKEEPER_STORE_PATH=:memory:\n",
    )]);
    let said = Program::refusal(folder.path(), &[("INNKEEPER_SIGN_IN", "secret")]);
    assert!(said.contains("sign_in"), "{said}");
    let folder = folder_with(&[(".env", "ROCKET_ADDRESS=0.0.0.0\n")]);
    let said = Program::refusal(folder.path(), &[]);
    assert!(said.contains("0.0.0.0"), "{said}");
}

#[test]
fn an_empty_setting_is_none() {
    let folder = folder_with(&[]);
    let variables = [("INNKEEPER_PUBLIC_URL", ""), ("INNKEEPER_LOG_FORMAT", "")];
    let program = Program::start_in(folder.path(), &variables);
    http::log_in(program.port(), "abdullah");
    assert!(folder.path().join("data").exists());
}

#[test]
fn files_of_the_folders_above_have_no_say() {
    // Both would stop the launch, and so would the number of threads.
    let folder = folder_with(&[
        (".env", "REDIS_URL=http://x\n"),
        ("Rocket.toml", "[default]\nworkers = \"many\"\n"),
    ]);
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let program = Program::start_in(&below, &[]);
    http::log_in(program.port(), "abdullah");
    let log = program.log();
    assert!(log.contains("no Rocket.toml and no .env"), "{log}");
    drop(program);
    let said = Program::operate(&below, &["sessions", "list", "abdullah"], &[]);
    assert_eq!(said.status, 0, "{said:?}");

    // A virtual environment of Python's is no file of ours.
    fs::create_dir(below.join(".env")).unwrap();
    fs::write(below.join("Rocket.toml"), "[default]\nworkers = 2\n").unwrap();
    let log = Program::start_in(&below, &[]).log();
    assert!(
        log.contains("below/Rocket.toml and the environment"),
        "{log}"
    );
    fs::remove_dir(below.join(".env")).unwrap();
    fs::write(below.join(".env"), "RUST_LOG=info\n").unwrap();
    let log = Program::start_in(&below, &[]).log();
    assert!(
        log.contains("below/Rocket.toml") && log.contains("below/.env"),
        "{log}"
    );
}

#[test]
fn an_absolute_limit_below_the_idle_one_is_told() {
    let variables = [("INNKEEPER_ABSOLUTE_TIMEOUT_SECS", "300")];
    let program = Program::start(&variables);
    let log = program.log();
    assert!(
        log.contains("WARN") && log.contains("`absolute_timeout_secs`"),
        "{log}"
    );
    let folder = folder_with(&[]);
    let said = Program::operate(folder.path(), &["doctor"], &variables);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.out.contains("`absolute_timeout_secs`"), "{said:?}");
}

#[test]
fn somebody_elses_templates_do_not_stop_the_launch_and_those_asked_for_do() {
    let folder = folder_with(&[]);
    let templates = folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("index.html.tera"), "{% if %}").unwrap();
    let program = Program::start_in(folder.path(), &[]);
    let page = http::request(program.port(), "GET /login/", &["Accept: text/html"], "");
    assert_eq!(http::status(&page), 200);
    drop(program);

    let asked = [("ROCKET_TEMPLATE_DIR", "templates")];
    let said = Program::refusal(folder.path(), &asked);
    assert!(
        said.contains("index.html.tera") && said.contains("template_dir"),
        "{said}"
    );
    let said = Program::refusal(folder.path(), &[("ROCKET_TEMPLATE_DIR", "elsewhere")]);
    assert!(
        said.contains("elsewhere") && said.contains("template_dir"),
        "{said}"
    );

    fs::remove_file(templates.join("index.html.tera")).unwrap();
    fs::create_dir(templates.join("innkeeper")).unwrap();
    let page = templates.join("innkeeper/login.html.tera");
    fs::write(page, "The sign-in of another").unwrap();
    let program = Program::start_in(folder.path(), &asked);
    let page = http::request(program.port(), "GET /login/", &["Accept: text/html"], "");
    assert!(page.contains("The sign-in of another"), "{page}");
}

#[test]
fn a_replaced_page_is_found_among_somebody_elses_templates() {
    let folder = folder_with(&[]);
    let templates = folder.path().join("templates");
    let ours = templates.join("innkeeper");
    fs::create_dir_all(&ours).unwrap();
    fs::write(templates.join("index.html.tera"), "{% if %}").unwrap();
    fs::write(templates.join("index.html.hbs"), "{{#if}}").unwrap();
    symlink("nowhere", templates.join("gone.html.tera")).unwrap();
    let page = ours.join("login.html.tera");
    let text =
        "{% extends \"innkeeper/layout\" %}{% block main %}Of {{ '<b>' }}, another's{% endblock %}";
    fs::write(&page, text).unwrap();

    let program = Program::start_in(folder.path(), &[]);
    let get = |path| http::request(program.port(), path, &["Accept: text/html"], "");
    let answer = get("GET /login/");
    assert!(answer.contains("Of &lt;b&gt;, another's"), "{answer}");
    assert!(answer.contains("<!doctype html>"), "{answer}");
    assert!(get("GET /logout/").contains("<!doctype html>"));
    drop(program);

    fs::write(&page, "{% extends \"innkeeper/layout\" %}\n{% if %}").unwrap();
    let said = Program::refusal(folder.path(), &[]);
    for words in ["templates/innkeeper", "login.html.tera", "2:"] {
        assert!(said.contains(words), "{words} in: {said}");
    }
    assert!(!said.contains("index.html"), "{said}");
}

/// What a visitor types would be markup in it.
#[test]
fn a_replaced_page_that_would_not_be_escaped_stops_the_launch() {
    let folder = folder_with(&[]);
    let ours = folder.path().join("templates/innkeeper");
    fs::create_dir_all(ours.join("made")).unwrap();
    for (file, expected) in [
        ("login.tera", "innkeeper/login.html.tera"),
        ("login.txt.tera", "innkeeper/login.html.tera"),
        ("made/links.tera", "innkeeper/made/links.html.tera"),
    ] {
        fs::write(ours.join(file), "{{ site.name }}").unwrap();
        for variables in [&[][..], &[("ROCKET_TEMPLATE_DIR", "templates")]] {
            let said = Program::refusal(folder.path(), variables);
            let found = format!("{file} replaces a page, but only {expected} is certainly escaped");
            assert!(said.contains(&found), "{said}");
        }
        fs::remove_file(ours.join(file)).unwrap();
    }
}

#[test]
fn a_mistake_stops_the_launch_and_names_the_setting_and_its_source() {
    for (toml, variables, words) in [
        (
            "idle_timout_secs = 5",
            &[][..],
            &["`idle_timout_secs`", "Rocket.toml", "idle_timeout_secs"][..],
        ),
        (
            "",
            &[("INNKEEPER_REDISURL", "x")],
            &["`redisurl`", "INNKEEPER_REDISURL", "redis_url"],
        ),
        (
            "idle_timeout_secs = \"soon\"",
            &[],
            &["`idle_timeout_secs`", "Rocket.toml", "soon"],
        ),
        (
            "idle_timeout_secs = 0",
            &[],
            &["`idle_timeout_secs`", "from 1"],
        ),
        (
            "idle_timeout_secs = -1",
            &[],
            &["`idle_timeout_secs`", "-1"],
        ),
        ("idle_timeout_secs = 1.5", &[], &["`idle_timeout_secs`"]),
        (
            "",
            &[("INNKEEPER_IDLE_TIMEOUT_SECS", "15m")],
            &["INNKEEPER_IDLE_TIMEOUT_SECS", "15m"],
        ),
        (
            "",
            &[("INNKEEPER_ABSOLUTE_TIMEOUT_SECS", "-1")],
            &["INNKEEPER_ABSOLUTE_TIMEOUT_SECS"],
        ),
        (
            "",
            &[("INNKEEPER_REDIS_TIMEOUT_MS", "0")],
            &["INNKEEPER_REDIS_TIMEOUT_MS"],
        ),
        (
            "",
            &[("INNKEEPER_LOG_FORMAT", "xml")],
            &["INNKEEPER_LOG_FORMAT", "`text` or `json`"],
        ),
        (
            "",
            &[("INNKEEPER_PUBLIC_URL", "app.example")],
            &["INNKEEPER_PUBLIC_URL"],
        ),
        (
            "",
            &[("INNKEEPER_PUBLIC_URL", "https://app.example/path")],
            &["INNKEEPER_PUBLIC_URL", "without a path"],
        ),
        (
            "",
            &[("INNKEEPER_PUBLIC_URL", "ftp://app.example")],
            &["INNKEEPER_PUBLIC_URL"],
        ),
        (
            "",
            &[("INNKEEPER_OPEN_TO_THE_WORLD", "yes")],
            &["INNKEEPER_OPEN_TO_THE_WORLD"],
        ),
        (
            "sign_in = \"secret\"",
            &[],
            &["`sign_in`", "secret", "Rocket.toml"],
        ),
        ("store_path = 5", &[], &["`store_path`", "Rocket.toml"]),
        (
            "",
            &[("UPSTASH_REDIS_REST_URL", "https://x.upstash.io")],
            &["upstash_redis_rest_token"],
        ),
        (
            "",
            &[("UPSTASH_REDIS_REST_TOKEN", "s3cret")],
            &["upstash_redis_rest_url"],
        ),
        (
            "",
            &[("INNKEEPER_METRICS_ADDRESS", "9100")],
            &["INNKEEPER_METRICS_ADDRESS", "an address and a port"],
        ),
    ] {
        let folder = folder_with(&[("Rocket.toml", &format!("[default.innkeeper]\n{toml}\n"))]);
        let said = Program::refusal_as_given(folder.path(), variables);
        for word in words {
            assert!(said.contains(word), "{word} in: {said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
        assert!(!folder.path().join("data").exists(), "{said}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_and_not_shown_where_it_may_be_secret() {
    for (toml, words) in [
        ("redis_url = [\"s3cret\"]", ["`redis_url`", "in quotes"]),
        (
            "public_url = \"https://amy:s3cret@app.example\"",
            ["`public_url`", "an address like"],
        ),
        ("public_url = true", ["`public_url`", "in quotes"]),
        ("log_format = 1", ["`log_format`", "`text` or `json`"]),
    ] {
        let folder = folder_with(&[("Rocket.toml", &format!("[default.innkeeper]\n{toml}\n"))]);
        let said = Program::refusal(folder.path(), &[]);
        for word in words {
            assert!(said.contains(word), "{word} in: {said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_redis_address_that_is_none_is_refused_without_its_password() {
    for url in [
        "127.0.0.1:6379",
        "http://:s3cret@127.0.0.1",
        "redis://:s3cret@",
        "redis://user:s3cret@host:port/",
        "redis://:s3cret@host:99999",
        "redis://:s3cret@host/x",
        "redis://:s3cret@host?x=1",
        "redis-cluster://:s3cret@host:6379?nodes=other",
        "redis-sentinel://:s3cret@host:26379",
        "s3cret",
    ] {
        let folder = folder_with(&[]);
        let said = Program::refusal(folder.path(), &[("REDIS_URL", url)]);
        assert!(said.contains("REDIS_URL"), "{url}: {said}");
        assert!(!said.contains("s3cret"), "{url}: {said}");
    }
    for url in ["http://x.upstash.io", "x.upstash.io", "https://"] {
        let folder = folder_with(&[]);
        let variables = [
            ("UPSTASH_REDIS_REST_URL", url),
            ("UPSTASH_REDIS_REST_TOKEN", "s3cret"),
        ];
        let said = Program::refusal(folder.path(), &variables);
        assert!(said.contains("UPSTASH_REDIS_REST_URL"), "{url}: {said}");
        assert!(!said.contains("s3cret"), "{url}: {said}");
        // Both faults at once.
        let said = Program::refusal(folder.path(), &[("UPSTASH_REDIS_REST_URL", url)]);
        for words in ["must be an address", "needs `upstash_redis_rest_token`"] {
            assert!(said.contains(words), "{words} in: {said}");
        }
    }
}

#[test]
fn a_broken_env_file_is_refused_without_showing_its_line() {
    let folder = folder_with(&[(
        ".env",
        "REDIS_URL=redis://x\nTOKEN= s3cret with 'open quote\n",
    )]);
    let said = Program::refusal(folder.path(), &[]);
    assert!(said.contains(".env"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn open_sign_in_stays_on_loopback_unless_told_otherwise() {
    let folder = folder_with(&[]);
    let world = [("ROCKET_ADDRESS", "0.0.0.0")];
    let said = Program::refusal(folder.path(), &world);
    assert!(
        said.contains("`address`") && said.contains("open_to_the_world"),
        "{said}"
    );

    let told = [
        ("ROCKET_ADDRESS", "0.0.0.0"),
        ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
    ];
    let program = Program::start_in(folder.path(), &told);
    http::log_in(program.port(), "abdullah");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_to_be_so() {
    let folder = folder_with(&[("file", "")]);
    let said = Program::refusal(folder.path(), &[("INNKEEPER_STORE_PATH", "file/data")]);
    assert!(
        said.contains("file/data") && said.contains("store_path"),
        "{said}"
    );
}

#[test]
fn a_second_process_on_the_same_folder_is_pointed_to_redis() {
    let folder = folder_with(&[]);
    let data = folder.path().join("data");
    let path = [("INNKEEPER_STORE_PATH", data.to_str().unwrap())];
    let first = Program::start_in(folder.path(), &path);
    let second = folder_with(&[]);
    let said = Program::refusal(second.path(), &path);
    assert!(
        said.contains("another process") && said.contains("REDIS_URL"),
        "{said}"
    );
    http::log_in(first.port(), "abdullah");
}

#[test]
fn a_refused_launch_says_why_even_where_the_log_is_off() {
    for (name, value, word) in [
        ("REDIS_URL", "http://x", "REDIS_URL"),
        ("INNKEEPER_STORE_PATH", "/proc/x", "/proc/x"),
        ("INNKEEPER_IDLE_TIMEOUT_SECS", "soon", "soon"),
    ] {
        let folder = folder_with(&[]);
        let said = Program::refusal(folder.path(), &[(name, value), ("RUST_LOG", "off")]);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for text in [
        "[default",
        "redis_url = \"redis://:s3cret@x\"",
        "[default.innkeeper]\nredis_url = \"redis://:s3cret@x",
        "[innkeeper]\nstore_path = \"x\"",
        "[default]\ninnkeeper = 5",
    ] {
        let folder = folder_with(&[("Rocket.toml", text)]);
        let said = Program::refusal(folder.path(), &[]);
        assert!(said.contains("Rocket.toml"), "{text}: {said}");
        assert!(!said.contains("panicked"), "{text}: {said}");
        assert!(!said.contains("s3cret"), "{text}: {said}");
    }
}

#[test]
fn a_folder_of_ours_alone_is_closed_to_others() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = folder_with(&[]);
    for (others_file, expected) in [(false, 0o700), (true, 0o755)] {
        let data = folder.path().join(format!("data {others_file}"));
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        if others_file {
            fs::write(data.join("other"), "").unwrap();
        }
        let path = data.to_str().unwrap();
        drop(Program::start_in(
            folder.path(),
            &[("INNKEEPER_STORE_PATH", path)],
        ));
        assert_eq!(mode(&data), expected);
    }
}

/// Lets it belong to somebody else.
#[track_caller]
fn give_away(folder: &Path) {
    if std::os::unix::fs::chown(folder, Some(65_534), None).is_ok() {
        return;
    }
    let given = std::process::Command::new("sudo")
        .args(["-n", "chown", "65534"])
        .arg(folder)
        .status();
    assert!(
        given.is_ok_and(|status| status.success()),
        "only root can give a folder away: run the tests as root, or `sudo -v` first"
    );
}

#[test]
fn a_folder_of_somebody_elses_is_used_and_left_as_it_is() {
    let folder = folder_with(&[]);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    give_away(&data);
    let program = Program::start_in(folder.path(), &[]);
    let log = program.log();
    assert!(log.contains("is open to others"), "{log}");
    drop(program);
    let mode = fs::metadata(&data).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o777);
    let doctor = Program::operate(folder.path(), &["doctor"], &[]);
    assert!(doctor.out.contains("is open to others"), "{doctor:?}");
}

#[test]
fn a_damaged_store_stops_the_launch_with_a_plain_sentence() {
    let folder = folder_with(&[]);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("sessions.redb"), "nothing that redb has written").unwrap();
    let said = Program::refusal(folder.path(), &[]);
    assert!(said.contains("is damaged"), "{said}");
    assert!(said.contains("has to sign in again"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_mistake_in_rockets_own_settings_is_named_too() {
    let folder = folder_with(&[]);
    let said = Program::refusal_as_given(folder.path(), &[("ROCKET_PORT", "http")]);
    assert!(
        said.contains("\"PORT\"") && said.contains("ROCKET_"),
        "{said}"
    );
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_its_port() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    // Documentation's own address (RFC 3849), which no machine has.
    for (address, shown) in [
        ("127.0.0.1", format!("127.0.0.1:{port} cannot be bound")),
        (
            "2001:db8::1",
            format!("[2001:db8::1]:{port} cannot be bound"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let variables = [
            ("ROCKET_ADDRESS", address),
            ("ROCKET_PORT", port.as_str()),
            ("INNKEEPER_OPEN_TO_THE_WORLD", "true"),
            ("INNKEEPER_STORE_PATH", ":memory:"),
        ];
        let said = Program::refusal_as_given(folder.path(), &variables);
        assert!(said.contains(&shown), "{said}");
        assert!(said.contains("`port`"), "{said}");
    }
}

/// Else a part of it would be taken for a host, and be shown.
#[test]
fn a_password_that_is_not_encoded_is_told_and_no_part_of_it_is_shown() {
    for url in [
        "redis://amy:s3cret/w0rd@redis.example:6379",
        "redis://amy:12?w0rd@redis.example",
        "rediss-cluster://amy:s3c@ret#w0rd@redis.example?node=other.example",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let launch = Program::refusal(folder.path(), &[("REDIS_URL", url)]);
        let doctor = Program::operate(folder.path(), &["doctor"], &[("REDIS_URL", url)]);
        for said in [launch, doctor.out + &doctor.problem] {
            assert!(
                said.contains("REDIS_URL") && said.contains("/ as %2F"),
                "{said}"
            );
            for part in ["s3c", "ret", "w0rd", "amy", "12"] {
                let after = said.split_once("REDIS_URL").map_or("", |(_, after)| after);
                assert!(!after.contains(part), "{part} in {said}");
            }
        }
    }
}
