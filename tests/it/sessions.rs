//! People see their sessions and end them, and the one that was ended learns why.

use rocket::http::{Method, Status};
use serde_json::{Value, json};

use crate::support::{Answer, Backend, TestApp, TestClient};

on_every_store!(
    a_user_sees_all_his_sessions_and_no_id,
    a_list_slides_only_the_readers_session,
    one_session_is_ended_by_its_handle,
    handles_that_name_none_of_ones_own_are_one_answer,
    all_others_are_ended,
    all_are_ended_this_one_included,
    the_pages_forms_do_the_same,
    who_was_ended_is_told_why,
    looking_at_the_session_does_not_prolong_it,
    an_ended_session_is_explained_to_programs_too,
    the_most_allowed_is_a_setting,
);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

async fn signed_in(app: &TestApp, agent: &str, user: &str) -> TestClient {
    let mut client = app.program();
    let headers = [("Content-Type", "application/json"), ("User-Agent", agent)];
    let body = json!({ "username": user }).to_string();
    let answer = client.send(Method::Post, "/login/", &headers, body).await;
    assert_eq!(answer.status.code, 200);
    client
}

async fn list(client: &mut TestClient) -> Vec<Value> {
    let answer = client.get("/sessions/").await;
    assert_eq!(answer.status.code, 200, "{answer:?}");
    answer.json()["sessions"].as_array().unwrap().clone()
}

async fn delete(client: &mut TestClient, path: &str) -> Answer {
    let headers = [("User-Agent", FIREFOX)];
    client.send(Method::Delete, path, &headers, "").await
}

fn handle_of(client: &TestClient) -> String {
    innkeeper::SessionHandle::from(&innkeeper::SessionId::parse(&client.id()).unwrap()).to_string()
}

async fn a_user_sees_all_his_sessions_and_no_id(on: Backend) {
    let app = TestApp::open(on).await;
    let mut firefox = signed_in(&app, FIREFOX, "abdullah").await;
    let curl = signed_in(&app, "curl/8.5.0", "abdullah").await;
    signed_in(&app, "curl/8.5.0", "zoe").await;

    for path in ["/sessions/", "/sessions"] {
        let answer = firefox.get(path).await;
        assert_eq!(answer.header("Vary"), Some("Accept"));
        for id in [firefox.id(), curl.id()] {
            assert!(!answer.body.contains(&id), "{answer:?}");
        }
    }
    let sessions = list(&mut firefox).await;
    assert_eq!(sessions.len(), 2);
    let told: Vec<_> = sessions
        .iter()
        .map(|session| {
            (
                session["id"].as_str().unwrap(),
                session["device"].as_str().unwrap(),
                session["current"] == true,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (handle_of(&firefox).as_str(), "Firefox on Linux", true),
            (handle_of(&curl).as_str(), "curl", false),
        ]
    );
    for session in &sessions {
        let names: Vec<_> = session
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = [
            "id",
            "current",
            "device",
            "ip",
            "created_at",
            "last_active_at",
            "expires_at",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected);
        for moment in ["created_at", "last_active_at", "expires_at"] {
            let text = session[moment].as_str().unwrap();
            assert!(text.len() == 20 && text.ends_with('Z'), "{moment} {text}");
        }
    }
    let mut page = app.browser().with_cookie("session_id", &firefox.id());
    let page = page.get("/sessions/").await;
    page.assert_page(200, "Your sessions");
    for text in [
        "Firefox on Linux This device",
        "curl",
        "End all others",
        "Last active just now",
    ] {
        assert!(page.text().contains(text), "{}", page.text());
    }
    for id in [firefox.id(), curl.id()] {
        assert!(!page.body.contains(&id));
    }
    app.program()
        .get("/sessions/")
        .await
        .assert_detail(403, "No session cookie found");
    app.browser()
        .get("/sessions/")
        .await
        .assert_sees_other("/login/?next=/sessions/");
}

async fn a_list_slides_only_the_readers_session(on: Backend) {
    let app = TestApp::with(on, &[("idle_timeout_secs", json!(4))]).await;
    let mut reader = signed_in(&app, FIREFOX, "abdullah").await;
    let mut idle = signed_in(&app, "curl/8", "abdullah").await;
    let mut alive = 0;
    for _ in 0..12 {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        alive = list(&mut reader).await.len();
    }
    assert_eq!(alive, 1);
    idle.profile().await.assert_detail(404, "Session expired");
}

async fn one_session_is_ended_by_its_handle(on: Backend) {
    let app = TestApp::open(on).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut there = signed_in(&app, "curl/8", "abdullah").await;
    let mut elsewhere = signed_in(&app, "Wget/1", "abdullah").await;
    let answer = delete(&mut here, &format!("/sessions/{}", handle_of(&there))).await;
    answer.assert_json(200, &json!({ "message": "Session ended" }));
    answer.assert_leaves_cookie();
    there.profile().await.assert_detail(404, "Session expired");
    assert_eq!(elsewhere.profile().await.status, Status::Ok);
    assert_eq!(list(&mut here).await.len(), 2);

    let mut late = here.clone();
    let answer = delete(&mut here, &format!("/sessions/{}/", handle_of(&late))).await;
    answer.assert_json(200, &json!({ "message": "Session ended" }));
    answer.assert_removes_cookie("session_id");
    late.profile().await.assert_detail(404, "Session expired");
    assert_eq!(elsewhere.profile().await.status, Status::Ok);
}

async fn handles_that_name_none_of_ones_own_are_one_answer(on: Backend) {
    let app = TestApp::open(on).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut foreign = signed_in(&app, "curl/8", "zoe").await;
    let mut gone = signed_in(&app, "curl/8", "abdullah").await;
    let gone_handle = handle_of(&gone);
    gone.log_out().await;
    for handle in [
        handle_of(&foreign),
        gone_handle,
        "0123456789abcdef0123456789abcdef".to_owned(),
        "nonsense".to_owned(),
        handle_of(&here).to_uppercase(),
        here.id(),
    ] {
        let answer = delete(&mut here, &format!("/sessions/{handle}")).await;
        answer.assert_detail(404, "No such session");
        answer.assert_leaves_cookie();
    }
    assert_eq!(foreign.profile().await.status.code, 200);
    assert_eq!(here.profile().await.status.code, 200);
    delete(&mut app.program(), "/sessions/nonsense")
        .await
        .assert_detail(403, "No session cookie found");
}

async fn all_others_are_ended(on: Backend) {
    let app = TestApp::open(on).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(signed_in(&app, "curl/8", "abdullah").await);
    }
    let mut zoe = signed_in(&app, "curl/8", "zoe").await;
    let answer = delete(&mut here, "/sessions/others").await;
    answer.assert_json(
        200,
        &json!({ "message": "Other sessions ended", "ended": 3 }),
    );
    for other in &mut others {
        other.profile().await.assert_detail(404, "Session expired");
    }
    assert_eq!(here.profile().await.status.code, 200);
    assert_eq!(zoe.profile().await.status.code, 200);
    let answer = delete(&mut here, "/sessions/others/").await;
    answer.assert_json(
        200,
        &json!({ "message": "Other sessions ended", "ended": 0 }),
    );
}

async fn all_are_ended_this_one_included(on: Backend) {
    let app = TestApp::open(on).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut there = signed_in(&app, "curl/8", "abdullah").await;
    let mut late = here.clone();
    let answer = delete(&mut here, "/sessions/").await;
    answer.assert_json(200, &json!({ "message": "All sessions ended", "ended": 2 }));
    answer.assert_removes_cookie("session_id");
    for ended in [&mut late, &mut there] {
        ended.profile().await.assert_detail(404, "Session expired");
    }
}

async fn the_pages_forms_do_the_same(on: Backend) {
    let app = TestApp::open(on).await;
    let form = "application/x-www-form-urlencoded";
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let mut one = signed_in(&app, "curl/8", "abdullah").await;
    let mut two = signed_in(&app, "curl/8", "abdullah").await;

    let path = format!("/sessions/{}/end", handle_of(&one));
    browser
        .post(&path, form, "")
        .await
        .assert_sees_other("/sessions/");
    assert_eq!(one.profile().await.status.code, 404);
    browser
        .post(&path, form, "")
        .await
        .assert_page(404, "Page not found");

    browser
        .post("/sessions/others/end", form, "")
        .await
        .assert_sees_other("/sessions/");
    assert_eq!(two.profile().await.status.code, 404);

    let evil = [("Sec-Fetch-Site", "cross-site"), ("Content-Type", form)];
    let answer = browser.send(Method::Post, "/sessions/end", &evil, "").await;
    answer.assert_page(403, "Not allowed");
    assert_eq!(browser.profile().await.status.code, 200);

    let answer = browser.post("/sessions/end", form, "").await;
    answer.assert_sees_other("/logout/");
    answer.assert_removes_cookie("session_id");
    browser
        .get("/logout/")
        .await
        .assert_page(200, "You are signed out");
}

/// A browser with the session of a program, to look at its pages.
fn as_browser(app: &TestApp, client: &TestClient) -> TestClient {
    app.browser().with_cookie("session_id", &client.id())
}

async fn who_was_ended_is_told_why(on: Backend) {
    let app = TestApp::open(on).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let ended = signed_in(&app, "curl/8", "abdullah").await;
    delete(&mut here, &format!("/sessions/{}", handle_of(&ended))).await;

    let mut again = signed_in(&app, FIREFOX, "zoe").await;
    let replaced = again.clone();
    again.log_in_as("zoe").await;
    let unknown = app
        .program()
        .with_cookie("session_id", "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a");
    let malformed = app.program().with_cookie("session_id", "nonsense");

    for (client, why) in [
        (
            &ended,
            "You were signed out from Firefox on Linux, just now.",
        ),
        (
            &replaced,
            "It was replaced by a new sign-in in the same browser, just now.",
        ),
        (
            &unknown,
            "Sessions end after 15 minutes without activity, and 12 hours after sign-in.",
        ),
        (
            &malformed,
            "Sessions end after 15 minutes without activity, and 12 hours after sign-in.",
        ),
    ] {
        let mut browser = as_browser(&app, client);
        browser
            .profile()
            .await
            .assert_sees_other("/login/?next=/profile/&ended=1");
        let page = browser.get("/login/?next=/profile/&ended=1").await;
        page.assert_page(200, "Sign in");
        let notice = format!("Your session has ended, please sign in again. {why}");
        assert!(page.text().contains(&notice), "{}", page.text());
        page.assert_removes_cookie("session_id");
    }
    // Nobody learns anything who does not present the id.
    let handle = handle_of(&ended);
    for mut stranger in [
        app.browser(),
        app.browser().with_cookie("session_id", &handle),
    ] {
        let page = stranger.get("/login/?ended=1").await;
        assert!(!page.text().contains("Firefox"), "{}", page.text());
    }
}

async fn looking_at_the_session_does_not_prolong_it(on: Backend) {
    let app = TestApp::with(on, &[("idle_timeout_secs", json!(3))]).await;
    let mut client = signed_in(&app, FIREFOX, "abdullah").await;
    for path in ["/session/", "/session"] {
        let answer = client.get(path).await;
        answer.assert_leaves_cookie();
        let left = answer.json()["idle_seconds_left"].as_u64().unwrap();
        assert!(left <= 3, "{answer:?}");
        let absolute = answer.json()["absolute_seconds_left"].as_u64().unwrap();
        assert!((43_190..=43_200).contains(&absolute), "{answer:?}");
        assert_eq!(answer.json()["user"], "abdullah");
        assert_eq!(answer.json().as_object().unwrap().len(), 3);
    }
    for _ in 0..10 {
        tokio::time::sleep(std::time::Duration::from_millis(320)).await;
        client.clone().get("/session/").await;
    }
    assert_eq!(client.get("/session/").await.status.code, 404);

    let endless = TestApp::with(on, &[("absolute_timeout_secs", json!(0))]).await;
    let mut client = signed_in(&endless, FIREFOX, "abdullah").await;
    assert_eq!(
        client.get("/session/").await.json()["absolute_seconds_left"],
        Value::Null
    );
}

async fn an_ended_session_is_explained_to_programs_too(on: Backend) {
    let app = TestApp::open(on).await;
    app.program()
        .get("/session/")
        .await
        .assert_detail(403, "No session cookie found");

    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut there = signed_in(&app, "curl/8", "abdullah").await;
    delete(&mut here, "/sessions/others").await;
    let answer = there.clone().get("/session/").await;
    let why = "You were signed out from Firefox on Linux, just now.";
    answer.assert_json(404, &json!({ "detail": "Session expired", "reason": why }));
    answer.assert_removes_cookie("session_id");
    // The contract's own answer stays as it is.
    there
        .clone()
        .profile()
        .await
        .assert_json(404, &json!({ "detail": "Session expired" }));
    // A script that asks for a page learns by a redirect, and keeps the cookie for the sign-in page.
    let answer = as_browser(&app, &there).get("/session/").await;
    answer.assert_sees_other("/login/?next=/session/&ended=1");
    answer.assert_leaves_cookie();
    let answer = there.send(Method::Post, "/session/", &[], "").await;
    assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
}

async fn the_most_allowed_is_a_setting(on: Backend) {
    let app = TestApp::with(on, &[("max_sessions_per_user", json!(2))]).await;
    let mut visitors = Vec::new();
    for _ in 0..4 {
        visitors.push(signed_in(&app, FIREFOX, "abdullah").await);
    }
    for (number, client) in visitors.iter_mut().enumerate() {
        let expected = if number < 2 { 404 } else { 200 };
        assert_eq!(
            client.clone().profile().await.status.code,
            expected,
            "{number}"
        );
    }
    let page = as_browser(&app, &visitors[0]).get("/login/").await;
    let why = "It was your oldest, and made room for a sign-in from Firefox on Linux, just now.";
    assert!(page.text().contains(why), "{}", page.text());
}

#[rocket::async_test]
async fn on_redis_a_foreign_session_is_listed_once_we_have_seen_it() {
    let app = TestApp::open(Backend::Redis).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let id = "0c5ba4f5-9b3c-4b5e-8f6d-6d0f9e2a7c11";
    app.redis()
        .run::<u64>(&format!("HSET session:{id} user abdullah status active"));
    app.redis().run::<u64>(&format!("EXPIRE session:{id} 100"));
    assert_eq!(list(&mut here).await.len(), 1);

    let mut foreign = app.program().with_cookie("session_id", id);
    foreign.profile().await;
    let sessions = list(&mut here).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[1]["device"], "Unknown device");
    assert_eq!(sessions[1]["ip"], Value::Null);
    assert_eq!(sessions[1]["created_at"], Value::Null);
    delete(&mut here, &format!("/sessions/{}", handle_of(&foreign))).await;
    foreign
        .profile()
        .await
        .assert_detail(404, "Session expired");
}

#[rocket::async_test]
async fn a_reason_holds_nothing_of_a_strangers_choice() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let mut there = signed_in(
        &app,
        "an\u{a0}unsafe\u{a0}device.\u{a0}Call\u{a0}+1-800",
        "abdullah",
    )
    .await;
    let row = &list(&mut here).await[1];
    assert_eq!(row["device"], "Unknown device");
    let headers = [(
        "User-Agent",
        "an\u{a0}unsafe\u{a0}device.\u{a0}Call\u{a0}+1-800",
    )];
    there
        .send(Method::Delete, "/sessions/others", &headers, "")
        .await;
    let reason = here.get("/session/").await.json()["reason"].clone();
    assert_eq!(
        reason,
        "You were signed out from an unknown device, just now."
    );
}

#[tokio::test(start_paused = true)]
async fn reasons_tell_how_long_ago_and_are_forgotten() {
    let minutes = |count: u64| std::time::Duration::from_secs(60 * count);
    let app = TestApp::open(Backend::Embedded).await;
    // Ahead of the wall clock, so that the paused one alone is measured by.
    tokio::time::advance(std::time::Duration::from_secs(86_400)).await;
    let mut here = signed_in(&app, FIREFOX, "abdullah").await;
    let ended = signed_in(&app, "curl/8", "abdullah").await;
    delete(&mut here, "/sessions/others").await;
    tokio::time::advance(minutes(3)).await;
    let text = as_browser(&app, &ended).get("/login/").await.text();
    assert!(
        text.contains("You were signed out from Firefox on Linux, 3 minutes ago."),
        "{text}"
    );
    tokio::time::advance(minutes(13)).await;
    let text = as_browser(&app, &ended).get("/login/").await.text();
    assert!(
        text.contains(
            "Sessions end after 15 minutes without activity, and 12 hours after sign-in."
        ),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_used_comes_first_behind_the_current_one() {
    let app = TestApp::open(Backend::Embedded).await;
    // Ahead of the wall clock, so that the paused one alone is measured by.
    tokio::time::advance(std::time::Duration::from_secs(86_400)).await;
    let mut visitors = Vec::new();
    for _ in 0..3 {
        visitors.push(signed_in(&app, FIREFOX, "abdullah").await);
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
    }
    visitors[0].profile().await;
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    let sessions = list(&mut visitors[1]).await;
    let order: Vec<_> = sessions
        .iter()
        .map(|session| session["id"].as_str().unwrap())
        .collect();
    let expected = [
        handle_of(&visitors[1]),
        handle_of(&visitors[0]),
        handle_of(&visitors[2]),
    ];
    assert_eq!(order, expected);
    let used = |number: usize| {
        sessions[number]["last_active_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(used(0) > used(1) && used(1) > used(2), "{sessions:?}");
}

/// T10: Rocket believes `X-Real-IP` from anybody, unless it is told not to.
#[test]
fn an_address_is_the_connections_own_and_not_what_a_header_says() {
    use crate::support::{http, program::Program};

    for (variables, expected) in [
        (&[][..], "127.0.0.1"),
        (&[("ROCKET_IP_HEADER", "\"X-Real-IP\"")], "192.0.2.7"),
    ] {
        let program = Program::start(variables);
        let headers = [
            "Content-Type: application/json",
            "X-Real-IP: 192.0.2.7",
            "X-Forwarded-For: 192.0.2.8",
        ];
        let answer = http::request(
            program.port(),
            "POST /login/",
            &headers,
            r#"{"username":"a"}"#,
        );
        let id = answer
            .split("session_id=")
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        let cookie = format!("Cookie: session_id={id}");
        let list = http::request(program.port(), "GET /sessions/", &[&cookie], "");
        assert!(list.contains(&format!(r#""ip":"{expected}""#)), "{list}");
    }
}
