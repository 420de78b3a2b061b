//! A `redis-server` of the bench's own.

use std::fmt::Debug;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use deadpool_redis::redis::{Client, Connection, FromRedisValue, cmd};
use tempfile::TempDir;

use crate::servers::{eventually, free_port, temporary_folder};

/// In a folder of its own, without persistence; ends with this value, by its process id.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

/// For where there is none.
pub(crate) const MISSING: &str = "No redis-server on this machine (Debian, Ubuntu: apt-get install redis-server), so \
     only the embedded store is measured, and no peer.";

impl RedisServer {
    /// `None`: this machine has none.
    pub(crate) fn start() -> Option<Self> {
        let folder = temporary_folder();
        let port = free_port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(folder.path())
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self {
            process,
            port,
            _folder: folder,
        };
        eventually("redis-server to answer", || server.connection());
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query(&mut self.connection().unwrap()).unwrap()
    }

    pub(crate) fn used_memory(&self) -> u64 {
        self.info("memory", "used_memory")
    }

    /// Its own processor time since its start, user and system.
    pub(crate) fn cpu(&self) -> Duration {
        let seconds = |field| Duration::from_secs_f64(self.info("cpu", field));
        seconds("used_cpu_user") + seconds("used_cpu_sys")
    }

    fn info<T: FromStr<Err: Debug>>(&self, section: &str, field: &str) -> T {
        let info: String = self.ask(&["INFO", section]);
        let value = info
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap().trim().parse().unwrap()
    }

    fn connection(&self) -> Option<Connection> {
        Client::open(self.url()).ok()?.get_connection().ok()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
