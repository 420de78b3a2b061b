//! What is in Redis: the tutorial's layout, and its server beside ours.

use std::collections::BTreeMap;

use rocket::http::Method;

use crate::support::{Backend, TestApp};

#[rocket::async_test]
async fn a_session_is_a_hash_and_an_entry_in_its_users_list() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    let headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", "curl/8.5.0"),
    ];
    program
        .send(
            Method::Post,
            "/login/",
            &headers,
            r#"{"username":"abdullah"}"#,
        )
        .await;
    let id = program.id();
    assert_eq!(
        app.redis().keys(),
        [format!("session:{id}"), "user_sessions:abdullah".to_owned()]
    );

    let hash: BTreeMap<String, String> = app.redis().run(&format!("HGETALL session:{id}"));
    let (created, client) = hash["_"].split_once(' ').unwrap();
    let created: f64 = created.parse().unwrap();
    let names: Vec<_> = hash.keys().map(String::as_str).collect();
    assert_eq!(names, ["_", "status", "user"]);
    assert_eq!(
        (hash["user"].as_str(), hash["status"].as_str()),
        ("abdullah", "active")
    );
    // Rocket's local client has no address.
    assert_eq!(client, "- curl/8.5.0");

    assert_eq!(app.redis().run::<u64>("ZCARD user_sessions:abdullah"), 1);
    let score: f64 = app
        .redis()
        .run(&format!("ZSCORE user_sessions:abdullah {id}"));
    assert!((score - created) < 1.0, "{score} {created}");
    assert_eq!(app.redis().run::<i64>("TTL user_sessions:abdullah"), 43_200);
}

#[rocket::async_test]
async fn a_session_of_an_earlier_version_keeps_its_age_and_its_client() {
    let settings = [("absolute_timeout_secs", serde_json::json!(1000))];
    let app = TestApp::with(Backend::Redis, &settings).await;
    let (now, _): (u64, u64) = app.redis().run("TIME");
    for (id, fields) in [
        (
            "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11",
            format!("_created {} _ip 203.0.113.7 _agent curl/8.5.0", now - 400),
        ),
        // Written by an instance of this version after that.
        (
            "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c12",
            format!(
                "_created {} _ip 203.0.113.7 _agent curl/8.5.0 _proved {now}",
                now - 400
            ),
        ),
    ] {
        app.redis().run::<u64>(&format!(
            "HSET session:{id} user {id} status active {fields}"
        ));
        app.redis().run::<u64>(&format!("EXPIRE session:{id} 900"));
        let mut program = app.program().with_cookie("session_id", id);
        assert_eq!(program.profile().await.status.code, 200);
        let left = app.redis().run::<u64>(&format!("TTL session:{id}"));
        assert!((590..=600).contains(&left), "{left}");
        let listed = program.get("/sessions/").await.json();
        assert_eq!(listed["sessions"][0]["ip"], "203.0.113.7");
        assert_eq!(listed["sessions"][0]["device"], "curl");
    }
}

/// What Redis needs for the data alone: its tables of keys grow in steps, with what else is in it.
#[rocket::async_test]
async fn a_session_with_its_list_takes_less_than_300_bytes() {
    const SESSIONS: u64 = 2000;
    let app = TestApp::open(Backend::Redis).await;
    let sign_in = async |number: u64| {
        let headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "curl/8.5.0"),
        ];
        let body = format!(r#"{{"username":"user{number}"}}"#);
        let mut program = app.program();
        let answer = program.send(Method::Post, "/login/", &headers, &body).await;
        assert_eq!(answer.status.code, 200);
    };
    let used = || -> u64 {
        let info: String = app.redis().run("INFO memory");
        let (_, used) = info.split_once("used_memory_dataset:").unwrap();
        used.lines().next().unwrap().trim().parse().unwrap()
    };
    // The script is kept too.
    sign_in(0).await;
    let before = used();
    for number in 1..=SESSIONS {
        sign_in(number).await;
    }
    let each = (used() - before) / SESSIONS;
    assert!(each < 300, "{each} bytes");
}

/// Over a distant network each round trip costs more than all the rest.
#[rocket::async_test]
async fn signing_in_and_out_is_one_command_each() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    // Those inside a script are counted too; of these only `EVAL` and `HGET` are sent by themselves.
    let sent = || -> u64 {
        let info: String = app.redis().run("INFO commandstats");
        let calls = |name: &str| -> u64 {
            let before = format!("cmdstat_{name}:calls=");
            let calls = info.lines().find_map(|line| line.strip_prefix(&before));
            calls.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
        };
        calls("eval") + calls("hget")
    };
    program.log_in_as("abdullah").await;
    assert_eq!(sent(), 1);
    program.log_in_as("abdullah").await;
    assert_eq!(sent(), 2);
    program.log_out().await;
    assert_eq!(sent(), 3);
}

#[rocket::async_test]
async fn signing_out_leaves_only_its_reason_and_that_for_a_while() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let first = program.id();
    program.log_in_as("zo\u{eb} and { friends }").await;
    let second = program.id();
    program.log_out().await;
    let mut expected = [
        format!("ended_session:{first}"),
        format!("ended_session:{second}"),
    ];
    expected.sort();
    assert_eq!(app.redis().keys(), expected);
    for key in expected {
        assert_eq!(app.redis().run::<i64>(&format!("TTL {key}")), 900);
    }
}

#[rocket::async_test]
async fn a_session_that_the_tutorials_server_began_works_here() {
    let app = TestApp::open(Backend::Redis).await;
    let id = "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11";
    app.redis()
        .run::<u64>(&format!("HSET session:{id} user abdullah status active"));
    app.redis().run::<u64>(&format!("EXPIRE session:{id} 100"));

    let mut program = app.program().with_cookie("session_id", id);
    assert_eq!(
        program.profile().await.body,
        format!(
            r#"{{"session_id":"{id}","session_data":{{"user":"abdullah","status":"active"}}}}"#
        )
    );
    assert_eq!(app.redis().run::<i64>(&format!("TTL session:{id}")), 900);
    let page = app.browser().with_cookie("session_id", id).profile().await;
    page.assert_page(200, "Welcome, abdullah");

    assert_eq!(app.redis().run::<u64>("ZCARD user_sessions:abdullah"), 1);
    program.log_out().await;
    assert_eq!(app.redis().keys(), [format!("ended_session:{id}")]);
}

#[rocket::async_test]
async fn fields_of_others_are_shown_and_our_own_record_is_not() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let id = program.id();
    app.redis()
        .run::<u64>(&format!("HSET session:{id} theme dark _secret x"));
    assert_eq!(
        program.profile().await.json()["session_data"],
        serde_json::json!({ "user": "abdullah", "status": "active", "theme": "dark" })
    );
}

#[rocket::async_test]
async fn two_instances_share_their_sessions() {
    let here = TestApp::open(Backend::Redis).await;
    let there = here.second_instance(&[]).await;
    let mut program = here.program();
    program.log_in_as("abdullah").await;
    let mut elsewhere = there.program().with_cookie("session_id", &program.id());
    assert_eq!(elsewhere.profile().await.status.code, 200);
    elsewhere.log_out().await;
    program
        .profile()
        .await
        .assert_detail(404, "Session expired");
}

#[rocket::async_test]
async fn an_id_that_is_none_costs_no_command() {
    let app = TestApp::open(Backend::Redis).await;
    let mut stranger = app.program().with_cookie("session_id", "nonsense");
    let commands = || -> String { app.redis().run("INFO commandstats") };
    // The launch asks whether Redis is there, as a request would.
    crate::support::eventually("the launch's question", || {
        commands().contains("cmdstat_expire").then_some(())
    });
    app.redis().run::<()>("CONFIG RESETSTAT");
    stranger.profile().await;
    assert!(!commands().contains("cmdstat_hgetall"));
    stranger.log_out().await;
    assert!(!commands().contains("cmdstat_del"));
}

#[rocket::async_test]
async fn reading_a_profile_costs_three_commands_and_no_write_of_data() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    crate::support::eventually("the launch's question", || {
        let stats: String = app.redis().run("INFO commandstats");
        stats.contains("cmdstat_expire").then_some(())
    });
    app.redis().run::<()>("CONFIG RESETSTAT");
    for _ in 0..10 {
        program.profile().await;
    }
    let stats: String = app.redis().run("INFO commandstats");
    let calls: BTreeMap<_, _> = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"))
        .filter_map(|line| line.split_once(":calls="))
        .map(|(name, rest)| (name, rest.split(',').next().unwrap()))
        .filter(|(name, _)| {
            !["config", "info", "client"].contains(&name.split('|').next().unwrap())
        })
        .collect();
    let each = ["expire", "hgetall", "zscore"].map(|name| (name, "10"));
    assert_eq!(calls, BTreeMap::from(each));
}

async fn listed(app: &TestApp, id: &str) -> Vec<serde_json::Value> {
    let answer = app
        .program()
        .with_cookie("session_id", id)
        .get("/sessions/")
        .await;
    assert_eq!(answer.status.code, 200, "{answer:?}");
    answer.json()["sessions"].as_array().unwrap().clone()
}

/// A list can be evicted, or run out of time after the settings were changed.
#[rocket::async_test]
async fn a_session_that_its_list_has_lost_is_seen_and_ended_all_the_same() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let id = program.id();
    app.redis().run::<u64>("DEL user_sessions:abdullah");
    assert_eq!(listed(&app, &id).await.len(), 1);
    assert_eq!(app.redis().run::<u64>("ZCARD user_sessions:abdullah"), 1);

    let handle = innkeeper::SessionHandle::from(&innkeeper::SessionId::parse(&id).unwrap());
    for path in [format!("/sessions/{handle}"), "/sessions/".to_owned()] {
        program.log_in_as("abdullah").await;
        let mut late = program.clone();
        let path = path.replace(
            &handle.to_string(),
            &innkeeper::SessionHandle::from(&innkeeper::SessionId::parse(&late.id()).unwrap())
                .to_string(),
        );
        app.redis().run::<u64>("DEL user_sessions:abdullah");
        let answer = program.send(Method::Delete, &path, &[], "").await;
        assert_eq!(answer.status.code, 200, "{answer:?}");
        late.profile().await.assert_detail(404, "Session expired");
    }
}

#[rocket::async_test]
async fn the_newest_sign_in_stays_even_where_another_instances_clock_is_ahead() {
    let settings = [("max_sessions_per_user", serde_json::json!(1))];
    let app = TestApp::with(Backend::Redis, &settings).await;
    let (mut first, mut second) = (app.program(), app.program());
    first.log_in_as("abdullah").await;
    let list = "user_sessions:abdullah";
    app.redis()
        .run::<f64>(&format!("ZINCRBY {list} 5 {}", first.id()));
    second.log_in_as("abdullah").await;
    assert_eq!(second.profile().await.status.code, 200);
    assert_eq!(first.profile().await.status.code, 404);
}

#[rocket::async_test]
async fn a_key_that_holds_no_session_does_not_hide_the_others() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let odd = "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11";
    app.redis().run::<()>(&format!("SET session:{odd} x"));
    app.redis()
        .run::<u64>(&format!("ZADD user_sessions:abdullah 1 {odd}"));
    assert_eq!(listed(&app, &program.id()).await.len(), 1);
}

/// T4, where a touch has more to do than to read and renew.
#[rocket::async_test]
async fn with_full_memory_every_kind_of_session_goes_on() {
    let settings = [("absolute_timeout_secs", serde_json::json!(0))];
    let app = TestApp::with(Backend::Redis, &settings).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let id = "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11";
    app.redis()
        .run::<u64>(&format!("HSET session:{id} user abdullah status active"));
    app.redis().run::<()>("CONFIG SET maxmemory 1");
    let mut foreign = app.program().with_cookie("session_id", id);
    for client in [&mut program, &mut foreign] {
        assert_eq!(client.profile().await.status.code, 200);
        assert_eq!(client.get("/sessions/").await.status.code, 200);
    }
    app.redis().run::<()>("CONFIG SET maxmemory 0");
    foreign.profile().await;
    assert_eq!(listed(&app, id).await.len(), 2);
}

/// Waits for what is done beside the requests, which go on meanwhile.
async fn while_used<T>(
    what: &str,
    client: &mut crate::support::TestClient,
    look: impl Fn() -> Option<T>,
) -> T {
    let begun = std::time::Instant::now();
    loop {
        assert_eq!(client.profile().await.status.code, 200);
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 60, "waited for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The list was given the longest life of a session under the old limit, and under the new one sessions live longer.
#[rocket::async_test]
async fn a_raised_limit_leaves_no_session_unlisted() {
    for (before, after) in [(0, 43_200), (6, 600)] {
        let settings = |limit| [("absolute_timeout_secs", serde_json::json!(limit))];
        let old = TestApp::with(Backend::Redis, &settings(before)).await;
        let mut program = old.program();
        program.log_in_as("abdullah").await;
        let list = "user_sessions:abdullah";
        let ttl = || old.redis().run::<i64>(&format!("TTL {list}"));
        assert_eq!(ttl(), 900, "{before}");
        old.redis().run::<u64>(&format!("EXPIRE {list} 500"));
        let new = old.second_instance(&settings(after)).await;
        let mut program = new.program().with_cookie("session_id", &program.id());
        let longest = i64::max(900, after);
        while_used("the list to live on", &mut program, || {
            (ttl() > longest - 60).then_some(())
        })
        .await;
    }
}

/// Evicted, or lost in a failover; seen by an instance that has just come, and by one that knew it in its list.
#[rocket::async_test]
async fn a_session_that_its_list_has_lost_is_listed_again_when_it_is_used() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    for app in [&app.second_instance(&[]).await, &app] {
        let mut program = app.program().with_cookie("session_id", &program.id());
        app.redis().run::<u64>("DEL user_sessions:abdullah");
        while_used("the session to be listed", &mut program, || {
            let names: u64 = app.redis().run("ZCARD user_sessions:abdullah");
            (names == 1).then_some(())
        })
        .await;
        let left: i64 = app.redis().run("TTL user_sessions:abdullah");
        assert!(left > 43_000, "{left}");
    }
    let mut other = app.program();
    other.log_in_as("abdullah").await;
    let method = Method::Delete;
    let answer = other.send(method, "/sessions/others", &[], "").await;
    assert_eq!(answer.json()["ended"], 1);
    assert_eq!(program.profile().await.status.code, 404);
}

/// While instances with other settings take one another's place.
#[rocket::async_test]
async fn no_instance_shortens_the_life_of_a_list() {
    let app = TestApp::open(Backend::Redis).await;
    app.program().log_in_as("abdullah").await;
    let limit = [("absolute_timeout_secs", serde_json::json!(60))];
    let shorter = app.second_instance(&limit).await;
    shorter.program().log_in_as("abdullah").await;
    let left: i64 = app.redis().run("TTL user_sessions:abdullah");
    assert!(left > 43_000, "{left}");

    // Nor one that looks at the list with each touch, because its sessions have no limit.
    let limits = [
        ("absolute_timeout_secs", serde_json::json!(0)),
        ("idle_timeout_secs", serde_json::json!(60)),
    ];
    let without_limit = app.second_instance(&limits).await;
    let mut here = without_limit.program();
    here.log_in_as("abdullah").await;
    assert_eq!(here.profile().await.status.code, 200);
    assert_eq!(here.get("/sessions/").await.status.code, 200);
    let left: i64 = app.redis().run("TTL user_sessions:abdullah");
    assert!(left > 43_000, "{left}");

    // Nor one that lists a session which the other has listed since it looked: both find the list gone.
    let mut there = app.program();
    there.log_in_as("abdullah").await;
    let mut here = without_limit
        .program()
        .with_cookie("session_id", &there.id());
    for _ in 0..20 {
        app.redis().run::<()>("DEL user_sessions:abdullah");
        rocket::tokio::join!(there.profile(), here.profile());
        let left: i64 = app.redis().run("TTL user_sessions:abdullah");
        assert!(left > 43_000, "{left}");
    }
}

/// What cannot be listed cannot be ended, so it must not begin.
#[rocket::async_test]
async fn a_key_that_holds_no_list_lets_no_session_begin_unlisted() {
    let app = TestApp::open(Backend::Redis).await;
    app.redis().run::<()>("SET user_sessions:abdullah x");
    let mut program = app.program();
    assert_eq!(program.log_in_as("abdullah").await.status.code, 503);
    assert_eq!(app.redis().keys(), ["user_sessions:abdullah"]);
    // Nor does it end the session that it would have taken the place of.
    let mut program = app.program();
    assert_eq!(program.log_in_as("amy").await.status.code, 200);
    assert_eq!(program.log_in_as("abdullah").await.status.code, 503);
    assert_eq!(program.profile().await.status.code, 200);
    app.redis().run::<()>("CONFIG SET maxmemory 1");
    assert_eq!(program.log_in_as("beth").await.status.code, 503);
    assert_eq!(program.profile().await.status.code, 200);
    program.log_out().await;
    program
        .profile()
        .await
        .assert_detail(403, "No session cookie found");
}

/// Not some time later: whoever signs out everywhere ends all that have been used.
#[rocket::async_test]
async fn a_list_that_is_lost_is_whole_again_with_the_next_requests() {
    let app = TestApp::open(Backend::Redis).await;
    let second = app.second_instance(&[]).await;
    for round in 0..3 {
        let (mut here, mut there) = (app.program(), app.program());
        here.log_in_as("abdullah").await;
        there.log_in_as("abdullah").await;
        for used_by in [&app, &second] {
            app.redis().run::<u64>("DEL user_sessions:abdullah");
            let mut here = used_by.program().with_cookie("session_id", &here.id());
            let mut there = used_by.program().with_cookie("session_id", &there.id());
            assert_eq!(here.profile().await.status.code, 200);
            assert_eq!(there.profile().await.status.code, 200);
            let listed: Vec<String> = app.redis().run("ZRANGE user_sessions:abdullah 0 -1");
            assert_eq!(listed.len(), 2, "{round}: {listed:?}");
        }
        app.redis().run::<u64>("DEL user_sessions:abdullah");
        assert_eq!(here.profile().await.status.code, 200);
        let answer = there.send(Method::Delete, "/sessions/", &[], "").await;
        assert_eq!(answer.status.code, 200);
        assert_eq!(here.profile().await.status.code, 404);
    }
}
