//! Signing out.

use rocket::{State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::session::{Sessions, Visitor};
use crate::web::audit::Audit;
use crate::web::cookie::{Presented, SessionCookie};
use crate::web::current_session::CurrentSession;
use crate::web::negotiate::SeeOther;
use crate::web::openapi::{OpenToAll, SigningOut};
use crate::web::pages::HtmlPage;
use crate::web::refusal::Refusal;
use crate::web::same_origin::SameOrigin;
use crate::web::watch::Watch;

/// Who is about to sign out, if anybody.
#[derive(Serialize)]
pub(in crate::web) struct Question {
    watch: Option<Watch>,
}

/// Asks whether to sign out, or confirms it.
///
/// Never signs out: a link or an image must not be able to.
#[utoipa::path(
    get,
    path = "/logout/",
    responses(HtmlPage<Question>, OpenToAll),
    security((), ("session" = []))
)]
#[get("/logout")]
pub(in crate::web) fn page(
    current: Result<&CurrentSession, Refusal>,
) -> Result<HtmlPage<Question>, Refusal> {
    match current {
        Ok(current) => Ok(HtmlPage {
            template: "logout",
            view: Question {
                watch: Some(Watch::from(current)),
            },
        }),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(HtmlPage {
            template: "signed_out",
            view: Question { watch: None },
        }),
        Err(refusal) => Err(refusal),
    }
}

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Logged out successfully" })))]
pub(in crate::web) struct LoggedOut {
    message: &'static str,
}

/// Signs out, whether signed in or not.
///
/// A body does not matter, and is not read.
#[utoipa::path(
    post,
    path = "/logout/",
    responses(SigningOut, SeeOther<LoggedOut>),
    security((), ("session" = []))
)]
#[post("/logout")]
pub(in crate::web) async fn submit(
    same_origin: Result<SameOrigin, Refusal>,
    presented: Presented,
    visitor: Visitor,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Result<SeeOther<LoggedOut>, Refusal> {
    same_origin?;
    if presented == Presented::Ambiguous {
        return Err(Refusal::AmbiguousCookie);
    }
    if let Some(id) = presented.id()
        && let Some(user) = sessions.end(&id, &visitor).await?
    {
        audit.signed_out(&user, &id);
    }
    Ok(SeeOther {
        location: "/logout/".to_owned(),
        cookie: presented.came().then(|| cookie.removal()),
        body: LoggedOut {
            message: "Logged out successfully",
        },
    })
}
