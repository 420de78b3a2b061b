//! The tutorial's three addresses with axum and tower-sessions; each of its programs brings a store. `PORT` says where.

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
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

/// Serves until it is killed.
///
/// # Errors
///
/// The address cannot be had.
pub async fn serve<S: SessionStore + Clone>(store: S, sliding: bool) -> Result<(), Box<dyn Error>> {
    // What nothing prolongs has to last a day's work.
    let length = if sliding {
        time::Duration::minutes(15)
    } else {
        time::Duration::hours(12)
    };
    let sessions = SessionManagerLayer::new(store)
        .with_name("session_id")
        .with_secure(false)
        // Without it a session that is only read does not slide.
        .with_always_save(sliding)
        .with_expiry(Expiry::OnInactivity(length));
    let app = Router::new()
        .route("/login/", post(login))
        .route("/profile/", get(profile))
        .route("/logout/", post(logout))
        .layer(sessions);
    let listener = TcpListener::bind(format!("127.0.0.1:{}", var("PORT")?)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

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

/// Without the session's id: there is one only when the session is saved, and to save it here would be twice.
async fn login(session: Session, Json(who): Json<Credentials>) -> Result<Response, Failure> {
    session.cycle_id().await?;
    session.insert("user", who.username).await?;
    session.insert("status", "active").await?;
    Ok(Json(json!({ "message": "Logged in successfully" })).into_response())
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
