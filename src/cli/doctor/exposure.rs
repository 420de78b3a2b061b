//! The settings that decide who can do what from where.

use std::fs;
use std::net::IpAddr;

use crate::cli::doctor::finding::{Finding, note, ok, warning};
use crate::config::{Config, PublicUrl};

/// What the settings and this process's limits say.
#[derive(Debug)]
pub(super) struct Site<'a> {
    address: IpAddr,
    public_url: Option<&'a PublicUrl>,
    open_to_the_world: bool,
    /// Whether Rocket's `ip_header` is set.
    named_ip_header: bool,
    /// How many files a process may open; `None` where the system does not tell, or has no limit.
    files: Option<u64>,
}

/// Each connection is a file, and a browser opens several.
const FEW_FILES: u64 = 4096;

impl<'a> Site<'a> {
    pub(super) fn of(config: &'a Config, rocket: &rocket::Config) -> Self {
        Self {
            address: rocket.address,
            public_url: config.public_url.as_ref(),
            open_to_the_world: config.open_to_the_world,
            named_ip_header: rocket.ip_header.is_some(),
            files: fs::read_to_string("/proc/self/limits")
                .ok()
                .and_then(|limits| soft_limit_of_files(&limits)),
        }
    }
}

fn soft_limit_of_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

pub(super) fn judge(site: &Site<'_>) -> Vec<Finding> {
    let for_others = site.public_url.filter(|url| !url.is_loopback());
    let mut findings = vec![cookie(site), sign_in(site, for_others)];
    if for_others.is_some() && !site.named_ip_header {
        findings.push(note(
            "addresses",
            "If there is a proxy in front, lists of sessions show its address and not the visitors': `ip_header` is not \
             set. Set Rocket's `ip_header` to the header that the proxy writes their address in.",
        ));
    }
    findings.extend(site.files.map(files));
    findings
}

fn cookie(site: &Site<'_>) -> Finding {
    const SUBJECT: &str = "cookie";
    const CHANGE: &str = "Serve the site by https, and set `public_url` to its https:// address.";
    match site.public_url {
        Some(url) if url.is_secure() => ok(
            SUBJECT,
            format!(
                "It is Secure and named __Host-session_id, because `public_url` is {}.",
                url.origin()
            ),
        ),
        Some(url) if url.is_loopback() => ok(
            SUBJECT,
            format!(
                "It is not Secure, and need not be: `public_url` is {}, on this machine.",
                url.origin()
            ),
        ),
        Some(url) => warning(
            SUBJECT,
            &format!(
                "Whoever listens on the way can take it: `public_url` is {}, so it is not Secure and has no __Host- prefix.",
                url.origin()
            ),
            CHANGE,
        ),
        None if site.address.is_loopback() => note(
            SUBJECT,
            "It is not Secure, which is fine as long as people come from this machine. If a proxy serves the site to \
             others, set `public_url` to what they type.",
        ),
        None => warning(
            SUBJECT,
            &format!(
                "Whoever listens on the way can take it: `public_url` is not set and `address` is {}, so it is not Secure \
                 and has no __Host- prefix.",
                site.address
            ),
            CHANGE,
        ),
    }
}

fn sign_in(site: &Site<'_>, for_others: Option<&PublicUrl>) -> Finding {
    const SUBJECT: &str = "sign-in";
    const CHANGE: &str =
        "Let only those reach it who may, for example by a proxy that asks who they are.";
    let because = if site.open_to_the_world {
        "`sign_in` is `open`, and `open_to_the_world` is set".to_owned()
    } else if let Some(url) = for_others {
        format!("`sign_in` is `open`, and `public_url` is {}", url.origin())
    } else {
        return ok(
            SUBJECT,
            format!(
                "A user name is enough (`sign_in` is `open`), and only this machine is listened to, at {}.",
                site.address
            ),
        );
    };
    warning(
        SUBJECT,
        &format!("Whoever reaches it can sign in under any name: {because}."),
        CHANGE,
    )
}

fn files(limit: u64) -> Finding {
    const SUBJECT: &str = "open files";
    if limit >= FEW_FILES {
        return ok(
            SUBJECT,
            format!("A process started from here may open {limit}; each connection is one."),
        );
    }
    note(
        SUBJECT,
        format!(
            "A process started from here may open {limit}, and each connection is one: visitors beyond that wait. Raise \
             the limit to {FEW_FILES} or more, by `ulimit -n` or the service's settings."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    fn levels(
        address: &str,
        url: Option<&str>,
        open_to_the_world: bool,
        named_ip_header: bool,
    ) -> Vec<(&'static str, Level)> {
        let url = url.map(|url| PublicUrl::parse(url).unwrap());
        let findings = judge(&Site {
            address: address.parse().unwrap(),
            public_url: url.as_ref(),
            open_to_the_world,
            named_ip_header,
            files: None,
        });
        findings
            .iter()
            .map(|one| (one.subject, one.level))
            .collect()
    }

    #[test]
    fn what_others_reach_must_be_safe() {
        let (cookie, sign_in) = (|level| ("cookie", level), |level| ("sign-in", level));
        let addresses = ("addresses", Level::Note);
        let (fine, note, warning) = (Level::Ok, Level::Note, Level::Warning);
        let (here, everywhere) = ("127.0.0.1", "0.0.0.0");
        assert_eq!(
            levels(here, None, false, false),
            [cookie(note), sign_in(fine)]
        );
        let local = Some("http://localhost:8000");
        assert_eq!(
            levels(here, local, false, false),
            [cookie(fine), sign_in(fine)]
        );
        let public = Some("https://inn.example");
        assert_eq!(
            levels(here, public, false, false),
            [cookie(fine), sign_in(warning), addresses]
        );
        assert_eq!(
            levels(here, public, false, true),
            [cookie(fine), sign_in(warning)]
        );
        let plain = Some("http://inn.example");
        assert_eq!(
            levels(here, plain, false, true),
            [cookie(warning), sign_in(warning)]
        );
        assert_eq!(
            levels(everywhere, None, true, false),
            [cookie(warning), sign_in(warning)]
        );
    }

    #[test]
    fn few_files_are_worth_a_note() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(soft_limit_of_files(limits), Some(1024));
        assert_eq!(
            soft_limit_of_files("Max open files unlimited unlimited files"),
            None
        );
        assert_eq!(files(1024).level, Level::Note);
        assert_eq!(files(4096).level, Level::Ok);
    }
}
