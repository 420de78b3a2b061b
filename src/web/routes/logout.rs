//! Signing out.

use rocket::{get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::answers::{HtmlPage, PublicResponses, Refusal, SeeOther, SignOutResponses};
use crate::web::guards::{CurrentSession, SignOut};
use crate::web::site::Site;
use crate::web::views::Countdown;

/// What the page shows.
#[derive(Serialize)]
pub(crate) struct View {
    countdown: Option<Countdown>,
    /// Whether the sign-out came without a cookie, so that it ended nothing.
    without_cookie: bool,
}

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
    responses(HtmlPage<View>, PublicResponses),
    security((), ("session" = []))
)]
#[get("/logout?<without_cookie>")]
pub(crate) fn page(
    without_cookie: Option<&str>,
    current: Result<&CurrentSession, Refusal>,
) -> Result<HtmlPage<View>, Refusal> {
    match current {
        Ok(current) => Ok(HtmlPage {
            template: "logout",
            view: View {
                countdown: Some(Countdown::from(current)),
                without_cookie: false,
            },
        }),
        Err(Refusal::NoSession | Refusal::SessionEnded) => Ok(HtmlPage {
            template: "signed_out",
            view: View {
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
    sign_out: Result<SignOut<'_>, Refusal>,
    site: &Site,
) -> Result<SeeOther<LoggedOut>, Refusal> {
    let had_cookie = sign_out?.end().await?;
    let confirmation = site.after_sign_out();
    Ok(SeeOther {
        // Without a cookie nothing has ended, and the page must not say so: see [`SignOut::end`].
        location: if had_cookie {
            confirmation.to_owned()
        } else {
            format!("{confirmation}?without_cookie=1")
        },
        removes_cookie: false,
        // The page says it.
        notice: None,
        body: LoggedOut {
            message: "Logged out successfully",
        },
    })
}
