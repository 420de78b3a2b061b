//! The helper with which an application's tests sign Rocket's local client in.

use std::time::Duration;

use innkeeper::testing::{self, blocking};
use innkeeper::{CurrentSession, Refusal, SessionHandle, Sessions};
use rocket::http::{ContentType, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, post, routes};
use serde_json::{Value, json};

use crate::support::redis::RedisServer;
use crate::support::{Backend, configured};

on_every_store!(
    a_user_is_signed_in_without_an_address,
    fields_are_there_at_the_first_request,
    several_users_share_one_client,
    a_session_ends_as_in_another_tab,
    an_address_signs_in_too,
);

#[get("/who")]
fn who(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    let current = current?;
    let role: Option<Vec<String>> = current.get("roles")?;
    Ok(format!("{} {:?}", current.user(), role.unwrap_or_default()))
}

#[post("/order")]
async fn order(current: Result<&CurrentSession, Refusal>) -> Result<Status, Refusal> {
    current?.set("ordered", &1).await?;
    Ok(Status::Created)
}

/// An application, and the Redis that it may need.
async fn app(on: Backend, settings: &[(&str, Value)]) -> (Client, Option<RedisServer>) {
    let redis = (on == Backend::Redis).then(RedisServer::start);
    let url = redis.as_ref().map(RedisServer::url).unwrap_or_default();
    let rocket = configured(&url, settings)
        .attach(innkeeper::stage())
        .mount("/", routes![who, order]);
    (Client::tracked(rocket).await.unwrap(), redis)
}

async fn said(request: rocket::local::asynchronous::LocalRequest<'_>) -> (u16, String) {
    let answer = request.dispatch().await;
    (
        answer.status().code,
        answer.into_string().await.unwrap_or_default(),
    )
}

async fn a_user_is_signed_in_without_an_address(on: Backend) {
    let (client, _redis) = app(on, &[]).await;
    let amy = testing::sign_in(&client, "zo\u{eb}").await;
    assert_eq!(said(amy.get("/who")).await, (200, "zo\u{eb} []".to_owned()));
    assert_eq!(amy.user().await, "zo\u{eb}");
    let id = amy.id().to_string();
    assert_eq!(amy.cookie().value(), id);
    assert_eq!(amy.cookie().name(), "session_id");
    // What the client tracks is what it was sent, and it was sent nothing.
    assert_eq!(said(client.get("/who")).await.0, 403);
    assert_eq!(said(client.get("/who").cookie(amy.cookie())).await.0, 200);
    assert!(!format!("{amy:?}").contains(&id));
}

async fn fields_are_there_at_the_first_request(on: Backend) {
    let (client, _redis) = app(on, &[]).await;
    let amy = testing::sign_in(&client, "amy").await;
    amy.set("roles", &["admin"]).await;
    assert_eq!(
        said(amy.get("/who")).await,
        (200, "amy [\"admin\"]".to_owned())
    );
    assert_eq!(said(amy.post("/order")).await.0, 201);
    assert_eq!(amy.field::<u32>("ordered").await, Some(1));
    assert_eq!(amy.field::<u32>("never").await, None);
}

async fn several_users_share_one_client(on: Backend) {
    let (client, _redis) = app(on, &[]).await;
    let amy = testing::sign_in(&client, "amy").await;
    let bob = testing::sign_in(&client, "bob").await;
    for (user, name) in [(&amy, "amy"), (&bob, "bob"), (&amy, "amy")] {
        assert_eq!(said(user.get("/who")).await, (200, format!("{name} []")));
    }
    bob.sign_out().await;
    assert!(amy.is_signed_in().await && !bob.is_signed_in().await);
}

async fn a_session_ends_as_in_another_tab(on: Backend) {
    let (client, _redis) = app(on, &[]).await;
    let amy = testing::sign_in(&client, "amy").await;
    amy.sign_out().await;
    assert_eq!(said(amy.get("/who")).await.0, 404);
    // Although the answer has removed the cookie: a browser may still have it.
    assert_eq!(said(amy.get("/who")).await.0, 404);
    amy.sign_out().await;
}

async fn an_address_signs_in_too(on: Backend) {
    let (client, _redis) = app(on, &[]).await;
    let body = json!({"username": "amy"}).to_string();
    let json = client.post("/login/").header(ContentType::JSON).body(body);
    let amy = testing::sign_in_by(&client, json).await;
    assert_eq!(amy.user().await, "amy");
    let form = client.post("/login/").header(ContentType::Form);
    let again = testing::sign_in_by(&client, form.body("username=amy")).await;
    assert_ne!(
        SessionHandle::from(&amy.id()),
        SessionHandle::from(&again.id())
    );
    // A tracked client has the first one's cookie, so the second sign-in ended that session.
    assert!(!amy.is_signed_in().await && again.is_signed_in().await);
}

#[tokio::test]
async fn a_session_expires_at_a_word() {
    let settings = [("idle_timeout_secs", json!(900))];
    let (client, _) = app(Backend::Embedded, &settings).await;
    let amy = testing::sign_in(&client, "amy").await;
    testing::advance(client.rocket(), Duration::from_secs(890));
    assert_eq!(said(amy.get("/who")).await.0, 200);
    testing::advance(client.rocket(), Duration::from_secs(890));
    assert!(amy.is_signed_in().await);
    amy.expire().await;
    assert_eq!(
        said(amy.get("/who")).await,
        (404, json!({"detail": "Session expired"}).to_string())
    );
    amy.expire().await;
}

#[tokio::test]
#[should_panic(expected = "has a clock of its own")]
async fn a_store_with_a_clock_of_its_own_says_so() {
    let (client, _redis) = app(Backend::Redis, &[]).await;
    testing::sign_in(&client, "amy").await.expire().await;
}

#[tokio::test]
#[should_panic(expected = "has not attached `innkeeper::stage()`")]
async fn an_application_without_the_stage_is_told_so() {
    let client = Client::untracked(configured("", &[])).await.unwrap();
    testing::sign_in(&client, "amy").await;
}

#[tokio::test]
#[should_panic(expected = "the answer (422 Unprocessable Entity) sets no cookie `session_id`")]
async fn a_refused_sign_in_says_what_was_answered() {
    let (client, _) = app(Backend::Embedded, &[]).await;
    let form = client.post("/login/").header(ContentType::Form);
    testing::sign_in_by(&client, form.body("username=")).await;
}

#[tokio::test]
#[should_panic(expected = "cannot be a user's name")]
async fn a_name_that_nobody_can_have_is_refused() {
    let (client, _) = app(Backend::Embedded, &[]).await;
    testing::sign_in(&client, " amy").await;
}

#[tokio::test]
async fn behind_https_the_cookie_has_its_other_name() {
    let settings = [("public_url", json!("https://shop.example.org"))];
    let (client, _) = app(Backend::Embedded, &settings).await;
    let amy = testing::sign_in(&client, "amy").await;
    assert_eq!(amy.cookie().name(), "__Host-session_id");
    assert_eq!(said(amy.get("/who")).await.0, 200);
}

fn blocking_app(redis_url: &str) -> rocket::local::blocking::Client {
    let rocket = configured(redis_url, &[])
        .attach(innkeeper::stage())
        .mount("/", routes![who, order]);
    rocket::local::blocking::Client::tracked(rocket).unwrap()
}

#[test]
fn a_blocking_client_has_the_same() {
    let redis = RedisServer::start();
    for url in [String::new(), redis.url()] {
        let client = blocking_app(&url);
        let amy = blocking::sign_in(&client, "amy");
        amy.set("roles", &["admin"]);
        for _ in 0..2 {
            let answer = amy.get("/who").dispatch();
            assert_eq!(answer.into_string().as_deref(), Some("amy [\"admin\"]"));
        }
        assert_eq!(amy.post("/order").dispatch().status(), Status::Created);
        assert_eq!(amy.field::<u32>("ordered"), Some(1));
        assert_eq!((amy.user().as_str(), amy.is_signed_in()), ("amy", true));
        amy.sign_out();
        assert!(!amy.is_signed_in());
        assert_eq!(amy.get("/who").dispatch().status(), Status::NotFound);

        let form = client.post("/login/").header(ContentType::Form);
        let bob = blocking::sign_in_by(&client, form.body("username=bob"));
        assert_eq!(bob.user(), "bob");
        assert_eq!(bob.cookie().value(), bob.id().to_string());
        let sessions = client.rocket().state::<Sessions>();
        assert!(sessions.is_some());
    }
}

#[test]
fn a_blocking_clients_session_expires_at_a_word() {
    let client = blocking_app("");
    let amy = blocking::sign_in(&client, "amy");
    amy.expire();
    assert_eq!(amy.get("/who").dispatch().status(), Status::NotFound);
}
