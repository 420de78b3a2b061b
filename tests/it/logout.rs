//! Signing out.

use rocket::http::Method;
use serde_json::json;

use crate::support::{Backend, Inn};

on_every_store!(
    a_program_signs_out,
    signing_out_is_always_fine,
    a_browser_signs_out,
    looking_at_the_page_does_not_sign_out,
    others_of_the_same_user_stay,
);

async fn a_program_signs_out(on: Backend) {
    let inn = Inn::open(on).await;
    for path in ["/logout/", "/logout"] {
        let mut program = inn.program();
        program.log_in_as("abdullah").await;
        let mut late = program.clone();
        let answer = program.send(Method::Post, path, &[], "").await;
        answer.assert_json(200, &json!({ "message": "Logged out successfully" }));
        answer.assert_removes_cookie("session_id");
        late.profile().await.assert_detail(404, "Session expired");
    }
}

async fn signing_out_is_always_fine(on: Backend) {
    let inn = Inn::open(on).await;
    let done = json!({ "message": "Logged out successfully" });
    let answer = inn.program().log_out().await;
    answer.assert_json(200, &done);
    answer.assert_leaves_cookie();

    for stale in ["5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a", "nonsense", ""] {
        let answer = inn
            .program()
            .with_cookie("session_id", stale)
            .log_out()
            .await;
        answer.assert_json(200, &done);
        answer.assert_removes_cookie("session_id");
    }
    let mut program = inn.program();
    program.log_in_as("abdullah").await;
    let answer = program
        .post("/logout/", "application/json", "{not json")
        .await;
    answer.assert_json(200, &done);
}

async fn a_browser_signs_out(on: Backend) {
    let inn = Inn::open(on).await;
    let mut browser = inn.browser();
    browser.submit_login_form("abdullah").await;
    let form = "application/x-www-form-urlencoded";
    let answer = browser.post("/logout/", form, "").await;
    answer.assert_sees_other("/logout/");
    answer.assert_removes_cookie("session_id");
    assert!(!browser.has_cookie());
    browser
        .get("/logout/")
        .await
        .assert_page(200, "You are signed out");
}

async fn looking_at_the_page_does_not_sign_out(on: Backend) {
    let inn = Inn::open(on).await;
    let mut browser = inn.browser();
    browser.submit_login_form("abdullah").await;
    let page = browser.get("/logout").await;
    page.assert_page(200, "Sign out?");
    assert!(page.text().contains("signed in as abdullah"));
    assert!(
        page.body
            .contains(r#"<form method="post" action="/logout/">"#)
    );
    browser
        .profile()
        .await
        .assert_page(200, "Welcome, abdullah");
}

async fn others_of_the_same_user_stay(on: Backend) {
    let inn = Inn::open(on).await;
    let (mut here, mut there) = (inn.program(), inn.program());
    here.log_in_as("abdullah").await;
    there.log_in_as("abdullah").await;
    here.log_out().await;
    assert_eq!(there.profile().await.status.code, 200);
}
