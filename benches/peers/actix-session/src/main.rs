//! The tutorial's three addresses with actix-web and actix-session on Redis; `PORT` and `REDIS_URL` say where, `WORKERS` by
//! how many threads.

use std::env::var;
use std::io;

use actix_session::config::{PersistentSession, TtlExtensionPolicy};
use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionGetError, SessionInsertError, SessionMiddleware};
use actix_web::cookie::{Key, time::Duration};
use actix_web::web::{self, Json};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde::Deserialize;
use serde_json::json;

const COOKIE: &str = "session_id";

#[derive(Deserialize)]
struct Credentials {
    username: String,
}

async fn login(
    session: Session,
    credentials: Json<Credentials>,
) -> Result<HttpResponse, SessionInsertError> {
    session.renew();
    session.insert("user", &credentials.username)?;
    session.insert("status", "active")?;
    Ok(HttpResponse::Ok().json(json!({ "message": "Logged in successfully" })))
}

async fn profile(session: Session, request: HttpRequest) -> Result<HttpResponse, SessionGetError> {
    if request.cookie(COOKIE).is_none() {
        return Ok(HttpResponse::Forbidden().json(json!({ "detail": "No session cookie found" })));
    }
    let Some(user) = session.get::<String>("user")? else {
        return Ok(HttpResponse::NotFound().json(json!({ "detail": "Session expired" })));
    };
    let status = session.get::<String>("status")?;
    Ok(HttpResponse::Ok().json(json!({ "session_data": { "user": user, "status": status } })))
}

async fn logout(session: Session) -> HttpResponse {
    session.purge();
    HttpResponse::Ok().json(json!({ "message": "Logged out successfully" }))
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let redis = var("REDIS_URL").map_err(io::Error::other)?;
    let port = var("PORT").map_err(io::Error::other)?;
    let store = RedisSessionStore::new(redis)
        .await
        .map_err(io::Error::other)?;
    let key = Key::generate();
    let sliding = PersistentSession::default()
        .session_ttl(Duration::minutes(15))
        .session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
    let workers = var("WORKERS").ok().and_then(|number| number.parse().ok());
    let server = HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(store.clone(), key.clone())
            .cookie_name(COOKIE.to_owned())
            .cookie_secure(false)
            .session_lifecycle(sliding.clone())
            .build();
        App::new()
            .wrap(sessions)
            .route("/login/", web::post().to(login))
            .route("/profile/", web::get().to(profile))
            .route("/logout/", web::post().to(logout))
    });
    // Without a number as many as there are cores.
    let server = match workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    server.bind(format!("127.0.0.1:{port}"))?.run().await
}
