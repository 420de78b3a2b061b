//! Which hosts are ours.

use std::borrow::Cow;
use std::net::IpAddr;

use rocket::Request;

use crate::config::is_loopback;
use crate::web::answers::refusal::Refusal;

/// Which hosts a request may be meant for, managed by Rocket.
///
/// A page of a name whose owner lets it resolve to 127.0.0.1 reads and sends what it likes here (DNS rebinding): to the
/// browser, and by every header that it sends, page and server are one site. But its name is in `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Hosts {
    Any,
    /// `localhost` and names below it, which nobody can own (RFC 6761, 6.3), 127.0.0.0/8 and `[::1]`.
    Loopback,
}

impl Hosts {
    /// For a server that listens on this address and is known by no other name.
    pub(in crate::web) fn of(address: IpAddr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else {
            Self::Any
        }
    }

    /// A request without `Host` is no browser's, and passes.
    pub(in crate::web) fn check(request: &Request<'_>) -> Result<(), Refusal> {
        if request.rocket().state::<Self>() != Some(&Self::Loopback) {
            return Ok(());
        }
        let is_ours = |host: &str| is_loopback(&without_port(host).to_ascii_lowercase());
        let refused = match named(request) {
            Named::Nothing => false,
            Named::One(host) => !is_ours(&host),
            Named::Several => true,
        };
        if refused {
            return Err(Refusal::WrongHost);
        }
        Ok(())
    }
}

/// What a request says of the host that it is meant for.
pub(in crate::web) enum Named<'r> {
    Nothing,
    One(Cow<'r, str>),
    Several,
}

/// In HTTP/2 it stands in no header, but in `:authority`, which Rocket keeps apart.
pub(in crate::web) fn named<'r>(request: &'r Request<'_>) -> Named<'r> {
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
