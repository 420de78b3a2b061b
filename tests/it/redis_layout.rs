//! What is in Redis: the tutorial's layout, and its server beside ours.

use std::collections::BTreeMap;

use crate::support::{Backend, Inn};

#[rocket::async_test]
async fn a_session_is_a_hash_and_an_entry_in_its_users_list() {
    let inn = Inn::open(Backend::Redis).await;
    let mut program = inn.program();
    let headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", "curl/8.5.0"),
    ];
    program
        .send(
            rocket::http::Method::Post,
            "/login/",
            &headers,
            r#"{"username":"abdullah"}"#,
        )
        .await;
    let id = program.id();
    assert_eq!(
        inn.redis().keys(),
        [format!("session:{id}"), "user_sessions:abdullah".to_owned()]
    );

    let hash: BTreeMap<String, String> = inn.redis().run(&format!("HGETALL session:{id}"));
    let created: f64 = hash["_created"].parse().unwrap();
    let names: Vec<_> = hash.keys().map(String::as_str).collect();
    assert_eq!(names, ["_agent", "_created", "status", "user"]);
    assert_eq!(
        (hash["user"].as_str(), hash["status"].as_str()),
        ("abdullah", "active")
    );
    assert_eq!(hash["_agent"], "curl/8.5.0");

    assert_eq!(inn.redis().run::<u64>("ZCARD user_sessions:abdullah"), 1);
    let score: f64 = inn
        .redis()
        .run(&format!("ZSCORE user_sessions:abdullah {id}"));
    assert!((score - created) < 1.0, "{score} {created}");
    assert_eq!(inn.redis().run::<i64>("TTL user_sessions:abdullah"), 43_200);
}

#[rocket::async_test]
async fn signing_out_leaves_only_its_reason_and_that_for_a_while() {
    let inn = Inn::open(Backend::Redis).await;
    let mut program = inn.program();
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
    assert_eq!(inn.redis().keys(), expected);
    for key in expected {
        assert_eq!(inn.redis().run::<i64>(&format!("TTL {key}")), 900);
    }
}

#[rocket::async_test]
async fn a_session_that_the_tutorials_server_began_works_here() {
    let inn = Inn::open(Backend::Redis).await;
    let id = "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11";
    inn.redis()
        .run::<u64>(&format!("HSET session:{id} user abdullah status active"));
    inn.redis().run::<u64>(&format!("EXPIRE session:{id} 100"));

    let mut program = inn.program().with_cookie("session_id", id);
    assert_eq!(
        program.profile().await.body,
        format!(
            r#"{{"session_id":"{id}","session_data":{{"user":"abdullah","status":"active"}}}}"#
        )
    );
    assert_eq!(inn.redis().run::<i64>(&format!("TTL session:{id}")), 900);
    let page = inn.browser().with_cookie("session_id", id).profile().await;
    page.assert_page(200, "Welcome, abdullah");

    assert_eq!(inn.redis().run::<u64>("ZCARD user_sessions:abdullah"), 1);
    program.log_out().await;
    assert_eq!(inn.redis().keys(), [format!("ended_session:{id}")]);
}

#[rocket::async_test]
async fn fields_of_others_are_shown_and_our_own_record_is_not() {
    let inn = Inn::open(Backend::Redis).await;
    let mut program = inn.program();
    program.log_in_as("abdullah").await;
    let id = program.id();
    inn.redis()
        .run::<u64>(&format!("HSET session:{id} theme dark _secret x"));
    assert_eq!(
        program.profile().await.json()["session_data"],
        serde_json::json!({ "user": "abdullah", "status": "active", "theme": "dark" })
    );
}

#[rocket::async_test]
async fn two_instances_share_their_sessions() {
    let here = Inn::open(Backend::Redis).await;
    let there = here.beside(&[]).await;
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
    let inn = Inn::open(Backend::Redis).await;
    let mut stranger = inn.program().with_cookie("session_id", "nonsense");
    let commands = || -> String { inn.redis().run("INFO commandstats") };
    stranger.profile().await;
    assert!(!commands().contains("cmdstat_hgetall"));
    stranger.log_out().await;
    assert!(!commands().contains("cmdstat_del"));
}

#[rocket::async_test]
async fn reading_a_profile_costs_two_commands_and_no_write_of_data() {
    let inn = Inn::open(Backend::Redis).await;
    let mut program = inn.program();
    program.log_in_as("abdullah").await;
    inn.redis().run::<()>("CONFIG RESETSTAT");
    for _ in 0..10 {
        program.profile().await;
    }
    let stats: String = inn.redis().run("INFO commandstats");
    let calls: BTreeMap<_, _> = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"))
        .filter_map(|line| line.split_once(":calls="))
        .map(|(name, rest)| (name, rest.split(',').next().unwrap()))
        .filter(|(name, _)| {
            !["config", "info", "client"].contains(&name.split('|').next().unwrap())
        })
        .collect();
    assert_eq!(calls, BTreeMap::from([("expire", "10"), ("hgetall", "10")]));
}
