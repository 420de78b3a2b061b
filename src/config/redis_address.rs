//! The address of a Redis server, and the certificates and secrets that belong to it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// A Redis, and the certificate authorities that are trusted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// The server.
    pub address: RedisAddress,
    /// The setting that named it, for messages.
    pub source: String,
    /// `redis_ca_file`, default none: certificate authorities to trust besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// The address of a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl RedisAddress {
    /// Host and port of Upstash's REST address.
    pub(crate) fn upstash_host(rest_url: &str) -> Result<(String, u16), &'static str> {
        let problem = "must be an address like https://NAME.upstash.io";
        let url = Url::parse(rest_url).map_err(|_| problem)?;
        let host = url.host_str().filter(|_| url.scheme() == "https");
        let host = host.ok_or(problem)?.to_owned();
        Ok((host, url.port().unwrap_or(6379)))
    }
}

/// A certificate and its key, each a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// A text that must not be shown: its `Debug` says only that there is one.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
