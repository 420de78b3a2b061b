//! What sign-ins count and remember: the contract of a `SignInStore`, on every store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use innkeeper::{Attempts, Clock, Counted, Digest, MemorySignInStore, SignInStore, Token};

use crate::support::kept::{Keeps, Place, lasting_keys, new_user, open_redis, with_fault};
use crate::support::proxy::Fault;
use crate::support::redis::RedisServer;

const WINDOW: Duration = Duration::from_secs(900);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn new_digest() -> Digest {
    Token::generate().digest()
}

async fn count(store: &dyn SignInStore, counter: &Digest, limit: u32) -> Counted {
    let attempts = Attempts::new(*counter, limit, WINDOW);
    store.count(&attempts).await.unwrap()
}

async fn passes(store: &dyn SignInStore, counter: &Digest, limit: u32) -> bool {
    count(store, counter, limit).await == Counted::Allowed
}

/// How many pass of so many in a row.
async fn passing(store: &dyn SignInStore, counter: &Digest, limit: u32, tries: u32) -> u32 {
    let mut passed = 0;
    for _ in 0..tries {
        passed += u32::from(passes(store, counter, limit).await);
    }
    passed
}

async fn of_fifty_at_once_exactly_the_limit_pass(place: &Place) {
    for limit in [1, 10] {
        let counter = new_digest();
        let attempts: Vec<_> = (0..50)
            .map(|number| {
                let store: Arc<dyn Keeps> = Arc::clone(if number % 2 == 0 {
                    &place.one
                } else {
                    &place.two
                });
                tokio::spawn(async move {
                    store
                        .count(&Attempts::new(counter, limit, WINDOW))
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut passed = 0;
        for attempt in attempts {
            match attempt.await.unwrap() {
                Counted::Allowed => passed += 1,
                Counted::Refused { retry_after } => {
                    assert!(
                        retry_after <= WINDOW && !retry_after.is_zero(),
                        "{retry_after:?}"
                    );
                }
            }
        }
        assert_eq!(passed, limit);
    }
}

async fn a_limit_of_none_refuses_and_keeps_nothing(place: &Place) {
    let counter = new_digest();
    let Counted::Refused { retry_after } = count(&*place.one, &counter, 0).await else {
        panic!("it passed");
    };
    assert!(retry_after <= WINDOW);
    if let Some(server) = place.server_of(&format!("attempts:{counter}")) {
        assert_eq!(server.run::<u8>(&format!("EXISTS attempts:{counter}")), 0);
    }
    assert!(passes(&*place.one, &counter, 1).await);
}

async fn what_is_taken_back_can_be_tried_again_and_no_more(place: &Place) {
    let (counter, unknown) = (new_digest(), new_digest());
    place.one.uncount(&unknown).await.unwrap();
    if let Some(server) = place.server_of(&format!("attempts:{unknown}")) {
        assert_eq!(server.run::<u8>(&format!("EXISTS attempts:{unknown}")), 0);
    }
    assert_eq!(passing(&*place.one, &counter, 3, 5).await, 3);
    for _ in 0..2 {
        place.two.uncount(&counter).await.unwrap();
    }
    assert_eq!(passing(&*place.one, &counter, 3, 5).await, 2);
    // More often than it was counted.
    for _ in 0..7 {
        place.one.uncount(&counter).await.unwrap();
    }
    assert_eq!(passing(&*place.one, &counter, 3, 9).await, 3);
    place.two.reset(&counter).await.unwrap();
    assert_eq!(passing(&*place.one, &counter, 3, 5).await, 3);
    place.two.reset(&unknown).await.unwrap();
}

async fn a_window_ends_as_it_was_said_and_begins_anew(place: &Place) {
    let counter = new_digest();
    let key = format!("attempts:{counter}");
    assert_eq!(passing(&*place.one, &counter, 2, 4).await, 2);
    place.one.uncount(&counter).await.unwrap();
    place.one.uncount(&counter).await.unwrap();
    assert_eq!(passing(&*place.one, &counter, 2, 4).await, 2);
    place.pass(WINDOW, &key);
    assert_eq!(passing(&*place.one, &counter, 2, 4).await, 2);
}

async fn a_browser_is_known_to_whom_it_signed_in(place: &Place) {
    let (device, other) = (new_digest(), new_digest());
    let (amy, bob) = (new_user("amy "), new_user("bob:{*} \u{2603}"));
    for user in [&amy, &bob] {
        assert!(!place.one.knows_device(&device, user).await.unwrap());
    }
    place
        .one
        .remember_device(&device, &amy, YEAR)
        .await
        .unwrap();
    assert!(place.two.knows_device(&device, &amy).await.unwrap());
    assert!(!place.two.knows_device(&device, &bob).await.unwrap());
    assert!(!place.two.knows_device(&other, &amy).await.unwrap());
    place
        .two
        .remember_device(&device, &bob, YEAR)
        .await
        .unwrap();
    place
        .two
        .remember_device(&device, &bob, YEAR)
        .await
        .unwrap();
    for user in [&amy, &bob] {
        assert!(place.one.knows_device(&device, user).await.unwrap());
    }
    // Signed in to more accounts than anybody has.
    for _ in 0..100 {
        place
            .one
            .remember_device(&device, &new_user("many"), YEAR)
            .await
            .unwrap();
    }
    place
        .one
        .remember_device(&device, &amy, YEAR)
        .await
        .unwrap();
    assert!(!place.one.knows_device(&device, &bob).await.unwrap());
    assert!(place.one.knows_device(&device, &amy).await.unwrap());
    place.pass(YEAR, &format!("known_device:{device}"));
    assert!(!place.one.knows_device(&device, &amy).await.unwrap());
}

/// Stamps each case for every store. A cluster takes long to start, and is started once.
macro_rules! on_every_place {
    ($($case:ident),+ $(,)?) => {
        on_every_place! { memory $($case),+ }
        on_every_place! { folder $($case),+ }
        on_every_place! { redis $($case),+ }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn in_a_cluster() {
            let place = Place::cluster();
            $($case(&place).await;)+
            for server in place.servers() {
                assert_eq!(lasting_keys(server), [""; 0]);
            }
        }
    };
    ($place:ident $($case:ident),+) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Place::$place()).await;
            })+
        }
    };
}

on_every_place! {
    of_fifty_at_once_exactly_the_limit_pass,
    a_limit_of_none_refuses_and_keeps_nothing,
    what_is_taken_back_can_be_tried_again_and_no_more,
    a_window_ends_as_it_was_said_and_begins_anew,
    a_browser_is_known_to_whom_it_signed_in,
}

#[tokio::test]
async fn a_known_browser_survives_a_restart_and_is_forgotten_after_its_time() {
    let place = Place::folder();
    let (device, amy) = (new_digest(), new_user("amy"));
    place
        .one
        .remember_device(&device, &amy, YEAR)
        .await
        .unwrap();
    let place = place.reopened();
    assert!(place.one.knows_device(&device, &amy).await.unwrap());
    assert!(place.path().is_some());
}

#[tokio::test]
async fn beside_a_store_of_ones_own_it_is_kept_in_memory() {
    let clock = Clock::start();
    let store = MemorySignInStore::new(clock.clone());
    let (counter, device, amy) = (new_digest(), new_digest(), new_user("amy"));
    assert_eq!(passing(&store, &counter, 3, 5).await, 3);
    store.uncount(&counter).await.unwrap();
    assert_eq!(passing(&store, &counter, 3, 5).await, 1);
    store.reset(&counter).await.unwrap();
    assert_eq!(passing(&store, &counter, 3, 5).await, 3);
    store.remember_device(&device, &amy, YEAR).await.unwrap();
    assert!(store.knows_device(&device, &amy).await.unwrap());
    for _ in 0..25_000 {
        store
            .remember_device(&new_digest(), &amy, YEAR)
            .await
            .unwrap();
        assert!(passes(&store, &new_digest(), 100).await);
    }
    assert_eq!(
        passing(&store, &counter, 3, 1).await,
        0,
        "a flood reset a count"
    );
    clock.advance(WINDOW);
    assert_eq!(passing(&store, &counter, 3, 5).await, 3);
    clock.advance(YEAR);
    assert!(!store.knows_device(&device, &amy).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_invented_sources_leave_only_what_expires() {
    let place = Place::redis();
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&place.one);
            tokio::spawn(async move {
                for _ in 0..200 {
                    // A source, and a name that is no account.
                    assert!(passes(&*store, &new_digest(), 100).await);
                    assert!(!passes(&*store, &new_digest(), 0).await);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let server = place.servers()[0];
    assert_eq!(server.run::<usize>("DBSIZE"), 10_000);
    assert_eq!(lasting_keys(server), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_let_no_guess_too_many_pass() {
    const LIMIT: u32 = 3;
    let redis = RedisServer::start();
    let direct = open_redis(&redis.url());
    for fault in [Fault::Cut, Fault::LoseReply] {
        for faulty in 0..5 {
            let counter = new_digest();
            let mut allowed = 0;
            for number in 0..5 {
                let is_allowed = if number == faulty {
                    let (proxy, store) = with_fault(&redis, fault).await;
                    let is_allowed = passes(&*store, &counter, LIMIT).await;
                    assert!(proxy.is_done());
                    is_allowed
                } else {
                    passes(&direct, &counter, LIMIT).await
                };
                allowed += u32::from(is_allowed);
            }
            // Where the reply is lost, one attempt is counted twice.
            let is_lost = fault == Fault::LoseReply && faulty < 3;
            assert_eq!(allowed, LIMIT - u32::from(is_lost), "{fault:?} at {faulty}");
        }
    }
    // What is taken back when the reply is lost is taken back once, and the caller is told that nobody knows.
    for (fault, left) in [(Fault::LoseReply, 1), (Fault::Cut, 0)] {
        let counter = new_digest();
        assert_eq!(passing(&direct, &counter, LIMIT, 5).await, LIMIT);
        let (proxy, store) = with_fault(&redis, fault).await;
        assert!(store.uncount(&counter).await.is_err());
        assert!(proxy.is_done());
        assert_eq!(
            passing(&direct, &counter, LIMIT, 5).await,
            left,
            "{fault:?}"
        );
        let (proxy, store) = with_fault(&redis, fault).await;
        assert!(store.reset(&counter).await.is_err());
        assert!(proxy.is_done());
        let passes = if fault == Fault::LoseReply { LIMIT } else { 0 };
        assert_eq!(passing(&direct, &counter, LIMIT, LIMIT).await, passes);
    }
    let (device, amy) = (new_digest(), new_user("amy"));
    let (proxy, store) = with_fault(&redis, Fault::LoseReply).await;
    store.remember_device(&device, &amy, YEAR).await.unwrap();
    assert!(proxy.is_done());
    let (proxy, store) = with_fault(&redis, Fault::LoseReply).await;
    assert!(store.knows_device(&device, &amy).await.unwrap());
    assert!(proxy.is_done());
    let kinds: BTreeSet<_> = redis
        .keys()
        .into_iter()
        .map(|key| key.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["attempts", "known_device"]
    );
    assert_eq!(lasting_keys(&redis), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_somebody_made_lasting_ends_all_the_same() {
    let place = Place::redis();
    let counter = new_digest();
    let key = format!("attempts:{counter}");
    let server = place.servers()[0];
    for limit in [2, 1] {
        assert!(passes(&*place.one, &counter, 9).await);
        server.run::<u8>(&format!("PERSIST {key}"));
        passes(&*place.one, &counter, limit).await;
        assert!(server.run::<i64>(&format!("PTTL {key}")) > 0);
    }
}
