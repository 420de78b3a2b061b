//! Changing the password.

use rocket::{State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::refusal;
use crate::account::Accounts;
use crate::sign_in::Known;
use crate::user_name::UserName;
use crate::web::answers::{ChangeResponses, HtmlPage, RecentResponses, Refusal, SeeOther};
use crate::web::guards::{Posted, RecentSignIn, SignIn};
use crate::web::request::Notice;
use crate::web::site::Site;
use crate::web::views::{FormError, FormView, as_mistake};

const TEMPLATE: &str = "password";

/// The present password and the new one. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "current": "the present password", "new": "the password from now on" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
struct ChangeRequest {
    #[schema(format = "password", min_length = 1)]
    current: String,
    #[schema(format = "password", min_length = 8, max_length = 256)]
    new: String,
}

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Password changed", "ended": 2 })))]
pub(crate) struct PasswordChanged {
    message: &'static str,
    /// How many other sessions of the user were ended.
    ended: usize,
}

/// Shows the form that changes the password.
#[utoipa::path(
    get,
    path = "/password/",
    responses(HtmlPage<FormView>, RecentResponses),
    security(("session" = []))
)]
#[get("/password")]
pub(crate) fn page(
    recent: Result<RecentSignIn<'_>, Refusal>,
) -> Result<HtmlPage<FormView>, Refusal> {
    Ok(FormView::of_user(recent?.current()).page(TEMPLATE))
}

/// Changes the password: all sessions of the user end, and the request's own goes on under a new id.
///
/// The user must have proved who he is within `recent_sign_in_secs`, and gives the present password besides: whoever finds an
/// unlocked screen can neither guess it here for long, nor see the form.
#[utoipa::path(
    post,
    path = "/password/",
    request_body(content(
        (ChangeRequest = "application/json"),
        (ChangeRequest = "application/x-www-form-urlencoded"),
    )),
    responses(ChangeResponses, FormError, SeeOther<PasswordChanged>),
    security(("session" = []))
)]
#[post("/password", data = "<posted>")]
pub(crate) async fn submit(
    recent: Result<RecentSignIn<'_>, Refusal>,
    sign_in: Result<SignIn<'_>, Refusal>,
    posted: Posted,
    accounts: &State<Accounts>,
    site: &Site,
) -> Result<SeeOther<PasswordChanged>, FormError> {
    let (current, sign_in) = (recent?.current(), sign_in?);
    let again = |refusal| {
        let view = FormView::of_user(current);
        view.again(TEMPLATE, as_mistake(refusal, "current"))
    };
    let mut body = posted.into_body("current").map_err(again)?;
    let [present, new] = ["current", "new"].map(|field| body.take_password(field));
    let present = present.map_err(|error| again(Refusal::Invalid(error)))?;
    let new = new.map_err(|error| again(Refusal::Invalid(error)))?;
    // Another program's name may be none.
    let user = UserName::parse(current.user()).map_err(|_| again(Refusal::WrongPassword))?;
    // Before the present one is looked at: that would be a counted attempt, and both would have to be typed again.
    let checked = accounts.check(&user, &new).await;
    let chosen = checked.map_err(|error| again(refusal(error, "new")))?;
    let verified = sign_in.verify(&user, &present).await.map_err(again)?;
    if verified.user() != &user {
        return Err(again(Refusal::WrongPassword));
    }
    let changed = accounts.change_to(&verified, chosen, sign_in.client());
    let changed = changed
        .await
        .map_err(|error| again(refusal(error, "new")))?;
    let (audit, by) = (sign_in.audit(), Some(current.handle()));
    audit.password_set(&user, "password changed", by, &changed.ended);
    let others = changed.ended.iter().filter(|one| **one != current.handle());
    let ended = others.count();
    let data = current.session().data.clone();
    let started = sign_in.start_with(&changed.verified, Known::Before, data);
    // Where that fails, the password is changed all the same.
    let signed_in = started.await.is_ok();
    let (location, message) = if signed_in {
        (site.after_sign_in(), "Password changed")
    } else {
        let page = site.sign_in().unwrap_or(site.after_sign_in());
        (page, "Password changed, please sign in again")
    };
    Ok(SeeOther {
        location: location.to_owned(),
        removes_cookie: !signed_in,
        notice: Some(Notice::PasswordChanged { ended }),
        body: PasswordChanged { message, ended },
    })
}
