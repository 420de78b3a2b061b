//! The configured address as the operator may see it.

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo};

use crate::config::{RedisAddress, is_loopback};
use crate::store::redis::connection::address::{AddressError, Topology, resolve};

/// The parts of the configured address, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) kind: ServerKind,
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
    /// Parses the address, without any look-up in DNS.
    pub(crate) fn resolve(address: &RedisAddress) -> Result<Self, AddressError> {
        Ok(match resolve(address)? {
            Topology::Standalone(info) => {
                Self::new(ServerKind::Server, &[info.addr()], &[info.redis_settings()])
            }
            Topology::Cluster(nodes) => {
                let addresses: Vec<_> = nodes.iter().map(ConnectionInfo::addr).collect();
                let users: Vec<_> = nodes.iter().map(ConnectionInfo::redis_settings).collect();
                Self::new(ServerKind::Cluster, &addresses, &users)
            }
            Topology::Sentinel(sentinels) => {
                let addresses: Vec<_> = sentinels.addresses.iter().collect();
                Self::new(ServerKind::Sentinels, &addresses, &[&sentinels.primary])
            }
        })
    }

    fn new(
        kind: ServerKind,
        addresses: &[&ConnectionAddr],
        users: &[&RedisConnectionInfo],
    ) -> Self {
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
            kind,
            addresses: addresses
                .iter()
                .map(|address| format_address(address))
                .collect(),
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

    /// Kind and addresses, for a sentence.
    pub(crate) fn describe(&self) -> String {
        let kind = match self.kind {
            ServerKind::Server => "Redis",
            ServerKind::Cluster => "the Redis cluster",
            ServerKind::Sentinels => "the primary of the Sentinels",
        };
        format!("{kind} at {}", self.addresses.join(", "))
    }
}

/// The kind of server at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerKind {
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

/// Host and port, an IPv6 address in brackets.
fn format_address(address: &ConnectionAddr) -> String {
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
        // Kind, addresses, whether they are on this machine, TLS, whether there is a password, the user.
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
            let (kind, local, tls, password) = (read.kind, read.local, read.tls, read.password);
            let row = format!(
                "{kind:?} {addresses} {local} {tls:?} {password} {}",
                read.user
            );
            let expected: Vec<_> = words.by_ref().take(6).collect();
            assert_eq!(row, expected.join(" "), "{url}");
        }
    }
}
