//! Signing in.

use std::collections::BTreeMap;

use rocket::data::{Data, FromData, Outcome};
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use rocket::{Request, async_trait, get, post};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, OpenApi, RefOr, Schema, Type};
use utoipa::{IntoResponses, ToSchema};

use crate::session::Sessions;
use crate::sign_in::{Password, Verifier};
use crate::user_name::{NameError, UserName};
use crate::web::answers::{
    HTTPValidationError, HtmlPage, PasswordResponses, PublicResponses, Refusal, Responses,
    SeeOther, SignInResponses, ValidationError, answer, html, json_or_html,
};
use crate::web::guards::{Body, CurrentSession, EndLookup, SignIn};
use crate::web::request::{Format, NextPath, SessionCookie};
use crate::web::site::Site;
use crate::web::views::EndNotice;

/// What the page shows.
#[derive(Debug, Serialize)]
struct View {
    next: Option<String>,
    /// The same for the query of a link.
    next_query: Option<String>,
    username: String,
    /// Whether a password is asked for.
    needs_password: bool,
    /// What is wrong with the user name.
    problem: Option<String>,
    password_problem: Option<String>,
    /// What is wrong with the two together.
    form_problem: Option<String>,
    /// Why the previous session has ended.
    ended: Option<EndNotice>,
}

/// Who signs in. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "username": "abdullah" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
struct LoginRequest {
    #[schema(schema_with = user_name_schema)]
    username: String,
    /// Where this site asks for passwords.
    #[schema(required = false, format = "password", min_length = 1)]
    password: String,
}

/// The same from a form. A field may be given once.
#[derive(ToSchema)]
#[schema(as = LoginForm, examples(json!({ "username": "abdullah" })))]
#[expect(dead_code, reason = "as above")]
struct FormBody {
    #[schema(schema_with = user_name_schema)]
    username: String,
    /// Where this site asks for passwords.
    #[schema(required = false, format = "password", min_length = 1)]
    password: String,
    /// Where to go on to; only a path of this site is followed.
    #[schema(required = false)]
    next: String,
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

pub(super) fn user_name_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "In any script; counted and kept in Unicode's NFC. No control, invisible or replacement characters and no \
             non-characters; of white space only single spaces inside; a variation selector only behind an emoji.",
        ))
        .min_length(Some(1))
        .max_length(Some(UserName::MAX_CHARS))
        .pattern(Some(UserName::pattern()))
        .build()
}

/// What a program reads after signing in.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "message": "Logged in successfully",
    "session_id": "de95c9ed-a84e-4c5b-a56e-9cff0aeb51bf"
})))]
pub(crate) struct LoggedIn {
    message: &'static str,
    #[schema(format = "uuid")]
    session_id: String,
}

/// The query of the form's address: where to go on to, and whether a session has ended.
#[derive(FromForm)]
pub(crate) struct Query {
    next: Option<NextPath>,
    ended: Option<String>,
}

/// The form, or a redirect for a user who is signed in.
pub(crate) struct SignInPage {
    next: Option<NextPath>,
    /// Where a user who is signed in goes on to.
    signed_in: Option<String>,
    /// Whether the cookie's session has ended.
    stale_cookie: bool,
    ended: Option<EndNotice>,
}

/// Shows the sign-in form.
#[utoipa::path(
    get,
    path = "/login/",
    params(
        ("next" = Option<String>, Query, description = "Where to go on to; only a path of this site is followed"),
        ("ended" = Option<String>, Query, description = "Present where a session has ended: the page says why"),
    ),
    responses(
        PublicResponses,
        (
            status = 200,
            description = "The form.",
            body = String,
            content_type = "text/html",
            headers(("Set-Cookie" = String, description = "Removes the cookie of an ended session"))
        ),
        (status = 303, description = "Signed in already: goes on.", headers(("Location" = String, description = "A path of this site"))),
    ),
    security((), ("session" = []))
)]
#[get("/login?<query..>")]
pub(crate) fn page(
    query: Query,
    current: Result<&CurrentSession, Refusal>,
    ended: &EndLookup,
    sessions: &Sessions,
    site: &Site,
) -> Result<SignInPage, Refusal> {
    let (signed_in, stale_cookie) = match current {
        Ok(_) => (Some(after_sign_in(query.next.as_ref(), site)), false),
        Err(Refusal::NoSession) => (None, false),
        Err(Refusal::SessionEnded) => (None, true),
        Err(refusal) => return Err(refusal),
    };
    let explained = stale_cookie || query.ended.is_some();
    Ok(SignInPage {
        next: query.next,
        signed_in,
        stale_cookie,
        ended: explained.then(|| EndNotice::new(ended, sessions.lifetimes())),
    })
}

impl<'r> Responder<'r, 'static> for SignInPage {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        if let Some(location) = self.signed_in {
            return Response::build()
                .status(Status::SeeOther)
                .raw_header("Location", location)
                .ok();
        }
        let form = HtmlPage {
            template: "login",
            view: View {
                next_query: self.next.as_ref().map(NextPath::in_query),
                next: self.next.map(|next| next.as_str().to_owned()),
                username: String::new(),
                needs_password: needs_password(request),
                problem: None,
                password_problem: None,
                form_problem: None,
                ended: self.ended,
            },
        };
        let mut response = form.respond_to(request)?;
        if self.stale_cookie
            && let Some(cookie) = SessionCookie::of(request)
        {
            response.adjoin_header(cookie.removal());
        }
        Ok(response)
    }
}

pub(super) fn after_sign_in(next: Option<&NextPath>, site: &Site) -> String {
    next.map_or(site.after_sign_in(), NextPath::as_str)
        .to_owned()
}

/// Whether the check asks for passwords.
fn needs_password(request: &Request<'_>) -> bool {
    let verifier = request.rocket().state::<Verifier>();
    verifier.is_some_and(Verifier::needs_password)
}

/// A valid sign-in request.
pub(crate) struct LoginForm {
    user: UserName,
    /// Empty where none is asked for.
    password: Password,
    next: Option<NextPath>,
}

/// Why the sign-in failed.
#[derive(Debug, Responder)]
pub(crate) enum LoginError {
    InvalidForm(Box<InvalidForm>),
    Failed(Box<Failed>),
    /// A reason that has nothing to do with the form's fields.
    Refused(Refusal),
}

/// The form again, with the error of a field.
#[derive(Debug)]
pub(crate) struct InvalidForm {
    view: View,
    error: ValidationError,
}

/// The form again: the credentials were wrong, or were not looked at.
#[derive(Debug)]
pub(crate) struct Failed {
    view: View,
    refusal: Refusal,
}

impl From<Refusal> for LoginError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<'r> Responder<'r, 'static> for Box<InvalidForm> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let InvalidForm { view, error } = *self;
        Refusal::Invalid(error.clone()).note(request);
        let detail = HTTPValidationError { detail: [error] };
        answer(request, Status::UnprocessableEntity, "login", view, &detail)
    }
}

impl<'r> Responder<'r, 'static> for Box<Failed> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Failed { view, refusal } = *self;
        if Format::of(request) == Format::Json {
            return refusal.respond_to(request);
        }
        refusal.note(request);
        let mut response = html(request, refusal.status(), "login", view)?;
        refusal.set_headers(&mut response, request);
        Ok(response)
    }
}

impl IntoResponses for InvalidForm {
    fn responses() -> Responses {
        json_or_html::<HTTPValidationError>(
            422,
            "The body does not say what it must; to a browser the form again.",
        )
    }
}

#[async_trait]
impl<'r> FromData<'r> for LoginForm {
    type Error = LoginError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let mut body = Body::read(request, data, "username").await;
        let next = body.as_ref().ok().and_then(next);
        let typed = body.as_ref().ok().and_then(|body| body.get("username"));
        let typed = typed.and_then(Value::as_str).unwrap_or_default().to_owned();
        let needs_password = needs_password(request);
        let credentials = body.as_mut().map_err(|refusal| refusal.clone());
        match credentials.and_then(|body| credentials_in(body, needs_password)) {
            Ok((user, password)) => Outcome::Success(Self {
                user,
                password,
                next,
            }),
            Err(Refusal::Invalid(error)) => {
                let form = InvalidForm {
                    view: View::invalid(&error, &typed, next.as_ref(), needs_password),
                    error,
                };
                let error = LoginError::InvalidForm(Box::new(form));
                Outcome::Error((Status::UnprocessableEntity, error))
            }
            Err(refusal) => Outcome::Error((refusal.status(), refusal.into())),
        }
    }
}

fn credentials_in(body: &mut Body, needs_password: bool) -> Result<(UserName, Password), Refusal> {
    let user = user_name(body)?;
    let password = if needs_password {
        body.take_password("password").map_err(Refusal::Invalid)?
    } else {
        Password::new(String::new())
    };
    Ok((user, password))
}

/// Signs in: answers with a new session and its cookie.
///
/// The session of the request's cookie ends.
#[utoipa::path(
    post,
    path = "/login/",
    request_body(content(
        (LoginRequest = "application/json"),
        (FormBody = "application/x-www-form-urlencoded"),
    )),
    responses(SignInResponses, PasswordResponses, InvalidForm, SeeOther<LoggedIn>),
    security((), ("session" = []))
)]
#[post("/login", data = "<form>")]
pub(crate) async fn submit(
    sign_in: Result<SignIn<'_>, Refusal>,
    form: Result<LoginForm, LoginError>,
    site: &Site,
) -> Result<SeeOther<LoggedIn>, LoginError> {
    let sign_in = sign_in?;
    let LoginForm {
        user,
        password,
        next,
    } = form?;
    let id = match sign_in.authenticate(&user, &password).await {
        Ok(signed_in) => signed_in.id,
        Err(refusal @ (Refusal::WrongPassword | Refusal::TooManyAttempts { .. })) => {
            let view = View::failed(&refusal, &user, next.as_ref());
            return Err(LoginError::Failed(Box::new(Failed { view, refusal })));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(SeeOther {
        location: after_sign_in(next.as_ref(), site),
        removes_cookie: false,
        notice: None,
        body: LoggedIn {
            message: "Logged in successfully",
            session_id: id.to_string(),
        },
    })
}

/// Takes what only a sign-in with a password has out of the document.
pub(crate) fn without_password(document: &mut OpenApi) {
    let schemas = document.components.iter_mut();
    for (_, schema) in schemas.flat_map(|components| &mut components.schemas) {
        if let RefOr::T(Schema::Object(object)) = schema {
            object.properties.remove("password");
        }
    }
    let login = document.paths.paths.iter_mut();
    let login = login.filter(|(path, _)| path.ends_with("/login/"));
    for submit in login.filter_map(|(_, item)| item.post.as_mut()) {
        for status in PasswordResponses::responses().keys() {
            submit.responses.responses.remove(status);
        }
    }
}

pub(super) fn user_name(body: &Body) -> Result<UserName, Refusal> {
    let invalid = |kind, message: &str| {
        let error = ValidationError::new("username", kind, message);
        Err(Refusal::Invalid(error))
    };
    match body.get("username") {
        Some(Value::String(text)) => UserName::parse(text).or_else(|error| {
            let kind = match error {
                NameError::Empty => "string_too_short",
                NameError::TooLong => "string_too_long",
                NameError::OuterSpace | NameError::InnerSpace | NameError::Forbidden => {
                    "value_error"
                }
            };
            invalid(kind, &error.to_string())
        }),
        Some(_) => invalid("string_type", "Input should be a valid string"),
        None => invalid("missing", "Field required"),
    }
}

pub(super) fn next(body: &Body) -> Option<NextPath> {
    body.get("next")
        .and_then(Value::as_str)
        .and_then(NextPath::parse)
}

impl View {
    fn invalid(
        error: &ValidationError,
        typed: &str,
        next: Option<&NextPath>,
        needs_password: bool,
    ) -> Self {
        let message = |field| (error.loc[1] == field).then(|| error.message.clone());
        let password_problem = message("password");
        Self {
            next: next.map(|next| next.as_str().to_owned()),
            next_query: next.map(NextPath::in_query),
            // HTML allows no control characters, and an input field does not show them.
            username: typed.replace(char::is_control, "\u{fffd}"),
            needs_password,
            problem: password_problem.is_none().then(|| error.message.clone()),
            password_problem,
            form_problem: None,
            ended: None,
        }
    }

    fn failed(refusal: &Refusal, user: &UserName, next: Option<&NextPath>) -> Self {
        Self {
            next: next.map(|next| next.as_str().to_owned()),
            next_query: next.map(NextPath::in_query),
            username: user.as_str().to_owned(),
            needs_password: true,
            problem: None,
            password_problem: None,
            form_problem: Some(refusal.message()),
            ended: None,
        }
    }
}
