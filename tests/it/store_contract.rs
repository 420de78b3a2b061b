//! Every sentence of `SessionStore`, for every store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use innkeeper::{
    Clock, EmbeddedStore, Lifetimes, Location, RedisAddress, RedisStore, Secret, Session,
    SessionId, SessionStore, Visitor,
};

use crate::support::Backend;
use crate::support::redis::RedisServer;

on_every_store!(
    an_unknown_session_is_no_session,
    what_was_created_is_found_whole,
    a_session_ends_when_its_idle_time_is_over,
    a_touch_slides_the_end,
    the_absolute_limit_ends_an_active_session,
    without_an_absolute_limit_a_session_goes_on,
    a_deleted_session_is_gone,
    deleting_twice_is_fine,
    a_new_session_ends_the_one_it_replaces,
    replacing_a_session_that_is_over_is_fine,
    a_deleted_session_never_comes_back,
);

const IDLE: Lifetimes = Lifetimes {
    idle: Duration::from_secs(900),
    absolute: Some(Duration::from_secs(43_200)),
};

/// A store and what must live as long as it does.
struct Opened {
    store: Arc<dyn SessionStore>,
    _redis: Option<RedisServer>,
}

fn open(on: Backend, lifetimes: Lifetimes) -> Opened {
    let clock = Clock::start();
    match on {
        Backend::Embedded => Opened {
            store: Arc::new(EmbeddedStore::open(&Location::Memory, lifetimes, clock).unwrap()),
            _redis: None,
        },
        Backend::Redis => {
            let redis = RedisServer::start();
            let address = RedisAddress::Url(Secret::new(redis.url()));
            let budget = Duration::from_secs(10);
            Opened {
                store: Arc::new(RedisStore::open(&address, budget, lifetimes, clock).unwrap()),
                _redis: Some(redis),
            }
        }
    }
}

fn session_of(user: &str, created_at: SystemTime) -> Session {
    Session {
        user: user.to_owned(),
        status: "active".to_owned(),
        data: BTreeMap::from([("theme".to_owned(), "d\u{e4}mmerung".to_owned())]),
        created_at: Some(created_at),
        visitor: Visitor {
            ip: Some("127.0.0.1".to_owned()),
            agent: Some("curl/8".to_owned()),
        },
    }
}

/// So many seconds ago, to the second.
fn ago(seconds: u64) -> SystemTime {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    UNIX_EPOCH + Duration::from_secs(now - seconds)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn an_unknown_session_is_no_session(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    assert_eq!(store.touch(&SessionId::generate()).await.unwrap(), None);
}

async fn what_was_created_is_found_whole(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let id = SessionId::generate();
    let session = session_of("{zo\u{eb}}:*", ago(0));
    store.create(&id, &session, None).await.unwrap();
    assert_eq!(store.touch(&id).await.unwrap(), Some(session.clone()));
    assert_eq!(store.touch(&id).await.unwrap(), Some(session));
}

async fn a_session_ends_when_its_idle_time_is_over(on: Backend) {
    let lifetimes = Lifetimes {
        idle: seconds(1),
        ..IDLE
    };
    let Opened { store, _redis } = open(on, lifetimes);
    let id = SessionId::generate();
    store
        .create(&id, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(store.touch(&id).await.unwrap(), None);
    assert_eq!(store.touch(&id).await.unwrap(), None);
}

async fn a_touch_slides_the_end(on: Backend) {
    let lifetimes = Lifetimes {
        idle: seconds(4),
        ..IDLE
    };
    let Opened { store, _redis } = open(on, lifetimes);
    let (used, idle) = (SessionId::generate(), SessionId::generate());
    store
        .create(&used, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    store
        .create(&idle, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(4500) {
        assert!(store.touch(&used).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(store.touch(&idle).await.unwrap(), None);
    assert!(store.touch(&used).await.unwrap().is_some());
}

async fn the_absolute_limit_ends_an_active_session(on: Backend) {
    let lifetimes = Lifetimes {
        absolute: Some(seconds(60)),
        ..IDLE
    };
    let Opened { store, _redis } = open(on, lifetimes);
    let (young, old) = (SessionId::generate(), SessionId::generate());
    store
        .create(&young, &session_of("a", ago(30)), None)
        .await
        .unwrap();
    store
        .create(&old, &session_of("a", ago(61)), None)
        .await
        .unwrap();
    assert!(store.touch(&young).await.unwrap().is_some());
    assert_eq!(store.touch(&old).await.unwrap(), None);
}

async fn without_an_absolute_limit_a_session_goes_on(on: Backend) {
    let lifetimes = Lifetimes {
        absolute: None,
        ..IDLE
    };
    let Opened { store, _redis } = open(on, lifetimes);
    let id = SessionId::generate();
    store
        .create(&id, &session_of("a", ago(1_000_000)), None)
        .await
        .unwrap();
    assert!(store.touch(&id).await.unwrap().is_some());
}

async fn a_deleted_session_is_gone(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let (gone, kept) = (SessionId::generate(), SessionId::generate());
    store
        .create(&gone, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    store
        .create(&kept, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    store.touch(&gone).await.unwrap();
    store.delete(&gone).await.unwrap();
    assert_eq!(store.touch(&gone).await.unwrap(), None);
    assert!(store.touch(&kept).await.unwrap().is_some());
}

async fn deleting_twice_is_fine(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let id = SessionId::generate();
    store
        .create(&id, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    store.delete(&id).await.unwrap();
    store.delete(&id).await.unwrap();
    store.delete(&SessionId::generate()).await.unwrap();
}

async fn a_new_session_ends_the_one_it_replaces(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let (first, second) = (SessionId::generate(), SessionId::generate());
    store
        .create(&first, &session_of("a", ago(0)), None)
        .await
        .unwrap();
    store
        .create(&second, &session_of("b", ago(0)), Some(&first))
        .await
        .unwrap();
    assert_eq!(store.touch(&first).await.unwrap(), None);
    assert_eq!(store.touch(&second).await.unwrap().unwrap().user, "b");
}

async fn replacing_a_session_that_is_over_is_fine(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let id = SessionId::generate();
    let over = SessionId::generate();
    store
        .create(&id, &session_of("a", ago(0)), Some(&over))
        .await
        .unwrap();
    assert!(store.touch(&id).await.unwrap().is_some());
}

/// T1: with a touch that writes the record back, 119 of 300 came back.
async fn a_deleted_session_never_comes_back(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    for round in 0..150 {
        let id = SessionId::generate();
        store
            .create(&id, &session_of("a", ago(0)), None)
            .await
            .unwrap();
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for _ in 0..5 {
                        store.touch(&id).await.unwrap();
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        store.delete(&id).await.unwrap();
        assert_eq!(store.touch(&id).await.unwrap(), None, "round {round}");
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(store.touch(&id).await.unwrap(), None, "round {round}");
    }
}
