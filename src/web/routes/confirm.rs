//! Proving again who one is.

use rocket::{get, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::login::{after_sign_in, next};
use crate::user_name::UserName;
use crate::web::answers::{ConfirmResponses, HtmlPage, ReadResponses, Refusal, SeeOther};
use crate::web::guards::{CurrentSession, Posted, SignIn};
use crate::web::request::NextPath;
use crate::web::site::Site;
use crate::web::views::{FormError, FormView, as_mistake};

const TEMPLATE: &str = "confirm";

/// The password again. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "password": "the password" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
struct ConfirmRequest {
    #[schema(format = "password", min_length = 1)]
    password: String,
    /// Where a browser goes on to; only a path of this site is followed.
    #[schema(required = false)]
    next: String,
}

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Confirmed" })))]
pub(crate) struct Confirmed {
    message: &'static str,
}

/// Asks for the password again.
#[utoipa::path(
    get,
    path = "/confirm/",
    params(("next" = Option<String>, Query, description = "Where to go on to; only a path of this site is followed")),
    responses(HtmlPage<FormView>, ReadResponses),
    security(("session" = []))
)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "Rocket parses it and hands it over"
)]
#[get("/confirm?<next>")]
pub(crate) fn page(
    next: Option<NextPath>,
    current: Result<&CurrentSession, Refusal>,
) -> Result<HtmlPage<FormView>, Refusal> {
    let view = FormView::of_user(current?).with_next(next.as_ref());
    Ok(view.page(TEMPLATE))
}

/// Records that the session's user has just proved who he is.
#[utoipa::path(
    post,
    path = "/confirm/",
    request_body(content(
        (ConfirmRequest = "application/json"),
        (ConfirmRequest = "application/x-www-form-urlencoded"),
    )),
    responses(ConfirmResponses, FormError, SeeOther<Confirmed>),
    security(("session" = []))
)]
#[post("/confirm", data = "<posted>")]
pub(crate) async fn submit(
    current: Result<&CurrentSession, Refusal>,
    sign_in: Result<SignIn<'_>, Refusal>,
    posted: Posted,
    site: &Site,
) -> Result<SeeOther<Confirmed>, FormError> {
    let (current, sign_in) = (current?, sign_in?);
    let again = |refusal| FormView::of_user(current).again(TEMPLATE, refusal);
    let mut body = posted.into_body("password").map_err(again)?;
    let next = next(&body);
    let again = |refusal| {
        let view = FormView::of_user(current).with_next(next.as_ref());
        view.again(TEMPLATE, as_mistake(refusal, "password"))
    };
    let password = body.take_password("password");
    let password = password.map_err(|error| again(Refusal::Invalid(error)))?;
    // Another program's name may be none.
    let user = UserName::parse(current.user()).map_err(|_| again(Refusal::WrongPassword))?;
    let verified = sign_in.verify(&user, &password).await.map_err(again)?;
    // A check of the application's own may know one account by several names.
    if verified.user() != &user {
        return Err(again(Refusal::WrongPassword));
    }
    current.set_proved().await?;
    Ok(SeeOther {
        location: after_sign_in(next.as_ref(), site),
        removes_cookie: false,
        // The page at `location` is the one that was asked for.
        notice: None,
        body: Confirmed {
            message: "Confirmed",
        },
    })
}
