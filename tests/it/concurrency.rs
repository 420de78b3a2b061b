//! The invariants of the Redis layout, with every operation broken off, repeated and interleaved at each of its steps.
//!
//! In the embedded store a change is one transaction of one thread, so nothing can come between its steps; its concurrency tests
//! are those of `store_contract`, and the kills of `durability`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use innkeeper::{
    Client, Clock, EndReason, EndedSession, Lifetimes, NewSession, RedisAddress, RedisOptions,
    RedisStore, Secret, Selection, Session, SessionHandle, SessionId, SessionStore, StoreError,
};

use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

const USER: &str = "abdullah";
/// The most sessions that the user of a case may have.
const MOST: usize = 4;
/// More round trips than any operation takes.
const MOST_STEPS: usize = 10;

/// What a case does to the same user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    SignIn,
    SignInAgain,
    Touch,
    Adopt,
    Write,
    List,
    SignOut,
    EndOne,
    EndOthers,
    EndAll,
    Expire,
}

const ALL: [Operation; 11] = [
    Operation::SignIn,
    Operation::SignInAgain,
    Operation::Touch,
    Operation::Adopt,
    Operation::Write,
    Operation::List,
    Operation::SignOut,
    Operation::EndOne,
    Operation::EndOthers,
    Operation::EndAll,
    Operation::Expire,
];

/// A user with as many sessions as he may have, the first of which is the one that operations are done to.
struct Case {
    redis: Arc<RedisServer>,
    ids: Vec<SessionId>,
    /// One that another program began, and that is in no list yet.
    foreign: SessionId,
}

fn ending(reason: EndReason) -> EndedSession {
    EndedSession::new(reason, UNIX_EPOCH, &Client::default())
}

fn session() -> Session {
    Session::new(USER, Client::default(), SystemTime::now())
}

fn store_at(url: &str) -> RedisStore {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(900),
        absolute: Some(Duration::from_secs(43_200)),
    };
    let address = RedisAddress::Url(Secret::new(url));
    let mut options = RedisOptions::default();
    options.timeout = Duration::from_secs(10);
    // The steps of an operation are counted.
    options.connections = 1;
    RedisStore::open(&address, &options, lifetimes, Clock::start()).unwrap()
}

impl Case {
    async fn begin(redis: &Arc<RedisServer>, direct: &RedisStore) -> Self {
        redis.run::<()>("FLUSHALL");
        let mut ids = Vec::new();
        for _ in 0..MOST {
            let id = SessionId::generate();
            sign_in(direct, &id, None).await.unwrap();
            ids.push(id);
        }
        let foreign = SessionId::generate();
        redis.run::<u64>(&format!("HSET session:{foreign} user {USER} status active"));
        redis.run::<u64>(&format!("EXPIRE session:{foreign} 100"));
        Self {
            redis: Arc::clone(redis),
            ids,
            foreign,
        }
    }

    async fn run(&self, operation: Operation, store: &RedisStore) -> Result<(), StoreError> {
        let first = &self.ids[0];
        let handle = SessionHandle::from(first);
        let ended = ending(EndReason::Ended);
        match operation {
            Operation::SignIn => sign_in(store, &SessionId::generate(), None).await,
            Operation::SignInAgain => sign_in(store, &SessionId::generate(), Some(first)).await,
            Operation::Touch => store.touch(first).await.map(drop),
            Operation::Adopt => store.touch(&self.foreign).await.map(drop),
            Operation::Write => store.write(first, "x", Some("1"), 10).await.map(drop),
            Operation::List => store.list(USER, None).await.map(drop),
            Operation::SignOut => store
                .delete(first, &ending(EndReason::SignedOut))
                .await
                .map(drop),
            Operation::EndOne => store
                .delete_of_user(USER, Selection::One(handle), &ended)
                .await
                .map(drop),
            Operation::EndOthers => store
                .delete_of_user(USER, Selection::Others(handle), &ended)
                .await
                .map(drop),
            Operation::EndAll => store
                .delete_of_user(USER, Selection::All, &ended)
                .await
                .map(drop),
            Operation::Expire => {
                self.redis.run::<u64>(&format!("DEL session:{first}"));
                Ok(())
            }
        }
    }

    /// Checks what must hold whenever nobody is at work; `done` are the operations that were acknowledged.
    async fn check(&self, what: &str, direct: &RedisStore, done: &[Operation]) {
        let listed = direct.list(USER, None).await.unwrap();
        let mut handles: Vec<_> = listed.sessions.iter().map(|(handle, _)| *handle).collect();
        handles.sort();
        let mut alive = Vec::new();
        for key in self.redis.keys() {
            let left: i64 = self.redis.run(&format!("TTL {key}"));
            assert!(left > 0, "{what}: {key} lives for {left}");
            if let Some(id) = key.strip_prefix("session:") {
                let id = SessionId::parse(id).unwrap();
                // What another program began is listed when it has been seen.
                let seen = id != self.foreign || handles.contains(&SessionHandle::from(&id));
                if seen {
                    alive.push(SessionHandle::from(&id));
                }
            }
        }
        alive.sort();
        assert_eq!(handles, alive, "{what}: the list and the live sessions");
        let card: usize = self.redis.run(&format!("ZCARD user_sessions:{USER}"));
        assert_eq!(card, alive.len(), "{what}: ZCARD");

        let over = |operation| {
            matches!(
                operation,
                Operation::SignOut
                    | Operation::EndOne
                    | Operation::EndAll
                    | Operation::SignInAgain
                    | Operation::Expire
            )
        };
        if done.iter().copied().any(over) {
            assert_eq!(
                direct.touch(&self.ids[0]).await.unwrap(),
                None,
                "{what}: it came back"
            );
        }
        if done.contains(&Operation::Adopt)
            && !done.contains(&Operation::EndAll)
            && !done.contains(&Operation::EndOthers)
        {
            let adopted = handles.contains(&SessionHandle::from(&self.foreign));
            let trimmed =
                done.contains(&Operation::SignIn) || done.contains(&Operation::SignInAgain);
            assert!(
                adopted || trimmed,
                "{what}: the foreign session is not listed"
            );
        }
    }
}

async fn sign_in(
    store: &RedisStore,
    id: &SessionId,
    replaced: Option<&SessionId>,
) -> Result<(), StoreError> {
    let again = ending(EndReason::Replaced);
    let over_limit = ending(EndReason::OverLimit);
    let session = session();
    let mut new = NewSession::new(id, &session, MOST, &over_limit);
    new.replaced = replaced.map(|id| (id, &again));
    store.create(&new).await.map(drop)
}

/// A store behind a proxy of its own, with its connection made.
async fn behind_proxy(redis: &RedisServer) -> (Proxy, Arc<RedisStore>) {
    let proxy = Proxy::to(&redis.url());
    let store = Arc::new(store_at(&proxy.url()));
    store.touch(&SessionId::generate()).await.unwrap();
    (proxy, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_survives_a_fault_at_each_of_its_steps() {
    let redis = Arc::new(RedisServer::start());
    let direct = store_at(&redis.url());
    for operation in ALL {
        for fault in [Fault::Cut, Fault::LoseReply] {
            // Once: the retry does it. Twice: that breaks too, and the operation fails.
            for times in [1, 2] {
                for step in 0..MOST_STEPS {
                    let case = Case::begin(&redis, &direct).await;
                    let (proxy, store) = behind_proxy(&redis).await;
                    proxy.plan(step, &vec![fault; times]);
                    let outcome = case.run(operation, &store).await;
                    let reached = proxy.is_done();
                    let what =
                        format!("{operation:?} with {times} {fault:?} at step {step}: {outcome:?}");
                    assert!(times > 1 || outcome.is_ok(), "{what}");
                    let done: Vec<_> = outcome.is_ok().then_some(operation).into_iter().collect();
                    case.check(&what, &direct, &done).await;
                    if !reached {
                        assert!(outcome.is_ok(), "{what}");
                        break;
                    }
                    assert!(
                        step + 1 < MOST_STEPS,
                        "{what}: there are more steps than were tried"
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_of_operations_can_meet_at_each_step() {
    let redis = Arc::new(RedisServer::start());
    let direct = store_at(&redis.url());
    let (first_proxy, first_store) = behind_proxy(&redis).await;
    let (second_proxy, second_store) = behind_proxy(&redis).await;
    for first in ALL {
        for second in ALL {
            'steps: for first_step in 0..MOST_STEPS {
                for second_step in 0..MOST_STEPS {
                    let what =
                        format!("{first:?} held at {first_step}, {second:?} at {second_step}");
                    let case = Arc::new(Case::begin(&redis, &direct).await);
                    let one = held(&case, first, &first_proxy, &first_store, first_step).await;
                    let first_over = one.is_finished();
                    let two = held(&case, second, &second_proxy, &second_store, second_step).await;
                    let second_over = two.is_finished();
                    first_proxy.release();
                    one.await.unwrap().unwrap();
                    second_proxy.release();
                    two.await.unwrap().unwrap();
                    case.check(&what, &direct, &[first, second]).await;
                    if first_over {
                        break 'steps;
                    }
                    if second_over {
                        break;
                    }
                }
            }
        }
    }
}

/// Starts an operation and lets it run until its step is held, or until it is over if it has no such step.
async fn held(
    case: &Arc<Case>,
    operation: Operation,
    proxy: &Proxy,
    store: &Arc<RedisStore>,
    step: usize,
) -> tokio::task::JoinHandle<Result<(), StoreError>> {
    proxy.plan(step, &[Fault::Hold]);
    let (case, store) = (Arc::clone(case), Arc::clone(store));
    let task = tokio::spawn(async move { case.run(operation, &store).await });
    while !proxy.is_holding() && !task.is_finished() {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    proxy.is_done();
    task
}

/// Many clients of one user at once, on two instances, with connections that break.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_storm_of_many_clients_everything_agrees() {
    let redis = Arc::new(RedisServer::start());
    let direct = store_at(&redis.url());
    let case = Arc::new(Case::begin(&redis, &direct).await);
    let (proxy, through_proxy) = behind_proxy(&redis).await;
    let other = Arc::new(store_at(&redis.url()));
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let store = Arc::clone(if client % 2 == 0 {
                &through_proxy
            } else {
                &other
            });
            let case = Arc::clone(&case);
            tokio::spawn(async move {
                for round in 0..60 {
                    let operation = ALL[(client * 7 + round * 3) % ALL.len()];
                    // Some fail, because their connection broke twice; what they did must still agree.
                    drop(case.run(operation, &store).await);
                }
            })
        })
        .collect();
    for fault in [Fault::Cut, Fault::LoseReply].into_iter().cycle().take(60) {
        proxy.plan(3, &[fault, fault]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.plan(0, &[]);
    for client in clients {
        client.await.unwrap();
    }
    case.check("after the storm", &direct, &[]).await;
}
