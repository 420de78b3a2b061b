//! A store of the application's own, which needs no feature: that of the example.

use std::sync::Arc;

use innkeeper::{Clock, Config};
use rocket::figment::Figment;

use crate::launch::{client, settings};
use crate::sign_in::is_whole;

#[expect(dead_code, reason = "its `main` is for those who run it")]
#[path = "../../examples/own_store.rs"]
mod example;

pub(crate) fn store(settings: &Figment) -> example::MapStore {
    let config = Config::from(settings).unwrap();
    example::MapStore::new(config.lifetimes, Clock::start())
}

#[tokio::test]
async fn sessions_are_kept_in_a_store_of_the_applications_own() {
    let settings = settings();
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    is_whole(&client(settings, stage).await).await;
}
