//! Signing out.

use rocket::{State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::client::Client;
use crate::session::Sessions;
use crate::web::answers::documented::{PublicResponses, SignOutResponses};
use crate::web::answers::negotiate::SeeOther;
use crate::web::answers::page::HtmlPage;
use crate::web::answers::refusal::Refusal;
use crate::web::guards::current_session::CurrentSession;
use crate::web::guards::same_origin::SameOrigin;
use crate::web::observe::audit::Audit;
use crate::web::request::cookie::{Presented, SessionCookie};
use crate::web::views::countdown::Countdown;

/// Who is about to sign out, if anybody.
#[derive(Serialize)]
pub(crate) struct Question {
    countdown: Option<Countdown>,
    /// The sign-out that is confirmed came without a cookie, so it ended nothing.
    without_cookie: bool,
}

/// Where a browser is sent whose sign-out came without a cookie.
const WITHOUT_COOKIE: &str = "/logout/?without_cookie=1";

/// Asks whether to sign out, or confirms it.
///
/// Never signs out: a link or an image must not be able to.
#[utoipa::path(
    get,
    path = "/logout/",
    params(
        ("without_cookie" = Option<String>, Query, description = "Present where a sign-out came without a cookie: \
         the page says that nothing was ended"),
    ),
    responses(HtmlPage<Question>, PublicResponses),
    security((), ("session" = []))
)]
#[get("/logout?<without_cookie>")]
pub(crate) fn page(
    without_cookie: Option<&str>,
    current: Result<&CurrentSession, Refusal>,
) -> Result<HtmlPage<Question>, Refusal> {
    match current {
        Ok(current) => Ok(HtmlPage {
            template: "logout",
            view: Question {
                countdown: Some(Countdown::from(current)),
                without_cookie: false,
            },
        }),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(HtmlPage {
            template: "signed_out",
            view: Question {
                countdown: None,
                without_cookie: without_cookie.is_some(),
            },
        }),
        Err(refusal) => Err(refusal),
    }
}

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Logged out successfully" })))]
pub(crate) struct LoggedOut {
    message: &'static str,
}

/// Signs out, whether signed in or not.
///
/// A body does not matter, and is not read.
#[utoipa::path(
    post,
    path = "/logout/",
    responses(SignOutResponses, SeeOther<LoggedOut>),
    security((), ("session" = []))
)]
#[post("/logout")]
pub(crate) async fn submit(
    same_origin: Result<SameOrigin, Refusal>,
    presented: Presented,
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Result<SeeOther<LoggedOut>, Refusal> {
    same_origin?;
    if presented == Presented::Ambiguous {
        return Err(Refusal::AmbiguousCookie);
    }
    if let Some(id) = presented.id()
        && let Some(user) = sessions.end(&id, &client).await?
    {
        audit.signed_out(&user, &id);
    }
    let came = presented.came();
    Ok(SeeOther {
        // Rocket drops a whole `Cookie` header for one byte that is not UTF-8 (another application's cookie, say): then
        // there is a session, and a page that confirms its end would be a lie.
        location: if came { "/logout/" } else { WITHOUT_COOKIE }.to_owned(),
        cookie: came.then(|| cookie.removal()),
        body: LoggedOut {
            message: "Logged out successfully",
        },
    })
}
