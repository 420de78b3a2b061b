//! The pages: their templates, and how one is rendered.

use std::io::Cursor;

use rocket::Request;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder};
use rocket_dyn_templates::{Engines, Template, tera};
use serde::Serialize;
use uuid::Uuid;

macro_rules! compiled_in {
    ($($name:literal),+ $(,)?) => {
        [$((
            concat!("innkeeper/", $name),
            include_str!(concat!("../../../templates/innkeeper/", $name, ".html.tera")),
        )),+]
    };
}

/// Our templates, so that the program is one file and a library's user needs none of them.
const TEMPLATES: [(&str, &str); 10] = compiled_in![
    "layout",
    "partials/sign_out",
    "partials/countdown",
    "docs",
    "error",
    "login",
    "profile",
    "sessions",
    "logout",
    "signed_out",
];

/// Gives the template engine our pages, `innkeeper/login` and so on; for
/// [`Stage::without_templates`](crate::Stage::without_templates).
///
/// A page that the engine has already, because the application's template folder has a file such as
/// `innkeeper/login.html.tera`, stays as it is: so a page is replaced. (A replaced page that extends the layout
/// needs `innkeeper/layout.html.tera` in that folder too.)
///
/// Call it after [`autoescape_on`](tera::Tera::autoescape_on), which forgets what it was told before: our pages would no
/// longer be escaped.
///
/// # Errors
///
/// A page of ours refers to a replaced one that lacks what it needs.
pub fn templates(engines: &mut Engines) -> Result<(), tera::Error> {
    add(&mut engines.tera)?;
    // The engine decides by a file's ending whether to escape, and ours are no files.
    let mut escaped = engines.tera.autoescape_suffixes.clone();
    escaped.extend(TEMPLATES.iter().map(|(name, _)| *name));
    engines.tera.autoescape_on(escaped);
    Ok(())
}

/// Adds those of ours that are not there.
pub(in crate::web) fn add(tera: &mut tera::Tera) -> Result<(), tera::Error> {
    let known: Vec<String> = tera.get_template_names().map(str::to_owned).collect();
    let missing = TEMPLATES
        .into_iter()
        .filter(|(name, _)| !known.iter().any(|known| known == name));
    tera.add_raw_templates(missing)
}

/// A page, in HTML whatever the request prefers.
pub(in crate::web) struct HtmlPage<V> {
    pub(in crate::web) template: &'static str,
    pub(in crate::web) view: V,
}

impl<'r, V: Serialize> Responder<'r, 'static> for HtmlPage<V> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        render(request, Status::Ok, self.template, self.view)
    }
}

pub(in crate::web) fn render(
    request: &Request<'_>,
    status: Status,
    template: &'static str,
    view: impl Serialize,
) -> response::Result<'static> {
    let mut response =
        Template::render(format!("innkeeper/{template}"), view).respond_to(request)?;
    response.set_status(status);
    response.set_header(ContentType::HTML);
    Ok(response)
}

/// What an error's page says. Written for the visitor: the operator has the log.
#[derive(Serialize)]
pub(in crate::web) struct ErrorPage {
    code: u16,
    title: &'static str,
    message: String,
    /// After how many seconds the page asks again where no script does; `None`: it never asks by itself.
    retry_after: Option<u8>,
}

impl ErrorPage {
    pub(in crate::web) fn of(status: Status) -> Self {
        let (title, message) = match status.code {
            400 => ("Bad request", "We could not make sense of this request."),
            403 => ("Not allowed", "You may not do this here."),
            404 => ("Page not found", "There is no page at this address."),
            405 => (
                "That does not work here",
                "This address exists, but not for this kind of request.",
            ),
            413 => (
                "Too much at once",
                "What you sent is larger than we accept.",
            ),
            415 => (
                "Not a form",
                "What you sent is in a format that we do not read.",
            ),
            421 => (
                "Not at this address",
                "This site does not answer to the name in your address bar. If it is yours, set `public_url` to the \
                 address that people type.",
            ),
            422 => ("Something is missing", "What you sent could not be used."),
            429 => ("Too many requests", "Please wait a moment, then try again."),
            500 => (
                "Something went wrong",
                "The fault is ours, and it has been noted. Please try again.",
            ),
            503 => (
                "We cannot look that up",
                "The place where sessions are kept does not answer at the moment.",
            ),
            _ => (status.reason().unwrap_or("Error"), "This did not work."),
        };
        Self {
            code: status.code,
            title,
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// Makes the page ask again by itself.
    ///
    /// Its script does so less and less often, and not while the page is hidden. The browser alone can do neither:
    /// so it waits longer, and each page differently, lest all ask in the same moment.
    pub(in crate::web) fn retrying(self) -> Self {
        let [random, ..] = Uuid::new_v4().into_bytes();
        Self {
            retry_after: Some(5 + random % 11),
            ..self
        }
    }

    pub(in crate::web) fn saying(self, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..self
        }
    }

    /// For the case that a template itself is the problem.
    pub(in crate::web) fn plain(&self, status: Status) -> rocket::Response<'static> {
        let text = format!("{} {}\n{}\n", self.code, self.title, self.message);
        rocket::Response::build()
            .status(status)
            .header(ContentType::Plain)
            .sized_body(text.len(), Cursor::new(text))
            .finalize()
    }
}
