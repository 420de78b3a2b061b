//! Which hosts are this machine itself.

use std::net::IpAddr;

/// Whether a host's name or address, as it is written in a URL, never leaves this machine.
///
/// Other names are not resolved: the answer of DNS may change.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "inn.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "redis",
            "localhost.example",
            "10.0.0.1",
            "0.0.0.0",
            "::",
            "notlocalhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
