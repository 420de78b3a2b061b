//! Making an account, where anybody may.

use rocket::response::Redirect;
use rocket::{Responder, State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::refusal;
use crate::account::Accounts;
use crate::sign_in::Known;
use crate::web::answers::{HtmlPage, PublicResponses, Refusal, SeeOther, SignUpResponses};
use crate::web::guards::{CurrentSession, Posted, SignIn};
use crate::web::request::{NextPath, Notice};
use crate::web::routes::login::{after_sign_in, next, user_name, user_name_schema};
use crate::web::site::Site;
use crate::web::views::{FormError, FormView};

const TEMPLATE: &str = "sign_up";

/// The account's name and password. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "username": "abdullah", "password": "the password from now on" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
struct SignUpRequest {
    #[schema(schema_with = user_name_schema)]
    username: String,
    #[schema(format = "password", min_length = 8, max_length = 256)]
    password: String,
    /// Where a browser goes on to; only a path of this site is followed.
    #[schema(required = false)]
    next: String,
}

/// What a program reads. Its session's id is in the cookie.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Account created" })))]
pub(crate) struct SignedUp {
    message: &'static str,
}

/// The form, or a redirect for a user who is signed in.
#[derive(Responder)]
pub(crate) enum SignUpPage {
    Form(HtmlPage<FormView>),
    SignedIn(Redirect),
}

/// Shows the form that makes an account.
#[utoipa::path(
    get,
    path = "/sign-up/",
    params(("next" = Option<String>, Query, description = "Where to go on to; only a path of this site is followed")),
    responses(
        PublicResponses,
        (status = 200, description = "The form.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed in already: goes on.", headers(("Location" = String, description = "A path of this site"))),
    ),
    security((), ("session" = []))
)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "Rocket parses it and hands it over"
)]
#[get("/sign-up?<next>")]
pub(crate) fn page(
    next: Option<NextPath>,
    current: Result<&CurrentSession, Refusal>,
    site: &Site,
) -> Result<SignUpPage, Refusal> {
    match current {
        Ok(_) => {
            let location = after_sign_in(next.as_ref(), site);
            Ok(SignUpPage::SignedIn(Redirect::to(location)))
        }
        Err(Refusal::NoSession | Refusal::SessionEnded) => {
            Ok(SignUpPage::Form(view("", next.as_ref()).page(TEMPLATE)))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Makes an account and signs in to it.
///
/// A name that is taken is told. Each attempt is counted, so that nobody can try many names.
#[utoipa::path(
    post,
    path = "/sign-up/",
    request_body(content(
        (SignUpRequest = "application/json"),
        (SignUpRequest = "application/x-www-form-urlencoded"),
    )),
    responses(SignUpResponses, FormError, SeeOther<SignedUp>),
    security((), ("session" = []))
)]
#[post("/sign-up", data = "<posted>")]
pub(crate) async fn submit(
    sign_in: Result<SignIn<'_>, Refusal>,
    posted: Posted,
    accounts: &State<Accounts>,
    site: &Site,
) -> Result<SeeOther<SignedUp>, FormError> {
    let sign_in = sign_in?;
    let body = posted.into_body("username");
    let mut body = body.map_err(|refusal| view("", None).again(TEMPLATE, refusal))?;
    let (typed, next) = (body.typed("username"), next(&body));
    let again = |refusal| view(&typed, next.as_ref()).again(TEMPLATE, refusal);
    let user = user_name(&body).map_err(again)?;
    let password = body.take_password("password");
    let password = password.map_err(|error| again(Refusal::Invalid(error)))?;
    sign_in.count_source().await.map_err(again)?;
    let made = accounts.sign_up(&user, &password).await;
    let verified = made.map_err(|error| again(refusal(error, "password")))?;
    sign_in.audit().account(&user, "account made");
    sign_in.start_verified(&verified, Known::Before).await?;
    Ok(SeeOther {
        location: after_sign_in(next.as_ref(), site),
        removes_cookie: false,
        notice: Some(Notice::AccountMade),
        body: SignedUp {
            message: "Account created",
        },
    })
}

fn view(typed: &str, next: Option<&NextPath>) -> FormView {
    let view = FormView {
        username: typed.to_owned(),
        names_account: true,
        ..FormView::default()
    };
    view.with_next(next)
}
