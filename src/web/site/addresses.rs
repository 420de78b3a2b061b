//! The addresses of ours that are mounted.

use serde::Serialize;

use super::HAS_PAGES;
use super::part::{CheckOfSite, Part, Parts};
use super::path::SitePath;
use crate::config::Config;
use crate::web::static_files::StaticFiles;

/// What pages know of the site, managed by Rocket: its name, and the addresses of Innkeeper's that are mounted.
///
/// It is the variable `site` in Innkeeper's templates. A handler takes `&Site` as a request guard, and hands it to a page of
/// its own that extends Innkeeper's layout, or links to Innkeeper's pages:
///
/// ```
/// use innkeeper::Site;
/// use rocket::get;
/// use rocket_dyn_templates::{Template, context};
///
/// #[get("/orders")]
/// fn orders(site: &Site) -> Template {
///     Template::render("orders", context! { site, orders: ["apples"] })
/// }
/// ```
///
/// Its fields in a template; an address is null where its [`Part`] is not mounted, and begins with the prefix of
/// [`Stage::mount_at`](crate::Stage::mount_at). All of them can be written `| safe`, without Tera's `&#x2F;` for each
/// slash.
///
/// | field | |
/// | --- | --- |
/// | `name` | the site's name |
/// | `home` | the start page: Innkeeper's, or `/` where [`Part::Home`] is not mounted |
/// | `sign_in` | the page where visitors sign in: [`Stage::sign_in_page`](crate::Stage::sign_in_page), or `login` |
/// | `login`, `logout`, `profile` | of [`Part::SignIn`] |
/// | `confirm` | of [`Part::SignIn`], where passwords are asked for: where a user proves again who he is |
/// | `password`, `sign_up` | of [`Part::Accounts`]: where a user changes the password; where anybody makes an account, if anybody may |
/// | `password_min_length` | how many characters a new password must have |
/// | `sessions`, `session` | of [`Part::Sessions`]: the list, and how long the session lives |
/// | `docs`, `openapi` | of [`Part::Docs`] |
/// | `stylesheet`, `script`, `docs_script`, `icon` | of [`Part::StaticFiles`]; each address has a hash of the file's content, so that browsers keep the file and never ask for it again |
#[derive(Debug, Serialize)]
pub struct Site {
    name: String,
    home: String,
    sign_in: Option<String>,
    login: Option<String>,
    logout: Option<String>,
    profile: Option<String>,
    confirm: Option<String>,
    password: Option<String>,
    sign_up: Option<String>,
    password_min_length: u32,
    sessions: Option<String>,
    session: Option<String>,
    docs: Option<String>,
    openapi: Option<String>,
    stylesheet: Option<String>,
    script: Option<String>,
    docs_script: Option<String>,
    icon: Option<String>,
    #[serde(skip)]
    parts: Parts,
    #[serde(skip)]
    check: CheckOfSite,
    /// Whether anybody may make an account.
    #[serde(skip)]
    signs_up: bool,
    #[serde(skip)]
    prefix: SitePath,
}

impl Site {
    /// `sign_in_page`: the application's own, instead of ours.
    pub(crate) fn new(
        config: &Config,
        files: &StaticFiles,
        parts: Parts,
        prefix: SitePath,
        sign_in_page: Option<String>,
        check: CheckOfSite,
    ) -> Self {
        let of = |part, address: &str| parts.have(part).then(|| prefix.join(address));
        let file = |name| {
            let address = files.address(name)?;
            of(Part::StaticFiles, &address)
        };
        let login = of(Part::SignIn, "/login/");
        let our_page = login.clone().filter(|_| HAS_PAGES);
        Self {
            name: config.site_name.clone(),
            home: of(Part::Home, "/").unwrap_or_else(|| "/".to_owned()),
            sign_in: sign_in_page.or(our_page),
            login,
            logout: of(Part::SignIn, "/logout/"),
            profile: of(Part::SignIn, "/profile/"),
            confirm: of(Part::SignIn, "/confirm/").filter(|_| check.needs_password && HAS_PAGES),
            password: of(Part::Accounts, "/password/").filter(|_| HAS_PAGES),
            sign_up: of(Part::Accounts, "/sign-up/").filter(|_| config.sign_up && HAS_PAGES),
            password_min_length: config.password_min_length,
            sessions: of(Part::Sessions, "/sessions/"),
            session: of(Part::Sessions, "/session/"),
            docs: of(Part::Docs, "/docs").filter(|_| HAS_PAGES),
            openapi: of(Part::Docs, "/openapi.json"),
            stylesheet: file("style.css"),
            script: file("innkeeper.js"),
            docs_script: file("docs.js"),
            icon: file("favicon.svg"),
            parts,
            check,
            signs_up: config.sign_up,
            prefix,
        }
    }

    /// What pages are titled with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The page where visitors sign in; `None` if neither the application nor Innkeeper has one.
    #[must_use]
    pub fn sign_in(&self) -> Option<&str> {
        self.sign_in.as_deref()
    }

    /// The page where a user proves again who he is; `None` where there is none of ours.
    pub(crate) fn confirm(&self) -> Option<&str> {
        self.confirm.as_deref()
    }

    /// Whether the check asks for a password.
    pub(crate) fn needs_password(&self) -> bool {
        self.check.needs_password
    }

    /// Whether anybody may make an account.
    pub(crate) fn signs_up(&self) -> bool {
        self.signs_up && self.has(Part::Accounts)
    }

    /// The address at which somebody chooses a password by a link.
    pub(crate) fn invitation(&self, token: &str) -> String {
        self.prefix.join(&format!("/invitation/{token}"))
    }

    /// The pages that each page for a user leads to.
    #[cfg(feature = "pages")]
    pub(crate) fn navigation(&self) -> impl Iterator<Item = &str> {
        [&self.profile, &self.sessions, &self.password]
            .into_iter()
            .filter_map(Option::as_deref)
    }

    /// The page where a user changes the password; `None` where there is none.
    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.have(part)
    }

    /// Below which all our addresses stand.
    pub(crate) fn prefix(&self) -> &SitePath {
        &self.prefix
    }

    /// Whether visitors sign in on our own page.
    pub(crate) fn has_own_sign_in(&self) -> bool {
        self.login.is_some() && self.login == self.sign_in
    }

    /// Where a visitor goes on to who wanted no page in particular.
    pub(crate) fn after_sign_in(&self) -> &str {
        self.profile.as_ref().unwrap_or(&self.home)
    }

    /// The page that confirms a sign-out, or where the next visitor begins.
    pub(crate) fn after_sign_out(&self) -> &str {
        let sign_in = || self.sign_in.as_ref().unwrap_or(&self.home);
        self.logout.as_ref().unwrap_or_else(sign_in)
    }

    /// The list of the user's sessions, for its own handlers.
    pub(crate) fn list_of_sessions(&self) -> &str {
        self.sessions.as_ref().unwrap_or(&self.home)
    }
}
