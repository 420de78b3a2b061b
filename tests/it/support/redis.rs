//! A `redis-server` of the test's own.

use std::process::{Child, Command, Stdio};

use deadpool_redis::redis::{self, Client, Connection, FromRedisValue};
use tempfile::TempDir;

use super::{eventually, free_port};

/// A real Redis on a free loopback port, in a folder of its own; ends with this value, by its process id.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let port = free_port();
            let mut server = Self {
                process: spawn(port, &folder),
                port,
                folder,
            };
            if server.is_ours() {
                return server;
            }
            // Somebody else took the port first.
            folder = tempfile::tempdir().unwrap();
        }
        panic!("no port for redis-server in ten tries");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command, given as it would be typed.
    #[track_caller]
    pub(crate) fn run<T: FromRedisValue>(&self, command: &str) -> T {
        let words: Vec<_> = command.split(' ').collect();
        let mut typed = redis::cmd(words[0]);
        for word in &words[1..] {
            typed.arg(word);
        }
        typed.query(&mut self.connection().unwrap()).unwrap()
    }

    /// All keys, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.run("KEYS *");
        keys.sort();
        keys
    }

    /// Sends a signal such as `STOP`, `CONT` or `KILL`.
    pub(crate) fn signal(&self, signal: &str) {
        super::program::signal(self.process.id(), signal);
    }

    /// Kills it; it comes back empty on the same port by [`restart`](Self::restart).
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.process = spawn(self.port, &self.folder);
        assert!(self.is_ours(), "the port of the killed Redis was taken");
    }

    fn connection(&self) -> redis::RedisResult<Connection> {
        Client::open(self.url())?.get_connection()
    }

    /// Whether the server at our port is the process that we started.
    fn is_ours(&mut self) -> bool {
        eventually("redis-server to answer", || {
            if self.process.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let info: String = redis::cmd("INFO")
                .arg("server")
                .query(&mut self.connection().ok()?)
                .ok()?;
            Some(info.contains(&format!("process_id:{}\r", self.process.id())))
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder.path())
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server cannot be started; `tests/run` installs it, or: apt-get install redis-server")
}
