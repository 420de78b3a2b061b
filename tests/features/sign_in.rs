//! Signing in, the profile and signing out, on whatever store there is.

use innkeeper::testing;
use rocket::http::{ContentType, Cookie, Status};
use rocket::local::asynchronous::{Client, LocalRequest};
use serde_json::{Value, json};

pub(crate) async fn said(request: LocalRequest<'_>) -> (u16, Value) {
    let answer = request.dispatch().await;
    let status = answer.status().code;
    let text = answer.into_string().await.unwrap_or_default();
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

/// The whole way of a user, by the addresses and without them.
pub(crate) async fn is_whole(client: &Client) {
    let body = json!({"username": "amy"}).to_string();
    let sign_in = client.post("/login/").header(ContentType::JSON).body(body);
    let answer = sign_in.dispatch().await;
    assert_eq!(answer.status(), Status::Ok);
    let cookie = answer.cookies().get("session_id").unwrap();
    let cookie = Cookie::new("session_id", cookie.value().to_owned());
    let (status, profile) = said(client.get("/profile/").cookie(cookie.clone())).await;
    let user = &profile["session_data"]["user"];
    assert_eq!((status, user), (200, &json!("amy")));
    assert_eq!(profile["session_id"], json!(cookie.value()));
    let out = said(client.post("/logout/").cookie(cookie.clone())).await;
    assert_eq!(out, (200, json!({"message": "Logged out successfully"})));
    let over = said(client.get("/profile/").cookie(cookie)).await;
    assert_eq!(over, (404, json!({"detail": "Session expired"})));
    let none = said(client.get("/profile/")).await;
    assert_eq!(none, (403, json!({"detail": "No session cookie found"})));

    let bob = testing::sign_in(client, "bob").await;
    bob.set("role", &"admin").await;
    assert_eq!(said(bob.get("/who")).await, (200, json!("bob")));
    assert_eq!(bob.field::<String>("role").await.as_deref(), Some("admin"));
    let (status, listed) = said(bob.get("/sessions/")).await;
    assert_eq!(
        (status, listed["sessions"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    assert_eq!(said(client.get("/healthz")).await.0, 200);
    assert_eq!(said(client.get("/readyz")).await.0, 200);
    let (_, document) = said(client.get("/openapi.json")).await;
    let described: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert!(
        described.iter().any(|path| *path == "/profile/"),
        "{described:?}"
    );
}
