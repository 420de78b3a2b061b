//! An nginx of the test's own, with the configuration in examples/deploy/.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{eventually, free_port};

const SITE: &str = include_str!("../../../examples/deploy/nginx.conf");

/// nginx in front of two instances; ends with this value, by its process id.
pub(crate) struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Nginx {
    /// That configuration with ports of the test's own, without TLS, and with a second for what has five or ten.
    pub(crate) fn in_front_of(instances: [u16; 2]) -> Self {
        for _ in 0..10 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let mut nginx = Self {
                process: spawn(port, instances, &folder),
                port,
                folder,
            };
            let up = eventually("nginx to listen", || {
                if nginx.process.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                TcpStream::connect(("127.0.0.1", port))
                    .is_ok()
                    .then_some(true)
            });
            if up {
                return nginx;
            }
            let said = fs::read_to_string(nginx.folder.path().join("error.log"));
            let said = said.unwrap_or_default();
            assert!(said.contains("Address already in use"), "{said}");
        }
        panic!("no port for nginx in ten tries");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked politely it ends its workers too.
        super::program::signal(self.process.id(), "TERM");
        drop(self.process.wait());
    }
}

fn spawn(port: u16, instances: [u16; 2], folder: &TempDir) -> Child {
    let [first, second] = instances;
    let mut site = SITE.to_owned();
    for (there, here) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port};")),
        (
            "listen 80;",
            format!("listen unix:{}/redirect;", folder.path().display()),
        ),
        ("127.0.0.1:8000", format!("127.0.0.1:{first}")),
        ("127.0.0.1:8001", format!("127.0.0.1:{second}")),
        ("timeout 10s;", "timeout 1s;".to_owned()),
        ("timeout 5s;", "timeout 1s;".to_owned()),
    ] {
        assert!(site.contains(there), "{there} in {site}");
        site = site.replace(there, &here);
    }
    let site: Vec<_> = site
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .collect();
    let site = site.join("\n");
    write(&site, folder.path());
    command(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect(MISSING)
}

const MISSING: &str =
    "nginx cannot be started; `tests/run` installs it, or: apt-get install nginx-light";

/// Whether nginx accepts the configuration as it stands, but for the port, which others may have, and the certificate.
pub(crate) fn check(certificate: &str, key: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
    fs::write(folder.path().join("key.pem"), key).unwrap();
    let mut site = SITE.to_owned();
    for (there, here) in [
        ("listen 443 ", format!("listen unix:{path}/tls ")),
        ("listen 80;", format!("listen unix:{path}/redirect;")),
        (
            "/etc/ssl/example.org.pem",
            format!("{path}/certificate.pem"),
        ),
        ("/etc/ssl/example.org.key", format!("{path}/key.pem")),
    ] {
        assert!(site.contains(there), "{there} in {site}");
        site = site.replace(there, &here);
    }
    write(&site, folder.path());
    let output = command(folder.path()).arg("-t").output().expect(MISSING);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && !said.contains("[warn]") {
        Ok(())
    } else {
        Err(said)
    }
}

fn write(site: &str, folder: &Path) {
    let all = format!(
        "daemon off;\npid nginx.pid;\nerror_log error.log;\nworker_processes 1;\n\
         events {{ worker_connections 512; }}\n\
         http {{\naccess_log off;\nclient_body_temp_path body;\nproxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n{site}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), all).unwrap();
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    command
}
