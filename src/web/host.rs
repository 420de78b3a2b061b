//! Which hosts are ours.

use std::net::IpAddr;

use rocket::Request;

use super::refusal::Refusal;
use crate::config::is_loopback;

/// Which hosts a request may be meant for, managed by Rocket.
///
/// A page of a name whose owner lets it resolve to 127.0.0.1 reads and sends what it likes here (DNS rebinding): to the
/// browser, and by every header that it sends, page and server are one site. But its name is in `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    Any,
    /// `localhost` and names below it, which nobody can own (RFC 6761, 6.3), 127.0.0.0/8 and `[::1]`.
    Loopback,
}

impl Hosts {
    /// For a server that listens on this address and is known by no other name.
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else {
            Self::Any
        }
    }

    /// A request without `Host` is no browser's, and passes.
    pub(super) fn check(request: &Request<'_>) -> Result<(), Refusal> {
        if request.rocket().state::<Self>() != Some(&Self::Loopback) {
            return Ok(());
        }
        let mut hosts = request.headers().get("Host");
        if hosts.all(|host| is_loopback(&without_port(host).to_ascii_lowercase())) {
            Ok(())
        } else {
            Err(Refusal::WrongHost)
        }
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
