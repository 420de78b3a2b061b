//! Puts everything together: settings -> store -> state -> routes -> catchers.

use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::{Build, Rocket};

use crate::clock::Clock;
use crate::config::{Config, PublicUrl, SignInMode, StoreConfig, StorePath, has_tls};
use crate::session::Sessions;
use crate::sign_in::{OpenSignIn, Verifier};
use crate::store::{self, Stores};
use crate::web::answers::SecurityHeaders;
use crate::web::answers::catcher;
use crate::web::guards::{CrossOrigin, RecentLimit};
use crate::web::observe::{AccessLog, Readiness, RequestIds};
use crate::web::request::{Hosts, NoMethodOverride, PublicOrigin, SessionCookie};
use crate::web::routes;
use crate::web::routes::docs::Document;
use crate::web::site::{CheckOfSite, Part, Plan, Site};
use crate::web::stage::accounts::AccountsOfSite;
use crate::web::stage::announcement::announcement;
use crate::web::stage::brought::Brought;
use crate::web::stage::metrics::MetricsServer;
use crate::web::stage::shutdown::GracefulShutdown;
use crate::web::stage::{defaults, openapi};
use crate::web::static_files::StaticFiles;

/// The settings, and the store and the metrics server that they ask for.
pub(crate) struct Assembly {
    config: Config,
    site: Site,
    static_files: StaticFiles,
    /// Whether the application has brought its own store.
    own_store: bool,
    stores: Stores,
    sessions: Sessions,
    verifier: Verifier,
    /// `None` where users have none: sign-in is open, or the application's own check decides.
    accounts: Option<AccountsOfSite>,
    /// `None` where no `metrics_address` is set: then nothing is counted.
    metrics: Option<MetricsServer>,
}

impl Assembly {
    /// Reads the settings, and opens the store unless there is one. An error is a sentence for the operator.
    pub(crate) fn open(
        figment: &Figment,
        plan: &Plan,
        Brought {
            store,
            authenticator,
        }: Brought,
    ) -> Result<Self, String> {
        let own_store = store.is_some();
        let config = if own_store {
            Config::without_store(figment)
        } else {
            Config::from(figment)
        };
        let config = config.map_err(|error| error.to_string())?;
        let has_accounts = authenticator.is_none() && config.sign_in == SignInMode::Password;
        let own_needs_one = authenticator
            .as_ref()
            .is_some_and(|own| own.needs_password());
        let check = CheckOfSite {
            needs_password: has_accounts || own_needs_one,
            accounts: has_accounts,
        };
        let static_files = StaticFiles::new(&config.accent);
        let site = plan.site(&config, &static_files, check)?;
        let checked = match &authenticator {
            Some(_) => Config::check_no_sign_in(figment),
            None if site.has(Part::SignIn) => config.check_open_sign_in(figment),
            None => Ok(()),
        };
        checked.map_err(|error| error.to_string())?;
        routes::only_pages::check(&config)?;
        let clock = Clock::start();
        // Before the store makes files: a second instance fails here.
        let metrics = config.metrics.as_ref().map(MetricsServer::open);
        let metrics = metrics.transpose()?;
        let mut stores = match store {
            Some(own) => Stores::with_sessions(own, clock.clone()),
            None => store::open(&config, clock.clone())?,
        };
        if let Some(server) = &metrics {
            stores.sessions = server.instrument(stores.sessions)?;
        }
        // A store in memory never waits.
        let waits = own_store || config.store != StoreConfig::Embedded(StorePath::Memory);
        let timeout = waits.then_some(config.redis_timeout);
        let sessions = store::sessions(&config, Arc::clone(&stores.sessions), timeout, clock);
        let mut accounts = None;
        let authenticator = match (authenticator, config.sign_in) {
            (Some(own), _) => own,
            (None, SignInMode::Open) => Arc::new(OpenSignIn),
            (None, SignInMode::Password) => accounts
                .insert(AccountsOfSite::open(&config, &stores, &sessions)?)
                .authenticator(),
        };
        Ok(Self {
            verifier: Verifier::new(authenticator, Arc::clone(&stores.sign_in), sessions.clone()),
            accounts,
            config,
            site,
            static_files,
            own_store,
            stores,
            sessions,
            metrics,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn attach_to(self, rocket: Rocket<Build>) -> Rocket<Build> {
        let Self {
            config,
            site,
            static_files,
            own_store,
            stores,
            sessions,
            verifier,
            accounts,
            metrics,
        } = self;
        let public_url = config.public_url.as_ref();
        let tls = has_tls(rocket.figment());
        let hosts = allowed_hosts(rocket.figment(), public_url);
        let origin = PublicOrigin::new(public_url, tls, hosts, config.trusted_origins.clone());
        let cookie = SessionCookie {
            secure: origin.secure,
        };
        let document = openapi::describe(
            &site,
            verifier.needs_password(),
            cookie.name(),
            public_url,
            hosts,
        );
        let access_log = AccessLog {
            writes: site.has(Part::RequestLog),
        };
        let readiness = Readiness::default();
        let shutdown = GracefulShutdown::new(readiness.clone());
        let mut rocket = defaults::without_ip_header(rocket);
        // Before the access log, so that it shows the status of a preflight's answer.
        if !config.trusted_origins.is_empty() {
            rocket = rocket.attach(CrossOrigin);
        }
        if let Some(server) = metrics {
            rocket = server.attach_to(rocket);
        }
        let rocket = rocket
            .manage(stores)
            .manage(sessions)
            .manage(verifier)
            .manage(RecentLimit(config.recent_sign_in))
            .manage(RequestIds::new())
            .manage(access_log)
            .manage(origin)
            .manage(Document::new(&document))
            .manage(readiness)
            .manage(shutdown.clone())
            .attach(NoMethodOverride)
            .attach(SecurityHeaders)
            .attach(access_log)
            .attach(shutdown)
            .attach(announcement(&config, own_store));
        let mut rocket = routes::mount(rocket, &site, &static_files);
        if site.has(Part::Catcher) {
            let prefix = site.prefix().clone();
            // In a fairing, which runs after those that are attached already: they may register catchers of their own.
            rocket = rocket.attach(AdHoc::on_ignite(
                "Innkeeper's catchers",
                |rocket| async move { catcher::register(rocket, &prefix) },
            ));
        }
        if let Some(accounts) = accounts {
            rocket = accounts.manage(rocket);
        }
        rocket.manage(site)
    }
}

/// An address that cannot be parsed is an error of Rocket's launch.
fn allowed_hosts(figment: &Figment, public_url: Option<&PublicUrl>) -> Hosts {
    match (public_url, figment.extract_inner("address")) {
        (None, Ok(address)) => Hosts::new(address),
        _ => Hosts::Any,
    }
}
