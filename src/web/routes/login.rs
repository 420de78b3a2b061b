//! Signing in.

use std::collections::BTreeMap;

use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use rocket::{Request, State, get, post};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, Type};
use utoipa::{IntoResponses, ToSchema};

use crate::client::Client;
use crate::session::Sessions;
use crate::user_name::{NameError, UserName};
use crate::web::answers::documented::{PublicResponses, Responses, SignInResponses, json_or_html};
use crate::web::answers::negotiate::{SeeOther, answer};
use crate::web::answers::page::HtmlPage;
use crate::web::answers::refusal::{HTTPValidationError, Invalid, Refusal};
use crate::web::guards::body::Body;
use crate::web::guards::current_session::CurrentSession;
use crate::web::guards::end_lookup::EndLookup;
use crate::web::guards::same_origin::SameOrigin;
use crate::web::observe::audit::Audit;
use crate::web::request::cookie::{Presented, SessionCookie};
use crate::web::request::next::Next;
use crate::web::views::end_notice::EndNotice;

/// What the form shows.
#[derive(Serialize)]
struct Form {
    next: Option<String>,
    username: String,
    problem: Option<String>,
    /// Why the session before is over.
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
}

/// The same from a form. A field may be given once.
#[derive(ToSchema)]
#[schema(examples(json!({ "username": "abdullah" })))]
#[expect(dead_code, reason = "as above")]
struct LoginForm {
    #[schema(schema_with = user_name_schema)]
    username: String,
    /// Where to go on to; only a path of this site is followed.
    #[schema(required = false)]
    next: String,
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

fn user_name_schema() -> Object {
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

/// Where the form's address may say where to go on to, and why the visitor is here.
#[derive(FromForm)]
pub(crate) struct Query {
    next: Option<Next>,
    ended: Option<String>,
}

/// The form, or what stands in its place.
pub(crate) struct SignInPage {
    next: Option<Next>,
    signed_in: bool,
    /// The session that the visitor still has a cookie for is over.
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
        (status = 303, description = "Signed in already: goes on.", headers(("Location" = String))),
    ),
    security((), ("session" = []))
)]
#[get("/login?<query..>")]
pub(crate) fn page(
    query: Query,
    current: Result<&CurrentSession, Refusal>,
    ended: &EndLookup,
    sessions: &Sessions,
) -> Result<SignInPage, Refusal> {
    let (signed_in, stale_cookie) = match current {
        Ok(_) => (true, false),
        Err(Refusal::NoSession) => (false, false),
        Err(Refusal::SessionEnded) => (false, true),
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
        let location = self.next.as_ref().map(Next::as_str);
        if self.signed_in {
            return Response::build()
                .status(Status::SeeOther)
                .raw_header("Location", location.unwrap_or(PROFILE).to_owned())
                .ok();
        }
        let form = HtmlPage {
            template: "login",
            view: Form {
                next: location.map(str::to_owned),
                username: String::new(),
                problem: None,
                ended: self.ended,
            },
        };
        let mut response = form.respond_to(request)?;
        if self.stale_cookie
            && let Some(cookie) = request.rocket().state::<SessionCookie>()
        {
            response.adjoin_header(cookie.removal());
        }
        Ok(response)
    }
}

const PROFILE: &str = "/profile/";

/// The answer to a sign-in.
#[derive(Responder)]
pub(crate) enum Answer {
    /// A new session.
    SignedIn(SeeOther<LoggedIn>),
    /// The form again, with what is wrong.
    Mistake(Box<Mistake>),
    /// Something that the form cannot mend.
    Refused(Refusal),
}

/// The form as it comes back.
pub(crate) struct Mistake {
    form: Form,
    invalid: Invalid,
}

impl<'r> Responder<'r, 'static> for Box<Mistake> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Audit::of(request).refused(&Refusal::Invalid(self.invalid.clone()));
        let (form, detail) = (&self.form, self.invalid.detail());
        answer(request, Status::UnprocessableEntity, "login", form, &detail)
    }
}

impl IntoResponses for Mistake {
    fn responses() -> Responses {
        json_or_html::<HTTPValidationError>(
            422,
            "The body does not say what it must; to a browser the form again.",
        )
    }
}

/// Signs in: answers with a new session and its cookie.
///
/// The session that the request came with ends.
#[utoipa::path(
    post,
    path = "/login/",
    request_body(content(
        (LoginRequest = "application/json"),
        (LoginForm = "application/x-www-form-urlencoded"),
    )),
    responses(SignInResponses, Mistake, SeeOther<LoggedIn>),
    security((), ("session" = []))
)]
#[post("/login", data = "<body>")]
pub(crate) async fn submit(
    same_origin: Result<SameOrigin, Refusal>,
    body: Result<Body, Refusal>,
    presented: Presented,
    client: Client,
    cookie: &State<SessionCookie>,
    sessions: &Sessions,
    audit: Audit<'_>,
) -> Answer {
    if let Err(refusal) = same_origin {
        return Answer::Refused(refusal);
    }
    let user = body.as_ref().map_err(Clone::clone).and_then(user_name);
    let next = body.as_ref().ok().and_then(next);
    let user = match user {
        Ok(user) => user,
        Err(Refusal::Invalid(invalid)) => {
            return mistake(invalid, body.ok().as_ref(), next.as_ref());
        }
        Err(refusal) => return Answer::Refused(refusal),
    };
    if presented == Presented::Ambiguous {
        return Answer::Refused(Refusal::AmbiguousCookie);
    }
    let presented = presented.id();
    match sessions.start(&user, client, presented.as_ref()).await {
        Ok(started) => {
            audit.signed_in(&user, &started, presented.as_ref());
            Answer::SignedIn(SeeOther {
                location: next.as_ref().map_or(PROFILE, Next::as_str).to_owned(),
                cookie: Some(cookie.carrying(&started.id)),
                body: LoggedIn {
                    message: "Logged in successfully",
                    session_id: started.id.to_string(),
                },
            })
        }
        Err(error) => Answer::Refused(Refusal::from(error)),
    }
}

fn user_name(body: &Body) -> Result<UserName, Refusal> {
    let invalid = |kind, message: &str| Err(Refusal::Invalid(Invalid::new(kind, message)));
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

fn next(body: &Body) -> Option<Next> {
    body.get("next")
        .and_then(Value::as_str)
        .and_then(Next::parse)
}

fn mistake(invalid: Invalid, body: Option<&Body>, next: Option<&Next>) -> Answer {
    let typed = body
        .and_then(|body| body.get("username"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let form = Form {
        next: next.map(|next| next.as_str().to_owned()),
        // No page may hold them, and nobody sees them in a field.
        username: typed.replace(char::is_control, "\u{fffd}"),
        problem: Some(invalid.message.clone()),
        ended: None,
    };
    Answer::Mistake(Box::new(Mistake { form, invalid }))
}
