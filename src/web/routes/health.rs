//! For supervisors and load balancers: whether the process is alive, and whether it can serve.

use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{State, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::session::Sessions;
use crate::web::observe::{Readiness, RequestRecord};

/// Has no details, because a client need not be signed in to read it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

type Answer = (Status, Json<Health>);

fn answer(status: Status, text: &'static str) -> Answer {
    (status, Json(Health { status: text }))
}

/// Says that the process is alive.
///
/// Does not ask the store: restarting this process would not repair that.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, description = "It is.", body = Health))
)]
#[get("/healthz")]
pub(crate) fn alive(record: &RequestRecord) -> Answer {
    record.set_probe();
    answer(Status::Ok, "alive")
}

/// Says whether this instance can serve.
///
/// With a full disk it can: users who are signed in are served and can sign out, and no other instance has their sessions.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 200, description = "It can; `status` says if the disk is full.", body = Health),
        (status = 503, description = "The store does not answer, or the process is ending.", body = Health),
    )
)]
#[get("/readyz")]
pub(crate) async fn ready(
    sessions: &Sessions,
    readiness: &State<Readiness>,
    record: &RequestRecord,
) -> Answer {
    record.set_probe();
    if readiness.is_draining() {
        return answer(Status::ServiceUnavailable, "shutting down");
    }
    match sessions.check().await {
        Ok(()) if sessions.is_full() => answer(
            Status::Ok,
            "ready, but the disk is full: nobody can sign in",
        ),
        Ok(()) => answer(Status::Ok, "ready"),
        Err(error) => {
            record.set_error(error.to_string().into());
            answer(
                Status::ServiceUnavailable,
                "the session store does not answer",
            )
        }
    }
}
