//! Signing in, as a program and as a browser.

use rocket::http::Method;
use serde_json::{Value, json};

use crate::support::program::Program;
use crate::support::{Answer, Backend, TestApp};

on_every_store!(
    a_program_signs_in,
    a_browser_signs_in,
    both_spellings_of_the_address_work,
    every_sign_in_gives_a_new_id,
    signing_in_again_ends_the_session_before,
    an_id_that_the_visitor_chose_is_not_taken,
    a_failed_sign_in_leaves_the_session_alone,
);

async fn a_program_signs_in(on: Backend) {
    let app = TestApp::open(on).await;
    let mut program = app.program();
    let answer = program.log_in_as("abdullah").await;
    let id = program.id();
    answer.assert_json(
        200,
        &json!({ "message": "Logged in successfully", "session_id": id }),
    );
    assert_eq!(
        answer.all("Set-Cookie").collect::<Vec<_>>(),
        [format!("session_id={id}; HttpOnly; SameSite=Lax; Path=/")]
    );
    assert_eq!(
        innkeeper::SessionId::parse(&id).map(|id| id.to_string()),
        Some(id)
    );
}

async fn a_browser_signs_in(on: Backend) {
    let app = TestApp::open(on).await;
    let mut browser = app.browser();
    let answer = browser.submit_login_form("abdullah").await;
    answer.assert_sees_other("/profile/");
    assert_eq!(answer.header("Vary"), Some("Accept"));
    browser
        .profile()
        .await
        .assert_page(200, "Welcome, abdullah");
}

async fn both_spellings_of_the_address_work(on: Backend) {
    let app = TestApp::open(on).await;
    for path in ["/login", "/login/"] {
        let answer = app
            .program()
            .post(path, "application/json", r#"{"username":"a"}"#)
            .await;
        assert_eq!(answer.status.code, 200, "{path}");
    }
}

async fn every_sign_in_gives_a_new_id(on: Backend) {
    let app = TestApp::open(on).await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut program = app.program();
        program.log_in_as("abdullah").await;
        assert!(ids.insert(program.id()));
    }
}

async fn signing_in_again_ends_the_session_before(on: Backend) {
    let app = TestApp::open(on).await;
    let mut client = app.program();
    client.log_in_as("abdullah").await;
    let mut before = client.clone();
    client.log_in_as("zoe").await;
    assert_ne!(client.id(), before.id());
    before.profile().await.assert_detail(404, "Session expired");
    assert_eq!(client.profile().await.json()["session_data"]["user"], "zoe");
}

async fn an_id_that_the_visitor_chose_is_not_taken(on: Backend) {
    let app = TestApp::open(on).await;
    let chosen = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let mut client = app.program().with_cookie("session_id", chosen);
    client.log_in_as("abdullah").await;
    assert_ne!(client.id(), chosen);
    let mut attacker = app.program().with_cookie("session_id", chosen);
    attacker
        .profile()
        .await
        .assert_detail(404, "Session expired");
}

async fn a_failed_sign_in_leaves_the_session_alone(on: Backend) {
    let app = TestApp::open(on).await;
    let mut client = app.program();
    client.log_in_as("abdullah").await;
    client.log_in_as("").await.assert_leaves_cookie();
    assert_eq!(client.profile().await.status.code, 200);
}

async fn post(content_type: &str, body: &str) -> Answer {
    let app = TestApp::open(Backend::Embedded).await;
    app.program().post("/login/", content_type, body).await
}

fn mistake(kind: &str, msg: &str) -> Value {
    json!({ "detail": [{ "type": kind, "loc": ["body", "username"], "msg": msg }] })
}

#[rocket::async_test]
async fn a_body_that_is_no_sign_in_is_answered_like_fastapi_does() {
    let not_an_object = "Input should be a valid dictionary or object to extract fields from";
    for (body, kind, msg) in [
        ("", "missing", "Field required"),
        ("{", "json_invalid", "JSON decode error"),
        ("username=abdullah", "json_invalid", "JSON decode error"),
        (r#"{"username":"a"} x"#, "json_invalid", "JSON decode error"),
        ("{}", "missing", "Field required"),
        (r#"{"Username":"a"}"#, "missing", "Field required"),
        (r#"["abdullah"]"#, "model_attributes_type", not_an_object),
        (r#""abdullah""#, "model_attributes_type", not_an_object),
        ("null", "model_attributes_type", not_an_object),
        ("7", "model_attributes_type", not_an_object),
        (
            r#"{"username":7}"#,
            "string_type",
            "Input should be a valid string",
        ),
        (
            r#"{"username":null}"#,
            "string_type",
            "Input should be a valid string",
        ),
        (
            r#"{"username":["a"]}"#,
            "string_type",
            "Input should be a valid string",
        ),
        (
            r#"{"username":"a","username":"b"}"#,
            "duplicate_key",
            "Each field should be given once",
        ),
        (
            r#"{"x":1,"username":"b","x":2}"#,
            "duplicate_key",
            "Each field should be given once",
        ),
        (
            r#"{"username":""}"#,
            "string_too_short",
            "User name should have at least 1 character",
        ),
    ] {
        let answer = post("application/json", body).await;
        answer.assert_json(422, &mistake(kind, msg));
        answer.assert_leaves_cookie();
    }
}

#[rocket::async_test]
async fn bytes_that_are_no_text_are_a_mistake_too() {
    let app = TestApp::open(Backend::Embedded).await;
    let headers = [("Content-Type", "application/json")];
    let answer = app
        .program()
        .send(
            Method::Post,
            "/login/",
            &headers,
            b"{\"username\":\"\xff\"}",
        )
        .await;
    assert_eq!(answer.status.code, 422);
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = app
        .program()
        .send(Method::Post, "/login/", &headers, b"username=\xff")
        .await;
    assert_eq!(answer.status.code, 422);
}

#[rocket::async_test]
async fn forbidden_names_are_refused() {
    let too_long = "x".repeat(65);
    for name in [
        " a",
        "a ",
        "a\u{0}b",
        "a\nb",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{fffd}b",
        too_long.as_str(),
    ] {
        let app = TestApp::open(Backend::Embedded).await;
        let answer = app.program().log_in_as(name).await;
        assert_eq!(answer.status.code, 422, "{name:?}");
        let detail = &answer.json()["detail"][0];
        assert_eq!(detail["loc"], json!(["body", "username"]));
        assert!(
            detail["msg"]
                .as_str()
                .unwrap()
                .starts_with("User name should")
        );
        answer.assert_leaves_cookie();
    }
}

#[rocket::async_test]
async fn names_of_every_script_come_back_as_they_were_typed() {
    let longest = "\u{1f642}".repeat(64);
    for name in [
        "abdullah",
        "Ada Lovelace",
        "\u{639}\u{628}\u{62f}\u{627}\u{644}\u{644}\u{647}",
        "\u{738b}\u{5c0f}\u{660e}",
        "a\"b\\c</script>&amp;",
        "{{ user }}",
        longest.as_str(),
    ] {
        let app = TestApp::open(Backend::Embedded).await;
        let mut program = app.program();
        assert_eq!(program.log_in_as(name).await.status.code, 200, "{name}");
        assert_eq!(program.profile().await.json()["session_data"]["user"], name);
    }
}

#[rocket::async_test]
async fn names_are_normalized_so_that_one_name_is_one_user() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut program = app.program();
    program.log_in_as("Zoe\u{308}").await;
    assert_eq!(
        program.profile().await.json()["session_data"]["user"],
        "Zo\u{eb}"
    );
}

#[rocket::async_test]
async fn unknown_fields_are_ignored() {
    let body = r#"{"username":"a","password":{"x":[1,{"y":null}]},"session_id":"mine"}"#;
    let answer = post("application/json; charset=utf-8", body).await;
    assert_eq!(answer.status.code, 200);
}

/// T6: Rocket's own JSON guard takes any content type.
#[rocket::async_test]
async fn a_body_must_be_declared_as_json_or_form() {
    for content_type in [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonp",
    ] {
        let answer = post(content_type, r#"{"username":"a"}"#).await;
        assert_eq!(answer.status.code, 415, "{content_type}");
        assert!(answer.json()["detail"].is_string());
        answer.assert_leaves_cookie();
    }
    let app = TestApp::open(Backend::Embedded).await;
    let undeclared = app
        .program()
        .send(Method::Post, "/login/", &[], r#"{"username":"a"}"#)
        .await;
    assert_eq!(undeclared.status.code, 415);
    let empty = app.program().send(Method::Post, "/login/", &[], "").await;
    empty.assert_json(422, &mistake("missing", "Field required"));
}

/// T23: Rocket's own limit is 1 MiB.
#[rocket::async_test]
async fn a_body_may_have_eight_kibibytes_and_no_more() {
    let body = |length: usize| {
        let frame = r#"{"username":"a","x":""}"#.len();
        format!(r#"{{"username":"a","x":"{}"}}"#, "x".repeat(length - frame))
    };
    assert_eq!(post("application/json", &body(8192)).await.status.code, 200);
    let answer = post("application/json", &body(8193)).await;
    assert_eq!(answer.status.code, 413);
    assert!(answer.json()["detail"].is_string());
    answer.assert_leaves_cookie();

    let form = format!("username=a&x={}", "x".repeat(8192));
    let app = TestApp::open(Backend::Embedded).await;
    let answer = app
        .browser()
        .post("/login/", "application/x-www-form-urlencoded", &form)
        .await;
    answer.assert_page(413, "Too much at once");
}

/// T8: Rocket's own form guard takes `%ff` and `%fe` for the same user, and the first of two fields.
#[rocket::async_test]
async fn a_mistaken_form_comes_back_with_what_was_typed() {
    let form = "application/x-www-form-urlencoded";
    let app = TestApp::open(Backend::Embedded).await;
    for (body, kept) in [
        ("username=", ""),
        ("", ""),
        ("user=a", ""),
        (
            "username=%20a%20%3Cb%3E&next=%2Forders%3Fa%3D1",
            " a &lt;b&gt;",
        ),
        ("username=a%ff", "a\u{fffd}"),
        ("username=a&username=b", ""),
    ] {
        let answer = app.browser().post("/login/", form, body).await;
        answer.assert_page(422, "Sign in");
        let field = answer.body.split("id=\"username\"").nth(1).unwrap();
        assert!(
            field.contains(&format!("value=\"{kept}\"")),
            "{body}: {field}"
        );
        assert!(field.contains("aria-invalid=\"true\""));
        assert!(field.contains("id=\"username-problem\" role=\"alert\""));
        answer.assert_leaves_cookie();
    }
    let answer = app
        .browser()
        .post("/login/", form, "username=&next=%2Forders%3Fa%3D1")
        .await;
    assert!(
        answer
            .body
            .contains(r#"name="next" value="&#x2F;orders?a=1""#),
        "{}",
        answer.body
    );
}

#[rocket::async_test]
async fn the_form_leads_on_to_where_the_visitor_wanted_to_go() {
    let app = TestApp::open(Backend::Embedded).await;
    let form = "application/x-www-form-urlencoded";
    for (next, location) in [
        ("/orders?a=1%262", "/orders?a=1%262"),
        ("/", "/"),
        ("//evil.example", "/profile/"),
        ("/\\evil.example", "/profile/"),
        ("/%2Fevil.example", "/profile/"),
        ("/%5cevil.example", "/profile/"),
        ("/\tevil", "/profile/"),
        ("https://evil.example", "/profile/"),
        ("", "/profile/"),
    ] {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("username", "a")
            .append_pair("next", next)
            .finish();
        app.browser()
            .post("/login/", form, &body)
            .await
            .assert_sees_other(location);
    }
}

#[rocket::async_test]
async fn the_form_keeps_next_only_where_it_leads_to_us() {
    let app = TestApp::open(Backend::Embedded).await;
    let page = app.browser().get("/login/?next=/orders").await;
    assert!(
        page.body.contains(r#"name="next" value="&#x2F;orders""#),
        "{}",
        page.body
    );
    for next in [
        "//evil.example",
        "/%2Fevil.example",
        "/%252Fevil.example",
        "https:%2f%2fevil.example",
    ] {
        let page = app.browser().get(&format!("/login/?next={next}")).await;
        page.assert_page(200, "Sign in");
        assert!(!page.body.contains("name=\"next\""), "{next}");
    }
}

#[rocket::async_test]
async fn who_is_signed_in_already_is_sent_on() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut browser = app.browser();
    browser.submit_login_form("abdullah").await;
    browser.get("/login/").await.assert_sees_other("/profile/");
    browser
        .get("/login?next=/orders")
        .await
        .assert_sees_other("/orders");
    browser
        .get("/login?next=//evil.example")
        .await
        .assert_sees_other("/profile/");
}

/// A sign-in of which only a part has come is none, however short it is.
#[test]
fn a_body_that_breaks_off_signs_nobody_in() {
    use std::io::{Read, Write};

    let program = Program::start(&[("INNKEEPER_STORE_PATH", ":memory:")]);
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "username=amy"),
        ("application/x-www-form-urlencoded", "username=amelie"),
        ("application/json", "{}"),
    ] {
        let address = ("127.0.0.1", program.port());
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 422 "), "{body}: {answer}");
        assert!(answer.contains("The body broke off"), "{body}: {answer}");
    }
}
