//! Choosing a password by a link that works once.

use rocket::response::{self, Responder};
use rocket::{Request, State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::refusal;
use crate::account::{AccountError, Accounts, Invitation, Purpose};
use crate::sign_in::{Known, Token};
use crate::web::answers::{HtmlPage, InvitationResponses, Refusal, SeeOther, ValidationError};
use crate::web::guards::{Posted, SignIn};
use crate::web::request::Notice;
use crate::web::routes::login::{user_name, user_name_schema};
use crate::web::site::Site;
use crate::web::views::{FormError, FormView};

const TEMPLATE: &str = "invitation";

/// An answer after which the browser tells nobody the address of this page, which is a secret: only the site's origin.
///
/// Not `no-referrer`: with it a browser sends the page's own form with `Origin: null`, which is refused where the browser sends
/// no `Sec-Fetch-Site` (Fetch, "append a request `Origin` header").
pub(crate) struct OriginOnly<R>(R);

impl<'r, R: Responder<'r, 'static>> Responder<'r, 'static> for OriginOnly<R> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = self.0.respond_to(request)?;
        response.set_raw_header("Referrer-Policy", "strict-origin");
        Ok(response)
    }
}

/// The password, and for the first account its name. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "password": "the password from now on" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
struct AcceptRequest {
    /// Where the link names no account.
    #[schema(schema_with = user_name_schema, required = false)]
    username: String,
    #[schema(format = "password", min_length = 8, max_length = 256)]
    password: String,
}

/// What a program reads.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "message": "Password set", "ended": 0 })))]
pub(crate) struct Accepted {
    message: &'static str,
    /// How many sessions of the user were ended.
    ended: usize,
}

/// Shows the form in which a password is chosen. The link stays valid.
#[utoipa::path(
    get,
    path = "/invitation/{token}",
    params(("token" = String, Path, description = "The secret at the end of the link", pattern = "^[0-9a-f]{64}$")),
    responses(HtmlPage<FormView>, InvitationResponses),
)]
#[get("/invitation/<token>")]
pub(crate) async fn page(
    token: &str,
    accounts: &State<Accounts>,
    site: &Site,
) -> OriginOnly<Result<HtmlPage<FormView>, Refusal>> {
    let page = async {
        let (token, invitation) = find(token, accounts).await?;
        Ok(view(&token, &invitation, "", site).page(TEMPLATE))
    };
    OriginOnly(page.await)
}

/// Sets the password, uses the link up, and signs in. All earlier sessions of the user end.
#[utoipa::path(
    post,
    path = "/invitation/{token}",
    params(("token" = String, Path, description = "The secret at the end of the link", pattern = "^[0-9a-f]{64}$")),
    request_body(content(
        (AcceptRequest = "application/json"),
        (AcceptRequest = "application/x-www-form-urlencoded"),
    )),
    responses(InvitationResponses, FormError, SeeOther<Accepted>),
)]
#[post("/invitation/<token>", data = "<posted>")]
pub(crate) async fn submit(
    token: &str,
    sign_in: Result<SignIn<'_>, Refusal>,
    posted: Posted,
    accounts: &State<Accounts>,
    site: &Site,
) -> OriginOnly<Result<SeeOther<Accepted>, FormError>> {
    OriginOnly(accept(token, sign_in, posted, accounts, site).await)
}

async fn accept(
    token: &str,
    sign_in: Result<SignIn<'_>, Refusal>,
    posted: Posted,
    accounts: &Accounts,
    site: &Site,
) -> Result<SeeOther<Accepted>, FormError> {
    let sign_in = sign_in?;
    let (token, invitation) = find(token, accounts).await?;
    let again = |typed: &str, refusal| {
        let view = view(&token, &invitation, typed, site);
        view.again(TEMPLATE, refusal)
    };
    let body = posted.into_body("password");
    let mut body = body.map_err(|refusal| again("", refusal))?;
    let typed = body.typed("username");
    let again = |refusal| again(&typed, refusal);
    let name = match &invitation.user {
        Some(_) => None,
        None => Some(user_name(&body).map_err(again)?),
    };
    let password = body.take_password("password");
    let password = password.map_err(|error: ValidationError| again(Refusal::Invalid(error)))?;
    let accepted = accounts.accept(&token, name.as_ref(), &password, sign_in.client());
    let changed = accepted.await.map_err(|error| {
        // The account's user was disabled or removed meanwhile; the visitor's own session has nothing to do with it.
        let is_gone = matches!(error, AccountError::NoAccount);
        again(if is_gone {
            Refusal::NoSuchInvitation
        } else {
            refusal(error, "password")
        })
    })?;
    let user = changed.verified.user();
    let audit = sign_in.audit();
    audit.password_set(user, "invitation used", None, &changed.ended);
    let ended = changed.ended.len();
    sign_in
        .start_verified(&changed.verified, Known::Before)
        .await?;
    Ok(SeeOther {
        location: site.after_sign_in().to_owned(),
        removes_cookie: false,
        notice: Some(if invitation.purpose == Purpose::Reset {
            Notice::PasswordChanged { ended }
        } else {
            Notice::AccountMade
        }),
        body: Accepted {
            message: "Password set",
            ended,
        },
    })
}

/// The same answer to a malformed token and to one that is not valid: it reveals nothing.
async fn find(token: &str, accounts: &Accounts) -> Result<(Token, Invitation), Refusal> {
    let token = Token::parse(token).ok_or(Refusal::NoSuchInvitation)?;
    let found = accounts.invitation(&token).await;
    let found = found.map_err(|error| refusal(error, "password"))?;
    let invitation = found.ok_or(Refusal::NoSuchInvitation)?;
    Ok((token, invitation))
}

/// `typed`: the name, where the link names none.
fn view(token: &Token, invitation: &Invitation, typed: &str, site: &Site) -> FormView {
    let user = invitation.user.as_ref();
    FormView {
        username: user.map_or(typed, |user| user.as_str()).to_owned(),
        names_account: user.is_none(),
        action: Some(site.invitation(token.expose())),
        ..FormView::default()
    }
}
