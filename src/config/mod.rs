//! The settings: where they come from, their defaults, and what is wrong with them.

mod error;
mod host;
mod metrics_address;
mod misspelt;
mod public_url;
mod secret;
mod service_link;
mod sources;
mod spelling;
mod table;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rocket::figment::Figment;
use url::Url;

pub use error::ConfigError;
pub(crate) use host::is_loopback;
pub use metrics_address::MetricsAddress;
pub use public_url::PublicUrl;
pub use secret::Secret;

use self::table::{KEYS, REDIS_KEYS, Table};
use crate::session::Lifetimes;

/// Innkeeper's settings, checked.
///
/// Read from the table `innkeeper` of Rocket's configuration (`[default.innkeeper]` in `Rocket.toml`), and
/// from `INNKEEPER_<KEY>` in the environment. What a program merges into the figment itself wins over both,
/// the environment wins over files. So a `store_path` of the program's keeps the embedded store, whatever `REDIS_URL` there
/// is in the environment. An empty variable is the same as none; so is an empty text in a program. Only what names a
/// Redis is refused where a variable or a file leaves it empty and neither code nor another variable says where sessions
/// live: whoever set it meant one.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where sessions live. Default: a file in the folder `data`.
    pub store: StoreConfig,
    /// `idle_timeout_secs` (default 900) and `absolute_timeout_secs` (default 43200; 0: none).
    pub lifetimes: Lifetimes,
    /// `max_sessions_per_user`, default 100: signing in beyond it ends the oldest.
    pub max_sessions_per_user: usize,
    /// The address that people type; `None`: made of scheme `http` and each request's `Host`.
    pub public_url: Option<PublicUrl>,
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
    /// `redis_cert_file` and `redis_key_file`, default none: for a Redis that asks its clients who they are.
    pub redis_client: Option<ClientCertificate>,
    /// `metrics_address`; `None`: nothing is counted, and nothing served.
    pub metrics: Option<MetricsAddress>,
    /// `log_format`, default `text`. Only the program uses it: a library does not set up logging.
    pub log_format: LogFormat,
}

/// Which store, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// `store_path`, default `data`.
    Embedded(StorePath),
    /// `redis_url`, or the pair that Upstash gives.
    Redis {
        /// The server.
        address: RedisAddress,
        /// The setting that named it, for messages.
        source: String,
        /// `redis_ca_file`, default none: certificate authorities to trust besides the system's, in PEM.
        ca_file: Option<PathBuf>,
    },
}

/// A certificate and its key, each a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, with those that lead to its authority behind it.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// Where the embedded store keeps its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePath {
    /// `:memory:`: nothing on disk, gone with the process.
    Memory,
    /// A file `sessions.redb` in this folder, which is made if it is not there (mode 0700, the file 0600).
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

/// The address of a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisAddress {
    /// `redis://`, `rediss://`, `unix://`, `redis-cluster://`, `redis-sentinel://`. Secret, because it may hold a
    /// password.
    Url(Secret),
    /// Upstash serves the Redis protocol, by TLS, beside its REST interface.
    Upstash {
        /// The name in the REST address.
        host: String,
        /// The port in the REST address, else 6379.
        port: u16,
        /// The REST token, which is the password of the user `default`.
        token: Secret,
    },
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// What the settings ask for, as far as they can be read: for the message that says what is wrong with them.
    #[must_use]
    pub fn of_settings() -> Self {
        // The environment alone, where a file cannot be read.
        let table = Table::read(&sources::read().unwrap_or_default())
            .or_else(|_| Table::read(&Figment::new()));
        let format = table.and_then(|table| Self::read(&table));
        format.unwrap_or(Self::Text)
    }

    fn read(table: &Table) -> Result<Self, ConfigError> {
        Ok(match table.one_of("log_format", &["text", "json"])? {
            Some("json") => Self::Json,
            _ => Self::Text,
        })
    }
}

impl Config {
    /// Reads and checks the settings.
    ///
    /// # Errors
    ///
    /// The first setting that is misspelt, cannot be read, or must not be used like this.
    pub fn from(figment: &Figment) -> Result<Self, ConfigError> {
        let table = Table::read(figment)?;
        table.refuse_unknown(&KEYS)?;
        table.one_of("sign_in", &["open"])?;
        let open_to_the_world = table.flag("open_to_the_world")?.unwrap_or(false);
        refuse_the_world(figment, open_to_the_world)?;
        let log_format = LogFormat::read(&table)?;
        Ok(Self {
            store: store(&table)?,
            lifetimes: Lifetimes {
                idle: table
                    .seconds("idle_timeout_secs", 1)?
                    .unwrap_or(Duration::from_secs(900)),
                absolute: Some(
                    table
                        .seconds("absolute_timeout_secs", 0)?
                        .unwrap_or(Duration::from_secs(43_200)),
                )
                .filter(|limit| !limit.is_zero()),
            },
            max_sessions_per_user: table
                .whole("max_sessions_per_user", 1..=10_000)?
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(100),
            public_url: table.parsed("public_url", PublicUrl::parse)?,
            open_to_the_world,
            redis_timeout: table
                .whole("redis_timeout_ms", 1..=600_000)?
                .map_or(Duration::from_secs(1), Duration::from_millis),
            drain: table
                .whole("drain_secs", 0..=3600)?
                .map_or(Duration::from_secs(1), Duration::from_secs),
            store_cache_bytes: table
                .whole("store_cache_mb", 1..=65_536)?
                .and_then(|megabytes| usize::try_from(megabytes << 20).ok())
                .unwrap_or(32 << 20),
            redis_connections: table
                .whole("redis_connections", 1..=64)?
                .and_then(|connections| usize::try_from(connections).ok())
                .unwrap_or_else(default_connections),
            redis_client: client_certificate(&table)?,
            metrics: MetricsAddress::read(figment, &table)?,
            log_format,
        })
    }

    /// What is allowed, and probably not meant.
    pub(crate) fn doubt(&self) -> Option<String> {
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

/// The program's settings, all of them known: see [`sources::read`].
///
/// # Errors
///
/// A sentence for the operator: one of Rocket's own settings is wrong, or something that is set is no setting.
pub(crate) fn figment() -> Result<Figment, String> {
    let figment = sources::read()?;
    figment
        .extract::<rocket::Config>()
        .map_err(|error| error.to_string())?;
    refuse_misspelt(&figment).map_err(|error| error.to_string())?;
    Ok(figment)
}

fn refuse_misspelt(figment: &Figment) -> Result<(), ConfigError> {
    misspelt::refuse(figment)?;
    if let StoreConfig::Embedded(_) = Config::from(figment)?.store {
        misspelt::refuse_nearly_a_store()?;
    }
    misspelt::refuse_unknown_of_other_profiles(figment)
}

/// One connection keeps some four cores busy; with more than that requests only send smaller pieces.
pub(crate) fn default_connections() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (cores / 4).clamp(1, 4)
}

fn store(table: &Table) -> Result<StoreConfig, ConfigError> {
    let ca_file = table.text("redis_ca_file")?.map(PathBuf::from);
    let folder = table.text("store_path")?;
    // A test's own folder, say, and not the Redis of whoever runs it.
    let redis_of_program = REDIS_KEYS.iter().any(|key| table.is_of_program(key));
    if table.is_of_program("store_path") && !redis_of_program {
        return Ok(embedded(folder));
    }
    if let Some(url) = table.text("redis_url")? {
        return Ok(StoreConfig::Redis {
            address: RedisAddress::Url(Secret::new(url)),
            source: table.name("redis_url"),
            ca_file,
        });
    }
    let rest_url = table.parsed("upstash_redis_rest_url", upstash_host)?;
    let token = table.text("upstash_redis_rest_token")?;
    match (rest_url, token) {
        (Some((host, port)), Some(token)) => Ok(StoreConfig::Redis {
            address: RedisAddress::Upstash {
                host,
                port,
                token: Secret::new(token),
            },
            source: table.name("upstash_redis_rest_url"),
            ca_file,
        }),
        (Some(_), None) => Err(table.error(
            "upstash_redis_rest_url",
            "needs `upstash_redis_rest_token` beside it",
        )),
        (None, Some(_)) => Err(table.error(
            "upstash_redis_rest_token",
            "needs `upstash_redis_rest_url` beside it",
        )),
        (None, None) => {
            if !redis_of_program && !table.is_of_environment("store_path") {
                table.refuse_empty(&REDIS_KEYS)?;
            }
            Ok(embedded(folder))
        }
    }
}

fn embedded(folder: Option<&str>) -> StoreConfig {
    StoreConfig::Embedded(match folder {
        Some(":memory:") => StorePath::Memory,
        Some(folder) => StorePath::Folder(PathBuf::from(folder)),
        None => StorePath::Folder(PathBuf::from("data")),
    })
}

fn client_certificate(table: &Table) -> Result<Option<ClientCertificate>, ConfigError> {
    let (certificate, key) = ("redis_cert_file", "redis_key_file");
    match (table.text(certificate)?, table.text(key)?) {
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(key),
        })),
        (Some(_), None) => Err(table.error(certificate, "needs `redis_key_file` beside it")),
        (None, Some(_)) => Err(table.error(key, "needs `redis_cert_file` beside it")),
        (None, None) => Ok(None),
    }
}

fn upstash_host(text: &str) -> Result<(String, u16), &'static str> {
    let problem = "must be an address like https://NAME.upstash.io";
    let url = Url::parse(text).map_err(|_| problem)?;
    let host = url.host_str().filter(|_| url.scheme() == "https");
    Ok((host.ok_or(problem)?.to_owned(), url.port().unwrap_or(6379)))
}

/// With `open` sign-in everybody who reaches the address may be anybody.
fn refuse_the_world(figment: &Figment, open_to_the_world: bool) -> Result<(), ConfigError> {
    // An address that Rocket cannot read is Rocket's to report.
    let Ok(address) = figment.extract_inner::<IpAddr>("address") else {
        return Ok(());
    };
    if address.is_loopback() || open_to_the_world {
        return Ok(());
    }
    Err(ConfigError(format!(
        "`address` is {address}, which is not loopback, and `sign_in` is `open`: whoever reaches it could sign in \
         under any name. Set `address` to 127.0.0.1, or `open_to_the_world = true` if that is what you want"
    )))
}
