//! An application of the test's own.

use innkeeper::{CurrentSession, Refusal, Stage};
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, get, routes};

/// The application's own address.
#[get("/who")]
fn who(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(current?.user().to_owned())
}

/// Settings of the test alone, whatever the environment says.
pub(crate) fn settings() -> Figment {
    Figment::from(rocket::Config::default())
        .merge(("log_level", "off"))
        .merge(("innkeeper.store_path", ":memory:"))
        .merge(("innkeeper.redis_url", ""))
        .merge(("innkeeper.upstash_redis_rest_url", ""))
        .merge(("innkeeper.upstash_redis_rest_token", ""))
}

pub(crate) fn app(settings: Figment, stage: Stage) -> Rocket<Build> {
    rocket::custom(settings)
        .attach(stage)
        .mount("/", routes![who])
}

pub(crate) async fn client(settings: Figment, stage: Stage) -> Client {
    Client::untracked(app(settings, stage)).await.unwrap()
}
