//! The host that a request is meant for.

use std::borrow::Cow;
use std::net::IpAddr;

use rocket::Request;

use super::header::header_values;
use crate::config::is_loopback;

/// Which hosts a request may be meant for.
///
/// Against DNS rebinding: to a browser, a page whose name resolves to 127.0.0.1 has the same origin as this server. Of the
/// headers that the browser sends, only `Host` shows the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    Any,
    /// `localhost` and names below it, which cannot be registered (RFC 6761, 6.3), 127.0.0.0/8 and `[::1]`.
    Loopback,
}

impl Hosts {
    /// For a server that listens on this address and is known by no other name.
    pub(crate) fn new(address: IpAddr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else {
            Self::Any
        }
    }

    /// A request without `Host` does not come from a browser, and is allowed.
    pub(crate) fn allow(self, request: &Request<'_>) -> bool {
        self == Self::Any
            || match RequestedHost::of(request) {
                RequestedHost::Absent => true,
                RequestedHost::One(host) => is_loopback(&without_port(&host).to_ascii_lowercase()),
                RequestedHost::Several => false,
            }
    }
}

/// The `Host` header of a request.
pub(crate) enum RequestedHost<'r> {
    Absent,
    One(Cow<'r, str>),
    Several,
}

impl<'r> RequestedHost<'r> {
    pub(crate) fn of(request: &'r Request<'_>) -> Self {
        let mut headers = header_values(request, "Host");
        match (headers.next(), headers.next()) {
            (Some(host), None) => Self::One(host.into()),
            (Some(_), Some(_)) => Self::Several,
            // HTTP/2 has `:authority` instead, which Rocket does not count among the headers.
            (None, _) => request.host().map_or(Self::Absent, |authority| {
                Self::One(authority.to_string().into())
            }),
        }
    }
}

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
