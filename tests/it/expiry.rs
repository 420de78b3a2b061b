//! Fifteen minutes and twelve hours, on a paused clock; on Redis by what it says of its keys.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Backend, TestApp};

const MINUTE: Duration = Duration::from_secs(60);

/// An app whose paused clock is ahead of the wall clock, so that it alone is measured by, however slow the machine.
async fn paused_inn(settings: &[(&str, Value)]) -> TestApp {
    let app = TestApp::with(Backend::Embedded, settings).await;
    tokio::time::advance(24 * 60 * MINUTE).await;
    app
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_fifteen_minutes_after_its_last_request() {
    let app = paused_inn(&[]).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    for _ in 0..4 {
        tokio::time::advance(14 * MINUTE).await;
        assert_eq!(program.profile().await.status.code, 200);
    }
    tokio::time::advance(15 * MINUTE).await;
    let answer = program.profile().await;
    answer.assert_detail(404, "Session expired");
    answer.assert_removes_cookie("session_id");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_twelve_hours_after_sign_in_however_active() {
    let app = paused_inn(&[]).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    for _ in 0..71 {
        tokio::time::advance(10 * MINUTE).await;
        assert_eq!(browser.profile().await.status.code, 200);
    }
    let page = browser.profile().await.body;
    let left = page.split("data-seconds-left=\"").nth(1).unwrap();
    let left: u64 = left.split('"').next().unwrap().parse().unwrap();
    assert!((595..=600).contains(&left), "{left}");
    tokio::time::advance(10 * MINUTE).await;
    assert_eq!(browser.profile().await.status.code, 303);
}

#[tokio::test(start_paused = true)]
async fn the_limits_are_settings() {
    let settings = [
        ("idle_timeout_secs", json!(60)),
        ("absolute_timeout_secs", json!(0)),
    ];
    let app = paused_inn(&settings).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    for _ in 0..2000 {
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(program.profile().await.status.code, 200);
    }
    tokio::time::advance(MINUTE).await;
    assert_eq!(program.profile().await.status.code, 404);
}

#[rocket::async_test]
async fn on_redis_the_expiry_slides_with_each_request() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let key = format!("session:{}", program.id());
    assert_eq!(app.redis().run::<u64>(&format!("TTL {key}")), 900);

    for path in ["/profile/", "/login/", "/"] {
        app.redis().run::<u64>(&format!("EXPIRE {key} 100"));
        program.get(path).await;
        assert_eq!(app.redis().run::<u64>(&format!("TTL {key}")), 900, "{path}");
    }
}

#[rocket::async_test]
async fn on_redis_the_absolute_limit_cuts_the_expiry() {
    let settings = [("absolute_timeout_secs", json!(1000))];
    let app = TestApp::with(Backend::Redis, &settings).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let key = format!("session:{}", program.id());
    assert_eq!(app.redis().run::<u64>(&format!("TTL {key}")), 900);

    let born = created(&app, &key, "_");
    app.redis()
        .run::<u64>(&format!("HSET {key} _ {}", born - 400));
    assert_eq!(program.profile().await.status.code, 200);
    let left = app.redis().run::<u64>(&format!("TTL {key}"));
    assert!((590..=600).contains(&left), "{left}");

    app.redis()
        .run::<u64>(&format!("HSET {key} _ {}", born - 1000));
    program
        .profile()
        .await
        .assert_detail(404, "Session expired");
    assert_eq!(app.redis().run::<u64>(&format!("EXISTS {key}")), 0);
}

#[rocket::async_test]
async fn on_redis_without_an_absolute_limit_the_list_lives_as_long_as_the_session() {
    let settings = [("absolute_timeout_secs", json!(0))];
    let app = TestApp::with(Backend::Redis, &settings).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    app.redis().run::<u64>("EXPIRE user_sessions:abdullah 100");
    program.profile().await;
    assert_eq!(app.redis().run::<u64>("TTL user_sessions:abdullah"), 900);
}

/// Moves every clock of this process ahead of Redis'.
async fn advance_ours(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// When a session was created, by a field that says it first.
fn created(app: &TestApp, key: &str, field: &str) -> u64 {
    let text: String = app.redis().run(&format!("HGET {key} {field}"));
    text.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn on_redis_an_instance_whose_clock_is_ahead_ends_nobodys_session() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    advance_ours(13 * 60 * MINUTE).await;
    let other = app.second_instance(&[]).await;
    advance_ours(24 * 60 * MINUTE).await;
    for app in [&app, &other] {
        let mut program = app.program().with_cookie("session_id", &program.id());
        for path in ["/session/", "/profile/", "/session/"] {
            let answer = program.get(path).await;
            assert_eq!(answer.status.code, 200, "{path} {answer:?}");
        }
        let listed = program.get("/sessions/").await.json();
        assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
    }

    // What it begins is not dated ahead, and would not outlive its limit elsewhere.
    program.log_in_as("abdullah").await;
    let key = format!("session:{}", program.id());
    let (now, _): (u64, u64) = app.redis().run("TIME");
    let created = created(&app, &key, "_");
    assert!(created <= now && created + 60 > now, "{created} {now}");
    assert_eq!(app.redis().run::<u64>(&format!("TTL {key}")), 900);
}

#[rocket::async_test]
async fn on_redis_a_session_that_begins_in_the_future_begins_with_its_next_request() {
    let app = TestApp::open(Backend::Redis).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let key = format!("session:{}", program.id());
    let born = created(&app, &key, "_");
    // The second field is that of earlier versions.
    for field in ["_", "_created"] {
        for ahead in [60, 1_000_000, 200_000_000_000, u64::MAX - born] {
            app.redis()
                .run::<u64>(&format!("HSET {key} {field} {}", born + ahead));
            assert_eq!(program.profile().await.status.code, 200);
            let created = created(&app, &key, field);
            assert!(created < born + 60, "{created} {born}");
        }
    }
    // It has no room for the change, and goes on all the same.
    app.redis()
        .run::<u64>(&format!("HSET {key} _created {}", born + 3600));
    app.redis().run::<()>("CONFIG SET maxmemory 1");
    assert_eq!(program.profile().await.status.code, 200);
}
