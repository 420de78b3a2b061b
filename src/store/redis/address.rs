//! From the configured address to what the Redis client connects with.

use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
};

use crate::config::RedisAddress;

/// Why an address cannot be connected to. Never shows the address: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not in any form that is known.
    #[error(
        "not the address of a Redis server; expected redis://[user:password@]host[:port][/database], \
         rediss://... for TLS, or unix:///path/to/socket"
    )]
    Unreadable,
    /// A form of which this version knows, but which it cannot connect to.
    #[error("{0}:// is not supported by this version; use redis://, rediss:// or unix://")]
    Unsupported(&'static str),
}

/// The forms that are planned, refused by name: as an unknown scheme they would puzzle.
const PLANNED: [&str; 4] = [
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
];

pub(super) fn resolve(address: &RedisAddress) -> Result<ConnectionInfo, AddressError> {
    let info = match address {
        RedisAddress::Url(url) => from_url(url.reveal())?,
        // From its parts: a token may hold characters that mean something in a URL.
        RedisAddress::Upstash { host, port, token } => ConnectionAddr::TcpTls {
            host: host.clone(),
            port: *port,
            insecure: false,
            tls_params: None,
        }
        .into_connection_info()
        .map_err(|_| AddressError::Unreadable)?
        .set_redis_settings(
            RedisConnectionInfo::default()
                .set_username("default")
                .set_password(token.reveal()),
        ),
    };
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn from_url(url: &str) -> Result<ConnectionInfo, AddressError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if let Some(planned) = PLANNED.into_iter().find(|planned| scheme == Some(*planned)) {
        return Err(AddressError::Unsupported(planned));
    }
    url.into_connection_info()
        .map_err(|_| AddressError::Unreadable)
}
