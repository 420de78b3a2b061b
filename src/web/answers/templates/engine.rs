//! The templates of the pages, and how one is rendered.

use std::error::Error;
use std::io::Cursor;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rocket::Request;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder, Response};
use rocket_dyn_templates::{Engines, Template, tera};
use serde::Serialize;

use crate::web::observe::RequestRecord;
use crate::web::request::Notice;
use crate::web::site::Site;

macro_rules! compiled_in {
    ($($name:literal),+ $(,)?) => {
        [$((
            concat!("innkeeper/", $name),
            concat!("innkeeper/", $name, ".html.tera"),
            include_str!(concat!("../../../../templates/innkeeper/", $name, ".html.tera")),
        )),+]
    };
}

/// Our templates, each with the end of the path of a file that replaces it; compiled in, so that neither the program nor an
/// application needs a folder with them.
const TEMPLATES: [(&str, &str, &str); 25] = compiled_in![
    "layout",
    "partials/assets",
    "partials/sign_out",
    "partials/countdown",
    "partials/visitor",
    "partials/notice",
    "partials/device",
    "partials/own_name",
    "partials/new_name",
    "made/assets",
    "made/brand",
    "made/links",
    "made/addresses",
    "made/sign_out",
    "docs",
    "error",
    "login",
    "profile",
    "sessions",
    "logout",
    "signed_out",
    "confirm",
    "password",
    "invitation",
    "sign_up",
];

/// Gives the template engine our pages, `innkeeper/login` and so on; for
/// [`Stage::without_templates`](crate::Stage::without_templates).
///
/// A page that the engine already has, from a file such as `innkeeper/login.html.tera` in the application's template
/// folder, replaces ours. (A replaced page that extends the layout
/// needs `innkeeper/layout.html.tera` in that folder too.) The file's name must end with `.html.tera`.
///
/// Call it after [`autoescape_on`](tera::Tera::autoescape_on), which replaces the list of escaped templates: without ours in
/// it, our pages would not be escaped.
///
/// # Errors
///
/// A page of ours refers to a replaced one that lacks what it needs, or a replaced one's file is called otherwise.
pub fn templates(engines: &mut Engines) -> Result<(), tera::Error> {
    add(&mut engines.tera)?;
    escape(&mut engines.tera)
}

/// Lets Tera escape our templates and those that replace them, and refuses one whose file is called otherwise, which it might
/// not escape: it compares the end of a file's path, and of the name of what is no file.
pub(crate) fn escape(tera: &mut tera::Tera) -> Result<(), tera::Error> {
    for (name, file, _) in TEMPLATES {
        let path = tera.get_template(name)?.path.as_deref();
        if let Some(path) = path.filter(|path| !path.ends_with(file)) {
            let problem = format!("{path} replaces a page, but only {file} is certainly escaped");
            return Err(tera::Error::msg(problem));
        }
    }
    let mut escaped = tera.autoescape_suffixes.clone();
    escaped.extend(TEMPLATES.iter().flat_map(|(name, file, _)| [name, file]));
    tera.autoescape_on(escaped);
    Ok(())
}

/// Adds those of our templates that the engine does not have.
pub(crate) fn add(tera: &mut tera::Tera) -> Result<(), tera::Error> {
    let known: Vec<String> = tera.get_template_names().map(str::to_owned).collect();
    let missing = TEMPLATES
        .into_iter()
        .filter(|(name, ..)| !known.iter().any(|known| known == name));
    tera.add_raw_templates(missing.map(|(name, _, text)| (name, text)))
}

/// The template engine itself, where our stage makes it: [`Template`] copies the variables of a page twice before its engine
/// sees them, and that costs more than to fill them in.
#[derive(Default)]
pub(crate) struct KeptEngine(RwLock<Option<Kept>>);

struct Kept {
    engine: tera::Tera,
    /// `None` where a part cannot be made: pages then render it in its place, or say why not.
    made: OnceLock<Option<Made>>,
}

impl KeptEngine {
    /// Called again when the templates have changed, which Rocket looks for in a debug build.
    pub(crate) fn keep(&self, engine: &tera::Tera) {
        let kept = Kept {
            engine: engine.clone(),
            made: OnceLock::new(),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    /// `None` before the templates are there.
    fn render<V: Serialize>(
        &self,
        name: &str,
        context: &Context<'_, V>,
    ) -> Option<Result<String, tera::Error>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        Some(kept.render(name, context))
    }
}

impl Kept {
    fn render<V: Serialize>(
        &self,
        name: &str,
        context: &Context<'_, V>,
    ) -> Result<String, tera::Error> {
        let Self { engine, made } = self;
        let mut variables = tera::Context::from_serialize(context)?;
        if let Some(site) = context.site
            && let Some(made) = made.get_or_init(|| Made::new(engine, site))
        {
            // Templates ask for this one, because Tera escapes the whole of a text to find out whether it is there.
            variables.insert("innkeeper_made", &true);
            variables.insert("innkeeper_assets", &made.assets);
            variables.insert("innkeeper_brand", &made.brand);
            variables.insert("innkeeper_addresses", &made.addresses);
            variables.insert("innkeeper_sign_out", &made.sign_out);
            if let Some(visitor) = &context.visitor {
                variables.insert("innkeeper_links", made.links_on(&visitor.path));
            }
        }
        engine.render(name, &variables)
    }
}

/// What is the same on all pages, from the templates in `made`: made once.
struct Made {
    assets: String,
    brand: String,
    addresses: String,
    sign_out: String,
    /// On each page that they lead to, by its path.
    links_on: Vec<(String, String)>,
    /// On every other page.
    links: String,
}

impl Made {
    fn new(engine: &tera::Tera, site: &Site) -> Option<Self> {
        let make = |name: &str, path: &str| {
            let mut variables = tera::Context::new();
            variables.insert("site", site);
            variables.insert("path", path);
            engine.render(name, &variables).ok()
        };
        let links = |path: &str| make("innkeeper/made/links", path);
        Some(Self {
            assets: make("innkeeper/made/assets", "")?,
            brand: make("innkeeper/made/brand", "")?,
            addresses: make("innkeeper/made/addresses", "")?,
            sign_out: make("innkeeper/made/sign_out", "")?,
            links_on: site
                .navigation()
                .map(|path| Some((path.to_owned(), links(path)?)))
                .collect::<Option<_>>()?,
            links: links("")?,
        })
    }

    fn links_on(&self, path: &str) -> &str {
        let found = self.links_on.iter().find(|(on, _)| on == path);
        found.map_or(&self.links, |(_, links)| links)
    }
}

/// The variables of a page.
#[derive(Serialize)]
struct Context<'r, V> {
    /// `None` in an application without our stage.
    site: Option<&'r Site>,
    /// Who is signed in, where the request has looked for a session and found it.
    visitor: Option<Visitor<'r>>,
    /// What has just been done.
    notice: Option<String>,
    #[serde(flatten)]
    view: V,
}

/// For the template `partials/visitor`.
#[derive(Serialize)]
struct Visitor<'r> {
    user: &'r str,
    /// The path of the page, as [`Site`] writes it: with a slash at its end.
    path: String,
}

impl<'r> Visitor<'r> {
    fn of(request: &'r Request<'_>) -> Option<Self> {
        let user = RequestRecord::of(request).signed_in()?;
        let path = request.uri().path().as_str().trim_end_matches('/');
        let path = format!("{path}/");
        Some(Self { user, path })
    }
}

pub(crate) fn render(
    request: &Request<'_>,
    status: Status,
    template: &'static str,
    view: impl Serialize,
) -> response::Result<'static> {
    let site = request.rocket().state();
    let visitor = Visitor::of(request);
    // An error's page does not show it: the next page does.
    let shows_notice = status.code < 400 && Notice::is_sent(request);
    let notice = Notice::of(request).filter(|_| shows_notice);
    let context = Context {
        site,
        visitor,
        notice: notice.as_ref().map(Notice::sentence),
        view,
    };
    let name = format!("innkeeper/{template}");
    let engine = request.rocket().state::<Arc<KeptEngine>>();
    let mut response = match engine.and_then(|engine| engine.render(&name, &context)) {
        Some(Ok(page)) => Response::build()
            .sized_body(page.len(), Cursor::new(page))
            .finalize(),
        Some(Err(error)) => {
            let cause = error.source().map(tracing::field::display);
            tracing::error!(%error, cause, "a page cannot be made");
            return Err(Status::InternalServerError);
        }
        None => Template::render(name, context).respond_to(request)?,
    };
    response.set_status(status);
    response.set_header(ContentType::HTML);
    if shows_notice && let Some(removal) = Notice::removal(request) {
        response.adjoin_header(removal);
    }
    Ok(response)
}
