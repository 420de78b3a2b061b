//! Where the sessions are kept.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use innkeeper::{
    Client, Clock, EmbeddedStore, Lifetimes, RedisAddress, RedisOptions, RedisStore, Secret,
    SessionId, SessionStore, Sessions, StorePath, UserName,
};
use rocket::futures::StreamExt;
use rocket::futures::stream;
use tempfile::TempDir;

use super::{IDLE, MOST, PER_USER};
use crate::servers::redis::RedisServer;
use crate::servers::{Program, Server, temporary_folder};

/// What a sign-in keeps of `request::AGENT`.
const KEPT_AGENT: &str = "Firefox on Linux";

/// Where sessions are kept.
pub(super) enum Kept {
    Embedded(TempDir),
    Redis(RedisServer),
}

impl Kept {
    pub(super) fn embedded() -> Self {
        Self::Embedded(temporary_folder())
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "Innkeeper, embedded store",
            Self::Redis(_) => "Innkeeper, Redis",
        }
    }

    pub(super) fn open(&self) -> Sessions {
        let clock = Clock::start();
        let lifetimes = Lifetimes {
            idle: IDLE,
            absolute: Some(2 * IDLE),
        };
        let store: Arc<dyn SessionStore> = match self {
            Self::Embedded(folder) => {
                let folder = StorePath::Folder(folder.path().join("data"));
                Arc::new(EmbeddedStore::open(&folder, lifetimes, clock.clone()).unwrap())
            }
            Self::Redis(redis) => {
                let address = RedisAddress::Url(Secret::new(redis.url()));
                let mut options = RedisOptions::default();
                options.timeout = Duration::from_secs(60);
                Arc::new(RedisStore::open(&address, &options, lifetimes, clock.clone()).unwrap())
            }
        };
        Sessions::new(store, lifetimes, MOST, None, clock)
    }

    pub(super) fn serve(&self, idle: Duration) -> Server {
        let program = match self {
            Self::Embedded(folder) => Program::innkeeper(self.name(), folder.path()).with(
                "INNKEEPER_STORE_PATH",
                &folder.path().join("data").display(),
            ),
            Self::Redis(redis) => {
                let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
                Program::innkeeper(self.name(), folder).with("REDIS_URL", &redis.url())
            }
        };
        program
            .with("INNKEEPER_IDLE_TIMEOUT_SECS", &idle.as_secs())
            .without_request_log()
            .start()
    }

    /// Bytes of the file, or of Redis' memory.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Embedded(folder) => {
                let file = folder.path().join("data/sessions.redb");
                file.metadata().map_or(0, |file| file.len())
            }
            Self::Redis(redis) => redis.used_memory(),
        }
    }
}

/// Begins sessions as sign-ins do, by the library.
pub(super) fn begin(kept: &Kept, number: usize) -> (Vec<SessionId>, Vec<SessionId>) {
    // More at once would only wait in line.
    const AT_ONCE: usize = 2000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sessions = kept.open();
        let start = |user: String| {
            let sessions = sessions.clone();
            async move {
                let ip = Ipv4Addr::new(203, 0, 113, 195);
                let client = Client::new(Some(ip.into()), Some(KEPT_AGENT));
                let user = UserName::parse(&user).unwrap();
                sessions.start(&user, client, None).await.unwrap().id
            }
        };
        let users = (0..number).map(|index| format!("guest{:07}", index / PER_USER));
        let ids = stream::iter(users.map(start))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let most = stream::iter((0..MOST).map(|_| start("most".to_owned())))
            .buffered(AT_ONCE)
            .collect()
            .await;
        sessions.close().await;
        (ids, most)
    })
}
