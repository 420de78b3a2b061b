//! The way to Redis: who could listen or come along it.

use crate::cli::doctor::finding::{Finding, note, ok, warning};
use crate::store::redis::{By, Endpoint, Tls};

pub(super) fn judge(endpoint: &Endpoint) -> Vec<Finding> {
    const SUBJECT: &str = "way to Redis";
    let mut findings = Vec::new();
    match endpoint.tls {
        Tls::Verified => findings.push(ok(SUBJECT, "TLS, and the server's certificate is checked.")),
        Tls::Unverified => findings.push(warning(
            SUBJECT,
            "Anybody's certificate is taken (`#insecure` in the address), so somebody on the way can read and change sessions.",
            "Take `#insecure` away, and name your authority in `redis_ca_file`.",
        )),
        Tls::None if endpoint.local => findings.push(ok(SUBJECT, "Does not leave this machine.")),
        Tls::None => findings.push(warning(
            SUBJECT,
            "Whoever listens on the way can take every session: the connection leaves this machine without TLS.",
            "Use `rediss://` (`rediss-cluster://`, `rediss-sentinel://`).",
        )),
    }
    if !endpoint.password && !endpoint.local {
        findings.push(warning(
            SUBJECT,
            "Whoever reaches Redis can read and end every session: the address has no password.",
            "Give Redis a user for Innkeeper, and put user and password in the address.",
        ));
    }
    if let (By::Cluster | By::Sentinels, 1) = (endpoint.by, endpoint.addresses.len()) {
        findings.push(note(
            SUBJECT,
            "The address names one node: while that one is away, an instance that starts or has lost the cluster does not find the others. Name some with `&node=`.",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn the_way_to_redis_is_safe_or_short() {
        let way = |local, tls, password| {
            let findings = judge(&Endpoint {
                by: By::Server,
                addresses: vec!["redis:6379".to_owned()],
                local,
                tls,
                password,
                user: "innkeeper".to_owned(),
            });
            findings.iter().map(|one| one.level).collect::<Vec<_>>()
        };
        assert_eq!(way(true, Tls::None, false), [Level::Ok]);
        assert_eq!(way(false, Tls::Verified, true), [Level::Ok]);
        assert_eq!(way(false, Tls::None, true), [Level::Warning]);
        assert_eq!(
            way(false, Tls::Verified, false),
            [Level::Ok, Level::Warning]
        );
        assert_eq!(
            way(false, Tls::None, false),
            [Level::Warning, Level::Warning]
        );
        assert_eq!(way(true, Tls::Unverified, true), [Level::Warning]);
    }
}
