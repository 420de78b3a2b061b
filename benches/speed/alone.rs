//! A bare Rocket, for the rows "Rocket alone": it does nothing, or the least that makes a profile.

use std::collections::HashMap;
use std::env;
use std::process::ExitCode;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, Pipeline};
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, CookieJar, Status};
use rocket::serde::json::{Json, Value, json};
use rocket::{State, get, routes};

/// As in Innkeeper: with the system's a bare Rocket is slower than Innkeeper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[get("/healthz")]
fn nothing() -> (ContentType, &'static str) {
    (ContentType::JSON, r#"{"status":"alive"}"#)
}

/// The same two commands on a connection that all requests share, the same answer, and nothing else: no check of
/// anything, no headers, no time limit, no word of what failed.
#[get("/profile")]
async fn profile(
    cookies: &CookieJar<'_>,
    redis: &State<MultiplexedConnection>,
) -> Result<Json<Value>, Status> {
    let id = cookies.get("session_id").ok_or(Status::Forbidden)?.value();
    let key = format!("session:{id}");
    let (fields, _): (HashMap<String, String>, bool) = Pipeline::with_capacity(2)
        .hgetall(&key)
        .expire(&key, 900)
        .query_async(&mut redis.inner().clone())
        .await
        .map_err(|_| Status::ServiceUnavailable)?;
    let user = fields.get("user").ok_or(Status::NotFound)?;
    Ok(Json(json!({
        "session_id": id,
        "session_data": { "user": user, "status": fields.get("status") },
    })))
}

pub(crate) fn serve() -> ExitCode {
    let mut rocket = rocket::build().mount("/", routes![nothing]);
    if let Ok(url) = env::var("REDIS_URL") {
        rocket = rocket
            .attach(AdHoc::on_ignite("Redis", |rocket| async {
                rocket.manage(connect(url).await)
            }))
            .mount("/", routes![profile]);
    }
    match rocket::execute(rocket.launch()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn connect(url: String) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection_with_config(&patient)
        .await
        .unwrap()
}
