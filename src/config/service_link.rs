//! The variables by which Kubernetes tells a pod of a service called `innkeeper`.

use std::net::IpAddr;

/// Whether a variable, named without `INNKEEPER_`, is one of them: the format of Docker's container links, documented
/// as "Discovering services" for Kubernetes. A value of another form is a setting that somebody meant.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    match name.split('_').collect::<Vec<_>>().as_slice() {
        ["SERVICE", "HOST"] => is_ip(value),
        ["SERVICE", "PORT", ..] => is_port(value),
        ["PORT"] => is_address(value),
        ["PORT", port, protocol, rest @ ..] if is_port(port) && is_protocol(protocol) => match rest
        {
            [] => is_address(value),
            ["PROTO"] => is_protocol(value),
            ["PORT"] => is_port(value),
            ["ADDR"] => is_ip(value),
            _ => false,
        },
        _ => false,
    }
}

fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn is_protocol(text: &str) -> bool {
    ["tcp", "udp", "sctp"]
        .iter()
        .any(|known| text.eq_ignore_ascii_case(known))
}

/// Such as `tcp://10.0.0.11:8000`, or `tcp://[fd00::1]:8000`.
fn is_address(text: &str) -> bool {
    text.split_once("://")
        .filter(|(protocol, _)| is_protocol(protocol))
        .and_then(|(_, place)| place.rsplit_once(':'))
        .is_some_and(|(host, port)| {
            is_ip(host.trim_start_matches('[').trim_end_matches(']')) && is_port(port)
        })
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn only_what_kubernetes_writes_is_a_link() {
        for (name, value) in [
            ("SERVICE_HOST", "10.0.0.11"),
            ("SERVICE_HOST", "fd00::1"),
            ("SERVICE_PORT", "8000"),
            ("SERVICE_PORT_HTTP", "8000"),
            ("SERVICE_PORT_WEB_METRICS", "9100"),
            ("PORT", "tcp://10.0.0.11:8000"),
            ("PORT_8000_TCP", "tcp://10.0.0.11:8000"),
            ("PORT_8000_TCP", "tcp://[fd00::1]:8000"),
            ("PORT_8000_TCP_PROTO", "tcp"),
            ("PORT_8000_TCP_PORT", "8000"),
            ("PORT_53_UDP_ADDR", "10.0.0.11"),
        ] {
            assert!(is_service_link(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("PORT", "8001"),
            ("PORT_8000_TCP", "8000"),
            ("PORT_HTTP", "8000"),
            ("SERVICE_HOST", "inn.example"),
            ("SERVICE_PORT", "tcp://10.0.0.11:8000"),
            ("SERVICE_NAME", "innkeeper"),
            ("REDIS_SERVICE_HOST", "10.0.0.11"),
            ("REDIS_URL", "tcp://10.0.0.11:8000"),
            ("service_host", "10.0.0.11"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }
}
