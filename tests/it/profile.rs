//! Who is signed in.

use serde_json::json;

use crate::support::{Backend, TestApp};

on_every_store!(
    a_program_reads_its_profile,
    without_a_cookie_a_program_is_refused,
    an_ended_session_is_said_to_have_expired,
    only_canonical_ids_reach_the_store,
    a_browser_without_a_session_is_sent_to_sign_in,
    a_browser_whose_session_has_ended_is_told_so,
    a_page_never_contains_the_id,
);

async fn a_program_reads_its_profile(on: Backend) {
    let app = TestApp::open(on).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    for path in ["/profile/", "/profile"] {
        let answer = program.get(path).await;
        answer.assert_leaves_cookie();
        let id = program.id();
        assert_eq!(
            answer.body,
            format!(
                r#"{{"session_id":"{id}","session_data":{{"user":"abdullah","status":"active"}}}}"#
            )
        );
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(answer.header("Vary"), Some("Accept"));
    }
}

async fn without_a_cookie_a_program_is_refused(on: Backend) {
    let app = TestApp::open(on).await;
    for mut nobody in [app.program(), app.program().with_cookie("session_id", "")] {
        let answer = nobody.profile().await;
        answer.assert_detail(403, "No session cookie found");
        answer.assert_leaves_cookie();
    }
}

async fn an_ended_session_is_said_to_have_expired(on: Backend) {
    let app = TestApp::open(on).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let mut late = program.clone();
    program.log_out().await;
    let answer = late.profile().await;
    answer.assert_detail(404, "Session expired");
    answer.assert_removes_cookie("session_id");
}

/// T14: `Uuid` itself takes capitals, braces and more.
async fn only_canonical_ids_reach_the_store(on: Backend) {
    let app = TestApp::open(on).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    let id = program.id();
    for other in [
        id.to_uppercase(),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        id.replace('-', ""),
        format!("\"{id}\""),
        format!("%{:02x}{}", id.as_bytes()[0], &id[1..]),
        format!("{id}%00"),
        "*".to_owned(),
        "x".repeat(4000),
    ] {
        let answer = app
            .program()
            .with_cookie("session_id", &other)
            .profile()
            .await;
        answer.assert_detail(404, "Session expired");
        answer.assert_removes_cookie("session_id");
    }
    assert_eq!(program.profile().await.status.code, 200);
}

async fn a_browser_without_a_session_is_sent_to_sign_in(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    let answer = browser.profile().await;
    answer.assert_sees_other("/login/?next=/profile/");
    answer.assert_leaves_cookie();
    let page = browser.get("/login/?next=/profile/").await;
    page.assert_page(200, "Sign in");
    assert!(!page.text().contains("ended"));
}

async fn a_browser_whose_session_has_ended_is_told_so(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let mut late = browser.clone();
    browser.log_out().await;

    let answer = late.get("/profile/").await;
    answer.assert_sees_other("/login/?next=/profile/&ended=1");
    // The sign-in page still needs the cookie, to say why.
    answer.assert_leaves_cookie();
    let page = late.get("/login/?next=/profile/&ended=1").await;
    page.assert_page(200, "Sign in");
    page.assert_removes_cookie("session_id");
    assert!(
        page.text()
            .contains("Your session has ended, please sign in again")
    );
}

async fn a_page_never_contains_the_id(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    for path in ["/profile/", "/logout/", "/nowhere"] {
        let page = browser.get(path).await;
        assert!(!page.body.contains(&browser.id()), "{path}");
    }
}

#[rocket::async_test]
async fn the_page_says_who_since_when_and_until_when() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    let page = browser.profile().await;
    let text = page.text();
    assert!(text.contains("Signed in as abdullah"), "{text}");
    assert!(text.contains("Since") && text.contains("UTC"), "{text}");
    assert!(
        text.contains("Session ends") && text.contains("in 15 minutes"),
        "{text}"
    );
    assert!(page.body.contains("data-seconds-left=\"900\""));
    assert!(
        page.body
            .contains(r#"<form method="post" action="/logout/">"#)
    );
}

#[rocket::async_test]
async fn what_a_program_reads_has_nothing_of_our_own_record() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program.log_in_as("abdullah").await;
    assert_eq!(
        program.profile().await.json()["session_data"],
        json!({ "user": "abdullah", "status": "active" })
    );
}

#[rocket::async_test]
async fn the_start_page_leads_on() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    browser.get("/").await.assert_sees_other("/login/");
    browser.submit_login_form("abdullah").await;
    browser.get("/").await.assert_sees_other("/profile/");
    let mut program = app.program();
    program.get("/").await.assert_sees_other("/login/");
}
