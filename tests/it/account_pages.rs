//! The pages of accounts and their JSON.

use std::time::Duration;

use rocket::http::{Method, Status};
use serde_json::{Value, json};

use crate::support::{Answer, Backend, FORM, TestApp, TestClient};

const PASSWORD: &str = "four words beside a lamp";
const NEW: &str = "seven herons under the bridge";
const WEAK: &str = "password password password";
const JSON: &str = "application/json";

async fn open(on: Backend) -> TestApp {
    let settings = [("sign_in", json!("password")), ("sign_up", json!(true))];
    TestApp::with(on, &settings).await
}

async fn send(client: &mut TestClient, path: &str, body: &Value) -> Answer {
    client.post(path, JSON, &body.to_string()).await
}

async fn submit(client: &mut TestClient, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    client.post(path, FORM, &body).await
}

/// Makes an account and is signed in to it.
async fn sign_up(client: &mut TestClient, user: &str) {
    let made = send(
        client,
        "/sign-up/",
        &json!({ "username": user, "password": PASSWORD }),
    )
    .await;
    made.assert_json(200, &json!({ "message": "Account created" }));
}

async fn sign_in(client: &mut TestClient, user: &str, password: &str) -> Status {
    let body = json!({ "username": user, "password": password });
    send(client, "/login/", &body).await.status
}

/// Checks that a field of the body is said to be wrong.
#[track_caller]
fn assert_mistake(answer: &Answer, field: &str, kind: &str) {
    assert_eq!(answer.status.code, 422, "{answer:?}");
    let error = &answer.json()["detail"][0];
    assert_eq!(error["loc"], json!(["body", field]), "{answer:?}");
    assert_eq!(error["type"], kind, "{answer:?}");
}

on_every_store!(
    a_password_is_changed_and_the_other_sessions_end,
    a_wrong_present_password_changes_nothing_and_is_counted,
    an_account_is_made_and_its_name_is_taken_from_then_on,
    a_user_proves_again_who_he_is,
    a_password_is_changed_only_soon_after_its_user_has_proved_who_he_is,
    a_link_to_choose_a_password_works_once,
    a_sign_in_from_a_new_browser_is_told_to_the_others,
);

async fn a_password_is_changed_and_the_other_sessions_end(on: Backend) {
    let app = open(on).await;
    let (mut amy, mut other) = (app.program(), app.program());
    sign_up(&mut amy, "amy").await;
    assert_eq!(sign_in(&mut other, "amy", PASSWORD).await, Status::Ok);
    let before = amy.id();
    let changed = send(
        &mut amy,
        "/password/",
        &json!({ "current": PASSWORD, "new": NEW }),
    )
    .await;
    changed.assert_json(200, &json!({ "message": "Password changed", "ended": 1 }));
    assert_ne!(amy.id(), before);
    assert_eq!(amy.profile().await.status, Status::Ok);
    other.profile().await.assert_detail(404, "Session expired");
    assert_eq!(
        sign_in(&mut other, "amy", PASSWORD).await,
        Status::Unauthorized
    );
    assert_eq!(sign_in(&mut other, "amy", NEW).await, Status::Ok);

    // The same as a form; without the trailing slash.
    let mut page = app.browser();
    let fields = [("username", "amy"), ("password", NEW)];
    submit(&mut page, "/login/", &fields)
        .await
        .assert_sees_other("/profile/");
    let fields = [("current", NEW), ("new", PASSWORD), ("username", "bob")];
    submit(&mut page, "/password", &fields)
        .await
        .assert_sees_other("/profile/");
    let text = page.profile().await.text();
    assert!(
        text.contains("Password changed; 2 other sessions were signed out"),
        "{text}"
    );
    assert_eq!(other.profile().await.status, Status::NotFound);
    other = other.with_cookie("session_id", &before);
    let why = other.get("/session/").await.json()["reason"].clone();
    let why = why.as_str().unwrap();
    assert!(why.to_lowercase().contains("password"), "{why}");
}

async fn a_wrong_present_password_changes_nothing_and_is_counted(on: Backend) {
    let app = open(on).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    for _ in 0..10 {
        let body = json!({ "current": "not hers at all", "new": NEW });
        let answer = send(&mut amy, "/password/", &body).await;
        assert_mistake(&answer, "current", "value_error");
    }
    let stopped = send(
        &mut amy,
        "/password/",
        &json!({ "current": PASSWORD, "new": NEW }),
    )
    .await;
    stopped.assert_detail(429, "Too many attempts, please try again later");
    let wait: u64 = stopped.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // The live session is not touched.
    assert_eq!(amy.profile().await.status, Status::Ok);
    let mut page = amy.in_browser();
    let fields = [("current", PASSWORD), ("new", NEW)];
    let stopped = submit(&mut page, "/password/", &fields).await;
    stopped.assert_page(429, "Change your password");
    assert!(
        stopped.text().contains("Please try again in 15 minutes"),
        "{stopped:?}"
    );
}

async fn an_account_is_made_and_its_name_is_taken_from_then_on(on: Backend) {
    let app = open(on).await;
    let mut amy = app.browser();
    let fields = [
        ("username", "amy"),
        ("password", PASSWORD),
        ("next", "/sessions/"),
    ];
    submit(&mut amy, "/sign-up", &fields)
        .await
        .assert_sees_other("/sessions/");
    let page = amy.get("/sessions/").await;
    assert!(page.text().contains("Your account is ready"), "{page:?}");

    let mut other = app.program();
    let body = json!({ "username": "amy", "password": NEW });
    assert_mistake(
        &send(&mut other, "/sign-up/", &body).await,
        "username",
        "value_error",
    );
    let mut page = app.browser();
    let fields = [("username", "amy"), ("password", NEW)];
    let again = submit(&mut page, "/sign-up/", &fields).await;
    again.assert_page(422, "Create an account");
    assert!(again.body.contains("value=\"amy\""), "{again:?}");
    assert!(again.text().contains("This name is taken"), "{again:?}");
    assert!(!again.body.contains(NEW), "{again:?}");
    assert_eq!(sign_in(&mut other, "amy", NEW).await, Status::Unauthorized);
}

async fn a_user_proves_again_who_he_is(on: Backend) {
    let app = open(on).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    let wrong = send(&mut amy, "/confirm/", &json!({ "password": NEW })).await;
    assert_mistake(&wrong, "password", "value_error");
    let confirmed = send(&mut amy, "/confirm/", &json!({ "password": PASSWORD })).await;
    confirmed.assert_json(200, &json!({ "message": "Confirmed" }));
    let profile = amy.profile().await.json();
    assert_eq!(
        profile["session_data"],
        json!({ "user": "amy", "status": "active" })
    );
    let mut page = amy.in_browser();
    page.get("/confirm?next=/sessions/")
        .await
        .assert_page(200, "Is it you?");
    let fields = [("password", PASSWORD), ("next", "/sessions/")];
    submit(&mut page, "/confirm", &fields)
        .await
        .assert_sees_other("/sessions/");
    let fields = [("password", PASSWORD), ("next", "//evil.example")];
    submit(&mut page, "/confirm/", &fields)
        .await
        .assert_sees_other("/profile/");
}

async fn a_password_is_changed_only_soon_after_its_user_has_proved_who_he_is(on: Backend) {
    let settings = [
        ("sign_in", json!("password")),
        ("sign_up", json!(true)),
        ("recent_sign_in_secs", json!(1)),
    ];
    let app = TestApp::with(on, &settings).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    // A session's age is counted in whole seconds.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let change = json!({ "current": PASSWORD, "new": NEW });
    send(&mut amy, "/password/", &change)
        .await
        .assert_detail(403, "Please confirm your password");
    let mut page = app.browser().with_cookie("session_id", &amy.id());
    page.get("/password/")
        .await
        .assert_sees_other("/confirm/?next=/password/");
    let confirm = json!({ "password": PASSWORD });
    assert_eq!(
        send(&mut amy, "/confirm/", &confirm).await.status,
        Status::Ok
    );
    assert_eq!(
        send(&mut amy, "/password/", &change).await.status,
        Status::Ok
    );
}

async fn a_link_to_choose_a_password_works_once(on: Backend) {
    let app = open(on).await;
    let accounts = app.accounts();
    let first = accounts.invite_first().await.unwrap();
    let path = format!("/invitation/{}", first.expose());
    let mut amy = app.browser();
    for _ in 0..2 {
        let page = amy.get(&path).await;
        page.assert_page(200, "The first account");
        assert_eq!(page.header("Referrer-Policy"), Some("strict-origin"));
    }
    let fields = [("username", "amy"), ("password", WEAK)];
    let again = submit(&mut amy, &path, &fields).await;
    again.assert_page(422, "The first account");
    assert!(again.text().contains("too easy to guess"), "{again:?}");
    let fields = [("username", "amy"), ("password", PASSWORD)];
    submit(&mut amy, &path, &fields)
        .await
        .assert_sees_other("/profile/");
    assert_eq!(amy.profile().await.heading(), "Welcome, amy");
    for gone in [&path, &format!("{path}/"), "/invitation/nonsense"] {
        let page = amy.get(gone).await;
        page.assert_page(404, "This link is not valid any more");
        assert_eq!(page.header("Referrer-Policy"), Some("strict-origin"));
        let again = submit(&mut amy, gone, &fields).await;
        again.assert_page(404, "This link is not valid any more");
        let mut program = app.program();
        let body = json!({ "username": "eve", "password": PASSWORD });
        let gone = send(&mut program, gone, &body).await;
        gone.assert_detail(404, "This link is not valid any more");
    }

    // For an account that has a password.
    let amys = reset_link(&accounts, "amy").await;
    let mut program = app.program();
    let missing = send(&mut program, &amys, &json!({})).await;
    assert_mistake(&missing, "password", "missing");
    // The name in the body is not looked at.
    let body = json!({ "username": "eve", "password": NEW });
    let set = send(&mut program, &amys, &body).await;
    set.assert_json(200, &json!({ "message": "Password set", "ended": 1 }));
    assert_eq!(
        program.profile().await.json()["session_data"]["user"],
        "amy"
    );
    assert_eq!(amy.profile().await.status, Status::SeeOther);
}

/// The path of a link by which a user chooses a new password.
async fn reset_link(accounts: &innkeeper::Accounts, user: &str) -> String {
    let user = innkeeper::UserName::parse(user).unwrap();
    let token = accounts.reset(&user).await.unwrap();
    format!("/invitation/{}", token.expose())
}

/// Waits for what another session is told beside the sign-in.
async fn told(page: &mut TestClient) -> Answer {
    for _ in 0..600 {
        let profile = page.profile().await;
        if profile.body.contains("New sign-in") {
            return profile;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited 30 seconds to be told of a new sign-in");
}

async fn a_sign_in_from_a_new_browser_is_told_to_the_others(on: Backend) {
    let app = open(on).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    let mut page = amy.in_browser();
    let mut other = app.program();
    assert_eq!(sign_in(&mut other, "amy", PASSWORD).await, Status::Ok);
    let profile = told(&mut page).await;
    assert!(
        !other
            .in_browser()
            .profile()
            .await
            .body
            .contains("New sign-in")
    );
    // Programs are not told, and the user's own fields stay as they are.
    let data = amy.profile().await.json()["session_data"].clone();
    assert_eq!(data, json!({ "user": "amy", "status": "active" }));
    page.post("/sessions/known", FORM, "")
        .await
        .assert_sees_other("/sessions/");
    assert!(!page.profile().await.body.contains("New sign-in"));
    assert_eq!(other.profile().await.status, Status::Ok);

    // The same browser again, and another one that is ended.
    other.log_out().await;
    assert_eq!(sign_in(&mut other, "amy", PASSWORD).await, Status::Ok);
    let mut stranger = app.program();
    assert_eq!(sign_in(&mut stranger, "amy", PASSWORD).await, Status::Ok);
    let again = told(&mut page).await;
    assert_ne!(again.body, profile.body);
    let form = again
        .body
        .split("<form method=\"post\" action=\"/sessions/")
        .nth(1)
        .unwrap();
    let action = format!("/sessions/{}", form.split('"').next().unwrap());
    page.post(&action, FORM, "")
        .await
        .assert_sees_other("/sessions/");
    assert_eq!(stranger.profile().await.status, Status::NotFound);
    assert_eq!(other.profile().await.status, Status::Ok);
    assert!(!page.profile().await.body.contains("New sign-in"));
}

#[rocket::async_test]
async fn what_says_nothing_changes_nothing() {
    let app = open(Backend::Embedded).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    let link = reset_link(&app.accounts(), "amy").await;
    for (path, first, second) in [
        ("/password/", "current", Some("new")),
        ("/confirm/", "password", None),
        ("/sign-up/", "username", Some("password")),
        (&link, "password", None),
    ] {
        for (body, kind) in [
            ("", "missing"),
            ("{}", "missing"),
            ("[]", "model_attributes_type"),
        ] {
            let answer = amy.post(path, JSON, body).await;
            assert_mistake(&answer, first, kind);
        }
        let wrong = json!({ first: 1 });
        assert_mistake(&send(&mut amy, path, &wrong).await, first, "string_type");
        if let Some(second) = second {
            let answer = send(&mut amy, path, &json!({ first: "amy x" })).await;
            assert_mistake(&answer, second, "missing");
        }
        let twice = format!("{{\"{first}\":\"a\",\"{first}\":\"b\"}}");
        assert_mistake(&amy.post(path, JSON, &twice).await, first, "duplicate_key");
        let answer = amy.post(path, "text/plain", "x").await;
        assert_eq!(answer.status.code, 415, "{path}");
        let answer = amy.post(path, JSON, &"x".repeat(9000)).await;
        assert_eq!(answer.status.code, 413, "{path}");
        let headers = [("Content-Type", JSON), ("Origin", "https://evil.example")];
        let answer = amy.send(Method::Post, path, &headers, "{}").await;
        assert_eq!(answer.status.code, 403, "{path}");
    }
    assert_eq!(sign_in(&mut amy, "amy", PASSWORD).await, Status::Ok);
}

#[rocket::async_test]
async fn a_new_password_that_is_refused_is_said_to_be_so_beside_its_field() {
    let app = open(Backend::Embedded).await;
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    let long = "x y".repeat(200);
    for (new, kind) in [
        ("short", "string_too_short"),
        (&long, "string_too_long"),
        (WEAK, "value_error"),
    ] {
        let body = json!({ "current": PASSWORD, "new": new });
        assert_mistake(&send(&mut amy, "/password/", &body).await, "new", kind);
        let body = json!({ "username": "bob", "password": new });
        assert_mistake(&send(&mut amy, "/sign-up/", &body).await, "password", kind);
    }
    let mut page = amy.in_browser();
    let again = submit(
        &mut page,
        "/password/",
        &[("current", PASSWORD), ("new", WEAK)],
    )
    .await;
    again.assert_page(422, "Change your password");
    assert!(again.text().contains("too easy to guess"), "{again:?}");
    for secret in [PASSWORD, WEAK] {
        assert!(!again.body.contains(secret), "{again:?}");
    }
}

#[rocket::async_test]
async fn the_sign_in_page_asks_for_a_password_and_says_what_was_wrong() {
    let app = open(Backend::Embedded).await;
    sign_up(&mut app.program(), "amy").await;
    let mut page = app.browser();
    let form = page.get("/login/?next=/sessions/").await;
    for part in [
        "id=\"username\"",
        "autocomplete=\"username\"",
        "type=\"password\" id=\"password\" name=\"password\"",
        "autocomplete=\"current-password\"",
        "href=\"/sign-up/?next=&#x2F;sessions&#x2F;\"",
    ] {
        assert!(form.body.contains(part), "{part} in {}", form.body);
    }
    assert!(form.text().contains("You will go on to "), "{form:?}");
    assert!(!form.text().contains("any user name"), "{form:?}");
    for (user, password) in [("amy", NEW), ("nobody", PASSWORD)] {
        let fields = [("username", user), ("password", password)];
        let again = submit(&mut page, "/login/", &fields).await;
        again.assert_page(401, "Sign in");
        assert!(
            again.body.contains(&format!("value=\"{user}\"")),
            "{again:?}"
        );
        assert!(!again.body.contains(password), "{again:?}");
        assert!(
            again.text().contains("User name or password is wrong"),
            "{again:?}"
        );
    }
}

#[rocket::async_test]
async fn password_managers_find_the_page_that_changes_the_password() {
    let app = open(Backend::Embedded).await;
    let mut page = app.browser();
    page.get("/.well-known/change-password")
        .await
        .assert_sees_other("/password/");
    page.get("/password/")
        .await
        .assert_sees_other("/login/?next=/password/");
    let mut amy = app.program();
    sign_up(&mut amy, "amy").await;
    let form = amy.in_browser().get("/password").await;
    form.assert_page(200, "Change your password");
    for part in [
        "value=\"amy\" readonly autocomplete=\"username\"",
        "id=\"current\" name=\"current\" required autofocus autocomplete=\"current-password\"",
        "id=\"new\" name=\"new\" required autocomplete=\"new-password\" minlength=\"15\"",
        "href=\"/password/\" aria-current=\"page\"",
    ] {
        assert!(form.body.contains(part), "{part} in {}", form.body);
    }
}

#[rocket::async_test]
async fn where_nobody_has_an_account_there_are_no_such_addresses() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut page = app.browser();
    for path in [
        "/password/",
        "/confirm/",
        "/sign-up/",
        "/invitation/x",
        "/.well-known/change-password",
    ] {
        page.get(path).await.assert_page(404, "Page not found");
    }
    let app = TestApp::with(Backend::Embedded, &[("sign_in", json!("password"))]).await;
    let mut page = app.browser();
    page.get("/sign-up/")
        .await
        .assert_page(404, "Page not found");
    assert!(!page.get("/login/").await.body.contains("sign-up"));
}

#[rocket::async_test]
async fn the_document_describes_them_where_they_are() {
    let app = open(Backend::Embedded).await;
    let document = app.program().get("/openapi.json").await.json();
    for (path, methods) in [
        ("/password/", &["get", "post"][..]),
        ("/confirm/", &["get", "post"]),
        ("/sign-up/", &["get", "post"]),
        ("/invitation/{token}", &["get", "post"]),
        ("/.well-known/change-password", &["get"]),
    ] {
        for method in methods {
            assert!(
                document["paths"][path][method].is_object(),
                "{method} {path}"
            );
        }
    }
    app.browser()
        .get("/docs")
        .await
        .assert_page(200, "Addresses");
    let app = TestApp::open(Backend::Embedded).await;
    let document = app.program().get("/openapi.json").await.json();
    assert!(document["paths"]["/password/"].is_null());
}
