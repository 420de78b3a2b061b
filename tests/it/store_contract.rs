//! The public suite, on our stores; that it finds what a store does wrong; and what is one store's own.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use innkeeper::testing::contract::{Opened, Setup, Time, clauses};
use innkeeper::{
    ActiveSession, Client, Clock, Created, EmbeddedStore, EndOutcome, EndReason, EndedSession,
    HandlePrefix, Lifetimes, Listing, NewSession, RedisAddress, RedisOptions, RedisStore, Secret,
    Selection, Session, SessionHandle, SessionId, SessionStore, StoreError, StorePath, StoreStats,
    WriteOutcome,
};
use rocket::async_trait;

use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};

mod embedded {
    innkeeper::store_contract!(super::open_embedded);
}

mod redis {
    innkeeper::store_contract!(super::open_redis, super::Time::Own);
}

async fn open_embedded(setup: Setup) -> EmbeddedStore {
    EmbeddedStore::open(&StorePath::Memory, setup.lifetimes, setup.clock).unwrap()
}

async fn open_redis(setup: Setup) -> Opened {
    let server = RedisServer::start();
    if setup.for_operator {
        server.allow(OPERATORS_RIGHTS);
    }
    let store = redis_store(&server, setup.lifetimes, setup.clock);
    Opened::new(store).keep(server)
}

fn redis_store(server: &RedisServer, lifetimes: Lifetimes, clock: Clock) -> RedisStore {
    let address = RedisAddress::Url(Secret::new(server.url()));
    let mut options = RedisOptions::default();
    options.timeout = Duration::from_secs(10);
    RedisStore::open(&address, &options, lifetimes, clock).unwrap()
}

const IDLE: Lifetimes = Lifetimes {
    idle: Duration::from_secs(900),
    absolute: Some(Duration::from_secs(43_200)),
};

async fn sign_in(store: &dyn SessionStore, user: &str) -> SessionId {
    let id = SessionId::generate();
    let mut session = Session::new(user, Client::default(), SystemTime::now());
    session.data = [("theme".to_owned(), "1".to_owned())].into();
    let over_limit = why(EndReason::OverLimit);
    let new = NewSession::new(&id, &session, 100, &over_limit);
    store.create(&new).await.unwrap();
    id
}

fn why(reason: EndReason) -> EndedSession {
    EndedSession::new(reason, SystemTime::now(), &Client::default())
}

#[tokio::test]
async fn the_embedded_store_has_neither_circuit_nor_connections() {
    let store = EmbeddedStore::open(&StorePath::Memory, IDLE, Clock::start()).unwrap();
    sign_in(&store, "a").await;
    let stats = store.stats().await;
    assert_eq!((stats.active, stats.active_error), (Some(1), None));
    assert_eq!((stats.circuit_open, stats.connections), (None, None));
}

#[tokio::test]
async fn redis_has_open_connections_and_an_estimate() {
    let server = RedisServer::start();
    let store = redis_store(&server, IDLE, Clock::start());
    sign_in(&store, "a").await;
    let stats = store.stats().await;
    assert_eq!(stats.circuit_open, Some(false));
    assert!(stats.active.is_some() && stats.active_error.is_some());
    let connections = stats.connections.unwrap();
    assert!(connections.open >= 1 && connections.open <= connections.limit);
}

#[tokio::test]
async fn ending_all_sessions_leaves_only_the_reasons_in_redis() {
    let server = RedisServer::start();
    server.allow(OPERATORS_RIGHTS);
    let store = redis_store(&server, IDLE, Clock::start());
    for user in ["a", "a", "b"] {
        sign_in(&store, user).await;
    }
    let outcome = store.delete_all(&why(EndReason::ByOperator)).await.unwrap();
    assert_eq!(outcome.ended.len(), 3);
    let left = server.keys();
    assert_eq!(left.len(), 3);
    assert!(
        left.iter().all(|key| key.starts_with("ended_session:")),
        "{left:?}"
    );
}

/// What a store may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Invents,
    PeekSlides,
    TouchDoesNotSlide,
    IgnoresTime,
    DeleteForgets,
    DeletesForTwo,
    DeletesAllOfUser,
    KeepsNoReason,
    ReplacesNothing,
    KnowsNoLimit,
    ListsOthers,
    EndsNobodyByHandle,
    FindsTooMuch,
    WritesToTheDead,
    WritesTooMany,
    LosesFields,
    CountsOneMore,
    NeverCloses,
    Fails,
}

/// The embedded store with one fault.
#[derive(Debug)]
struct Faulty {
    store: EmbeddedStore,
    fault: Fault,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

#[async_trait]
impl SessionStore for Faulty {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        let mut new = *new;
        if self.has(Fault::ReplacesNothing) {
            new.replaced = None;
        }
        if self.has(Fault::KnowsNoLimit) {
            new.limit = usize::MAX;
        }
        self.store.create(&new).await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        if self.has(Fault::Fails) {
            return Err(StoreError::Failed("no such table".to_owned()));
        }
        if self.has(Fault::Invents) {
            let id = sign_in(&self.store, "nobody").await;
            return self.store.touch(&id).await;
        }
        if self.has(Fault::TouchDoesNotSlide) {
            return self.store.peek(id).await;
        }
        self.store.touch(id).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        if self.has(Fault::PeekSlides) {
            return self.store.touch(id).await;
        }
        self.store.peek(id).await
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        if self.has(Fault::ListsOthers) {
            let mut sessions = Vec::new();
            let all = &mut |handle, active| sessions.push((handle, active));
            self.store.list_all(all).await?;
            return Ok(Listing::all(sessions));
        }
        self.store.list(user, reader).await
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        if self.has(Fault::DeleteForgets) {
            let found = self.store.peek(id).await?;
            return Ok(found.map(|active| active.session.user));
        }
        if self.has(Fault::DeletesAllOfUser)
            && let Some(active) = self.store.peek(id).await?
        {
            let user = active.session.user;
            let _all = self
                .store
                .delete_of_user(&user, Selection::All, why)
                .await?;
            return Ok(Some(user));
        }
        let whose = self.store.delete(id, why).await?;
        if self.has(Fault::DeletesForTwo) {
            return Ok(Some("a".to_owned()));
        }
        Ok(whose)
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        self.store.delete_of_user(user, selection, why).await
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        if self.has(Fault::EndsNobodyByHandle) {
            return Ok(None);
        }
        self.store.delete_by_handle(handle, why).await
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        self.store.list_all(found).await
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        if self.has(Fault::FindsTooMuch) {
            let mut sessions = Vec::new();
            let all = &mut |handle, active| sessions.push((handle, active));
            self.store.list_all(all).await?;
            return Ok(sessions);
        }
        self.store.find(prefix).await
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        self.store.delete_all(why).await
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        if self.has(Fault::KeepsNoReason) {
            return Ok(None);
        }
        self.store.ended(id).await
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        if self.has(Fault::LosesFields) {
            return Ok(WriteOutcome::Written);
        }
        let limit = if self.has(Fault::WritesTooMany) {
            100
        } else {
            limit
        };
        let outcome = self.store.write(id, field, value, limit).await?;
        if self.has(Fault::WritesToTheDead) {
            return Ok(WriteOutcome::Written);
        }
        Ok(outcome)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }

    async fn stats(&self) -> StoreStats {
        let mut stats = self.store.stats().await;
        if self.has(Fault::CountsOneMore) {
            stats.active = stats.active.map(|active| active + 1);
        }
        stats
    }

    async fn close(&self) {
        if self.has(Fault::NeverCloses) {
            std::future::pending::<()>().await;
        }
        self.store.close().await;
    }
}

/// The first sentence of the clause that `fault` breaks.
async fn sentence(fault: Fault, clause: &str) -> Option<String> {
    let clause = clauses().find(|known| known.name() == clause).unwrap();
    let open = move |setup: Setup| async move {
        let clock = if fault == Fault::IgnoresTime {
            Clock::start()
        } else {
            setup.clock
        };
        Faulty {
            store: EmbeddedStore::open(&StorePath::Memory, setup.lifetimes, clock).unwrap(),
            fault,
        }
    };
    let violation = clause.check(open, Time::Given).await.err();
    violation.map(|violation| violation.to_string())
}

/// Each fault, a clause that it breaks, and some words of what is said then.
const BROKEN: [(Fault, &str, &str); 22] = [
    (
        Fault::Invents,
        "an_unknown_session_is_no_session",
        "never created",
    ),
    (
        Fault::PeekSlides,
        "looking_does_not_slide_the_end",
        "`peek` or `list` slid the end",
    ),
    (
        Fault::TouchDoesNotSlide,
        "a_touch_slides_the_end",
        "used all the time",
    ),
    (
        Fault::IgnoresTime,
        "a_session_ends_when_its_idle_time_is_over",
        "say `Time::Own`",
    ),
    (
        Fault::DeleteForgets,
        "a_deleted_session_is_gone",
        "`delete` has ended",
    ),
    (
        Fault::DeletesForTwo,
        "deleting_twice_is_fine",
        "a second `delete`",
    ),
    (
        Fault::DeletesForTwo,
        "a_session_that_several_end_at_once_is_ended_by_one_of_them",
        "not exactly one",
    ),
    (
        Fault::DeletesAllOfUser,
        "a_deleted_session_is_gone",
        "another session of its user",
    ),
    (
        Fault::KeepsNoReason,
        "a_client_with_an_ended_id_learns_why",
        "another reason",
    ),
    (
        Fault::KeepsNoReason,
        "a_reason_is_kept_for_the_idle_timeout",
        "gone before",
    ),
    (
        Fault::ReplacesNothing,
        "a_new_session_ends_the_one_it_replaces",
        "replaced",
    ),
    (
        Fault::KnowsNoLimit,
        "beyond_the_most_allowed_the_oldest_end",
        "oldest session beyond the limit",
    ),
    (
        Fault::KnowsNoLimit,
        "many_sign_ins_at_once_leave_no_more_than_allowed",
        "beyond a limit of 10",
    ),
    (
        Fault::ListsOthers,
        "a_user_sees_his_live_sessions_and_nobody_elses",
        "exactly the user's",
    ),
    (
        Fault::EndsNobodyByHandle,
        "a_session_ends_by_its_handle_whoevers_it_is",
        "`delete_by_handle`",
    ),
    (
        Fault::FindsTooMuch,
        "sessions_are_found_by_the_first_digits_of_their_handles",
        "`find`",
    ),
    (
        Fault::WritesToTheDead,
        "an_ended_session_takes_no_field",
        "session is over",
    ),
    (
        Fault::WritesTooMany,
        "a_session_has_only_so_many_fields",
        "`third`",
    ),
    (
        Fault::LosesFields,
        "fields_are_written_one_by_one",
        "other fields",
    ),
    (
        Fault::LosesFields,
        "writes_of_different_fields_at_once_all_last",
        "record written as a whole",
    ),
    (
        Fault::CountsOneMore,
        "the_stats_count_the_active_sessions",
        "Some(1) sessions in an empty store",
    ),
    (Fault::Fails, "a_deleted_session_is_gone", "no such table"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_finds_what_a_store_does_wrong_and_says_it() {
    for (fault, clause, said) in BROKEN {
        let found = sentence(fault, clause).await;
        let found = found.unwrap_or_else(|| panic!("{clause} does not notice {fault:?}"));
        assert!(found.starts_with(&format!("{clause}: ")), "{found}");
        assert!(found.contains(said), "{fault:?}: {found}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_does_not_wait_for_ever() {
    let said = sentence(Fault::NeverCloses, "a_store_that_works_says_so").await;
    assert!(said.is_some_and(|said| said.contains("`close` has not returned")));
}

#[test]
fn a_clause_by_itself_fails_as_a_test_does() {
    let run = || {
        innkeeper::testing::contract::run(
            "a_client_with_an_ended_id_learns_why",
            |setup: Setup| async move {
                let store = EmbeddedStore::open(&StorePath::Memory, setup.lifetimes, setup.clock);
                Faulty {
                    store: store.unwrap(),
                    fault: Fault::KeepsNoReason,
                }
            },
            Time::Given,
        );
    };
    let panic = std::panic::catch_unwind(run).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(
        said.starts_with("a_client_with_an_ended_id_learns_why: `ended` has"),
        "{said}"
    );
}

/// A store that is shared is kept by whoever has a clone of it: what it needs must outlive it.
#[tokio::test]
async fn what_is_kept_with_a_store_is_dropped_after_it() {
    struct Guard(Arc<std::sync::Mutex<Vec<&'static str>>>, &'static str);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    let dropped = Arc::<std::sync::Mutex<Vec<_>>>::default();
    let guards = Arc::clone(&dropped);
    let clause = clauses().next().unwrap();
    let open = move |setup: Setup| {
        let guards = Arc::clone(&guards);
        async move {
            Opened::new(open_embedded(setup).await)
                .keep(Guard(Arc::clone(&guards), "folder"))
                .keep(Guard(guards, "server"))
        }
    };
    clause.check(open, Time::Given).await.unwrap();
    let mut dropped = dropped.lock().unwrap().clone();
    dropped.sort_unstable();
    assert_eq!(dropped, ["folder", "server"]);
}
