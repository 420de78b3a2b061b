//! A `redis-server` of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use deadpool_redis::redis::{self, Client, Connection, FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::{eventually, free_port};

/// The line that the guide has for this, as it stands there, with the password that tests have.
pub(crate) fn guide_line(what_for: &str) -> String {
    let chapter = include_str!("../../../src/guide/redis.md");
    let (_, rest) = chapter.split_once(&format!("# {what_for}")).unwrap();
    let line = rest.lines().nth(1).unwrap().trim();
    line.replace("PASSWORD", "least")
}

/// The rights that the guide says suffice, in `ACL SETUSER`'s words: what Innkeeper does in any test, it does with
/// these alone.
pub(crate) const LEAST_RIGHTS: &str = "~session:* ~user_sessions:* ~ended_session:* \
    +hgetall +hget +hset +hdel +hexists +hkeys +expire +pttl +exists +del +get +setex \
    +zadd +zrem +zrange +zrevrange +zscore +zcard +eval +time";

/// What passwords need besides, `+scan` aside, by which all accounts are found.
pub(crate) const SIGN_IN_RIGHTS: &str = "~account:* ~invitation:* ~attempts:* ~known_device:* \
    +incrby +zremrangebyrank";

/// What a cluster, Sentinels and the count of live sessions need besides.
pub(crate) const FURTHER_RIGHTS: &str = "+cluster|slots +asking +role +dbsize +randomkey";

/// What the operator's commands can do more with.
pub(crate) const OPERATORS_RIGHTS: &str = "+scan +info +config|get +cluster|info";

/// A real Redis on a free loopback port, in a folder of its own; ends with this value, by its process id.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With settings of its own, as they stand on the command line.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().copied().map(str::to_owned).collect();
        for _ in 0..10 {
            // A node of a cluster listens 10000 ports above it, too.
            let port = std::iter::repeat_with(free_port)
                .find(|port| *port < 55_000)
                .unwrap();
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self {
                process: spawn(port, folder.path(), &arguments),
                port,
                folder,
                arguments: arguments.clone(),
            };
            if server.is_ours() {
                return server;
            }
            // Somebody else took the port first.
        }
        panic!("no port for redis-server in ten tries");
    }

    /// For Innkeeper: a user with the least rights.
    pub(crate) fn url(&self) -> String {
        self.url_of("innkeeper:least")
    }

    /// For somebody else.
    pub(crate) fn url_of(&self, user_and_password: &str) -> String {
        format!("redis://{user_and_password}@{}", self.address())
    }

    /// For somebody who may do everything.
    pub(crate) fn url_of_all(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Gives (`+`) Innkeeper's user rights, or takes them (`-`).
    pub(crate) fn allow(&self, rights: &str) {
        self.run::<()>(&format!("ACL SETUSER innkeeper {rights}"));
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Runs a command, given as it would be typed, as the user who may do everything.
    #[track_caller]
    pub(crate) fn run<T: FromRedisValue>(&self, command: &str) -> T {
        self.try_run(command).unwrap()
    }

    pub(crate) fn try_run<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let words: Vec<_> = command.split(' ').collect();
        let mut typed = redis::cmd(words[0]);
        for word in &words[1..] {
            typed.arg(word);
        }
        typed.query(&mut self.connection()?)
    }

    /// All keys, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.run("KEYS *");
        keys.sort();
        keys
    }

    /// Waits until a replica has all that was written here.
    pub(crate) fn wait_for(&self, replica: &Self) {
        let offset = |server: &Self, name: &str| {
            let info: String = server.run("INFO replication");
            let (_, rest) = info.split_once(name)?;
            rest.lines().next()?.parse::<u64>().ok()
        };
        let written = offset(self, "master_repl_offset:").unwrap();
        eventually("the replica to have everything", || {
            (offset(replica, "slave_repl_offset:")? >= written).then_some(())
        });
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
        self.process = spawn(self.port, self.folder.path(), &self.arguments);
        assert!(self.is_ours(), "the port of the killed Redis was taken");
    }

    fn connection(&self) -> RedisResult<Connection> {
        Client::open(self.url_of_all())?.get_connection()
    }

    /// Whether the server at our port is the process that we started.
    fn is_ours(&mut self) -> bool {
        eventually("redis-server to answer", || {
            if self.process.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let info: String = self.try_run("INFO server").ok()?;
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

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    let user = format!("innkeeper on >least {LEAST_RIGHTS} {SIGN_IN_RIGHTS} {FURTHER_RIGHTS}");
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .arg("--unixsocket")
        .arg(folder.join("socket"))
        .args(["--save", "", "--appendonly", "no"])
        .arg("--user")
        .args(user.split_whitespace())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server cannot be started; `tests/run` installs it, or: apt-get install redis-server")
}
