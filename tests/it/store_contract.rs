//! Every sentence of `SessionStore`, for every store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use innkeeper::{
    ActiveSession, Client, Clock, Created, EmbeddedStore, EndReason, EndedSession, HandlePrefix,
    Lifetimes, NewSession, RedisAddress, RedisOptions, RedisStore, Secret, Selection, Session,
    SessionHandle, SessionId, SessionStore, StorePath, WriteOutcome,
};

use crate::support::Backend;
use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};

on_every_store!(
    an_unknown_session_is_no_session,
    what_was_created_is_found_whole,
    a_session_ends_when_its_idle_time_is_over,
    a_touch_slides_the_end,
    the_absolute_limit_ends_an_active_session,
    without_an_absolute_limit_a_session_goes_on,
    a_deleted_session_is_gone,
    deleting_twice_is_fine,
    a_session_that_several_end_at_once_is_ended_by_one_of_them,
    a_new_session_ends_the_one_it_replaces,
    replacing_a_session_that_is_over_is_fine,
    a_deleted_session_never_comes_back,
    looking_does_not_slide_the_end,
    a_user_sees_his_live_sessions_and_nobody_elses,
    some_sessions_of_a_user_end_and_the_others_stay,
    a_session_ends_by_its_handle_whoevers_it_is,
    all_sessions_are_listed_whoevers_they_are,
    all_sessions_end_at_once,
    sessions_are_found_by_the_first_digits_of_their_handles,
    a_client_with_an_ended_id_learns_why,
    a_session_that_ran_out_of_time_leaves_no_reason,
    beyond_the_most_allowed_the_oldest_end,
    many_sign_ins_at_once_leave_no_more_than_allowed,
    fields_are_written_one_by_one,
    writes_of_different_fields_at_once_all_last,
    an_ended_session_takes_no_field,
    a_session_has_only_so_many_fields,
    the_stats_count_the_active_sessions,
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
            store: Arc::new(EmbeddedStore::open(&StorePath::Memory, lifetimes, clock).unwrap()),
            _redis: None,
        },
        Backend::Redis => {
            let redis = RedisServer::start();
            let address = RedisAddress::Url(Secret::new(redis.url()));
            let options = RedisOptions {
                timeout: Duration::from_secs(10),
                ..RedisOptions::default()
            };
            Opened {
                store: Arc::new(RedisStore::open(&address, &options, lifetimes, clock).unwrap()),
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
        client: Client {
            ip: Some("127.0.0.1".to_owned()),
            user_agent: Some("curl/8".to_owned()),
        },
    }
}

fn why(reason: EndReason) -> EndedSession {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    EndedSession {
        reason,
        at: now.as_secs(),
        user_agent: Some("curl/8".to_owned()),
        user: None,
    }
}

async fn begin(
    store: &dyn SessionStore,
    id: &SessionId,
    session: &Session,
    replaced: Option<&SessionId>,
) -> Created {
    begin_of_at_most(100, store, id, session, replaced).await
}

async fn begin_of_at_most(
    limit: usize,
    store: &dyn SessionStore,
    id: &SessionId,
    session: &Session,
    replaced: Option<&SessionId>,
) -> Created {
    let again = why(EndReason::Replaced);
    let new = NewSession {
        id,
        session,
        replaced: replaced.map(|id| (id, &again)),
        limit,
        over_limit: &why(EndReason::OverLimit),
    };
    store.create(&new).await.unwrap()
}

/// The handles of a user's sessions, in order.
async fn listed(store: &dyn SessionStore, user: &str) -> Vec<SessionHandle> {
    let listing = store.list(user, None).await.unwrap();
    assert!(listing.complete);
    let mut handles: Vec<_> = listing
        .sessions
        .into_iter()
        .map(|(handle, _)| handle)
        .collect();
    handles.sort();
    handles
}

fn handles(ids: &[&SessionId]) -> Vec<SessionHandle> {
    let mut handles: Vec<_> = ids.iter().map(|id| SessionHandle::from(*id)).collect();
    handles.sort();
    handles
}

/// A store in which the user `a` has just signed in.
async fn open_with_one(on: Backend, lifetimes: Lifetimes) -> (Opened, SessionId) {
    let opened = open(on, lifetimes);
    let id = SessionId::generate();
    begin(&*opened.store, &id, &session_of("a", ago(0)), None).await;
    (opened, id)
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
    begin(&*store, &id, &session, None).await;
    let found = store.touch(&id).await.unwrap().unwrap().session;
    // Dated by the store: where that took long, a little later.
    let late = found
        .created_at
        .unwrap()
        .duration_since(ago(0) - seconds(5));
    assert!(late.unwrap() <= seconds(10), "{found:?}");
    let dated = Session {
        created_at: found.created_at,
        ..session
    };
    assert_eq!(found, dated);
    assert_eq!(store.touch(&id).await.unwrap().unwrap().session, dated);
}

async fn a_session_ends_when_its_idle_time_is_over(on: Backend) {
    let lifetimes = Lifetimes {
        idle: seconds(1),
        ..IDLE
    };
    let (Opened { store, _redis }, id) = open_with_one(on, lifetimes).await;
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
    begin(&*store, &used, &session_of("a", ago(0)), None).await;
    begin(&*store, &idle, &session_of("a", ago(0)), None).await;
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
    begin(&*store, &young, &session_of("a", ago(30)), None).await;
    begin(&*store, &old, &session_of("a", ago(61)), None).await;
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
    begin(&*store, &id, &session_of("a", ago(1_000_000)), None).await;
    assert!(store.touch(&id).await.unwrap().is_some());
}

async fn a_deleted_session_is_gone(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let (gone, kept) = (SessionId::generate(), SessionId::generate());
    begin(&*store, &gone, &session_of("a", ago(0)), None).await;
    begin(&*store, &kept, &session_of("a", ago(0)), None).await;
    store.touch(&gone).await.unwrap();
    let whose = store
        .delete(&gone, &why(EndReason::SignedOut))
        .await
        .unwrap();
    assert_eq!(whose.as_deref(), Some("a"));
    assert_eq!(store.touch(&gone).await.unwrap(), None);
    assert!(store.touch(&kept).await.unwrap().is_some());
}

async fn deleting_twice_is_fine(on: Backend) {
    let (Opened { store, _redis }, id) = open_with_one(on, IDLE).await;
    let delete = async |id| store.delete(&id, &why(EndReason::SignedOut)).await.unwrap();
    assert_eq!(delete(id).await.as_deref(), Some("a"));
    assert_eq!(delete(id).await, None);
    assert_eq!(delete(SessionId::generate()).await, None);
}

async fn a_session_that_several_end_at_once_is_ended_by_one_of_them(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    for _ in 0..50 {
        let id = SessionId::generate();
        begin(&*store, &id, &session_of("a", ago(0)), None).await;
        let enders: Vec<_> = (0..4)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.delete(&id, &why(EndReason::SignedOut)).await })
            })
            .collect();
        let mut ended = Vec::new();
        for ender in enders {
            ended.extend(ender.await.unwrap().unwrap());
        }
        assert_eq!(ended, ["a"]);
    }
}

async fn a_new_session_ends_the_one_it_replaces(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let (first, second) = (SessionId::generate(), SessionId::generate());
    begin(&*store, &first, &session_of("a", ago(0)), None).await;
    let created = begin(&*store, &second, &session_of("b", ago(0)), Some(&first)).await;
    assert_eq!(created.replaced.as_deref(), Some("a"));
    assert_eq!(created.evicted, []);
    assert_eq!(store.touch(&first).await.unwrap(), None);
    assert_eq!(
        store.touch(&second).await.unwrap().unwrap().session.user,
        "b"
    );
}

async fn replacing_a_session_that_is_over_is_fine(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let id = SessionId::generate();
    let over = SessionId::generate();
    let created = begin(&*store, &id, &session_of("a", ago(0)), Some(&over)).await;
    assert_eq!(created, Created::default());
    assert!(store.touch(&id).await.unwrap().is_some());
}

/// T1: with a touch that writes the record back, 119 of 300 came back.
async fn a_deleted_session_never_comes_back(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    for round in 0..1000 {
        let id = SessionId::generate();
        begin(&*store, &id, &session_of("a", ago(0)), None).await;
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
        store.delete(&id, &why(EndReason::SignedOut)).await.unwrap();
        assert_eq!(store.touch(&id).await.unwrap(), None, "round {round}");
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(store.touch(&id).await.unwrap(), None, "round {round}");
    }
}

async fn looking_does_not_slide_the_end(on: Backend) {
    let lifetimes = Lifetimes {
        idle: seconds(2),
        ..IDLE
    };
    let (Opened { store, _redis }, id) = open_with_one(on, lifetimes).await;
    let live = store.peek(&id).await.unwrap().unwrap();
    assert_eq!(live.session.user, "a");
    assert!(live.expires_in <= seconds(2), "{live:?}");
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(2100) {
        store.peek(&id).await.unwrap();
        assert!(store.list("a", None).await.unwrap().complete);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.peek(&id).await.unwrap(), None);
    assert_eq!(store.touch(&id).await.unwrap(), None);
    assert_eq!(listed(&*store, "a").await, []);
}

async fn a_user_sees_his_live_sessions_and_nobody_elses(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let [one, two, gone, other] = [(); 4].map(|()| SessionId::generate());
    for id in [&one, &two, &gone] {
        begin(&*store, id, &session_of("a", ago(0)), None).await;
    }
    begin(&*store, &other, &session_of("ab", ago(0)), None).await;
    store
        .delete(&gone, &why(EndReason::SignedOut))
        .await
        .unwrap();
    assert_eq!(listed(&*store, "a").await, handles(&[&one, &two]));
    assert_eq!(listed(&*store, "ab").await, handles(&[&other]));
    assert_eq!(listed(&*store, "nobody").await, []);

    let whole = store.list("ab", None).await.unwrap().sessions.remove(0).1;
    assert_eq!(
        whole.session,
        session_of("ab", whole.session.created_at.unwrap())
    );
    assert!(
        whole.expires_in > seconds(890) && whole.expires_in <= seconds(900),
        "{whole:?}"
    );
}

async fn some_sessions_of_a_user_end_and_the_others_stay(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let ids = [(); 5].map(|()| SessionId::generate());
    for id in &ids {
        begin(&*store, id, &session_of("a", ago(0)), None).await;
    }
    let other = SessionId::generate();
    begin(&*store, &other, &session_of("b", ago(0)), None).await;
    let ended = why(EndReason::Ended);
    let end = async |user, selection| {
        let outcome = store.delete_of_user(user, selection, &ended).await.unwrap();
        assert!(outcome.failure.is_none());
        outcome.ended.len()
    };

    assert_eq!(
        end("a", Selection::One(SessionHandle::from(&ids[0]))).await,
        1
    );
    assert_eq!(
        end("a", Selection::One(SessionHandle::from(&ids[0]))).await,
        0
    );
    assert_eq!(
        end("a", Selection::One(SessionHandle::from(&other))).await,
        0
    );
    assert_eq!(store.touch(&ids[0]).await.unwrap(), None);
    assert_eq!(listed(&*store, "a").await.len(), 4);

    assert_eq!(
        end("a", Selection::Others(SessionHandle::from(&ids[1]))).await,
        3
    );
    assert_eq!(listed(&*store, "a").await, handles(&[&ids[1]]));
    assert!(store.touch(&ids[1]).await.unwrap().is_some());

    assert_eq!(end("a", Selection::All).await, 1);
    assert_eq!(end("a", Selection::All).await, 0);
    for id in &ids {
        assert_eq!(store.touch(id).await.unwrap(), None);
    }
    assert!(store.touch(&other).await.unwrap().is_some());
}

async fn a_session_ends_by_its_handle_whoevers_it_is(on: Backend) {
    let Opened {
        store,
        _redis: redis,
    } = open(on, IDLE);
    if let Some(redis) = &redis {
        redis.allow(OPERATORS_RIGHTS);
    }
    let ids: Vec<_> = (0..3).map(|_| SessionId::generate()).collect();
    for (id, user) in ids.iter().zip(["a", "a", "b"]) {
        begin(&*store, id, &session_of(user, SystemTime::now()), None).await;
    }
    let why = why(EndReason::ByOperator);
    let handle = SessionHandle::from(&ids[1]);
    let ended = store.delete_by_handle(handle, &why).await.unwrap();
    assert_eq!(ended.as_deref(), Some("a"));
    assert!(store.touch(&ids[1]).await.unwrap().is_none());
    let kept = EndedSession {
        user: Some("a".to_owned()),
        ..why.clone()
    };
    assert_eq!(store.ended(&ids[1]).await.unwrap(), Some(kept));
    assert_eq!(listed(&*store, "a").await, handles(&[&ids[0]]));
    assert_eq!(listed(&*store, "b").await, handles(&[&ids[2]]));

    let nobodys = SessionHandle::from(&SessionId::generate());
    for over in [handle, nobodys] {
        assert_eq!(store.delete_by_handle(over, &why).await.unwrap(), None);
    }
}

/// More than a store looks at in one step, and the handles of the live ones.
async fn open_with_many(on: Backend) -> (Opened, Vec<SessionId>) {
    let Opened {
        store,
        _redis: redis,
    } = open(on, IDLE);
    if let Some(redis) = &redis {
        redis.allow(OPERATORS_RIGHTS);
    }
    let ids: Vec<_> = (0..2500).map(|_| SessionId::generate()).collect();
    for part in ids.chunks(100) {
        let created: Vec<_> = part
            .iter()
            .map(|id| {
                let (store, id) = (Arc::clone(&store), *id);
                let user = format!(
                    "user {}",
                    SessionHandle::from(&id).to_string().as_bytes()[0] % 7
                );
                tokio::spawn(async move {
                    let session = session_of(&user, ago(0));
                    begin_of_at_most(10_000, &*store, &id, &session, None).await
                })
            })
            .collect();
        for one in created {
            one.await.unwrap();
        }
    }
    let (gone, live) = ids.split_at(10);
    for id in gone {
        let why = why(EndReason::SignedOut);
        store.delete(id, &why).await.unwrap();
    }
    let opened = Opened {
        store,
        _redis: redis,
    };
    (opened, live.to_vec())
}

async fn all_listed(store: &dyn SessionStore) -> BTreeMap<SessionHandle, ActiveSession> {
    let mut all = BTreeMap::new();
    let found = &mut |handle, live| drop(all.insert(handle, live));
    store.list_all(found).await.unwrap();
    all
}

async fn all_sessions_are_listed_whoevers_they_are(on: Backend) {
    let (Opened { store, _redis }, ids) = open_with_many(on).await;
    let all = all_listed(&*store).await;
    let expected = handles(&ids.iter().collect::<Vec<_>>());
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), expected);

    let user = all[&expected[0]].session.user.clone();
    let of_user = all.iter().filter(|(_, live)| live.session.user == user);
    let of_user: Vec<_> = of_user.map(|(handle, _)| *handle).collect();
    assert_eq!(of_user, listed(&*store, &user).await);
}

async fn all_sessions_end_at_once(on: Backend) {
    let (opened, ids) = open_with_many(on).await;
    let Opened {
        store,
        _redis: redis,
    } = opened;
    let why = why(EndReason::ByOperator);
    let delete_all = async || {
        let outcome = store.delete_all(&why).await.unwrap();
        assert!(outcome.failure.is_none(), "{outcome:?}");
        outcome.ended.len()
    };
    assert_eq!(delete_all().await, ids.len());
    for id in ids.iter().step_by(100) {
        assert_eq!(store.touch(id).await.unwrap(), None);
        let ending = store.ended(id).await.unwrap().unwrap();
        assert_eq!(ending.reason, EndReason::ByOperator);
        assert!(ending.user.is_some_and(|user| user.starts_with("user ")));
    }
    assert_eq!(all_listed(&*store).await, BTreeMap::new());
    assert_eq!(listed(&*store, "user 1").await, []);
    assert_eq!(delete_all().await, 0);
    if let Some(redis) = &redis {
        let left = redis.keys();
        assert!(left.iter().all(|key| key.starts_with("ended_session:")));
    }
}

async fn sessions_are_found_by_the_first_digits_of_their_handles(on: Backend) {
    let Opened {
        store,
        _redis: redis,
    } = open(on, IDLE);
    if let Some(redis) = &redis {
        redis.allow(OPERATORS_RIGHTS);
    }
    // The first two have handles that begin with the same eight digits, and go on with 4 and 1.
    let [one, two, other] = [
        "7f856e55-e968-4782-a03f-e300b4d7eef3",
        "52515742-dfa1-47ba-992f-e451d606f5a5",
        "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a",
    ]
    .map(|id| SessionId::parse(id).unwrap());
    for (id, user) in [(&one, "a"), (&two, "b"), (&other, "a")] {
        begin(&*store, id, &session_of(user, ago(0)), None).await;
    }
    let found = async |digits| {
        let prefix = HandlePrefix::parse(digits).unwrap();
        let mut found = store.find(prefix).await.unwrap();
        found.sort_by_key(|(handle, _)| *handle);
        found
            .into_iter()
            .map(|(handle, live)| (handle, live.session.user))
            .collect::<Vec<_>>()
    };
    let [one_, two_, other_] = [
        (SessionHandle::from(&one), "a".to_owned()),
        (SessionHandle::from(&two), "b".to_owned()),
        (SessionHandle::from(&other), "a".to_owned()),
    ];
    assert_eq!(found("c14adc18").await, [two_.clone(), one_.clone()]);
    assert_eq!(found("c14adc181a681e5a0e4c272b833f7f83").await, [two_]);
    assert_eq!(found("a8fd2542").await, [other_]);
    assert_eq!(found("c14adc19").await, []);
    store
        .delete(&two, &why(EndReason::SignedOut))
        .await
        .unwrap();
    assert_eq!(found("c14adc18").await, [one_]);
}

async fn a_client_with_an_ended_id_learns_why(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let [out, ended, first, second] = [(); 4].map(|()| SessionId::generate());
    for id in [&out, &ended, &first] {
        begin(&*store, id, &session_of("a", ago(0)), None).await;
        assert_eq!(store.ended(id).await.unwrap(), None);
    }
    let by = |reason| EndedSession {
        user_agent: Some("Firefox".to_owned()),
        ..why(reason)
    };
    let (signed_out, by_other) = (by(EndReason::SignedOut), by(EndReason::Ended));
    store.delete(&out, &signed_out).await.unwrap();
    let one = Selection::One(SessionHandle::from(&ended));
    let outcome = store.delete_of_user("a", one, &by_other).await.unwrap();
    assert_eq!(outcome.ended, [SessionHandle::from(&ended)]);
    begin(&*store, &second, &session_of("a", ago(0)), Some(&first)).await;

    assert_eq!(store.ended(&out).await.unwrap(), Some(signed_out));
    assert_eq!(store.ended(&ended).await.unwrap(), Some(by_other));
    let again = store.ended(&first).await.unwrap().unwrap();
    assert_eq!(again.reason, EndReason::Replaced);
    assert_eq!(store.ended(&second).await.unwrap(), None);
    assert_eq!(store.ended(&SessionId::generate()).await.unwrap(), None);
}

async fn a_session_that_ran_out_of_time_leaves_no_reason(on: Backend) {
    let lifetimes = Lifetimes {
        idle: seconds(1),
        ..IDLE
    };
    let (Opened { store, _redis }, id) = open_with_one(on, lifetimes).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(store.ended(&id).await.unwrap(), None);
    store.delete(&id, &why(EndReason::SignedOut)).await.unwrap();
    assert_eq!(store.ended(&id).await.unwrap(), None);
    assert_eq!(
        store
            .delete_of_user("a", Selection::All, &why(EndReason::Ended))
            .await
            .unwrap()
            .ended,
        []
    );

    let id = SessionId::generate();
    begin(&*store, &id, &session_of("a", ago(0)), None).await;
    store.delete(&id, &why(EndReason::SignedOut)).await.unwrap();
    assert!(store.ended(&id).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(store.ended(&id).await.unwrap(), None);
}

async fn beyond_the_most_allowed_the_oldest_end(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let ids = [(); 6].map(|()| SessionId::generate());
    for (before, id) in ids.iter().enumerate() {
        let created = begin_of_at_most(3, &*store, id, &session_of("a", ago(0)), None).await;
        let oldest = before
            .checked_sub(3)
            .map(|oldest| SessionHandle::from(&ids[oldest]));
        assert_eq!(created.evicted, Vec::from_iter(oldest));
    }
    assert_eq!(
        listed(&*store, "a").await,
        handles(&[&ids[3], &ids[4], &ids[5]])
    );
    for id in &ids[..3] {
        assert_eq!(store.touch(id).await.unwrap(), None);
        assert_eq!(
            store.ended(id).await.unwrap().unwrap().reason,
            EndReason::OverLimit
        );
    }
    let last = SessionId::generate();
    begin_of_at_most(1, &*store, &last, &session_of("a", ago(0)), None).await;
    assert_eq!(listed(&*store, "a").await, handles(&[&last]));
}

async fn many_sign_ins_at_once_leave_no_more_than_allowed(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    let before: Vec<_> = (0..5).map(|_| SessionId::generate()).collect();
    for id in &before {
        begin_of_at_most(10, &*store, id, &session_of("a", ago(0)), None).await;
    }
    let sign_ins: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let id = SessionId::generate();
                let session = session_of("a", ago(0));
                let created = begin_of_at_most(10, &*store, &id, &session, None).await;
                (id, created.evicted.len())
            })
        })
        .collect();
    let (mut begun, mut ended) = (Vec::new(), 0);
    for sign_in in sign_ins {
        let (id, oldest) = sign_in.await.unwrap();
        begun.push(id);
        ended += oldest;
    }
    // Each by one of them, however many found it at once.
    assert_eq!(ended, 45);
    let mut alive = Vec::new();
    for id in begun {
        if store.touch(&id).await.unwrap().is_some() {
            alive.push(id);
        }
    }
    assert_eq!(alive.len(), 10);
    assert_eq!(
        listed(&*store, "a").await,
        handles(&alive.iter().collect::<Vec<_>>())
    );
    for id in &before {
        assert_eq!(store.touch(id).await.unwrap(), None);
    }
}

async fn fields_are_written_one_by_one(on: Backend) {
    let (Opened { store, _redis }, id) = open_with_one(on, IDLE).await;
    let write = async |field, value| store.write(&id, field, value, 10).await.unwrap();
    assert_eq!(write("basket", Some("[1,2]")).await, WriteOutcome::Written);
    assert_eq!(
        write("basket", Some("[1,2,3]")).await,
        WriteOutcome::Written
    );
    assert_eq!(write("theme", None).await, WriteOutcome::Written);
    assert_eq!(write("never", None).await, WriteOutcome::Written);
    let data = store.touch(&id).await.unwrap().unwrap().session.data;
    assert_eq!(
        data,
        BTreeMap::from([("basket".to_owned(), "[1,2,3]".to_owned())])
    );
}

async fn writes_of_different_fields_at_once_all_last(on: Backend) {
    let (Opened { store, _redis }, id) = open_with_one(on, IDLE).await;
    let writes: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let field = format!("field {number}");
                let value = number.to_string();
                store.write(&id, &field, Some(&value), 100).await.unwrap()
            })
        })
        .collect();
    for write in writes {
        assert_eq!(write.await.unwrap(), WriteOutcome::Written);
    }
    let data = store.touch(&id).await.unwrap().unwrap().session.data;
    for number in 0..20 {
        assert_eq!(data[&format!("field {number}")], number.to_string());
    }
}

async fn an_ended_session_takes_no_field(on: Backend) {
    let (Opened { store, _redis }, id) = open_with_one(on, IDLE).await;
    store.delete(&id, &why(EndReason::SignedOut)).await.unwrap();
    for (id, value) in [
        (id, Some("1")),
        (id, None),
        (SessionId::generate(), Some("1")),
    ] {
        assert_eq!(
            store.write(&id, "x", value, 10).await.unwrap(),
            WriteOutcome::NoSession
        );
        assert_eq!(store.touch(&id).await.unwrap(), None);
    }
}

async fn a_session_has_only_so_many_fields(on: Backend) {
    let (Opened { store, _redis }, id) = open_with_one(on, IDLE).await;
    let write = async |field| store.write(&id, field, Some("1"), 2).await.unwrap();
    assert_eq!(write("second").await, WriteOutcome::Written);
    assert_eq!(write("third").await, WriteOutcome::TooManyFields);
    assert_eq!(write("second").await, WriteOutcome::Written);
    assert_eq!(
        store.touch(&id).await.unwrap().unwrap().session.data.len(),
        2
    );
}

async fn the_stats_count_the_active_sessions(on: Backend) {
    let Opened { store, _redis } = open(on, IDLE);
    assert_eq!(store.stats().await.active, Some(0));
    for number in 0..40 {
        let user = number.to_string();
        let id = SessionId::generate();
        begin(&*store, &id, &session_of(&user, ago(0)), None).await;
    }
    let stats = store.stats().await;
    let live = stats.active.unwrap();
    match on {
        Backend::Embedded => {
            assert_eq!(live, 40);
            assert_eq!((stats.circuit_open, stats.connections), (None, None));
        }
        // Half of all keys, as estimated from some of them.
        Backend::Redis => {
            assert!((20..=60).contains(&live), "{live}");
            assert_eq!(stats.circuit_open, Some(false));
            let connections = stats.connections.unwrap();
            assert!(connections.open >= 1 && connections.open <= connections.limit);
        }
    }
}
