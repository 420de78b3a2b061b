//! The settings in the environment.

use std::env;
use std::net::IpAddr;

use rocket::figment::value::Value;

use crate::config::error::{ConfigError, nearest};
use crate::config::settings::Settings;
use crate::config::sources::origin::Origin;

const PREFIX: &str = "INNKEEPER_";

/// The names that the tutorial and most Redis tools use, read as if they began with our prefix.
const UNPREFIXED: [&str; 5] = [
    "REDIS_URL",
    "REDIS_URL_FILE",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "UPSTASH_REDIS_REST_TOKEN_FILE",
];

const ANOTHERS: &str = " If it is another program's, start Innkeeper without it";

/// The values by key; variables with our prefix come last, so that they win.
pub(crate) fn variables() -> Result<Vec<(String, Value, Origin)>, ConfigError> {
    let (mut found, mut prefixed) = (Vec::new(), Vec::new());
    for (name, text) in env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        let (variables, key) = match name.strip_prefix(PREFIX) {
            Some(key) if is_service_link(key, &text.to_string_lossy()) => continue,
            Some(key) => (&mut prefixed, key),
            None if UNPREFIXED.contains(&name.as_str()) => (&mut found, name.as_str()),
            None => {
                check_prefix(&name)?;
                continue;
            }
        };
        let key = key.to_ascii_lowercase();
        let text = text
            .into_string()
            .map_err(|_| ConfigError(format!("`{name}` in the environment is not UTF-8")))?;
        variables.push((key, Value::from(text), Origin::Environment(name)));
    }
    found.append(&mut prefixed);
    Ok(found)
}

/// Refuses a variable whose prefix is misspelt, or not in capitals.
fn check_prefix(name: &str) -> Result<(), ConfigError> {
    for (at, _) in name.char_indices() {
        let (prefix, key) = name.split_at(at);
        if nearest(prefix, &[PREFIX]).is_some()
            && let Some(key) = nearest(key, Settings::keys())
        {
            let meant = format!("{PREFIX}{}", key.to_ascii_uppercase());
            return Err(misspelt(name, &meant, ""));
        }
    }
    let prefix = name.get(..PREFIX.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX)) {
        return Err(ConfigError(format!(
            "`{name}` in the environment or .env is not a setting; those begin with `{PREFIX}`, in capitals.{ANOTHERS}"
        )));
    }
    Ok(())
}

/// Refuses a variable that is nearly one of [`UNPREFIXED`]. Call it where no Redis is set: the embedded store would
/// start in its place.
///
/// `REDIS_HOST` and the like are other programs' variables, or those of a service `redis` in Kubernetes.
pub(crate) fn check_redis_names() -> Result<(), ConfigError> {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if let Some(known) = nearest(&name, &UNPREFIXED).filter(|known| *known != name) {
            return Err(misspelt(&name, known, ANOTHERS));
        }
    }
    Ok(())
}

fn misspelt(name: &str, meant: &str, hint: &str) -> ConfigError {
    ConfigError(format!(
        "`{name}` in the environment or .env is not a setting; did you mean `{meant}`?{hint}"
    ))
}

/// Whether a variable (`name` is without `INNKEEPER_`) is one that Kubernetes sets for a service called `innkeeper`, in
/// the format of Docker's container links: "Discovering services" in its documentation. With a value of another form
/// the variable is taken for a setting.
fn is_service_link(name: &str, value: &str) -> bool {
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
        .and_then(|(_, authority)| authority.rsplit_once(':'))
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
            ("SERVICE_PORT_FILE", "8000"),
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
            ("REDIS_URL_FILE", "/run/secrets/redis_url"),
            ("service_host", "10.0.0.11"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }
}
