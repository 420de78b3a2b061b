//! Stores of accounts and of what sign-ins count, opened as two instances of Innkeeper open them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use innkeeper::{
    AccountStore, Clock, EmbeddedLimits, EmbeddedStore, Lifetimes, RedisAddress, RedisOptions,
    RedisStore, Secret, SignInStore, StorePath, Token, UserName,
};
use tempfile::TempDir;

use super::cluster::Cluster;
use super::eventually;
use super::proxy::{Fault, Proxy};
use super::redis::{OPERATORS_RIGHTS, RedisServer};

pub(crate) trait Keeps: AccountStore + SignInStore {}

impl<S: AccountStore + SignInStore> Keeps for S {}

/// One place where accounts are kept.
pub(crate) struct Place {
    pub(crate) one: Arc<dyn Keeps>,
    /// Another instance's; the same store where only one process can have it.
    pub(crate) two: Arc<dyn Keeps>,
    pub(crate) time: Time,
    folder: Option<TempDir>,
    cluster: Option<Cluster>,
}

/// Whose time it is.
pub(crate) enum Time {
    Given(Clock),
    Redis(Arc<RedisServer>),
    Cluster,
}

pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_secs(900),
    absolute: None,
};

impl Place {
    pub(crate) fn memory() -> Self {
        Self::embedded(&StorePath::Memory, None)
    }

    pub(crate) fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::embedded(&StorePath::Folder(folder.path().to_owned()), Some(folder))
    }

    fn embedded(path: &StorePath, folder: Option<TempDir>) -> Self {
        let clock = Clock::start();
        let one: Arc<dyn Keeps> = Arc::new(open_embedded(path, &clock));
        Self {
            two: Arc::clone(&one),
            one,
            time: Time::Given(clock),
            folder,
            cluster: None,
        }
    }

    pub(crate) fn redis() -> Self {
        let server = Arc::new(RedisServer::start());
        server.allow(OPERATORS_RIGHTS);
        Self {
            one: Arc::new(open_redis(&server.url())),
            two: Arc::new(open_redis(&server.url())),
            time: Time::Redis(server),
            folder: None,
            cluster: None,
        }
    }

    pub(crate) fn cluster() -> Self {
        let cluster = Cluster::start();
        for node in &cluster.nodes {
            node.allow(OPERATORS_RIGHTS);
        }
        Self {
            one: Arc::new(open_redis(&cluster.url())),
            two: Arc::new(open_redis(&cluster.url_of(0, &[1]))),
            time: Time::Cluster,
            folder: None,
            cluster: Some(cluster),
        }
    }

    /// After a restart of the process, where the store is a file.
    pub(crate) fn reopened(self) -> Self {
        let Some(folder) = &self.folder else {
            return self;
        };
        let path = StorePath::Folder(folder.path().to_owned());
        drop((self.one, self.two));
        Self::embedded(&path, self.folder)
    }

    /// Lets time pass until `key` expires, if it has a time to live that is not longer.
    pub(crate) fn pass(&self, time: Duration, key: &str) {
        match &self.time {
            Time::Given(clock) => clock.advance(time),
            Time::Redis(server) => expire(server, time, key),
            Time::Cluster => {
                let cluster = self.cluster.as_ref().unwrap();
                expire(&cluster.nodes[cluster.place_of(key).0], time, key);
            }
        }
    }

    /// The servers that have keys.
    pub(crate) fn servers(&self) -> Vec<&RedisServer> {
        match (&self.time, &self.cluster) {
            (Time::Redis(server), _) => vec![&**server],
            (_, Some(cluster)) => cluster.nodes[..3].iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The server that has this key.
    pub(crate) fn server_of(&self, key: &str) -> Option<&RedisServer> {
        match (&self.time, &self.cluster) {
            (Time::Redis(server), _) => Some(server),
            (_, Some(cluster)) => Some(&cluster.nodes[cluster.place_of(key).0]),
            _ => None,
        }
    }

    /// Where the store is a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }
}

fn expire(server: &RedisServer, time: Duration, key: &str) {
    let left: i64 = server.run(&format!("PTTL {key}"));
    let left = u64::try_from(left).unwrap_or_else(|_| panic!("{key} has no time to live: {left}"));
    assert!(
        Duration::from_millis(left) <= time,
        "{key} lives for {left} ms"
    );
    server.run::<u8>(&format!("PEXPIRE {key} 1"));
    eventually("a key to expire", || {
        (server.run::<u8>(&format!("EXISTS {key}")) == 0).then_some(())
    });
}

pub(crate) fn open_embedded(path: &StorePath, clock: &Clock) -> EmbeddedStore {
    let mut limits = EmbeddedLimits::default();
    limits.timeout = Duration::from_secs(30);
    EmbeddedStore::open_within(path, limits, LIFETIMES, clock.clone()).unwrap()
}

pub(crate) fn open_redis(url: &str) -> RedisStore {
    let address = RedisAddress::Url(Secret::new(url));
    let mut options = RedisOptions::default();
    options.timeout = Duration::from_secs(30);
    // A test that loses replies counts requests.
    options.connections = 1;
    RedisStore::open(&address, &options, LIFETIMES, Clock::start()).unwrap()
}

/// A store behind a proxy that does this to its next request. Its connection is made, and has had no trouble yet: after a
/// fault the store looks whether its connections still answer, which would be the next request.
pub(crate) async fn with_fault(redis: &RedisServer, fault: Fault) -> (Proxy, Arc<dyn Keeps>) {
    let proxy = Proxy::to(&redis.url());
    let store = open_redis(&proxy.url());
    assert_eq!(store.account(&new_user("nobody")).await.unwrap(), None);
    proxy.plan(0, &[fault]);
    (proxy, Arc::new(store))
}

/// A name that nobody has.
pub(crate) fn new_user(begin: &str) -> UserName {
    let token = Token::generate();
    UserName::parse(&format!("{begin}{}", &token.expose()[..16])).unwrap()
}

/// Every key that has no time to live, in order.
pub(crate) fn lasting_keys(server: &RedisServer) -> Vec<String> {
    // Words are separated by spaces in `run`, so there are none in the script.
    let script = "local\tfound={}\nfor\t_,key\tin\tipairs(redis.call('KEYS','*'))do\nif\tredis.call('PTTL',key)<0\tthen\n\
                  found[#found+1]=key\nend\nend\nreturn\tfound";
    let mut keys: Vec<String> = server.run(&format!("EVAL {script} 0"));
    keys.sort();
    keys
}
