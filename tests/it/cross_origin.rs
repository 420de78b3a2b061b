//! `trusted_origins`: pages of other origins that may call Innkeeper with the visitor's cookie.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use innkeeper::{CurrentSession, Refusal};
use rocket::http::{Header, Method, Status};
use rocket::local::asynchronous::Client;
use rocket::{Responder, get, options, post, routes};
use serde_json::{Value, json};

use crate::support::browser::{Browser, Scheme};
use crate::support::program::Program;
use crate::support::{Answer, Backend, TestApp, TestClient, configured};

const TRUSTED: &str = "https://app.example.org";
const ORIGIN: (&str, &str) = ("Origin", TRUSTED);
const JSON: (&str, &str) = ("Content-Type", "application/json");
const BODY: &str = r#"{"username":"abdullah"}"#;
const ASKED: (&str, &str) = ("Access-Control-Request-Method", "POST");

async fn app() -> TestApp {
    let origins = json!([TRUSTED, "http://localhost:3000"]);
    TestApp::with(Backend::Embedded, &[("trusted_origins", origins)]).await
}

/// The headers of the CORS protocol, in the order of the alphabet.
fn cors(answer: &Answer) -> Vec<(String, String)> {
    let headers = answer.headers.iter();
    let mut found: Vec<_> = headers
        .filter(|(name, _)| name.to_lowercase().starts_with("access-control-"))
        .cloned()
        .collect();
    found.sort();
    found
}

#[track_caller]
fn assert_readable_by(answer: &Answer, origin: &str) {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        cors(answer),
        [
            pair("Access-Control-Allow-Credentials", "true"),
            pair("Access-Control-Allow-Origin", origin),
            pair("Access-Control-Expose-Headers", "Retry-After, X-Request-Id"),
        ]
    );
    assert!(answer.all("Vary").any(|vary| vary == "Origin"));
}

#[rocket::async_test]
async fn a_trusted_origin_may_send_what_another_site_may_not() {
    for (origins, passes) in [
        (&[TRUSTED][..], true),
        (&["http://localhost:3000"], true),
        (&["http://app.example.org"], false),
        (&["https://app.example.org:8443"], false),
        (&["https://app.example.org:443"], false),
        (&["https://app.example.org/"], false),
        (&["https://app.example.org.evil.example"], false),
        (&["https://evil.app.example.org"], false),
        (&["https://APP.example.org"], false),
        (&["https://app.example.org,https://evil.example"], false),
        (&["null"], false),
        (&[""], false),
        (&["*"], false),
        (&[TRUSTED, "https://evil.example"], false),
        (&[TRUSTED, TRUSTED], false),
    ] {
        for site in ["same-site", "cross-site"] {
            let app = app().await;
            let mut headers = vec![JSON, ("Sec-Fetch-Site", site)];
            headers.extend(origins.iter().map(|origin| ("Origin", *origin)));
            let mut client = app.program();
            let answer = client.send(Method::Post, "/login/", &headers, BODY).await;
            let expected = if passes { 200 } else { 403 };
            assert_eq!(answer.status.code, expected, "{origins:?}");
            if passes {
                assert_readable_by(&answer, origins[0]);
            } else {
                assert_eq!(cors(&answer), [], "{origins:?}");
            }
        }
    }
}

#[rocket::async_test]
async fn every_answer_of_ours_can_be_read_by_it_and_by_no_other() {
    let app = app().await;
    let mut client = app.program();
    client.log_in_as("abdullah").await;
    for (method, path, status) in [
        (Method::Get, "/profile/", 200),
        (Method::Get, "/sessions/", 200),
        (Method::Get, "/session/", 200),
        (Method::Get, "/healthz", 200),
        (Method::Get, "/openapi.json", 200),
        (Method::Get, "/static/innkeeper/style.css", 200),
        (Method::Get, "/nowhere", 404),
        (Method::Put, "/login/", 405),
        (Method::Post, "/login/", 422),
    ] {
        let answer = client.send(method, path, &[ORIGIN], "").await;
        assert_eq!(answer.status.code, status, "{path}");
        assert_readable_by(&answer, TRUSTED);
        for other in ["https://evil.example", "null"] {
            let answer = client.send(method, path, &[("Origin", other)], "").await;
            assert_eq!(cors(&answer), [], "{path}");
            assert!(answer.all("Vary").any(|vary| vary == "Origin"), "{path}");
        }
    }
}

async fn preflight(client: &mut TestClient, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.send(Method::Options, path, headers, "").await
}

#[rocket::async_test]
async fn a_preflight_of_a_trusted_origin_is_answered_where_there_is_a_route() {
    let app = app().await;
    let mut client = app.program();
    let wanted = ("Access-Control-Request-Headers", "content-type,x-own");
    for (path, methods) in [
        ("/login/", "GET, HEAD, POST"),
        ("/sessions/", "DELETE, GET, HEAD"),
        ("/sessions/others", "DELETE"),
    ] {
        let answer = preflight(&mut client, path, &[ORIGIN, ASKED, wanted]).await;
        assert_eq!((answer.status.code, answer.body.as_str()), (204, ""));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            cors(&answer),
            [
                pair("Access-Control-Allow-Credentials", "true"),
                pair("Access-Control-Allow-Headers", "content-type,x-own"),
                pair("Access-Control-Allow-Methods", methods),
                pair("Access-Control-Allow-Origin", TRUSTED),
                pair("Access-Control-Max-Age", "600"),
            ]
        );
        assert_eq!(answer.header("Content-Type"), None);
    }
    for (path, headers, status) in [
        ("/nowhere", &[ORIGIN, ASKED][..], 404),
        // No preflight: it asks for nothing.
        ("/login/", &[ORIGIN], 405),
        ("/login/", &[("Origin", "https://evil.example"), ASKED], 405),
        ("/login/", &[ASKED], 405),
        ("/login/", &[ORIGIN, ASKED, ("Host", "evil.example")], 421),
    ] {
        let answer = preflight(&mut client, path, headers).await;
        assert_eq!(answer.status.code, status, "{path} {headers:?}");
        let names: Vec<_> = cors(&answer).into_iter().map(|(name, _)| name).collect();
        assert!(
            !names.contains(&"Access-Control-Allow-Methods".to_owned()),
            "{path} {headers:?}"
        );
    }
}

#[rocket::async_test]
async fn without_trusted_origins_nothing_is_said_of_them() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut client = app.program();
    for (method, path) in [(Method::Get, "/profile/"), (Method::Options, "/login/")] {
        let answer = client.send(method, path, &[ORIGIN, ASKED], "").await;
        assert_eq!(cors(&answer), []);
        assert!(answer.all("Vary").all(|vary| vary != "Origin"));
    }
}

#[get("/orders")]
fn orders(current: Result<&CurrentSession, Refusal>) -> Result<&'static str, Refusal> {
    current.map(|_| "orders")
}

#[post("/orders")]
fn order(current: Result<&CurrentSession, Refusal>) -> Result<&'static str, Refusal> {
    current.map(|_| "ordered")
}

#[get("/news")]
fn news() -> &'static str {
    "news"
}

#[derive(Responder)]
struct Own(&'static str, Header<'static>);

#[options("/own")]
fn own() -> Own {
    let header = Header::new("Access-Control-Allow-Origin", "https://own.example");
    Own("own", header)
}

#[rocket::async_test]
async fn an_applications_answers_are_readable_where_they_asked_for_the_session() {
    let settings = [
        ("store_path", json!(":memory:")),
        ("trusted_origins", json!(TRUSTED)),
    ];
    let rocket = configured("", &settings)
        .attach(innkeeper::stage())
        .mount("/", routes![orders, order, news, own]);
    let client = Client::tracked(rocket).await.unwrap();
    let ask = async |method, path: &'static str, asked: bool| {
        let mut request = client
            .req(method, path)
            .header(Header::new("Origin", TRUSTED));
        if asked {
            request.add_header(Header::new(ASKED.0, ASKED.1));
        }
        let response = request.dispatch().await;
        let allowed = response.headers().get("Access-Control-Allow-Origin");
        let allowed: Vec<_> = allowed.map(str::to_owned).collect();
        (response.status(), allowed.join(" | "))
    };
    let trusted = TRUSTED.to_owned();
    // Not signed in, which its page is told.
    assert_eq!(
        ask(Method::Get, "/orders", false).await,
        (Status::Forbidden, trusted.clone())
    );
    assert_eq!(
        ask(Method::Options, "/orders", true).await,
        (Status::NoContent, trusted)
    );
    assert_eq!(
        ask(Method::Get, "/news", false).await,
        (Status::Ok, String::new())
    );
    assert_eq!(
        ask(Method::Options, "/own", true).await,
        (Status::Ok, "https://own.example".to_owned())
    );
}

#[test]
fn an_origin_that_no_browser_would_send_stops_the_launch() {
    for (origins, problem) in [
        ("*", "must be origins like"),
        ("null", "must be origins like"),
        ("app.example.org", "must be origins like"),
        ("https://app.example.org/shop", "must be origins like"),
        ("https://*.example.org", "must be origins like"),
        (
            "https://app.example.org/",
            "which browsers write as `https://app.example.org`",
        ),
        (
            "https://app.example.org, https://APP.example.com",
            "which browsers write as `https://app.example.com`",
        ),
        (
            "https://app.example.org:443",
            "which browsers write as `https://app.example.org`",
        ),
        (
            "http://app.example.org",
            "which is not https, though the site is",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Program::refusal(
            folder.path(),
            &[
                ("INNKEEPER_TRUSTED_ORIGINS", origins),
                ("INNKEEPER_PUBLIC_URL", "https://api.example.org"),
            ],
        );
        assert!(refusal.contains("`trusted_origins`"), "{refusal}");
        assert!(refusal.contains(problem), "{origins}: {refusal}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = "[default.innkeeper]\ntrusted_origins = [7]\n";
    fs::write(folder.path().join("Rocket.toml"), file).unwrap();
    let refusal = Program::refusal(folder.path(), &[]);
    assert!(refusal.contains("must be a list of texts"), "{refusal}");
}

/// Serves an empty page at a port that is returned, for as long as the test runs.
fn serve_page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Chromium also opens connections on which it sends nothing for a while.
            thread::spawn(move || {
                drop(stream.read(&mut [0; 4096]));
                let page = "<!doctype html><title>App</title>";
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
                let length = page.len();
                drop(write!(
                    stream,
                    "{head}Content-Length: {length}\r\n\r\n{page}"
                ));
            });
        }
    });
    port
}

/// What a script of the page gets: status and body, or the name of the error with which the browser keeps it from both.
async fn call(browser: &Browser, method: &str, path: &str, body: &str) -> Value {
    const SCRIPT: &str = r#"
      const [url, method, body, done] = arguments;
      const headers = body ? { "Content-Type": "application/json" } : {};
      fetch(url, { method, headers, body: body || undefined, credentials: "include" })
        .then(async (answer) => done([answer.status, await answer.text()]))
        .catch((error) => done(error.name));
    "#;
    let url = format!("http://api.example.org{path}");
    let arguments = vec![json!(url), json!(method), json!(body)];
    browser.page.execute_async(SCRIPT, arguments).await.unwrap()
}

#[rocket::async_test]
async fn in_a_browser_a_trusted_page_signs_in_on_another_host_and_another_page_does_not() {
    let program = Program::start(&[
        ("INNKEEPER_PUBLIC_URL", "http://api.example.org"),
        ("INNKEEPER_TRUSTED_ORIGINS", "http://app.example.org"),
    ]);
    let rules = format!(
        "--host-resolver-rules=MAP api.example.org:80 127.0.0.1:{}, MAP *.example.org:80 127.0.0.1:{}",
        program.port(),
        serve_page()
    );
    let browser = Browser::start_with(Scheme::Light, &[&rules]).await;
    browser.open("http://evil.example.org/").await;
    // A script needs a preflight for JSON, and gets none.
    assert_eq!(
        call(&browser, "POST", "/login/", BODY).await,
        json!("TypeError")
    );

    browser.open("http://app.example.org/").await;
    let signed_in = call(&browser, "POST", "/login/", BODY).await;
    assert_eq!(signed_in[0], json!(200), "{signed_in}");
    let profile = call(&browser, "GET", "/profile/", "").await;
    assert_eq!(profile[0], json!(200), "{profile}");
    assert!(
        profile[1].as_str().unwrap().contains("abdullah"),
        "{profile}"
    );
    let missing = call(
        &browser,
        "DELETE",
        &format!("/sessions/{}", "0".repeat(32)),
        "",
    )
    .await;
    assert_eq!(missing, json!([404, r#"{"detail":"No such session"}"#]));

    // The cookie goes along, for the hosts are of one site; the answer is kept from the page all the same.
    browser.open("http://evil.example.org/").await;
    assert_eq!(
        call(&browser, "GET", "/profile/", "").await,
        json!("TypeError")
    );
    assert_eq!(
        call(&browser, "POST", "/logout/", "").await,
        json!("TypeError")
    );
    assert_eq!(
        call(&browser, "DELETE", "/sessions/", "").await,
        json!("TypeError")
    );

    browser.open("http://app.example.org/").await;
    assert_eq!(call(&browser, "GET", "/profile/", "").await[0], json!(200));
    assert_eq!(call(&browser, "POST", "/logout/", "").await[0], json!(200));
    assert_eq!(call(&browser, "GET", "/profile/", "").await[0], json!(403));
}
