//! The tutorial's three addresses with Rocket and `rocket_flex_session` on Redis; `PORT` and `REDIS_URL` say where.

use std::env::var;
use std::error::Error;

use fred::prelude::{Builder, ClientLike, Config as RedisConfig, Pool};
use rocket::config::SecretKey;
use rocket::http::{CookieJar, Status};
use rocket::serde::json::{Json, Value, json};
use rocket::{Config, get, post, routes};
use rocket_flex_session::storage::redis::{
    RedisFormat, RedisFredStorage, RedisValue, SessionRedis,
};
use rocket_flex_session::{RocketFlexSession, Session, SessionIdentifier};
use serde::{Deserialize, Serialize};

const COOKIE: &str = "session_id";
const IDLE_SECONDS: u32 = 15 * 60;
/// As in the example of `rocket_flex_session`.
const CONNECTIONS: usize = 4;

#[derive(Clone, Deserialize, Serialize)]
struct SignedIn {
    user: String,
    status: String,
}

/// None, so that no list of a user's sessions is kept: the others keep none either, and sign-ins are faster.
impl SessionIdentifier for SignedIn {
    type Id = String;

    fn identifier(&self) -> Option<String> {
        None
    }
}

impl SessionRedis for SignedIn {
    const REDIS_FORMAT: RedisFormat = RedisFormat::String;

    type Error = serde_json::Error;

    fn into_redis(self) -> Result<RedisValue, Self::Error> {
        serde_json::to_string(&self).map(RedisValue::String)
    }

    fn from_redis(value: RedisValue) -> Result<Self, Self::Error> {
        serde_json::from_str(&value.into_string().unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
}

#[post("/login", data = "<credentials>")]
fn login(mut session: Session<'_, SignedIn>, credentials: Json<Credentials>) -> Json<Value> {
    session.set(SignedIn {
        user: credentials.into_inner().username,
        status: "active".to_owned(),
    });
    Json(json!({ "message": "Logged in successfully", "session_id": session.id() }))
}

#[get("/profile")]
fn profile(session: Session<'_, SignedIn>, cookies: &CookieJar<'_>) -> (Status, Json<Value>) {
    if cookies.get(COOKIE).is_none() {
        let told = json!({ "detail": "No session cookie found" });
        return (Status::Forbidden, Json(told));
    }
    let Some(data) = session.get() else {
        let told = json!({ "detail": "Session expired" });
        return (Status::NotFound, Json(told));
    };
    let told = json!({ "session_id": session.id(), "session_data": data });
    (Status::Ok, Json(told))
}

#[post("/logout")]
fn logout(mut session: Session<'_, SignedIn>) -> Json<Value> {
    session.delete();
    Json(json!({ "message": "Logged out successfully" }))
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config {
        port: var("PORT")?.parse()?,
        // Its cookies are encrypted.
        secret_key: SecretKey::generate().ok_or("no randomness for a key")?,
        ..Config::release_default()
    };
    let sessions = RocketFlexSession::<SignedIn>::builder()
        .storage(RedisFredStorage::builder().pool(connect().await?).build())
        .with_options(|options| {
            options.cookie_name = COOKIE.to_owned();
            options.secure = false;
            options.rolling = true;
            options.ttl = Some(IDLE_SECONDS);
        })
        .build();
    rocket::custom(config)
        .attach(sessions)
        .mount("/", routes![login, profile, logout])
        .launch()
        .await?;
    Ok(())
}

async fn connect() -> Result<Pool, Box<dyn Error>> {
    let config = RedisConfig::from_url(&var("REDIS_URL")?)?;
    let pool = Builder::from_config(config).build_pool(CONNECTIONS)?;
    pool.init().await?;
    Ok(pool)
}
