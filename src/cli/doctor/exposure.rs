//! What the site exposes to others: the cookie, sign-in and secrets; and client addresses and open files.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::cli::doctor::finding::{Finding, failure, note, ok, warning};
use crate::config::{Config, PublicUrl, SignInMode};

/// The settings that decide this, and the process's limit of open files.
#[derive(Debug)]
pub(super) struct Exposure<'a> {
    address: IpAddr,
    public_url: Option<&'a PublicUrl>,
    sign_in: SignIn,
    /// Whether Rocket itself serves by TLS.
    has_tls: bool,
    /// Whether Rocket's `ip_header` is set.
    has_ip_header: bool,
    /// The files with secrets, each with its permissions.
    secrets: Vec<(&'a Path, u32)>,
    /// How many files a process may open; `None` if that is unlimited.
    files: Option<u64>,
}

/// Who may sign in.
#[derive(Clone, Copy, Debug)]
enum SignIn {
    Open {
        /// `open_to_the_world`.
        to_the_world: bool,
    },
    Password {
        /// Whether anybody may make an account.
        sign_up: bool,
    },
}

/// Each connection takes a file, and a browser opens several.
const FEW_FILES: u64 = 4096;

impl<'a> Exposure<'a> {
    pub(super) fn new(config: &'a Config, rocket: &rocket::Config) -> Self {
        Self {
            address: rocket.address,
            public_url: config.public_url.as_ref(),
            sign_in: match config.sign_in {
                SignInMode::Open => SignIn::Open {
                    to_the_world: config.open_to_the_world,
                },
                SignInMode::Password => SignIn::Password {
                    sign_up: config.sign_up,
                },
            },
            has_tls: rocket.tls_enabled(),
            has_ip_header: rocket.ip_header.is_some(),
            secrets: config
                .secret_files
                .iter()
                .filter_map(|file| permissions(file))
                .collect(),
            files: getrlimit(Resource::Nofile).current,
        }
    }
}

fn permissions(path: &Path) -> Option<(&Path, u32)> {
    let mode = path.metadata().ok()?.permissions().mode();
    Some((path, mode & 0o777))
}

pub(super) fn check(exposure: &Exposure<'_>) -> Vec<Finding> {
    let for_others = exposure.public_url.filter(|url| !url.is_loopback());
    let sign_in = match exposure.sign_in {
        SignIn::Open { to_the_world } => open_sign_in(exposure, to_the_world, for_others),
        SignIn::Password { sign_up } => password_sign_in(exposure, sign_up),
    };
    let mut findings = vec![cookie(exposure), sign_in];
    if for_others.is_some() && !exposure.has_ip_header {
        findings.push(note(
            "addresses",
            "`ip_header` is not set: behind a proxy, lists of sessions show the proxy's address instead of the users'. Set \
             Rocket's `ip_header` to the header in which the proxy passes the client's address.",
        ));
    }
    findings.extend(exposure.secrets.iter().map(secret));
    findings.extend(exposure.files.map(files));
    findings
}

/// Not a warning: in a container, where secrets are mounted like that by default, there is nobody else.
fn secret((path, mode): &(&Path, u32)) -> Finding {
    const SUBJECT: &str = "secrets";
    let path = path.display();
    let of_others = mode & 0o007;
    if of_others == 0 {
        return ok(
            SUBJECT,
            format!("{path} is closed to other users of this machine (mode {mode:o})."),
        );
    }
    note(
        SUBJECT,
        format!(
            "{path} is open to every user of this machine (mode {mode:o}). Unless nobody else is there, as in a container, \
             close it: chmod o= {path}"
        ),
    )
}

fn cookie(exposure: &Exposure<'_>) -> Finding {
    const SUBJECT: &str = "cookie";
    const CHANGE: &str = "Serve the site by https, and set `public_url` to its https:// address.";
    match exposure.public_url {
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
                "It is not Secure, and need not be: `public_url` is {}, which is this machine.",
                url.origin()
            ),
        ),
        Some(url) => warning(
            SUBJECT,
            &format!(
                "Anybody on the network can steal it: `public_url` is {}, so it is not Secure and has no __Host- prefix.",
                url.origin()
            ),
            CHANGE,
        ),
        None if exposure.address.is_loopback() => note(
            SUBJECT,
            "It is not Secure, which is fine while only this machine uses the site. If a proxy serves it to others, set \
             `public_url` to the address that they type.",
        ),
        None => warning(
            SUBJECT,
            &format!(
                "Anybody on the network can steal it: `public_url` is not set and `address` is {}, so it is not Secure and \
                 has no __Host- prefix.",
                exposure.address
            ),
            CHANGE,
        ),
    }
}

fn password_sign_in(exposure: &Exposure<'_>, sign_up: bool) -> Finding {
    const SUBJECT: &str = "sign-in";
    let in_clear_text = match exposure.public_url {
        Some(url) => (!url.is_secure() && !url.is_loopback())
            .then(|| format!("`public_url` is {}", url.origin())),
        None => (!exposure.has_tls && !exposure.address.is_loopback()).then(|| {
            format!(
                "`public_url` is not set and `address` is {}",
                exposure.address
            )
        }),
    };
    match in_clear_text {
        Some(because) => failure(
            SUBJECT,
            &format!("Anybody on the network can read the passwords: {because}."),
            "Serve the site by https, and set `public_url` to its https:// address.",
        ),
        None if sign_up => note(
            SUBJECT,
            "Users have passwords, and anybody may make an account (`sign_up`).",
        ),
        None => ok(
            SUBJECT,
            "Users have passwords, and an account is made by invitation or by the operator's command only.",
        ),
    }
}

fn open_sign_in(
    exposure: &Exposure<'_>,
    to_the_world: bool,
    for_others: Option<&PublicUrl>,
) -> Finding {
    const SUBJECT: &str = "sign-in";
    const CHANGE: &str = "Let only people whom you trust reach it, for example through a proxy that authenticates them.";
    let because = if to_the_world {
        "`sign_in` is `open`, and `open_to_the_world` is set".to_owned()
    } else if let Some(url) = for_others {
        format!("`sign_in` is `open`, and `public_url` is {}", url.origin())
    } else {
        return ok(
            SUBJECT,
            format!(
                "A user name is enough (`sign_in` is `open`), but only this machine can reach the site, at {}.",
                exposure.address
            ),
        );
    };
    warning(
        SUBJECT,
        &format!("Anybody who reaches the site can sign in under any name: {because}."),
        CHANGE,
    )
}

fn files(limit: u64) -> Finding {
    const SUBJECT: &str = "open files";
    if limit >= FEW_FILES {
        return ok(
            SUBJECT,
            format!("A process started here may open {limit} files; each connection takes one."),
        );
    }
    note(
        SUBJECT,
        format!(
            "A process started here may open {limit} files, and each connection takes one: further visitors wait. Raise the \
             limit to {FEW_FILES} or more, by `ulimit -n` or in the service's settings."
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
        has_ip_header: bool,
    ) -> Vec<(&'static str, Level)> {
        let url = url.map(|url| PublicUrl::parse(url).unwrap());
        let findings = check(&Exposure {
            address: address.parse().unwrap(),
            public_url: url.as_ref(),
            sign_in: SignIn::Open {
                to_the_world: open_to_the_world,
            },
            has_tls: false,
            has_ip_header,
            secrets: Vec::new(),
            files: None,
        });
        findings
            .iter()
            .map(|one| (one.subject, one.level))
            .collect()
    }

    #[test]
    fn what_others_reach_must_be_safe() {
        use Level::{Note, Ok, Warning};
        let (here, everywhere) = ("127.0.0.1", "0.0.0.0");
        let (local, public) = (Some("http://localhost:8000"), Some("https://inn.example"));
        let plain = Some("http://inn.example");
        for (address, url, open_to_the_world, has_ip_header, cookie, sign_in, addresses) in [
            (here, None, false, false, Note, Ok, None),
            (here, local, false, false, Ok, Ok, None),
            (here, public, false, false, Ok, Warning, Some(Note)),
            (here, public, false, true, Ok, Warning, None),
            (here, plain, false, true, Warning, Warning, None),
            (everywhere, None, true, false, Warning, Warning, None),
        ] {
            let found = levels(address, url, open_to_the_world, has_ip_header);
            let mut expected = vec![("cookie", cookie), ("sign-in", sign_in)];
            expected.extend(addresses.map(|level| ("addresses", level)));
            assert_eq!(found, expected, "{address} {url:?}");
        }
    }

    #[test]
    fn passwords_go_by_https() {
        use Level::{Failure, Note, Ok};
        let level = |address: &str, url: Option<&str>, has_tls, sign_up| {
            let url = url.map(|url| PublicUrl::parse(url).unwrap());
            let exposure = Exposure {
                address: address.parse().unwrap(),
                public_url: url.as_ref(),
                sign_in: SignIn::Password { sign_up },
                has_tls,
                has_ip_header: true,
                secrets: Vec::new(),
                files: None,
            };
            password_sign_in(&exposure, sign_up).level
        };
        let (here, everywhere) = ("127.0.0.1", "0.0.0.0");
        for (address, url, has_tls, sign_up, expected) in [
            (here, None, false, false, Ok),
            (here, None, false, true, Note),
            (here, Some("http://localhost:8000"), false, false, Ok),
            (here, Some("https://inn.example"), false, false, Ok),
            (here, Some("http://inn.example"), false, false, Failure),
            (everywhere, Some("http://inn.example"), false, true, Failure),
            (everywhere, Some("https://inn.example"), false, false, Ok),
            (everywhere, None, false, false, Failure),
            (everywhere, None, true, false, Ok),
        ] {
            let found = level(address, url, has_tls, sign_up);
            assert_eq!(found, expected, "{address} {url:?}");
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_worth_a_note() {
        let level = |mode| secret(&(Path::new("/run/secret"), mode)).level;
        assert_eq!([0o600, 0o640, 0o400].map(level), [Level::Ok; 3]);
        assert_eq!([0o644, 0o444].map(level), [Level::Note; 2]);
    }

    #[test]
    fn few_files_are_worth_a_note() {
        assert_eq!(files(1024).level, Level::Note);
        assert_eq!(files(4096).level, Level::Ok);
    }
}
