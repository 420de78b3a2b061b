//! What Innkeeper's user in Redis may do: what the guide says, and what is said where it is not enough.

use crate::operator::{doctor, doctor_of, end, handles};
use crate::support::cluster::Cluster;
use crate::support::program::Program;
use crate::support::redis::{
    FURTHER_RIGHTS, LEAST_RIGHTS, OPERATORS_RIGHTS, RedisServer, SIGN_IN_RIGHTS, guide_line,
};
use crate::support::sentinel::Sentinels;
use crate::support::{eventually, http};
use crate::tls;

/// Makes Innkeeper's user anew, by these lines alone.
fn paste(redis: &RedisServer, uses: &[&str]) {
    drop(redis.try_run::<()>("ACL DELUSER innkeeper"));
    for line in uses.iter().map(|what_for| guide_line(what_for)) {
        redis.run::<()>(&line);
    }
}

/// Signs in, looks, lists, ends and signs out.
#[track_caller]
fn assert_works(url: &str) {
    let program = Program::start(&[("REDIS_URL", url)]);
    let (id, other) = (
        http::log_in(program.port(), "abdullah"),
        http::log_in(program.port(), "abdullah"),
    );
    let cookie = format!("Cookie: session_id={id}");
    for (request, status) in [
        ("GET /profile/", 200),
        ("GET /sessions/", 200),
        ("DELETE /sessions/others", 200),
        ("POST /logout/", 200),
        ("GET /session/", 404),
    ] {
        let answer = http::request(program.port(), request, &[&cookie], "");
        assert_eq!(http::status(&answer), status, "{request}: {answer}");
    }
    assert_eq!(http::profile_status(program.port(), &other), 404);
}

#[test]
fn the_tests_have_the_rights_of_the_guide() {
    let further = ["In a cluster", "Behind Sentinels", "The metrics' count"].map(guide_line);
    let operators = guide_line("What doctor looks up");
    let rights = |line: &str| {
        let mut rights: Vec<_> = line.split_whitespace().skip(3).map(str::to_owned).collect();
        rights.sort();
        rights
    };
    let mut expected: Vec<_> = FURTHER_RIGHTS.split(' ').map(str::to_owned).collect();
    expected.sort();
    let mut found = further.map(|line| rights(&line)).concat();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(
        guide_line("Sessions"),
        format!("ACL SETUSER innkeeper on >least {LEAST_RIGHTS}")
    );
    assert_eq!(
        guide_line("Passwords"),
        format!("ACL SETUSER innkeeper {SIGN_IN_RIGHTS} +scan")
    );
    assert_eq!(
        operators,
        format!("ACL SETUSER innkeeper {OPERATORS_RIGHTS}")
    );
}

#[test]
fn each_line_of_the_guide_suffices_for_what_it_says() {
    let redis = RedisServer::start();
    paste(&redis, &["Sessions"]);
    assert_works(&redis.url());

    let database = format!("{}/1", redis.url());
    let said = doctor_of(&database);
    said.assert_says(2, &["database", "`ACL SETUSER innkeeper +select`"]);
    paste(&redis, &["Sessions", "An address with a /database"]);
    assert_works(&database);

    let url = redis.url();
    let metrics = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
    ];
    doctor(&metrics).assert_says(1, &["`ACL SETUSER innkeeper +dbsize +randomkey`"]);
    paste(&redis, &["Sessions", "The metrics' count"]);
    let said = doctor(&metrics);
    assert!(!said.out.contains("+dbsize"), "{said:?}");

    paste(&redis, &["Sessions", "What doctor looks up"]);
    let said = doctor_of(&url);
    said.assert_says(0, &["All well"]);
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&[("REDIS_URL", &url)]);
    http::log_in(program.port(), "abdullah");
    let handle = &handles(folder.path(), &url, "abdullah")[0];
    end(folder.path(), &url, &[handle]).assert_says(0, &[handle]);
}

#[test]
fn the_line_for_a_cluster_suffices() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        paste(node, &["Sessions", "In a cluster"]);
    }
    assert_works(&cluster.url());
}

#[test]
fn the_line_for_sentinels_suffices() {
    let sentinels = Sentinels::start();
    paste(&sentinels.primary, &["Sessions"]);
    doctor_of(&sentinels.url()).assert_says(2, &["`ACL SETUSER innkeeper +role`"]);
    paste(&sentinels.primary, &["Sessions", "Behind Sentinels"]);
    assert_works(&sentinels.url());
}

#[test]
fn where_it_may_not_look_it_does_not_say_that_all_is_well() {
    let redis = RedisServer::start();
    let said = doctor_of(&redis.url());
    said.assert_says(
        1,
        &[
            "no permissions to run the 'info' command",
            "`ACL SETUSER innkeeper +info`",
            "`ACL SETUSER innkeeper +scan`",
        ],
    );
    assert_eq!(
        said.troubles(),
        [("warning", "Redis"), ("warning", "rights")]
    );

    redis.allow("+info");
    let said = doctor_of(&redis.url());
    said.assert_says(1, &["`ACL SETUSER innkeeper +config|get`"]);
    redis.allow(OPERATORS_RIGHTS);
    doctor_of(&redis.url()).assert_says(0, &["All well", "keeps nothing on disk"]);
}

#[test]
fn every_right_that_sessions_need_is_missed_by_name() {
    let redis = RedisServer::start();
    let commands = LEAST_RIGHTS
        .split_whitespace()
        .filter_map(|right| right.strip_prefix('+'));
    for command in commands {
        redis.allow(&format!("-{command}"));
        let said = doctor_of(&redis.url());
        said.assert_says(
            2,
            &[
                &format!("no permissions to run the '{command}' command"),
                &format!("`ACL SETUSER innkeeper +{command}`"),
            ],
        );
        redis.allow(&format!("+{command}"));
    }
    for missing in ["~session:*", "~user_sessions:*", "~ended_session:*"] {
        let others = LEAST_RIGHTS.split_whitespace();
        let others: Vec<_> = others
            .filter(|right| right.starts_with('~') && *right != missing)
            .collect();
        redis.allow(&format!("resetkeys {}", others.join(" ")));
        let said = doctor_of(&redis.url());
        said.assert_says(
            2,
            &[
                "to access a key",
                &format!("`ACL SETUSER innkeeper {missing}`"),
            ],
        );
    }
    // Nothing was made by asking.
    redis.allow("resetkeys allkeys");
    for key in redis.keys() {
        assert!(key.starts_with("ended_session:"), "{key}");
    }
}

#[test]
fn every_right_that_passwords_need_is_missed_by_name() {
    let redis = RedisServer::start();
    redis.allow(OPERATORS_RIGHTS);
    let url = redis.url();
    let with = |sign_in| doctor(&[("REDIS_URL", &url), ("INNKEEPER_SIGN_IN", sign_in)]);
    assert!(!with("password").out.contains("ACL SETUSER"));
    let needed = format!("{SIGN_IN_RIGHTS} +scan");
    for command in needed
        .split_whitespace()
        .filter(|right| right.starts_with('+'))
    {
        redis.allow(&command.replace('+', "-"));
        with("password").assert_says(
            2,
            &[
                "with passwords",
                &format!("`ACL SETUSER innkeeper {command}`"),
            ],
        );
        assert!(!with("open").out.contains("with passwords"));
        redis.allow(command);
    }
    let keys: Vec<_> = [LEAST_RIGHTS, SIGN_IN_RIGHTS]
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter(|right| right.starts_with('~'))
        .collect();
    for missing in SIGN_IN_RIGHTS
        .split_whitespace()
        .filter(|right| right.starts_with('~'))
    {
        let others: Vec<_> = keys
            .iter()
            .copied()
            .filter(|right| *right != missing)
            .collect();
        redis.allow(&format!("resetkeys {}", others.join(" ")));
        with("password").assert_says(
            2,
            &[
                "with passwords",
                &format!("`ACL SETUSER innkeeper {missing}`"),
            ],
        );
    }
    // Nothing was made by asking.
    redis.allow("resetkeys allkeys");
    for key in redis.keys() {
        assert!(key.starts_with("ended_session:"), "{key}");
    }
}

/// What the log says of Redis at the launch.
fn told_at_launch(url: &str) -> String {
    let program = Program::start(&[("REDIS_URL", url)]);
    eventually("the launch to tell of Redis", || {
        let log = program.log();
        log.lines()
            .find(|line| line.contains("can be used") || line.contains("cannot be used yet"))
            .map(str::to_owned)
    })
}

#[test]
fn a_requests_line_tells_a_wrong_password_from_an_outage() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url_of("innkeeper:s3cret"))]);
    let id = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    assert_eq!(http::profile_status(program.port(), id), 503);
    let line = eventually("the request's line", || {
        let log = program.log();
        let line = log.lines().find(|line| line.contains("/profile"));
        line.map(str::to_owned)
    });
    assert!(line.contains("refuses the user or the password"), "{line}");
    assert!(!line.contains("s3cret"), "{line}");
}

#[test]
fn the_launch_says_whether_redis_can_be_used_and_where() {
    let redis = RedisServer::start();
    let at = redis.address();
    let line = told_at_launch(&redis.url());
    assert!(
        line.contains(&format!("Redis at {at} can be used")),
        "{line}"
    );

    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = tls::certificate(folder.path());
    let with_tls = tls::with_tls(&redis, &certificate, &key);
    let there = format!(
        "redis://innkeeper:s3cret@127.0.0.1:{}",
        crate::support::free_port()
    );
    let database = format!("{}/1", redis.url());
    for (url, place, problem) in [
        (
            redis.url_of("innkeeper:s3cret"),
            at.as_str(),
            "refuses the user or the password",
        ),
        (there, "127.0.0.1:", "refused"),
        (database, &at, "no permissions to run the 'select' command"),
        (
            format!("rediss://:s3cret@localhost:{with_tls}"),
            "localhost:",
            "certificate is not trusted",
        ),
        (
            "redis://:s3cret@nowhere.invalid".to_owned(),
            "nowhere.invalid:6379",
            "name is not known",
        ),
    ] {
        let line = told_at_launch(&url);
        assert!(line.contains("WARN") && line.contains(place), "{line}");
        assert!(line.contains(problem), "{problem} in: {line}");
        assert!(
            !line.contains("s3cret") && !line.contains("least"),
            "{line}"
        );
    }
}
