//! Own routes and an own layout: none of Innkeeper's addresses is mounted, its store and its guards are what is left. Where it
//! answers by itself, an error say, its page wears the application's layout: `own_pages/innkeeper/layout.html.tera` is one line.
//!
//! ```console
//! $ cargo run --example own_pages      # then open http://localhost:8000/
//! ```

use innkeeper::{CurrentSession, Part, Refusal, SignIn, SignOut, Site, UserName};
use rocket::form::{Form, FromForm};
use rocket::request::FlashMessage;
use rocket::response::{Flash, Redirect};
use rocket::{Build, Rocket, get, launch, post, routes, uri};
use rocket_dyn_templates::{Template, context};

#[get("/")]
fn notes(current: Result<&CurrentSession, Refusal>, site: &Site) -> Result<Template, Refusal> {
    let current = current?;
    let notes: Vec<String> = current.get("notes")?.unwrap_or_default();
    Ok(Template::render(
        "notes",
        context! { site, user: current.user(), notes },
    ))
}

#[derive(FromForm)]
struct Note {
    #[field(validate = len(1..=200))]
    text: String,
}

/// The notes live in the session: they go with it.
#[post("/", data = "<note>")]
async fn add(
    current: Result<&CurrentSession, Refusal>,
    note: Form<Note>,
) -> Result<Redirect, Refusal> {
    let current = current?;
    let mut notes: Vec<String> = current.get("notes")?.unwrap_or_default();
    notes.push(note.into_inner().text);
    current.set("notes", &notes).await?;
    Ok(Redirect::to(uri!(notes)))
}

/// Innkeeper leads here, with `ended` if a session has ended. (It also says in `next` where the visitor wanted to go; here
/// that is always `/`.)
#[get("/enter?<ended>")]
fn enter(ended: Option<&str>, message: Option<FlashMessage<'_>>, site: &Site) -> Template {
    let message = message.map(|message| message.message().to_owned());
    let message = message.or(ended.map(|_| "Your session has ended.".to_owned()));
    Template::render("enter", context! { site, message })
}

#[derive(FromForm)]
struct Visitor<'r> {
    name: &'r str,
}

#[post("/enter", data = "<visitor>")]
async fn submit(
    sign_in: Result<SignIn<'_>, Refusal>,
    visitor: Form<Visitor<'_>>,
) -> Result<Result<Redirect, Flash<Redirect>>, Refusal> {
    let sign_in = sign_in?;
    match UserName::parse(visitor.name) {
        Ok(user) => {
            sign_in.start(&user).await?;
            Ok(Ok(Redirect::to(uri!(notes))))
        }
        Err(error) => Ok(Err(Flash::error(Redirect::to("/enter"), error.to_string()))),
    }
}

#[post("/leave")]
async fn leave(sign_out: Result<SignOut<'_>, Refusal>) -> Result<Redirect, Refusal> {
    sign_out?.end().await?;
    Ok(Redirect::to("/enter"))
}

/// The application.
#[launch]
pub(crate) fn rocket() -> Rocket<Build> {
    let stage = innkeeper::stage()
        .only([Part::Catcher, Part::RequestLog])
        .sign_in_page("/enter");
    let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/own_pages");
    rocket::custom(rocket::Config::figment().merge(("template_dir", templates)))
        .attach(stage)
        .mount("/", routes![notes, add, enter, submit, leave])
}
