//! Sentinels of the test's own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use deadpool_redis::redis::{self, Client, Value};
use tempfile::TempDir;

use super::redis::RedisServer;
use super::{eventually, free_port};

/// Three Sentinels that watch a primary and its replica.
pub(crate) struct Sentinels {
    pub(crate) primary: RedisServer,
    pub(crate) replica: RedisServer,
    watchers: Vec<Sentinel>,
}

struct Sentinel {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Sentinels {
    pub(crate) fn start() -> Self {
        let settings = ["--repl-diskless-sync-delay", "0"];
        let (primary, replica) = (RedisServer::with(&settings), RedisServer::with(&settings));
        replica.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
        eventually("the replica to follow", || {
            let info: String = replica.run("INFO replication");
            info.contains("master_link_status:up").then_some(())
        });
        let sentinels = Self {
            watchers: (0..3).map(|_| Sentinel::start(&primary)).collect(),
            primary,
            replica,
        };
        eventually("the sentinels to know one another and the replica", || {
            sentinels
                .watchers
                .iter()
                .all(Sentinel::knows_all)
                .then_some(())
        });
        sentinels
    }

    pub(crate) fn url(&self) -> String {
        let ports: Vec<_> = self.watchers.iter().map(|one| one.port).collect();
        format!(
            "redis-sentinel://innkeeper:least@127.0.0.1:{}?node=127.0.0.1:{}&node=127.0.0.1:{}\
             &sentinelServiceName=mymaster",
            ports[0], ports[1], ports[2]
        )
    }

    /// Makes the replica the primary, and the primary its replica.
    pub(crate) fn fail_over(&self) {
        eventually("a failover to be begun", || {
            self.watchers[0].ask(&["FAILOVER", "mymaster"]).map(drop)
        });
    }

    pub(crate) fn wait_for_promotion(&self) {
        eventually("the replica to be promoted", || {
            // A change of roles breaks connections.
            let info: String = self.replica.try_run("INFO replication").ok()?;
            info.contains("role:master").then_some(())
        });
    }
}

impl Sentinel {
    fn start(primary: &RedisServer) -> Self {
        for _ in 0..10 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let mut sentinel = Self {
                process: spawn(port, folder.path(), primary),
                port,
                _folder: folder,
            };
            let up = eventually("a sentinel to answer", || {
                if sentinel.process.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                sentinel.masters().map(|_| true)
            });
            if up {
                return sentinel;
            }
        }
        panic!("no port for a sentinel in ten tries");
    }

    fn ask(&self, question: &[&str]) -> Option<Value> {
        let client = Client::open(format!("redis://127.0.0.1:{}", self.port)).ok()?;
        let mut connection = client.get_connection().ok()?;
        redis::cmd("SENTINEL")
            .arg(question)
            .query(&mut connection)
            .ok()
    }

    fn masters(&self) -> Option<String> {
        Some(format!("{:?}", self.ask(&["MASTERS"])?))
    }

    fn knows_all(&self) -> bool {
        let masters = self.masters().unwrap_or_default();
        let says = |name: &str, number: u8| {
            masters.contains(&format!(
                "bulk-string('\"{name}\"'), bulk-string('\"{number}\"')"
            ))
        };
        says("num-slaves", 1) && says("num-other-sentinels", 2)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(port: u16, folder: &Path, primary: &RedisServer) -> Child {
    let file = folder.join("sentinel.conf");
    let settings = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\n\
         sentinel monitor mymaster 127.0.0.1 {} 2\n\
         sentinel down-after-milliseconds mymaster 1000\n\
         sentinel failover-timeout mymaster 5000\n",
        folder.display(),
        primary.port()
    );
    fs::write(&file, settings).unwrap();
    Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server cannot be started; `tests/run` installs it, or: apt-get install redis-server")
}
