//! The application's own data in the session.

use innkeeper::{CurrentSession, FieldError, PassiveSession, Refusal};
use rocket::http::{ContentType, Status};
use rocket::local::blocking::Client;
use rocket::serde::json::Json;
use rocket::{Build, Rocket, get, post, routes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::configured;
use crate::support::redis::RedisServer;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Basket {
    items: Vec<String>,
    note: Option<String>,
}

#[post("/basket/<item>")]
async fn add(
    item: &str,
    current: Result<&CurrentSession, Refusal>,
) -> Result<Json<Basket>, Refusal> {
    let current = current?;
    let mut basket: Basket = current.get("basket")?.unwrap_or_default();
    basket.items.push(item.to_owned());
    current.set("basket", &basket).await?;
    // What was written is read.
    assert_eq!(current.get::<Basket>("basket")?, Some(basket));
    Ok(Json(current.get("basket")?.unwrap_or_default()))
}

#[post("/set/<name>/<size>")]
async fn set(
    name: &str,
    size: usize,
    current: Result<&CurrentSession, Refusal>,
) -> Result<String, Refusal> {
    let current = current?;
    Ok(match current.set(name, &"x".repeat(size)).await {
        Ok(()) => "written".to_owned(),
        Err(error @ (FieldError::Ended | FieldError::Store(_))) => return Err(error.into()),
        Err(error) => error.to_string(),
    })
}

#[post("/remove/<name>")]
async fn remove(name: &str, current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    let current = current?;
    current.remove(name).await?;
    Ok(format!("{:?}", current.get::<Value>(name)?))
}

#[get("/as-number/<name>")]
fn as_number(name: &str, current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(format!("{:?}", current?.get::<u32>(name)?))
}

#[get("/passive")]
fn passive(session: Result<&PassiveSession, Refusal>) -> Result<String, Refusal> {
    let session = session?;
    let basket: Option<Basket> = session.session().field("basket")?;
    Ok(format!(
        "{} {}",
        session.user(),
        basket.unwrap_or_default().items.len()
    ))
}

fn application(redis_url: &str) -> Rocket<Build> {
    configured(redis_url, &[])
        .attach(innkeeper::stage())
        .mount("/", routes![add, set, remove, as_number, passive])
}

fn signed_in(redis_url: &str) -> Client {
    let client = Client::tracked(application(redis_url)).unwrap();
    client
        .post("/login/")
        .header(ContentType::JSON)
        .body(r#"{"username":"a"}"#)
        .dispatch();
    client
}

fn text(client: &Client, path: &str) -> String {
    client
        .post(path.to_owned())
        .dispatch()
        .into_string()
        .unwrap()
}

fn on_both(test: impl Fn(&Client)) {
    let redis = RedisServer::start();
    for url in [String::new(), redis.url()] {
        test(&signed_in(&url));
    }
}

#[test]
fn a_handler_keeps_typed_data_in_the_session() {
    on_both(|client| {
        client.post("/basket/apple").dispatch();
        let basket: Basket = client
            .post("/basket/pear%20%22")
            .dispatch()
            .into_json()
            .unwrap();
        assert_eq!(basket.items, ["apple", "pear \""]);
        let passive = client.get("/passive").dispatch().into_string().unwrap();
        assert_eq!(passive, "a 2");
        let profile: Value = client.get("/profile/").dispatch().into_json().unwrap();
        assert_eq!(
            profile["session_data"],
            json!({
                "user": "a",
                "status": "active",
                "basket": { "items": ["apple", "pear \""], "note": null },
            })
        );
        assert_eq!(text(client, "/remove/basket"), "None");
        let profile: Value = client.get("/profile/").dispatch().into_json().unwrap();
        assert_eq!(
            profile["session_data"],
            json!({ "user": "a", "status": "active" })
        );
    });
}

#[test]
fn what_belongs_to_the_session_itself_cannot_be_overwritten() {
    on_both(|client| {
        for name in ["user", "status", "_created", "_", &"n".repeat(65)] {
            let answer = text(client, &format!("/set/{name}/1"));
            assert!(answer.contains("cannot be the name"), "{name}: {answer}");
        }
        let profile: Value = client.get("/profile/").dispatch().into_json().unwrap();
        assert_eq!(
            profile["session_data"],
            json!({ "user": "a", "status": "active" })
        );
    });
}

#[test]
fn a_session_is_bounded_in_size() {
    on_both(|client| {
        assert_eq!(text(client, "/set/fits/4094"), "written");
        assert!(text(client, "/set/large/4095").contains("too large"));
        for number in 1..32 {
            assert_eq!(text(client, &format!("/set/field{number}/1")), "written");
        }
        assert!(text(client, "/set/one-more/1").contains("as many fields"));
        assert_eq!(text(client, "/set/field1/2"), "written");
    });
}

#[test]
fn a_session_that_has_ended_takes_nothing_and_does_not_come_back() {
    on_both(|client| {
        let cookie = client.cookies().get("session_id").unwrap().clone();
        client.post("/logout/").dispatch();
        let response = client.post("/set/name/1").cookie(cookie.clone()).dispatch();
        assert_eq!(response.status(), Status::NotFound);
        assert_eq!(
            client.get("/profile/").cookie(cookie).dispatch().status(),
            Status::NotFound
        );
    });
}

#[test]
fn data_of_another_form_is_an_error_of_the_application() {
    on_both(|client| {
        text(client, "/set/name/3");
        assert_eq!(
            client.get("/as-number/name").dispatch().status(),
            Status::InternalServerError
        );
        assert_eq!(
            client
                .get("/as-number/nothing")
                .dispatch()
                .into_string()
                .unwrap(),
            "None"
        );
    });
}
