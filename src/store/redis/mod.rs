//! Sessions in Redis, which any number of instances share, and the tutorial's own server with them.

#[cfg(feature = "password")]
mod accounts;
mod connection;
mod inspect;
mod keys;
mod rights;
mod sessions;
mod sign_in;

use std::path::PathBuf;
use std::time::Duration;

use deadpool_redis::redis::TlsCertificates;

pub use connection::address::AddressError;
pub(crate) use connection::address::endpoint::Endpoint;
#[cfg(feature = "program")]
pub(crate) use connection::address::endpoint::{ServerKind, Tls};
#[cfg(feature = "program")]
pub(crate) use connection::error::{
    NO_CERTIFICATE, NO_CLUSTER, NO_COMMAND, NO_DATABASE, NO_HOST, NO_PASSWORD,
};
#[cfg(feature = "program")]
pub(crate) use inspect::{ClockOffset, Info, ServerReport};
#[cfg(feature = "program")]
pub(crate) use rights::{Denied, Need};
pub use sessions::store::RedisStore;

use self::connection::RedisClient;
use self::connection::address::{ca, client_certificate, resolve};
use self::keys::unused_session_key;
use crate::clock::Clock;
use crate::config::{ClientCertificate, RedisAddress, default_connections};
use crate::session::Lifetimes;

/// How Redis is used, its address aside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// How long a request waits for Redis in all; background work has as long. A connection that is silent for half of
    /// it is replaced. Default: a second.
    pub timeout: Duration,
    /// The number of connections, each shared by many requests; in a cluster there is one to each node.
    /// Default: a quarter of the cores, at least 1 and at most 4.
    pub connections: usize,
    /// A PEM file with certificate authorities to trust besides the system's. Default: none.
    pub ca_file: Option<PathBuf>,
    /// The certificate for a server that asks its clients for one. Default: none.
    pub client: Option<ClientCertificate>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            connections: default_connections(),
            ca_file: None,
            client: None,
        }
    }
}

impl RedisStore {
    /// Prepares the pool; connects when the first request needs it.
    ///
    /// # Errors
    ///
    /// The address is not that of a Redis server, or a file cannot be used.
    pub fn open(
        address: &RedisAddress,
        options: &RedisOptions,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, AddressError> {
        let ca = options.ca_file.as_deref().map(ca::read).transpose()?;
        let client_tls = options.client.as_ref();
        let client_tls = client_tls.map(client_certificate::read).transpose()?;
        let mut topology = resolve(address)?;
        if topology.is_tls() {
            topology = topology.with_ca(&TlsCertificates {
                client_tls,
                ..ca.unwrap_or_else(ca::system)
            })?;
        } else if ca.is_some() || client_tls.is_some() {
            tracing::warn!(
                "`redis_ca_file`, `redis_cert_file` and `redis_key_file` are not used: the address of Redis asks for no TLS"
            );
        }
        let (connections, timeout) = (options.connections.max(1), options.timeout);
        let client = RedisClient::new(topology, connections, timeout, unused_session_key)?;
        Ok(Self::new(client, lifetimes, clock))
    }
}
