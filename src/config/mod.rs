//! The settings: their sources, defaults and errors.

mod accent;
mod error;
mod host;
#[cfg(feature = "program")]
pub(crate) mod in_force;
mod metrics_address;
mod public_url;
mod redis_address;
mod settings;
mod sources;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::figment::value::Value;

pub use accent::Accent;
#[cfg(feature = "pages")]
pub(crate) use accent::Shades;
pub use error::ConfigError;
pub(crate) use host::is_loopback;
pub use metrics_address::MetricsAddress;
#[cfg(all(feature = "password", feature = "program"))]
pub(crate) use public_url::site_url;
pub use public_url::{PublicUrl, TrustedOrigin};
pub use redis_address::{ClientCertificate, RedisAddress, RedisConfig, Secret};
pub use settings::{LogFormat, SignInMode};
#[cfg(feature = "program")]
pub(crate) use sources::env_file::{EnvFile, describe as describe_sources, read_env_file};
pub(crate) use sources::origin::Origin;

use self::settings::Settings;
use self::sources::Sources;
use self::sources::{environment, files, misspelt, secret_file};
use crate::session::Lifetimes;

/// Innkeeper's settings, checked.
///
/// They are read from the table `innkeeper` of Rocket's configuration (`[default.innkeeper]` in `Rocket.toml`) and from
/// `INNKEEPER_<KEY>` in the environment. The environment wins over files, and values that a program merges into its figment
/// win over both: with a `store_path` of its own it gets the embedded store, even if the environment has a `REDIS_URL`.
///
/// An empty text is the same as no value, with one exception: a variable or a file that leaves `redis_url` or one of the
/// Upstash keys empty stops the launch, unless the program or another variable chooses a store. It was to name a Redis.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where sessions are kept. Default: a file in the folder `data`.
    pub store: StoreConfig,
    /// `idle_timeout_secs` (default 900) and `absolute_timeout_secs` (default 43200; 0: none).
    pub lifetimes: Lifetimes,
    /// `max_sessions_per_user`, default 100: signing in beyond it ends the oldest.
    pub max_sessions_per_user: usize,
    /// The address that people type; `None`: made of scheme `http` and each request's `Host`.
    pub public_url: Option<PublicUrl>,
    /// `trusted_origins`, default none: origins whose pages may call Innkeeper with the visitor's cookie.
    pub trusted_origins: Vec<TrustedOrigin>,
    /// `sign_in`, default `open`: how users prove who they are on Innkeeper's own pages.
    pub sign_in: SignInMode,
    /// `sign_up`, default `false`: whether anybody may make an account. With `false`, accounts are made by invitation and by
    /// the command `accounts add`.
    pub sign_up: bool,
    /// `password_min_length`, default 15: how many code points a new password must have. Where the password is the only factor,
    /// NIST SP 800-63B-4 asks for 15.
    pub password_min_length: u32,
    /// `recent_sign_in_secs`, default 600: how long after a user has proved who he is the guard
    /// [`RecentSignIn`](crate::RecentSignIn) asks for nothing more.
    pub recent_sign_in: Duration,
    /// `open_to_the_world`, default `false`: `open` sign-in may listen beyond loopback.
    pub open_to_the_world: bool,
    /// `redis_timeout_ms`, default 1000: the whole time that one request may wait for the store.
    pub redis_timeout: Duration,
    /// `drain_secs`, default 1: how long requests are still taken after `/readyz` has begun to say 503. Only the program
    /// uses it.
    pub drain: Duration,
    /// `store_cache_mb`, default 32: how much of its file the embedded store keeps in memory, in bytes.
    pub store_cache_bytes: usize,
    /// `redis_connections`: how many connections to Redis requests share; in a cluster there is one to each node.
    /// Default: a quarter of the cores, at least 1 and at most 4.
    pub redis_connections: usize,
    /// `redis_cert_file` and `redis_key_file`, default none: for a Redis that asks its clients for a certificate.
    pub redis_client: Option<ClientCertificate>,
    /// `metrics_address`; `None`: metrics are neither collected nor served.
    pub metrics: Option<MetricsAddress>,
    /// The files that secrets were read from: those that `redis_url_file` and `upstash_redis_rest_token_file` name, and
    /// systemd's credentials `redis_url` and `upstash_redis_rest_token`. Default: none.
    pub secret_files: Vec<PathBuf>,
    /// `log_format`, default `text`. Only the program uses it: a library does not set up logging.
    pub log_format: LogFormat,
    /// `site_name`, default `Innkeeper`: what pages are titled with; 1 to 64 characters.
    pub site_name: String,
    /// `accent_color` and `accent_color_dark`: the colour of links and buttons, as `#rrggbb`. Default: that of the style
    /// sheet.
    pub accent: Accent,
}

/// Which store, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreConfig {
    /// `store_path`, default `data`.
    Embedded(StorePath),
    /// `redis_url`, or the pair that Upstash gives.
    Redis(RedisConfig),
}

/// The socket in the embedded store's folder, by which commands reach the server.
pub(crate) const CONTROL_SOCKET: &str = "control.sock";

/// Where the embedded store keeps its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorePath {
    /// `:memory:`: nothing on disk, gone with the process.
    Memory,
    /// A file `sessions.redb` in this folder, which is created if it is missing (mode 0700, the file 0600).
    Folder(PathBuf),
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl LogFormat {
    /// `log_format` alone, for the message about a mistake in another setting.
    pub(crate) fn from_settings(config_file: Option<&Path>) -> Self {
        let figment = files::rocket_figment(config_file).unwrap_or_default();
        // If the file cannot be read, the environment alone is.
        let sources = Sources::read(&figment).or_else(|_| Sources::read(&Figment::new()));
        let format = sources.and_then(|sources| sources.only("log_format").settings());
        format
            .ok()
            .and_then(|it| it.log_format)
            .unwrap_or(Self::Text)
    }
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    ///
    /// The first setting that is misspelt, cannot be read, or must not be used like this.
    pub fn from(figment: &Figment) -> Result<Self, ConfigError> {
        let sources = sources(figment)?;
        let settings = sources.settings()?;
        let open_to_the_world = settings.open_to_the_world.unwrap_or(false);
        let seconds =
            |setting: Option<u32>, default| Duration::from_secs(setting.unwrap_or(default).into());
        let absolute = seconds(settings.absolute_timeout_secs, 43_200);
        Ok(Self {
            store: store(&settings, &sources)?,
            lifetimes: Lifetimes {
                idle: seconds(settings.idle_timeout_secs, 900),
                absolute: Some(absolute).filter(|limit| !limit.is_zero()),
            },
            max_sessions_per_user: settings.max_sessions_per_user.unwrap_or(100) as usize,
            trusted_origins: trusted_origins(&settings, &sources, figment)?,
            sign_in: sign_in(&settings, &sources)?,
            public_url: settings.public_url,
            sign_up: settings.sign_up.unwrap_or(false),
            password_min_length: settings.password_min_length.unwrap_or(15),
            recent_sign_in: seconds(settings.recent_sign_in_secs, 600),
            open_to_the_world,
            redis_timeout: Duration::from_millis(settings.redis_timeout_ms.unwrap_or(1000).into()),
            drain: seconds(settings.drain_secs, 1),
            store_cache_bytes: (settings.store_cache_mb.unwrap_or(32) as usize)
                .saturating_mul(1 << 20),
            redis_connections: settings
                .redis_connections
                .map_or_else(default_connections, |number| number as usize),
            redis_client: sources
                .pair(
                    ("redis_cert_file", settings.redis_cert_file),
                    ("redis_key_file", settings.redis_key_file),
                )?
                .map(|(certificate, key)| ClientCertificate { certificate, key }),
            metrics: settings
                .metrics_address
                .map(|text| MetricsAddress::new(&text, sources.origin("metrics_address"), figment))
                .transpose()?,
            secret_files: sources.secret_files(),
            log_format: settings.log_format.unwrap_or(LogFormat::Text),
            site_name: settings.site_name.unwrap_or_else(|| "Innkeeper".to_owned()),
            accent: Accent::new(settings.accent_color, settings.accent_color_dark)
                .map_err(|(key, problem)| sources.error(key, &problem))?,
        })
    }

    /// How long requests in flight have to finish when the program ends, unless `shutdown.grace` says otherwise.
    pub(crate) fn shutdown_timeout(&self) -> Duration {
        self.redis_timeout + Duration::from_secs(1)
    }

    /// What `shutdown.grace` then is: in whole seconds, and longer than the program itself waits.
    pub(crate) fn shutdown_grace(&self) -> u64 {
        self.shutdown_timeout().as_secs() + 1
    }

    /// [`from`](Self::from) for an application that brings a store of its own: settings of Innkeeper's stores are not read.
    ///
    /// # Errors
    ///
    /// The same, for the other settings.
    pub fn without_store(figment: &Figment) -> Result<Self, ConfigError> {
        // A choice of the program's wins over all others.
        Self::from(&figment.clone().merge(("innkeeper.store_path", ":memory:")))
    }

    /// Refuses a choice between Innkeeper's own checks where the application brings one.
    ///
    /// # Errors
    ///
    /// `sign_in` is set.
    pub(crate) fn check_no_sign_in(figment: &Figment) -> Result<(), ConfigError> {
        let sources = sources(figment)?;
        match sources.settings()?.sign_in {
            None => Ok(()),
            Some(_) => Err(sources.error(
                "sign_in",
                "means nothing here: the application has a check of its own (`authenticate_with`)",
            )),
        }
    }

    /// Refuses to let every client that reaches the address sign in under any name: for whoever mounts our sign-in.
    pub(crate) fn check_open_sign_in(&self, figment: &Figment) -> Result<(), ConfigError> {
        if self.sign_in != SignInMode::Open {
            return Ok(());
        }
        // An address that Rocket cannot read is Rocket's to report.
        match figment.extract_inner::<IpAddr>("address") {
            Ok(address) if !address.is_loopback() && !self.open_to_the_world => {
                Err(ConfigError(format!(
                    "`address` is {address}, which is not loopback, and `sign_in` is `open`: anybody who reaches it could \
                     sign in under any name. Set `sign_in` to `password`, `address` to 127.0.0.1, or `open_to_the_world = true` \
                     if that is what you want"
                )))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A warning about settings that are allowed, and probably a mistake.
    pub(crate) fn warning(&self) -> Option<String> {
        let Lifetimes { idle, absolute } = self.lifetimes;
        let absolute = absolute.filter(|_| self.lifetimes.absolute_comes_first())?;
        Some(format!(
            "Every session ends {} s after its sign-in, used or not: `absolute_timeout_secs` is below \
             `idle_timeout_secs`, which is {} and means nothing then.",
            absolute.as_secs(),
            idle.as_secs()
        ))
    }
}

/// The figment of the program; `config_file` is read in place of Rocket.toml.
///
/// # Errors
///
/// A sentence for the operator: one of Rocket's own settings is wrong, or a key is unknown.
pub(crate) fn figment(config_file: Option<&Path>) -> Result<Figment, String> {
    let (figment, _) = rockets(config_file)?;
    check_names(&figment).map_err(|error| error.to_string())?;
    Ok(figment)
}

/// The same without a look at Innkeeper's own settings, and Rocket's in it.
///
/// # Errors
///
/// A sentence for the operator: one of Rocket's own settings is wrong.
pub(crate) fn rockets(config_file: Option<&Path>) -> Result<(Figment, rocket::Config), String> {
    let figment = files::rocket_figment(config_file)?;
    let rocket = figment.extract().map_err(|error| error.to_string())?;
    Ok((figment, rocket))
}

fn check_names(figment: &Figment) -> Result<(), ConfigError> {
    misspelt::check(figment)?;
    let config = Config::from(figment)?;
    config.check_open_sign_in(figment)?;
    match config.store {
        StoreConfig::Embedded(_) => {
            environment::check_redis_names()?;
            secret_file::check_credential_names()
        }
        StoreConfig::Redis(_) => Ok(()),
    }
}

/// One connection serves about four cores; with more of them each would only send fewer commands at a time.
pub(crate) fn default_connections() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (cores / 4).clamp(1, 4)
}

const URL: &str = "redis_url";
const REST_URL: &str = "upstash_redis_rest_url";
const REST_TOKEN: &str = "upstash_redis_rest_token";

/// Each of them names a Redis.
const REDIS_KEYS: [&str; 5] = [
    URL,
    "redis_url_file",
    REST_URL,
    REST_TOKEN,
    "upstash_redis_rest_token_file",
];

/// The settings by key, secrets read from their files.
fn sources(figment: &Figment) -> Result<Sources, ConfigError> {
    let sources = Sources::read(figment)?;
    if is_embedded_by_program(&sources) {
        Ok(sources)
    } else {
        sources.with_secrets()
    }
}

/// Whether the program itself has chosen the embedded store: a test that brings its own folder, for example, must not use
/// the Redis in its developer's environment.
fn is_embedded_by_program(sources: &Sources) -> bool {
    sources.is_of_program("store_path") && !REDIS_KEYS.iter().any(|key| sources.is_of_program(key))
}

/// `sign_up` means nothing where there are no accounts, and whoever sets it believes that there are.
fn sign_in(settings: &Settings, sources: &Sources) -> Result<SignInMode, ConfigError> {
    let mode = settings.sign_in.unwrap_or(SignInMode::Open);
    if mode == SignInMode::Open && settings.sign_up == Some(true) {
        return Err(sources.error("sign_up", "needs `sign_in = \"password\"`"));
    }
    Ok(mode)
}

fn store(settings: &Settings, sources: &Sources) -> Result<StoreConfig, ConfigError> {
    let folder = settings.store_path.as_deref();
    let embedded = StoreConfig::Embedded(match folder.unwrap_or("data") {
        ":memory:" => StorePath::Memory,
        folder => StorePath::Folder(PathBuf::from(folder)),
    });
    if is_embedded_by_program(sources) {
        return Ok(embedded);
    }
    let redis = |address, key| {
        StoreConfig::Redis(RedisConfig {
            address,
            source: sources.origin(key).name(key),
            ca_file: settings.redis_ca_file.clone(),
        })
    };
    if let Some(url) = &settings.redis_url {
        return Ok(redis(RedisAddress::Url(url.clone()), URL));
    }
    let token = settings.upstash_redis_rest_token.clone();
    let rest_url = settings.upstash_redis_rest_url.as_deref();
    let host = rest_url.map(RedisAddress::upstash_host).transpose();
    let host = host.map_err(|problem| {
        let and_token = match token {
            Some(_) => String::new(),
            None => format!(", and needs `{REST_TOKEN}` beside it"),
        };
        sources.error(REST_URL, &format!("{problem}{and_token}"))
    })?;
    if let Some(((host, port), token)) = sources.pair((REST_URL, host), (REST_TOKEN, token))? {
        return Ok(redis(RedisAddress::Upstash { host, port, token }, REST_URL));
    }
    let is_chosen =
        folder.is_some() && matches!(sources.origin("store_path"), Origin::Environment(_));
    let mut emptied = REDIS_KEYS.iter().filter(|key| sources.is_emptied(key));
    match emptied.next().filter(|_| !is_chosen) {
        Some(key) => Err(sources.error(
            key,
            "is empty, so sessions would be kept in the embedded store: give it a value, or remove it if that is what \
             you want",
        )),
        None => Ok(embedded),
    }
}

/// Whether Rocket itself serves by TLS.
///
/// Not by `tls_enabled`, which is false in a build without Rocket's feature `tls`: where the keys are set, the operator
/// means TLS, and no cookie is sent in clear text.
pub(crate) fn has_tls(figment: &Figment) -> bool {
    matches!(figment.find_value("tls"), Ok(Value::Dict(..)))
}

/// Whoever can change a page of a trusted origin on its way has its trust: beside an `https` site all must be `https` too.
fn trusted_origins(
    settings: &Settings,
    sources: &Sources,
    figment: &Figment,
) -> Result<Vec<TrustedOrigin>, ConfigError> {
    let origins = settings.trusted_origins.clone().unwrap_or_default();
    let public_url = settings.public_url.as_ref();
    let is_secure = public_url.map_or_else(|| has_tls(figment), PublicUrl::is_secure);
    match origins.iter().find(|it| is_secure && it.is_in_clear_text()) {
        None => Ok(origins),
        Some(origin) => Err(sources.error(
            "trusted_origins",
            &format!(
                "has `{}`, which is not https, though the site is",
                origin.as_str()
            ),
        )),
    }
}
