//! The tutorial's three addresses with axum and tower-sessions on Redis; `PORT` and `REDIS_URL` say where.

use std::env::var;
use std::error::Error;

use axum::http::{HeaderMap, StatusCode, header::COOKIE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tower_sessions::session::Error as SessionError;
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

/// The client sends many commands at once on each, so a few are enough.
const CONNECTIONS: usize = 6;

#[derive(Deserialize)]
struct Credentials {
    username: String,
}

struct Failure;

impl From<SessionError> for Failure {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let told = json!({ "detail": "The session store failed" });
        (StatusCode::SERVICE_UNAVAILABLE, Json(told)).into_response()
    }
}

async fn login(session: Session, Json(who): Json<Credentials>) -> Result<Response, Failure> {
    session.cycle_id().await?;
    session.insert("user", who.username).await?;
    session.insert("status", "active").await?;
    // The id is there only once the session is saved.
    session.save().await?;
    let id = session.id().map(|id| id.to_string());
    Ok(Json(json!({ "message": "Logged in successfully", "session_id": id })).into_response())
}

async fn profile(session: Session, headers: HeaderMap) -> Result<Response, Failure> {
    if !headers.contains_key(COOKIE) {
        let told = json!({ "detail": "No session cookie found" });
        return Ok((StatusCode::FORBIDDEN, Json(told)).into_response());
    }
    let Some(user) = session.get::<String>("user").await? else {
        let told = json!({ "detail": "Session expired" });
        return Ok((StatusCode::NOT_FOUND, Json(told)).into_response());
    };
    let status = session.get::<String>("status").await?;
    let id = session.id().map(|id| id.to_string());
    let data = json!({ "user": user, "status": status });
    Ok(Json(json!({ "session_id": id, "session_data": data })).into_response())
}

async fn logout(session: Session) -> Result<Response, Failure> {
    session.flush().await?;
    Ok(Json(json!({ "message": "Logged out successfully" })).into_response())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let redis = Config::from_url(&var("REDIS_URL")?)?;
    let pool = Pool::new(redis, None, None, None, CONNECTIONS)?;
    pool.connect();
    pool.wait_for_connect().await?;
    let sessions = SessionManagerLayer::new(RedisStore::new(pool))
        .with_name("session_id")
        .with_secure(false)
        // Without it a session that is only read does not slide.
        .with_always_save(true)
        .with_expiry(Expiry::OnInactivity(time::Duration::minutes(15)));
    let app = Router::new()
        .route("/login/", post(login))
        .route("/profile/", get(profile))
        .route("/logout/", post(logout))
        .layer(sessions);
    let listener = TcpListener::bind(format!("127.0.0.1:{}", var("PORT")?)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
