//! Parses the configured address into the settings of the Redis client library.

pub(crate) mod ca;
pub(crate) mod client_certificate;
pub(crate) mod endpoint;

use deadpool_redis::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates,
};
use url::Url;

use crate::config::RedisAddress;

/// Why the settings of the connection cannot be used. Never shows the address: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not in a known form.
    #[error(
        "not the address of a Redis server; expected redis://[user:password@]host[:port][/database], \
         rediss://... for TLS, unix:///path/to/socket, redis-cluster://host:port?node=host2:port2 or \
         redis-sentinel://host:port?node=host2:port2&sentinelServiceName=NAME (rediss-cluster, rediss-sentinel for TLS)"
    )]
    Unreadable,
    /// A Sentinel watches several primaries, and must be asked for one by name.
    #[error(
        "the address of a Sentinel needs `?sentinelServiceName=NAME`, the name of the primary that it watches"
    )]
    ServiceMissing,
    /// An unknown parameter behind `?`.
    #[error(
        "something behind the `?` of the address is not known; there are node for a cluster and Sentinels, \
         sentinelServiceName, sentinelUsername and sentinelPassword for Sentinels, and user, pass and db for a socket"
    )]
    Parameter,
    /// A user name or password with a character that must be percent-encoded.
    #[error(
        "a user name or password in the address needs its special characters percent-encoded: @ as %40, / as %2F, \
         # as %23, ? as %3F, % as %25"
    )]
    Unescaped,
    /// A user or password of one node only.
    #[error(
        "`node=` in the address takes a host and a port; user and password stand before the first host, and are used at \
         all nodes"
    )]
    Node,
    /// A cluster has database 0 only.
    #[error("a cluster has one database, without a number in the address")]
    Database,
    /// The file with the additional certificate authorities.
    #[error("the file with certificate authorities cannot be used: {0}")]
    CaFile(String),
    /// The file with the client's certificate.
    #[error("the client certificate cannot be used: {0}")]
    ClientCertificate(String),
    /// The file with the client's key.
    #[error("the client certificate's key cannot be used: {0}")]
    ClientKey(String),
}

pub(crate) enum Topology {
    Standalone(ConnectionInfo),
    /// A cluster, by some of its nodes.
    Cluster(Vec<ConnectionInfo>),
    /// A primary that Sentinels name.
    Sentinel(Sentinels),
}

pub(crate) struct Sentinels {
    pub(crate) addresses: Vec<ConnectionAddr>,
    /// The name of the primary that they watch.
    pub(crate) service: String,
    pub(crate) tls: bool,
    /// The certificate authorities to trust, where TLS is used.
    pub(crate) ca: Option<TlsCertificates>,
    /// The user, password and database on the primary.
    pub(crate) primary: RedisConnectionInfo,
    /// The user and password on the Sentinels themselves.
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl Topology {
    pub(crate) fn is_tls(&self) -> bool {
        match self {
            Self::Standalone(info) => is_tls(info),
            Self::Cluster(nodes) => nodes.iter().any(is_tls),
            Self::Sentinel(sentinels) => sentinels.tls,
        }
    }

    /// The same, with only these certificate authorities trusted.
    pub(crate) fn with_ca(self, ca: &TlsCertificates) -> Result<Self, AddressError> {
        Ok(match self {
            Self::Standalone(info) => Self::Standalone(with_ca(info, ca)?),
            Self::Cluster(nodes) => {
                let nodes = nodes.into_iter().map(|node| with_ca(node, ca));
                Self::Cluster(nodes.collect::<Result<_, _>>()?)
            }
            Self::Sentinel(sentinels) => Self::Sentinel(Sentinels {
                ca: Some(ca.clone()),
                ..sentinels
            }),
        })
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn with_ca(info: ConnectionInfo, ca: &TlsCertificates) -> Result<ConnectionInfo, AddressError> {
    let client = Client::build_with_tls(info, ca.clone())
        .map_err(|error| AddressError::CaFile(error.to_string()))?;
    Ok(client.get_connection_info().clone())
}

/// Parses the address, without any look-up in DNS.
pub(crate) fn resolve(address: &RedisAddress) -> Result<Topology, AddressError> {
    Ok(Topology::Standalone(match address {
        RedisAddress::Url(url) => {
            refuse_unescaped(url.reveal())?;
            if let Some(topology) = multi_node(url.reveal())? {
                return Ok(topology);
            }
            let info = url.reveal().into_connection_info();
            let info = info.map_err(|_| AddressError::Unreadable)?;
            refuse_unknown_parameters(url.reveal())?;
            info
        }
        // Not by way of a URL, where some characters of a token would have a meaning.
        RedisAddress::Upstash { host, port, token } => {
            let user = RedisConnectionInfo::default()
                .set_username("default")
                .set_password(token.reveal());
            with_user(tcp(host.clone(), *port, true), user)?
        }
    }))
}

/// A `/`, `?` or `#` in a password ends the URL's authority, so the part of the password before it would be taken for
/// host and port, and be shown. An `@` after the authority is the sign of that.
fn refuse_unescaped(url: &str) -> Result<(), AddressError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(());
    };
    // A socket's path may contain an `@`.
    if scheme.ends_with("unix") {
        return Ok(());
    }
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (_, rest) = rest.split_at(authority_end);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.contains('@') {
        return Err(AddressError::Unescaped);
    }
    for pair in query.split('&').filter(|pair| pair.contains('@')) {
        match pair.split_once('=') {
            Some(("sentinelUsername" | "sentinelPassword", value)) if !value.contains('#') => {}
            Some(("node", _)) => return Err(AddressError::Node),
            _ => return Err(AddressError::Unescaped),
        }
    }
    Ok(())
}

/// The client library ignores parameters that it does not know.
fn refuse_unknown_parameters(url: &str) -> Result<(), AddressError> {
    let url = Url::parse(url).map_err(|_| AddressError::Unreadable)?;
    let is_socket = url.scheme().ends_with("unix");
    let is_known = |name: &str| match name {
        "protocol" => true,
        "user" | "pass" | "db" => is_socket,
        _ => false,
    };
    if url.query_pairs().all(|(name, _)| is_known(&name)) {
        Ok(())
    } else {
        Err(AddressError::Parameter)
    }
}

fn tcp(host: String, port: u16, tls: bool) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn with_user(
    address: ConnectionAddr,
    user: RedisConnectionInfo,
) -> Result<ConnectionInfo, AddressError> {
    let info = address
        .into_connection_info()
        .map_err(|_| AddressError::Unreadable)?;
    Ok(info.set_redis_settings(user))
}

/// Parses the address of a cluster or of Sentinels, with the parameters that other clients use too; `None` for one
/// server's.
fn multi_node(url: &str) -> Result<Option<Topology>, AddressError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(None);
    };
    let (is_sentinel, tls) = match scheme {
        "redis-cluster" => (false, false),
        "rediss-cluster" => (false, true),
        "redis-sentinel" => (true, false),
        "rediss-sentinel" => (true, true),
        _ => return Ok(None),
    };
    let default_port = if is_sentinel { 26379 } else { 6379 };
    // The client library parses user, password and database, as if the first server were the only one.
    let first = format!("redis://{rest}");
    let (without_query, _) = first.split_once('?').unwrap_or((&first, ""));
    let primary = without_query
        .into_connection_info()
        .map_err(|_| AddressError::Unreadable)?
        .redis_settings()
        .clone();
    let mut addresses = vec![host_and_port(&first, default_port, tls)?];
    let (mut service, mut user, mut password) = (None, None, None);
    let parsed = Url::parse(&first).map_err(|_| AddressError::Unreadable)?;
    for (name, value) in parsed.query_pairs() {
        let value = value.into_owned();
        match name.as_ref() {
            "node" if value.contains(['@', '/', '?', '#']) => return Err(AddressError::Node),
            "node" => {
                let node = format!("redis://{value}");
                addresses.push(host_and_port(&node, default_port, tls)?);
            }
            "sentinelServiceName" if is_sentinel => service = Some(value),
            "sentinelUsername" if is_sentinel => user = Some(value),
            "sentinelPassword" if is_sentinel => password = Some(value),
            // The name is not shown: it may be the rest of a password.
            _ => return Err(AddressError::Parameter),
        }
    }
    if is_sentinel {
        return Ok(Some(Topology::Sentinel(Sentinels {
            addresses,
            service: service.ok_or(AddressError::ServiceMissing)?,
            tls,
            ca: None,
            primary,
            user,
            password,
        })));
    }
    if primary.db() != 0 {
        return Err(AddressError::Database);
    }
    let nodes = addresses.into_iter();
    let nodes = nodes.map(|address| with_user(address, primary.clone()));
    Ok(Some(Topology::Cluster(nodes.collect::<Result<_, _>>()?)))
}

fn host_and_port(url: &str, default_port: u16, tls: bool) -> Result<ConnectionAddr, AddressError> {
    let url = Url::parse(url).map_err(|_| AddressError::Unreadable)?;
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(AddressError::Unreadable)?;
    // The client library expects an IPv6 address without brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port().unwrap_or(default_port);
    Ok(tcp(host.to_owned(), port, tls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn topology(url: &str) -> Result<Topology, AddressError> {
        resolve(&RedisAddress::Url(Secret::new(url)))
    }

    #[test]
    fn a_cluster_is_known_by_some_of_its_nodes() {
        let url = "rediss-cluster://ada:p%40ss@one.example:7001?node=two.example:7002&node=[::1]";
        let Ok(Topology::Cluster(nodes)) = topology(url) else {
            unreachable!("a cluster")
        };
        let addresses: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(
            addresses,
            ["one.example:7001", "two.example:7002", "::1:6379"]
        );
        for node in &nodes {
            assert!(matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
            assert_eq!(node.redis_settings().username(), Some("ada"));
            assert_eq!(node.redis_settings().password(), Some("p@ss"));
        }
    }

    #[test]
    fn a_sentinel_is_asked_for_a_primary_by_name() {
        let url = "redis-sentinel://:secret@one.example?node=two.example:26380\
                   &sentinelServiceName=mymaster&sentinelUsername=s&sentinelPassword=t";
        let Ok(Topology::Sentinel(sentinels)) = topology(url) else {
            unreachable!("sentinels")
        };
        let addresses: Vec<_> = sentinels
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["one.example:26379", "two.example:26380"]);
        assert_eq!(sentinels.service, "mymaster");
        assert_eq!(sentinels.primary.password(), Some("secret"));
        assert_eq!(sentinels.user.as_deref(), Some("s"));
        assert_eq!(sentinels.password.as_deref(), Some("t"));
        assert!(!sentinels.tls);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (url, error) in [
            ("http://example", AddressError::Unreadable),
            ("redis-cluster://", AddressError::Unreadable),
            ("redis-cluster://a?node=", AddressError::Unreadable),
            ("redis-sentinel://a", AddressError::ServiceMissing),
            ("redis-cluster://a?nodes=b", AddressError::Parameter),
            ("redis-cluster://a/1", AddressError::Database),
            ("redis://a?x=1", AddressError::Parameter),
            ("redis://a/0?db=1", AddressError::Parameter),
            ("unix:///a?password=b", AddressError::Parameter),
            ("redis-cluster://a?node=u:p@b", AddressError::Node),
            ("redis-cluster://u:p@a?node=u:p%40b:1", AddressError::Node),
            ("redis-sentinel://a?node=b/1", AddressError::Node),
        ] {
            assert_eq!(topology(url).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_taken_for_a_host() {
        for password in [
            "p/w", "12/w", "p?w", "12?w", "p#w", "12#w", "a@b/c", "a@b?c", "a@b#c", "1?x=y",
        ] {
            for url in [
                format!("redis://{password}@host:6379"),
                format!("redis://user:{password}@host"),
                format!("rediss://:{password}@host/1"),
                format!("redis-cluster://user:{password}@host?node=other"),
                format!("redis-sentinel://user:{password}@host?sentinelServiceName=m"),
            ] {
                assert_eq!(topology(&url).err(), Some(AddressError::Unescaped), "{url}");
            }
        }
        // The last @ counts, and an encoded one is none.
        for url in ["redis://u:p@w@host:6379", "redis://u:p%40w@host:6379"] {
            let Ok(Topology::Standalone(info)) = topology(url) else {
                unreachable!("{url}")
            };
            assert_eq!(info.addr().to_string(), "host:6379");
            assert_eq!(info.redis_settings().password(), Some("p@w"));
        }
        let url = "redis-sentinel://a?sentinelServiceName=m&sentinelPassword=p@w";
        assert!(matches!(topology(url), Ok(Topology::Sentinel(_))));
        assert!(topology("unix:///run/a@b.sock?pass=p@w").is_ok());
    }
}
