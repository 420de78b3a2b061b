//! `stage()` on a store of the application's own.

use std::sync::Arc;

use innkeeper::{Clock, Config, EmbeddedStore, EndReason, SessionStore, StorePath, testing};
use rocket::error::ErrorKind;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::local::blocking;
use serde_json::{Value, json};

use crate::support::http::request;
use crate::support::{configured, eventually, free_port};

fn store(settings: &[(&str, Value)]) -> Arc<EmbeddedStore> {
    let rocket = configured("", settings);
    let lifetimes = Config::from(rocket.figment()).unwrap().lifetimes;
    let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, Clock::start());
    Arc::new(store.unwrap())
}

async fn live_sessions(store: &EmbeddedStore) -> usize {
    let mut number = 0;
    store.list_all(&mut |_, _| number += 1).await.unwrap();
    number
}

#[rocket::async_test]
async fn sessions_are_kept_there_and_no_other_store_is_opened() {
    // A folder that cannot be made, and a Redis that cannot be read.
    let settings = [
        ("store_path", json!("/proc/nowhere")),
        ("redis_url", json!("no address")),
    ];
    let without = configured("", &settings).attach(innkeeper::stage());
    let error = Client::untracked(without).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FailedFairings(_)));

    let own = store(&settings);
    let rocket = configured("", &settings).attach(innkeeper::stage().store(own.clone()));
    let client = Client::untracked(rocket).await.unwrap();
    let amy = testing::sign_in(&client, "amy").await;
    assert_eq!(live_sessions(&own).await, 1);
    assert_eq!(amy.get("/profile/").dispatch().await.status(), Status::Ok);
    assert_eq!(amy.post("/logout/").dispatch().await.status(), Status::Ok);
    assert_eq!(live_sessions(&own).await, 0);
    let ended = own.ended(&amy.id()).await.unwrap().unwrap();
    assert_eq!(ended.reason, EndReason::SignedOut);
}

#[rocket::async_test]
async fn two_stages_can_share_it() {
    let own = store(&[]);
    let application = || configured("", &[]).attach(innkeeper::stage().store(own.clone()));
    let one = Client::untracked(application()).await.unwrap();
    let other = Client::untracked(application()).await.unwrap();
    let amy = testing::sign_in(&one, "amy").await;
    let answer = other.get("/profile/").cookie(amy.cookie()).dispatch().await;
    assert_eq!(answer.status(), Status::Ok);
}

#[test]
fn its_operations_are_measured() {
    // Another test may take the port first.
    let (client, port) = eventually("a free port", || {
        let port = free_port();
        let address = json!(format!("127.0.0.1:{port}"));
        let stage = innkeeper::stage().store(store(&[]));
        let rocket = configured("", &[("metrics_address", address)]).attach(stage);
        let client = blocking::Client::untracked(rocket);
        client.ok().map(|client| (client, port))
    });
    testing::blocking::sign_in(&client, "amy");
    let text = request(port, "GET /metrics", &[], "");
    let counted = "innkeeper_store_operation_duration_seconds_count{operation=\"create\"} 1";
    assert!(text.contains(counted), "{text}");
}
