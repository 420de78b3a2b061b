//! The host that a request is meant for.

use std::borrow::Cow;
use std::net::IpAddr;

use rocket::Request;

use crate::config::is_loopback;

/// Which hosts a request may be meant for.
///
/// Against DNS rebinding: a page under a name that resolves to 127.0.0.1 is of one site with this server, to the browser
/// and by every header that it sends. But its name is in `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    Any,
    /// `localhost` and names below it, which cannot be registered (RFC 6761, 6.3), 127.0.0.0/8 and `[::1]`.
    Loopback,
}

impl Hosts {
    /// For a server that listens on this address and is known by no other name.
    pub(crate) fn reached_at(address: IpAddr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else {
            Self::Any
        }
    }

    /// A request without `Host` is no browser's, and passes.
    pub(crate) fn include(self, request: &Request<'_>) -> bool {
        let is_ours = |host: &str| is_loopback(&without_port(host).to_ascii_lowercase());
        self == Self::Any
            || match named(request) {
                Named::Nothing => true,
                Named::One(host) => is_ours(&host),
                Named::Several => false,
            }
    }
}

/// What a request says of the host that it is meant for.
pub(crate) enum Named<'r> {
    Nothing,
    One(Cow<'r, str>),
    Several,
}

/// In HTTP/2 it stands in no header, but in `:authority`, which Rocket keeps apart.
pub(crate) fn named<'r>(request: &'r Request<'_>) -> Named<'r> {
    let mut headers = request.headers().get("Host");
    match (headers.next(), headers.next()) {
        (Some(host), None) => Named::One(host.into()),
        (Some(_), Some(_)) => Named::Several,
        (None, _) => match request.host() {
            Some(authority) => Named::One(authority.to_string().into()),
            None => Named::Nothing,
        },
    }
}

/// The name or address in a `Host`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of an address in brackets stands inside them.
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_no_part_of_the_name() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:8000", "localhost"),
            ("127.0.0.1:", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:8000", "[::1]"),
            ("evil.example:127.0.0.1", "evil.example:127.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
