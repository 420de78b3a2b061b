//! Who answers what a guard refuses: the handler that took it as `Result`, else Innkeeper.
#![expect(
    clippy::needless_pass_by_value,
    reason = "Rocket gives a handler what its guards made"
)]

use innkeeper::{CurrentSession, PassiveSession, Refusal, SameOrigin, Sessions};
use rocket::fairing::AdHoc;
use rocket::http::{Header, Method, Status};
use rocket::local::asynchronous::Client;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Build, Request, Rocket, async_trait, get, post, routes};
use serde_json::{Value, json};

use crate::support::configured;
use crate::support::redis::RedisServer;

/// A guard of the application's that passes on what ours refuses.
struct Admin;

#[async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        let current = try_outcome!(request.guard::<&CurrentSession>().await);
        assert_eq!(current.user(), "admin");
        Outcome::Success(Self)
    }
}

/// A guard of the application's that does without a session.
struct Guest;

#[async_trait]
impl<'r> FromRequest<'r> for Guest {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
        drop(request.guard::<&CurrentSession>().await);
        Outcome::Success(Self)
    }
}

type Own = Result<&'static str, Status>;

fn own(code: u16) -> Own {
    Err(Status::new(code))
}

#[get("/own/current/<code>")]
fn own_current(current: Result<&CurrentSession, Refusal>, code: u16) -> Own {
    assert!(current.is_err());
    own(code)
}

#[get("/own/passive/<code>")]
fn own_passive(passive: Result<&PassiveSession, Refusal>, code: u16) -> Own {
    assert!(passive.is_err());
    own(code)
}

#[post("/own/origin/<code>")]
fn own_origin(proof: Result<SameOrigin, Refusal>, code: u16) -> Own {
    assert!(proof.is_err());
    own(code)
}

#[get("/own/option/<code>")]
fn own_option(current: Option<&CurrentSession>, code: u16) -> Own {
    assert!(current.is_none());
    own(code)
}

#[get("/own/wrapped/<code>")]
fn own_wrapped(admin: Result<Admin, Refusal>, code: u16) -> Own {
    assert!(admin.is_err());
    own(code)
}

#[get("/own/guest/<code>")]
fn own_guest(_guest: Guest, code: u16) -> Own {
    own(code)
}

#[get("/own/two/<code>")]
fn own_two(
    current: Result<&CurrentSession, Refusal>,
    passive: Result<&PassiveSession, Refusal>,
    _sessions: &Sessions,
    code: u16,
) -> Own {
    assert_eq!(current.err(), passive.err());
    own(code)
}

#[get("/guard/plain")]
fn plain(_current: &CurrentSession) {}

#[get("/guard/question")]
fn question(current: Result<&CurrentSession, Refusal>) -> Result<(), Refusal> {
    current.map(drop)
}

#[get("/guard/passive")]
fn passive(_passive: &PassiveSession) {}

#[get("/guard/wrapped")]
fn wrapped(_admin: Admin) {}

#[get("/guard/second")]
fn second(_first: Result<&CurrentSession, Refusal>, _second: &PassiveSession) {}

#[post("/guard/origin")]
fn origin(_current: Option<&CurrentSession>, _proof: SameOrigin) {}

const OWN: [&str; 6] = ["current", "passive", "option", "wrapped", "guest", "two"];
const GUARDED: [&str; 5] = ["plain", "question", "passive", "wrapped", "second"];

fn application(redis_url: &str) -> Rocket<Build> {
    let routes = routes![
        own_current,
        own_passive,
        own_origin,
        own_option,
        own_wrapped,
        own_guest,
        own_two,
        plain,
        question,
        passive,
        wrapped,
        second,
        origin
    ];
    configured(redis_url, &[])
        .attach(innkeeper::stage())
        .mount("/", routes)
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    location: Option<String>,
    cookie: Option<String>,
    detail: Value,
}

async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut request = client.req(method, path.to_owned());
    for (name, value) in headers {
        request.add_header(Header::new(*name, (*value).to_owned()));
    }
    let response = request.dispatch().await;
    let header = |name| response.headers().get_one(name).map(str::to_owned);
    let (location, cookie) = (header("Location"), header("Set-Cookie"));
    let status = response.status().code;
    let body = response.into_string().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    Answer {
        status,
        location,
        cookie,
        detail: body["detail"].clone(),
    }
}

const DEAD: (&str, &str) = ("Cookie", "session_id=5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a");
const TWO: (&str, &str) = ("Cookie", "session_id=a; session_id=b");
const HTML: (&str, &str) = ("Accept", "text/html");
const EVIL: (&str, &str) = ("Sec-Fetch-Site", "cross-site");

type Case = (
    &'static [(&'static str, &'static str)],
    u16,
    &'static str,
    bool,
);

/// What the visitor comes with, and how a guard answers: status, words, and whether a browser is sent to sign in.
const CASES: [Case; 3] = [
    (&[], 403, "No session cookie found", true),
    (&[DEAD], 404, "Session expired", true),
    (&[TWO], 400, "More than one session cookie found", false),
];

#[rocket::async_test]
async fn what_a_handler_answers_without_a_session_is_its_own() {
    let client = Client::untracked(application("")).await.unwrap();
    for (cookies, ..) in CASES {
        for kind in OWN {
            for code in [400, 403, 404, 500, 503] {
                let path = format!("/own/{kind}/{code}");
                let answer = ask(&client, Method::Get, &path, cookies).await;
                let reason = Status::new(code).reason().unwrap();
                assert_eq!(answer.detail, reason, "{path} {cookies:?}");
                let page = ask(&client, Method::Get, &path, &[cookies, &[HTML]].concat()).await;
                for answer in [answer, page] {
                    assert_eq!(answer.status, code, "{path} {cookies:?}");
                    assert_eq!((answer.location, answer.cookie), (None, None));
                }
            }
        }
    }
    let answer = ask(&client, Method::Post, "/own/origin/403", &[EVIL]).await;
    assert_eq!((answer.status, answer.detail), (403, json!("Forbidden")));
}

#[rocket::async_test]
async fn what_no_handler_takes_is_answered_for_it() {
    let client = Client::untracked(application("")).await.unwrap();
    for (cookies, status, detail, to_sign_in) in CASES {
        for kind in GUARDED {
            let path = format!("/guard/{kind}");
            let answer = ask(&client, Method::Get, &path, cookies).await;
            assert_eq!(answer.status, status, "{path} {cookies:?}");
            assert_eq!(answer.detail, detail, "{path} {cookies:?}");
            assert_eq!(answer.cookie.is_some(), cookies == [DEAD], "{path}");
            let page = ask(&client, Method::Get, &path, &[cookies, &[HTML]].concat()).await;
            assert_eq!(page.location.is_some(), to_sign_in, "{path} {cookies:?}");
            assert_eq!(page.status, if to_sign_in { 303 } else { status });
        }
    }
    let answer = ask(&client, Method::Post, "/guard/origin", &[EVIL]).await;
    let refused = json!("Cross-site request refused");
    assert_eq!((answer.status, answer.detail), (403, refused));
}

#[rocket::async_test]
async fn during_an_outage_too() {
    let mut redis = RedisServer::start();
    let client = Client::untracked(application(&redis.url())).await.unwrap();
    redis.kill();
    for kind in OWN {
        let answer = ask(&client, Method::Get, &format!("/own/{kind}/503"), &[DEAD]).await;
        let expected = json!("Service Unavailable");
        assert_eq!((answer.status, answer.detail), (503, expected), "{kind}");
    }
    for kind in GUARDED {
        let answer = ask(&client, Method::Get, &format!("/guard/{kind}"), &[DEAD]).await;
        assert_eq!(answer.status, 503, "{kind}");
        assert!(answer.detail.as_str().unwrap().contains("Sessions are"));
        assert_eq!(answer.cookie, None);
    }
}

/// Rocket would choose them by the status that a visitor sees.
#[rocket::async_test]
async fn an_applications_own_catchers_are_asked_first() {
    #[rocket::catch(403)]
    fn forbidden() -> Value {
        json!({ "detail": "own 403" })
    }

    #[rocket::catch(default)]
    fn below(status: Status, _: &Request<'_>) -> (Status, Value) {
        (
            Status::Accepted,
            json!({ "detail": format!("below {}", status.code) }),
        )
    }

    // One of a module of its own, which comes behind ours.
    let module = AdHoc::on_ignite("a module", |rocket| async {
        rocket.register("/guard/wrapped", rocket::catchers![below])
    });
    let rocket = application("")
        .register("/", rocket::catchers![forbidden])
        .attach(module);
    let client = Client::untracked(rocket).await.unwrap();
    for (path, cookies, status, detail) in [
        ("/guard/plain", &[][..], 403, "own 403"),
        ("/guard/plain", &[DEAD], 404, "Session expired"),
        ("/guard/wrapped", &[DEAD], 202, "below 404"),
        ("/guard/wrapped", &[], 202, "below 403"),
        ("/guard/question", &[], 403, "No session cookie found"),
        // Neither of the two is for this one.
        ("/nowhere", &[], 404, "Not Found"),
    ] {
        let answer = ask(&client, Method::Get, path, cookies).await;
        assert_eq!(
            (answer.status, answer.detail),
            (status, json!(detail)),
            "{path} {cookies:?}"
        );
    }
}
