//! An nginx of the bench's own.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Server, eventually, free_port, temporary_folder};

/// In front of some servers, in turn; in a folder of its own; ends with this value, by its process id.
pub(crate) struct Nginx {
    process: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

/// For where there is none.
pub(crate) const MISSING: &str =
    "No nginx on this machine (Debian, Ubuntu: apt-get install nginx-light).";

impl Nginx {
    /// `None`: this machine has none.
    pub(crate) fn in_front_of(servers: &[&Server]) -> Option<Self> {
        let (port, folder) = (free_port(), temporary_folder());
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, configure(port, servers)).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&configuration)
            .args(["-e", "error.log"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut nginx = Self {
            process,
            port,
            _folder: folder,
        };
        eventually("nginx to listen", || {
            let ended = nginx.process.try_wait().unwrap();
            assert!(ended.is_none(), "nginx does not run: {ended:?}");
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Some(nginx)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked politely it ends its workers too.
        let id = self.process.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        drop(self.process.wait());
    }
}

fn configure(port: u16, servers: &[&Server]) -> String {
    let upstream: Vec<_> = servers
        .iter()
        .map(|server| format!("    server 127.0.0.1:{};", server.port))
        .collect();
    let upstream = upstream.join("\n");
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream innkeeper {{
{upstream}
    keepalive 256;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://innkeeper;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"
    )
}
