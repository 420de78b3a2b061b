//! Loopback hosts.

use std::net::IpAddr;

/// Whether a host, as it is written in a URL, is this machine. Other names are not resolved: DNS may change its answer.
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
