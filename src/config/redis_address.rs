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

/// What stands for a secret.
pub(crate) const HIDDEN: &str = "***";

/// The parameters of an address that are no secrets.
const SHOWN: [&str; 6] = [
    "node",
    "sentinelServiceName",
    "sentinelUsername",
    "protocol",
    "user",
    "db",
];

/// The address with its passwords starred out, and whatever else is not known to be none.
pub(crate) fn without_password(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return HIDDEN.to_owned();
    };
    // A name without a password may be one, whose colon was forgotten.
    let is_alone = url.password().is_none() && !url.username().is_empty();
    let hidden = if is_alone {
        url.set_username(HIDDEN)
    } else if url.password().is_some() {
        url.set_password(Some(HIDDEN))
    } else {
        Ok(())
    };
    if hidden.is_err() {
        return HIDDEN.to_owned();
    }
    // Not as pairs of a form, which would encode the colons of hosts.
    let query = url.query().map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if SHOWN.contains(&name) => pair.to_owned(),
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    });
    url.set_query(query.as_deref());
    let mut shown = url.to_string();
    // The one that `https` has by itself.
    if shown.ends_with('/') && !address.ends_with('/') {
        shown.pop();
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_passwords() {
        for (address, shown) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("https://x.upstash.io", "https://x.upstash.io"),
            ("https://x.upstash.io/", "https://x.upstash.io/"),
            ("redis://amy:s3cret@h/2", "redis://amy:***@h/2"),
            ("rediss://:s3cret@h#insecure", "rediss://:***@h#insecure"),
            ("redis://s3cret@h", "redis://***@h"),
            ("redis://a:s3c%40ret@[::1]:7", "redis://a:***@[::1]:7"),
            (
                "unix:///run/r.sock?user=amy&pass=s3cret&db=1",
                "unix:///run/r.sock?user=amy&pass=***&db=1",
            ),
            (
                "redis-cluster://:s3cret@a:1?node=b:2&node=c:3",
                "redis-cluster://:***@a:1?node=b:2&node=c:3",
            ),
            (
                "redis-sentinel://a?sentinelServiceName=m&sentinelUsername=u&sentinelPassword=s3cret",
                "redis-sentinel://a?sentinelServiceName=m&sentinelUsername=u&sentinelPassword=***",
            ),
            ("redis://h?s3cret", "redis://h?***"),
            ("s3cret", "***"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
