//! Signing in by the application's own checks: a form with a password of its own, and an account elsewhere by OAuth's
//! redirects. None of Innkeeper's addresses is mounted. The provider is a stand-in, two addresses of this program.
//!
//! ```console
//! $ cargo run --example own_flow      # then open http://localhost:8000/
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use innkeeper::{CurrentSession, NextPath, Part, Refusal, SignIn, SignOut, UserName};
use rocket::form::{Form, FromForm};
use rocket::http::{Cookie, CookieJar, RawStr, SameSite, Status};
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::time::Duration;
use rocket::{Build, Responder, Rocket, State, get, launch, post, routes, uri};
use uuid::Uuid;

/// The answer of a handler that may refuse.
#[derive(Responder)]
enum Failure {
    Refused(Refusal),
    /// With a page of its own: of a bare status Rocket would make a catcher's answer, which loses what is in the jar.
    Wrong((Status, RawHtml<&'static str>)),
}

impl Failure {
    fn wrong(status: Status) -> Self {
        Self::Wrong((
            status,
            RawHtml("That did not work. <a href=/enter>Try again</a>"),
        ))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[get("/")]
fn home(current: Result<&CurrentSession, Refusal>) -> Result<RawHtml<String>, Refusal> {
    let form = |action, button| {
        format!("<form method=post action={action}><button>{button}</button></form>")
    };
    match current {
        // Innkeeper lets a name have `<` and `&`. A template would do this by itself.
        Ok(current) => Ok(RawHtml(format!(
            "Welcome, {}{}",
            RawStr::new(current.user()).html_escape(),
            form("/leave", "Leave")
        ))),
        Err(Refusal::NoSession | Refusal::SessionEnded) => {
            Ok(RawHtml("<a href=/enter>Enter</a>".to_owned()))
        }
        Err(refusal) => Err(refusal),
    }
}

// A form of its own.

/// Users and their passwords. A real application keeps hashes, argon2id say, and takes as long for a name that it does not
/// know.
const USERS: [(&str, &str); 1] = [("amy", "correct horse battery staple")];

#[derive(FromForm)]
struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
    /// Where to go on to.
    next: Option<NextPath>,
}

/// Innkeeper leads here, with the path that was asked for in `next`.
#[get("/enter?<next>")]
fn enter(next: Option<NextPath>) -> RawHtml<String> {
    let next = next.map_or_else(|| "/".to_owned(), |next| next.as_str().to_owned());
    let next = RawStr::new(&next).html_escape();
    RawHtml(format!(
        "<form method=post action=/enter><input type=hidden name=next value=\"{next}\"><label>Name <input name=name></label> \
         <label>Password <input name=password type=password></label> <button>Enter</button></form> \
         <a href=/oauth/start>With your account elsewhere</a>"
    ))
}

#[post("/enter", data = "<credentials>")]
async fn submit(
    sign_in: Result<SignIn<'_>, Refusal>,
    credentials: Form<Credentials<'_>>,
) -> Result<Redirect, Failure> {
    // First: a form of another site's must not even try a password.
    let sign_in = sign_in?;
    let known = USERS.contains(&(credentials.name, credentials.password));
    let user = UserName::parse(credentials.name).ok().filter(|_| known);
    let user = user.ok_or(Failure::wrong(Status::Unauthorized))?;
    sign_in.start(&user).await?;
    let next = credentials.next.as_ref().map_or("/", NextPath::as_str);
    Ok(Redirect::to(next.to_owned()))
}

#[post("/leave")]
async fn leave(sign_out: Result<SignOut<'_>, Refusal>) -> Result<Redirect, Refusal> {
    sign_out?.end().await?;
    Ok(Redirect::to("/"))
}

// An account elsewhere, by OAuth's authorization code (RFC 6749, 4.1).

const STATE: &str = "oauth_state";

/// Sends the browser to the provider, with a state that only this browser knows.
///
/// The state is a random value in a cookie of its own, which goes to `/oauth` alone and lives for ten minutes. `Lax`, because
/// the provider's redirect back is a navigation from another site, with which browsers send no `Strict` cookie. A site with
/// https adds `Secure`.
#[get("/oauth/start")]
fn start(jar: &CookieJar<'_>) -> Redirect {
    let state = Uuid::new_v4().to_string();
    let cookie = Cookie::build((STATE, state.clone()))
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/oauth")
        .max_age(Duration::minutes(10));
    jar.add(cookie);
    Redirect::to(uri!(authorize(state)))
}

/// The provider's redirect back: a GET from another site, which [`SignIn`] lets pass. So this handler checks itself that this
/// browser asked for it: otherwise another site could sign a visitor in to an account of its own (RFC 6749, 10.12).
#[get("/oauth/callback?<code>&<state>")]
async fn callback(
    code: &str,
    state: &str,
    jar: &CookieJar<'_>,
    provider: &State<Provider>,
    sign_in: Result<SignIn<'_>, Refusal>,
) -> Result<Redirect, Failure> {
    let sign_in = sign_in?;
    let kept = jar.get(STATE).map(Cookie::value);
    if kept != Some(state) {
        // The state stays: a link of somebody else's must not end what this browser has begun.
        return Err(Failure::wrong(Status::Forbidden));
    }
    // Used once, whatever comes of the code. Removed as it was set: browsers tell cookies apart by name and path.
    jar.remove(Cookie::build(STATE).path("/oauth"));
    // A real provider is asked by its token endpoint, over TLS and with the client's secret.
    let user = provider
        .user_of(code)
        .ok_or(Failure::wrong(Status::Forbidden))?;
    sign_in.start(&user).await?;
    Ok(Redirect::to("/"))
}

// The provider's side, which in truth is somebody else's server.

/// The codes that it has given out, and for whom.
#[derive(Default)]
struct Provider(Mutex<HashMap<String, &'static str>>);

impl Provider {
    /// A code is good once.
    fn user_of(&self, code: &str) -> Option<UserName> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        UserName::parse(codes.remove(code)?).ok()
    }
}

#[get("/provider/authorize?<state>")]
fn authorize(state: &str, provider: &State<Provider>) -> Redirect {
    let code = Uuid::new_v4().to_string();
    let mut codes = provider.0.lock().unwrap_or_else(PoisonError::into_inner);
    codes.insert(code.clone(), "bob");
    let query = |text: &str| RawStr::new(text).percent_encode().to_string();
    Redirect::to(format!(
        "/oauth/callback?code={code}&state={}",
        query(state)
    ))
}

/// The application.
#[launch]
pub(crate) fn rocket() -> Rocket<Build> {
    let stage = innkeeper::stage()
        .only([Part::Catcher, Part::RequestLog])
        .sign_in_page("/enter");
    rocket::build()
        .attach(stage)
        .manage(Provider::default())
        .mount(
            "/",
            routes![home, enter, submit, leave, start, callback, authorize],
        )
}
