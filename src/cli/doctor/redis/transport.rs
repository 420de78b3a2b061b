//! Checks whether others on the network can read or change what the connection to Redis carries.

use crate::cli::doctor::finding::{Finding, note, ok, warning};
use crate::store::redis::{Endpoint, ServerKind, Tls};

pub(super) fn check(endpoint: &Endpoint) -> Vec<Finding> {
    const SUBJECT: &str = "transport";
    let mut findings = Vec::new();
    match endpoint.tls {
        Tls::Verified => findings.push(ok(SUBJECT, "Redis is reached by TLS, and its certificate is checked.")),
        Tls::Unverified => findings.push(warning(
            SUBJECT,
            "Any certificate is accepted (`#insecure` in the address): an attacker on the network can read and change sessions.",
            "Remove `#insecure`, and name your certificate authority in `redis_ca_file`.",
        )),
        Tls::None if endpoint.local => findings.push(ok(SUBJECT, "The connection to Redis does not leave this machine.")),
        Tls::None => findings.push(warning(
            SUBJECT,
            "The connection to Redis leaves this machine without TLS: anybody on the network can steal every session.",
            "Use `rediss://` (`rediss-cluster://`, `rediss-sentinel://`).",
        )),
    }
    if !endpoint.password && !endpoint.local {
        findings.push(warning(
            SUBJECT,
            "The address has no password: anybody who reaches Redis can read and end every session.",
            "Give Redis a user for Innkeeper, and put user and password in the address.",
        ));
    }
    if let (ServerKind::Cluster | ServerKind::Sentinels, 1) =
        (endpoint.kind, endpoint.addresses.len())
    {
        findings.push(note(
            SUBJECT,
            "The address names one node: while that one is down, an instance that starts or has lost the cluster cannot find the others. Name more with `&node=`.",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn the_connection_is_safe_or_local() {
        let levels = |local, tls, password| {
            let findings = check(&Endpoint {
                kind: ServerKind::Server,
                addresses: vec!["redis:6379".to_owned()],
                local,
                tls,
                password,
                user: "innkeeper".to_owned(),
            });
            findings.iter().map(|one| one.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(true, Tls::None, false), [Level::Ok]);
        assert_eq!(levels(false, Tls::Verified, true), [Level::Ok]);
        assert_eq!(levels(false, Tls::None, true), [Level::Warning]);
        assert_eq!(
            levels(false, Tls::Verified, false),
            [Level::Ok, Level::Warning]
        );
        assert_eq!(
            levels(false, Tls::None, false),
            [Level::Warning, Level::Warning]
        );
        assert_eq!(levels(true, Tls::Unverified, true), [Level::Warning]);
    }
}
