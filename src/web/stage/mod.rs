//! What is attached to a Rocket: the builder of an application's stage, and the program.

mod accounts;
mod announcement;
mod assemble;
mod brought;
mod defaults;
#[cfg(feature = "program")]
mod lost_store;
mod metrics;
mod openapi;
#[cfg(feature = "program")]
mod program;
mod shutdown;
mod template_folder;

#[cfg(feature = "program")]
pub use program::{rocket, serve};
pub use shutdown::launch;

use std::sync::Arc;

use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Rocket, async_trait};

use self::assemble::Assembly;
use self::brought::Brought;
use super::site::{Part, Plan, Site};
use crate::session::SessionStore;
use crate::sign_in::Authenticator;

/// Everything that Innkeeper gives to a Rocket application.
///
/// Attach it, and the application has the addresses `/`, `/login`, `/profile`, `/logout`, `/sessions`, `/session`,
/// `/healthz`, `/readyz`, `/openapi.json` and `/docs`, and four files below `/static/innkeeper`; the store that the settings
/// ask for; the guards [`CurrentSession`](super::CurrentSession), [`PassiveSession`](super::PassiveSession),
/// [`SameOrigin`](super::SameOrigin), [`SignIn`](super::SignIn), [`SignOut`](super::SignOut) and
/// `&`[`Sessions`](crate::Sessions); a line in the log for each request, whose id is
/// in `X-Request-Id`; with `metrics_address` a server for Prometheus; and a catcher for errors, unless the application has
/// a default catcher for `/` itself.
///
/// Settings are read from the table `innkeeper` of the application's figment and from the environment, see
/// [`Config`](crate::Config); a mistake there stops the launch. Any number of instances can live side by side in one process.
///
/// Any of this can be left out, moved below a prefix or replaced: see [`Stage`].
///
/// # What it leaves to the application
///
/// - Its addresses. Where both have a route, the application's answers, and so do its files. That holds for a route that
///   matches every path, too: `#[get("/<page>")]` also answers `/login`, unless it forwards or has a `rank` of 100, say.
/// - Its headers, and those of its [`Shield`](rocket::shield::Shield). Innkeeper's strict headers (`Content-Security-Policy`
///   above all) are set on Innkeeper's own answers alone: its pages, JSON, redirects, files and errors.
///   To an answer of the application it adds `X-Request-Id`, and `Cache-Control: no-store` if a guard has looked for the
///   session, unless the answer has that header already.
/// - Its settings, with one exception: Rocket takes a client's address from the header `X-Real-IP` by default, which any
///   client can write; unless `ip_header` is set, it is the address of the connection.
/// - Its templates. The stage attaches [`Template::custom`](rocket_dyn_templates::Template::custom), which serves them too;
///   an application that attaches a template fairing itself calls [`Stage::without_templates`].
///
/// It takes one thing away: in the whole application, a form field `_method` no longer changes a request's method, because a
/// form on another site could choose a method that is not checked.
///
/// Without `public_url`, and on a loopback address, Innkeeper's routes and guards answer 421 to a request for another host
/// than this machine ([`SameOrigin`](super::SameOrigin) says why).
/// With Rocket's own TLS and no `public_url`, the cookie is `Secure` and the site's origin `https`.
pub fn stage() -> Stage {
    Stage {
        templates: true,
        plan: Plan::default(),
        brought: Brought::default(),
    }
}

/// The fairing that [`stage()`] returns.
#[derive(Clone, Debug)]
#[must_use = "a stage does nothing until it is attached to a Rocket"]
pub struct Stage {
    templates: bool,
    plan: Plan,
    brought: Brought,
}

impl Stage {
    /// Leaves the template fairing out, for an application that attaches one of its own.
    ///
    /// That one must be given Innkeeper's pages:
    ///
    /// ```
    /// use rocket_dyn_templates::Template;
    ///
    /// let rocket = rocket::build()
    ///     .attach(Template::custom(|engines| {
    ///         innkeeper::templates(engines).expect("Innkeeper's own templates are valid");
    ///     }))
    ///     .attach(innkeeper::stage().without_templates());
    /// # drop(rocket);
    /// ```
    pub fn without_templates(mut self) -> Self {
        self.templates = false;
        self
    }

    /// Leaves a part out. Its addresses are the application's, no page links to them, and `/openapi.json` does not have them.
    ///
    /// ```
    /// use innkeeper::Part;
    ///
    /// let stage = innkeeper::stage().without(Part::Docs).without(Part::Home);
    /// # drop(stage);
    /// ```
    pub fn without(mut self, part: Part) -> Self {
        self.plan.parts = self.plan.parts.without(part);
        self
    }

    /// Mounts these parts and no others. With `only([])` Innkeeper has no address at all, and is the store and the guards.
    ///
    /// ```
    /// use innkeeper::Part;
    ///
    /// let stage = innkeeper::stage().only([Part::Catcher, Part::RequestLog]);
    /// # drop(stage);
    /// ```
    pub fn only(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.plan.parts = parts.into_iter().collect();
        self
    }

    /// Mounts all addresses below a prefix: with `/account`, `/account/login/` and `/account/static/innkeeper/style.css`.
    /// Default: `/`.
    ///
    /// Links, redirects, scripts and `/openapi.json` follow. The default catcher then answers below the prefix only: errors
    /// elsewhere are the application's. The cookie's `Path` stays `/`: the guards are for the whole application.
    ///
    /// The prefix begins with `/` and has segments of the characters `A-Z a-z 0-9 - . _ ~`; any other stops the launch.
    pub fn mount_at(mut self, prefix: impl Into<String>) -> Self {
        self.plan.prefix = prefix.into();
        self
    }

    /// Keeps sessions in this store of the application's, and opens none.
    ///
    /// The settings that choose a store and say how to reach it are unused. A request waits for the store for
    /// `redis_timeout_ms` at most; its operations are measured as those of Innkeeper's own stores.
    ///
    /// The store must know the lifetimes that the settings say, as the contract of [`SessionStore`](crate::SessionStore) asks
    /// (the feature `testing` has a suite that tries it):
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use innkeeper::{Clock, Config, ConfigError, EmbeddedStore, StorePath};
    ///
    /// # fn main() -> Result<(), ConfigError> {
    /// let figment = rocket::Config::figment();
    /// let lifetimes = Config::without_store(&figment)?.lifetimes;
    /// // In place of one of your own.
    /// let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, Clock::start()).expect("memory");
    /// let rocket = rocket::custom(figment).attach(innkeeper::stage().store(Arc::new(store)));
    /// # drop(rocket);
    /// # Ok(())
    /// # }
    /// ```
    pub fn store(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.brought.store = Some(store);
        self
    }

    /// Decides who somebody is by this check of the application's, in place of Innkeeper's (the setting `sign_in`, which must
    /// then not be set).
    ///
    /// Everything around it stays Innkeeper's: the sign-in page with its password field, `POST /login/` for programs, the
    /// throttle, which counts attempts in the store, the log. `/confirm/` asks it again where a
    /// [`RecentSignIn`](crate::RecentSignIn) is needed. How users get and change their passwords is the application's.
    ///
    /// `examples/own_users.rs` is a whole program.
    ///
    /// ```
    /// use innkeeper::{Authenticator, AuthenticatorError, Credentials, Verified};
    ///
    /// #[derive(Debug)]
    /// struct Example;
    ///
    /// #[rocket::async_trait]
    /// impl Authenticator for Example {
    ///     async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Option<Verified>, AuthenticatorError> {
    ///         let is_right = credentials.user.as_str() == "amy" && credentials.password.expose() == "an example";
    ///         Ok(is_right.then(|| Verified::new(credentials.user.clone())))
    ///     }
    /// }
    ///
    /// let stage = innkeeper::stage().authenticate_with(Example);
    /// # drop(stage);
    /// ```
    pub fn authenticate_with(mut self, authenticator: impl Authenticator) -> Self {
        self.brought.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Names the application's own page for signing in, a path such as `/enter`. Default: Innkeeper's `/login/`; without
    /// [`Part::SignIn`] none.
    ///
    /// A browser that asks for a page without a session is redirected to it, with the query `next=` and the path to go on to
    /// (percent-encoded), and `ended=1` if it had a session; the cookie of an ended session is removed. A page that asks for a
    /// session itself is not redirected to itself. Programs are answered as ever. Where there is no page to sign in, browsers
    /// get an error page with the status that programs get, 403 or 404.
    ///
    /// `next` may come from anywhere: a [`NextPath`](crate::NextPath) is a path of this site.
    ///
    /// What is no such path stops the launch.
    pub fn sign_in_page(mut self, path: impl Into<String>) -> Self {
        self.plan.sign_in_page = Some(path.into());
        self
    }
}

#[async_trait]
impl Fairing for Stage {
    fn info(&self) -> Info {
        Info {
            name: "Innkeeper",
            kind: Kind::Ignite,
        }
    }

    async fn on_ignite(&self, mut rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Site>().is_some() {
            tracing::error!("an application has one stage, and this one is its second");
            return Err(rocket);
        }
        if self.templates {
            rocket = template_folder::for_application(rocket);
            rocket = template_folder::attach_engine(rocket, Vec::new());
        }
        match Assembly::open(rocket.figment(), &self.plan, self.brought.clone()) {
            Ok(assembly) => Ok(assembly.attach_to(rocket)),
            Err(problem) => {
                tracing::error!("{problem}");
                Err(rocket)
            }
        }
    }
}
