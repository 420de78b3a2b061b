//! Where a server is, for the operator.

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo};

use crate::config::{RedisAddress, is_loopback};
use crate::store::redis::connection::address::{AddressError, Topology, resolve};

/// What the configured address says, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) by: By,
    /// Hosts and ports, or the path of a socket.
    pub(crate) addresses: Vec<String>,
    /// Whether all of them are on this machine.
    pub(crate) local: bool,
    pub(crate) tls: Tls,
    /// Whether the address has a password for the server that holds the sessions.
    pub(crate) password: bool,
    /// The user on the server that holds the sessions.
    pub(crate) user: String,
}

impl Endpoint {
    /// Reads the address, and looks nothing up.
    pub(crate) fn resolve(address: &RedisAddress) -> Result<Self, AddressError> {
        Ok(match resolve(address)? {
            Topology::Standalone(info) => {
                Self::new(By::Server, &[info.addr()], &[info.redis_settings()])
            }
            Topology::Cluster(nodes) => {
                let addresses: Vec<_> = nodes.iter().map(ConnectionInfo::addr).collect();
                let users: Vec<_> = nodes.iter().map(ConnectionInfo::redis_settings).collect();
                Self::new(By::Cluster, &addresses, &users)
            }
            Topology::Sentinel(sentinels) => {
                let addresses: Vec<_> = sentinels.addresses.iter().collect();
                Self::new(By::Sentinels, &addresses, &[&sentinels.primary])
            }
        })
    }

    fn new(by: By, addresses: &[&ConnectionAddr], users: &[&RedisConnectionInfo]) -> Self {
        let local = |address: &&ConnectionAddr| {
            if let ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } = address {
                is_loopback(host)
            } else {
                true
            }
        };
        let tls = match addresses.first() {
            Some(ConnectionAddr::TcpTls { insecure: true, .. }) => Tls::Unverified,
            Some(ConnectionAddr::TcpTls { .. }) => Tls::Verified,
            _ => Tls::None,
        };
        Self {
            by,
            addresses: addresses.iter().map(|address| named(address)).collect(),
            local: addresses.iter().all(local),
            tls,
            password: users.iter().all(|user| user.password().is_some()),
            user: users
                .first()
                .and_then(|user| user.username())
                .unwrap_or("default")
                .to_owned(),
        }
    }

    /// For a sentence: the kind of server, and its addresses.
    pub(crate) fn told(&self) -> String {
        let what = match self.by {
            By::Server => "Redis",
            By::Cluster => "the Redis cluster",
            By::Sentinels => "the primary of the Sentinels",
        };
        format!("{what} at {}", self.addresses.join(", "))
    }
}

/// The kind of server at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Server,
    Cluster,
    Sentinels,
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    None,
    /// `#insecure`: any certificate is accepted.
    Unverified,
    Verified,
}

/// An IPv6 address stands in brackets.
fn named(address: &ConnectionAddr) -> String {
    if let ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } = address
        && host.contains(':')
    {
        return format!("[{host}]:{port}");
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn an_address_tells_how_safe_the_transport_is() {
        // By whom, where, whether it is on this machine, TLS, whether there is a password, the user.
        let table = "
            redis://127.0.0.1             Server 127.0.0.1:6379     true  None       false default
            redis://u:s@redis:1           Server redis:1            false None       true  u
            rediss://:s@r.example         Server r.example:6379     false Verified   true  default
            rediss://r.example/#insecure  Server r.example:6379     false Unverified false default
            redis://[::1]:7               Server [::1]:7            true  None       false default
            unix:///run/redis.sock        Server /run/redis.sock    true  None       false default
            redis-cluster://:s@localhost?node=b
                                          Cluster localhost:6379,b:6379 false None   true  default
            rediss-sentinel://a?sentinelServiceName=m&sentinelPassword=s
                                          Sentinels a:26379         false Verified   false default";
        let mut words = table.split_whitespace();
        while let Some(url) = words.next() {
            let read = Endpoint::resolve(&RedisAddress::Url(Secret::new(url))).unwrap();
            let addresses = read.addresses.join(",");
            let (by, local, tls, password) = (read.by, read.local, read.tls, read.password);
            let row = format!(
                "{by:?} {addresses} {local} {tls:?} {password} {}",
                read.user
            );
            let expected: Vec<_> = words.by_ref().take(6).collect();
            assert_eq!(row, expected.join(" "), "{url}");
        }
    }
}
