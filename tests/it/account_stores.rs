//! Accounts as they are kept: the contract of an `AccountStore`, on every store.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use innkeeper::{Account, Digest, Invitation, Purpose, SetPassword, Token, UserName};

use crate::support::kept::{Keeps, Place, Time, lasting_keys, new_user, open_redis, with_fault};
use crate::support::proxy::Fault;
use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// To the microsecond, as an account keeps it.
fn moment(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_764_512_345_000_000 + micros)
}

fn new_account(password: &str) -> Account {
    Account::new(Some(password.to_owned()), moment(6))
}

fn new_digest() -> Digest {
    Token::generate().digest()
}

async fn add(store: &dyn Keeps, begin: &str) -> UserName {
    let user = new_user(begin);
    assert!(store.add(&user, &new_account("hash")).await.unwrap());
    user
}

async fn read(store: &dyn Keeps, user: &UserName) -> Account {
    store.account(user).await.unwrap().unwrap()
}

async fn an_account_is_found_as_it_was_added(place: &Place) {
    for name in ["amy", "a b:{c}*[d]?", "\u{2603}\u{e9}\u{4e2d}", "o'\"\\n{}"] {
        let user = new_user(name);
        assert_eq!(place.one.account(&user).await.unwrap(), None);
        let mut account = new_account("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA");
        account.changed = moment(999_999);
        account.disabled = name == "amy";
        assert!(place.one.add(&user, &account).await.unwrap());
        assert_eq!(read(&*place.two, &user).await, account);
        // Another one of the name; and the very same, as after a lost reply.
        assert!(!place.two.add(&user, &new_account("other")).await.unwrap());
        let mut later = account.clone();
        later.created = moment(7);
        assert!(!place.two.add(&user, &later).await.unwrap());
        assert!(place.two.add(&user, &account).await.unwrap());
        assert_eq!(read(&*place.two, &user).await, account);
    }
    let user = new_user("invited");
    let account = Account::new(None, moment(1));
    assert!(place.one.add(&user, &account).await.unwrap());
    assert_eq!(read(&*place.two, &user).await, account);
}

async fn a_password_is_changed_by_the_change_that_runs(place: &Place) {
    let user = add(&*place.one, "amy").await;
    let (change, later) = (new_digest(), new_digest());
    let set = |store: &Arc<dyn Keeps>, change: Digest, password: &'static str| {
        let (store, user) = (Arc::clone(store), user.clone());
        async move {
            store
                .set_password(&user, &change, password, moment(9))
                .await
                .unwrap()
        }
    };
    assert_eq!(
        set(&place.one, change, "never").await,
        SetPassword::Superseded
    );
    assert!(place.one.begin_change(&user, &change).await.unwrap());
    let changing = read(&*place.two, &user).await;
    assert!(changing.is_changing);
    assert_eq!(changing.password.as_deref(), Some("hash"));
    assert!(place.two.begin_change(&user, &later).await.unwrap());
    assert_eq!(
        set(&place.one, change, "first").await,
        SetPassword::Superseded
    );
    // Of an earlier one nothing is left to give up.
    place.one.cancel_change(&user, &change).await.unwrap();
    assert!(read(&*place.one, &user).await.is_changing);
    assert_eq!(set(&place.two, later, "second").await, SetPassword::Done);
    let changed = read(&*place.one, &user).await;
    assert!(!changed.is_changing);
    assert_eq!(changed.password.as_deref(), Some("second"));
    assert_eq!((changed.created, changed.changed), (moment(6), moment(9)));
    assert_eq!(
        set(&place.two, later, "third").await,
        SetPassword::Superseded
    );

    assert!(place.one.begin_change(&user, &change).await.unwrap());
    place.two.cancel_change(&user, &change).await.unwrap();
    assert!(!read(&*place.one, &user).await.is_changing);
    assert_eq!(
        set(&place.two, change, "fourth").await,
        SetPassword::Superseded
    );
    assert_eq!(read(&*place.one, &user).await, changed);
}

async fn a_change_of_password_takes_a_minute_at_most(place: &Place) {
    let user = add(&*place.one, "amy").await;
    let change = new_digest();
    assert!(place.one.begin_change(&user, &change).await.unwrap());
    let key = format!("account:{user}");
    match (&place.time, place.server_of(&key)) {
        (Time::Given(clock), _) => {
            clock.advance(Duration::from_secs(55));
            assert!(read(&*place.one, &user).await.is_changing);
            clock.advance(Duration::from_secs(5));
        }
        (_, Some(server)) => {
            let until: f64 = server.run(&format!("HGET {key} _change_until"));
            let (now, _): (u64, u64) = server.run("TIME");
            let left = until - Duration::from_secs(now).as_secs_f64();
            assert!(left > 0.0 && left <= 61.0, "{left}");
            server.run::<u8>(&format!("HSET {key} _change_until {now}"));
        }
        (_, None) => unreachable!(),
    }
    assert!(!read(&*place.one, &user).await.is_changing);
    let late = place.two.set_password(&user, &change, "late", moment(9));
    assert_eq!(late.await.unwrap(), SetPassword::Superseded);
    assert_eq!(
        read(&*place.one, &user).await.password.as_deref(),
        Some("hash")
    );
}

async fn of_fifty_changes_at_once_one_is_made(place: &Place) {
    let user = add(&*place.one, "amy").await;
    let changes: Vec<_> = (0..50)
        .map(|number| {
            let store = Arc::clone(if number % 2 == 0 {
                &place.one
            } else {
                &place.two
            });
            let user = user.clone();
            tokio::spawn(async move {
                let change = new_digest();
                assert!(store.begin_change(&user, &change).await.unwrap());
                tokio::task::yield_now().await;
                let password = format!("password {number}");
                let set = store
                    .set_password(&user, &change, &password, moment(9))
                    .await
                    .unwrap();
                (set == SetPassword::Done).then_some(password)
            })
        })
        .collect();
    let mut made = Vec::new();
    for change in changes {
        made.extend(change.await.unwrap());
    }
    // One after the other may be made; never one that another has taken the place of.
    let last = read(&*place.one, &user).await;
    assert!(!last.is_changing);
    assert!(made.contains(&last.password.unwrap()), "{made:?}");
}

async fn a_hash_is_replaced_only_where_it_still_stands(place: &Place) {
    let user = add(&*place.one, "amy").await;
    place.one.rehash(&user, "other", "never").await.unwrap();
    assert_eq!(read(&*place.two, &user).await, new_account("hash"));
    place.one.rehash(&user, "hash", "better").await.unwrap();
    assert_eq!(read(&*place.two, &user).await, new_account("better"));
    place
        .one
        .rehash(&new_user("nobody"), "hash", "better")
        .await
        .unwrap();
}

async fn an_account_is_disabled_enabled_and_removed(place: &Place) {
    let user = add(&*place.one, "amy").await;
    for disabled in [true, true, false, false] {
        assert!(place.one.set_disabled(&user, disabled).await.unwrap());
        assert_eq!(read(&*place.two, &user).await.disabled, disabled);
    }
    let created = new_account("hash").created;
    // Another account of the same name: the one that was meant is gone already.
    assert!(!place.one.remove(&user, moment(9)).await.unwrap());
    assert!(place.one.remove(&user, created).await.unwrap());
    assert!(!place.two.remove(&user, created).await.unwrap());
    assert_eq!(place.two.account(&user).await.unwrap(), None);
    // Nothing makes it again.
    let change = new_digest();
    assert!(!place.two.set_disabled(&user, true).await.unwrap());
    assert!(!place.two.begin_change(&user, &change).await.unwrap());
    place.two.cancel_change(&user, &change).await.unwrap();
    place.two.rehash(&user, "hash", "new").await.unwrap();
    let set = place.two.set_password(&user, &change, "new", moment(9));
    assert_eq!(set.await.unwrap(), SetPassword::NoAccount);
    assert_eq!(place.two.account(&user).await.unwrap(), None);
    assert!(place.two.add(&user, &new_account("anew")).await.unwrap());
}

async fn listed(store: &dyn Keeps) -> Vec<(UserName, Account)> {
    let mut found = Vec::new();
    store
        .list(&mut |user, account| found.push((user, account)))
        .await
        .unwrap();
    found.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    found.dedup();
    found
}

async fn all_accounts_are_listed_and_nothing_else(place: &Place) {
    for (user, account) in listed(&*place.one).await {
        assert!(place.one.remove(&user, account.created).await.unwrap());
    }
    assert_eq!(listed(&*place.one).await, []);
    assert!(place.one.is_empty().await.unwrap());
    let adds: Vec<_> = (0..1200)
        .map(|number| {
            let store = Arc::clone(&place.one);
            let user = UserName::parse(&format!("user {number:04}: {{}}*")).unwrap();
            let account = new_account(&number.to_string());
            tokio::spawn(async move {
                assert!(store.add(&user, &account).await.unwrap());
                (user, account)
            })
        })
        .collect();
    let mut users = Vec::new();
    for add in adds {
        users.push(add.await.unwrap());
    }
    assert!(place.one.set_disabled(&users[7].0, true).await.unwrap());
    users[7].1.disabled = true;
    assert!(
        place
            .one
            .begin_change(&users[8].0, &new_digest())
            .await
            .unwrap()
    );
    users[8].1.is_changing = true;
    let foreign = [
        "SET account:text 1",
        "HSET account:hash field value",
        "LPUSH account:list 1",
        "HSET account:Zoe\u{308} created 1",
        "HSET account: created 1",
        "SET accounts:amy 1",
    ];
    if place.servers().len() == 1 {
        for command in foreign {
            place.servers()[0].run::<deadpool_redis::redis::Value>(command);
        }
        for name in ["text", "hash", "list"] {
            let user = UserName::parse(name).unwrap();
            assert_eq!(place.one.account(&user).await.unwrap(), None);
            assert!(!place.one.add(&user, &new_account("x")).await.unwrap());
        }
    }
    assert!(!place.two.is_empty().await.unwrap());
    let found = listed(&*place.two).await;
    assert_eq!(found.len(), users.len());
    assert_eq!(found, users);
}

async fn an_invitation_is_taken_once_and_looking_takes_nothing(place: &Place) {
    for invitation in [
        Invitation::new(Purpose::FirstAccount, None),
        Invitation::new(Purpose::NewAccount, Some(new_user("a:b {c} \u{2603}"))),
        Invitation::new(Purpose::Reset, Some(new_user("bob"))),
    ] {
        let token = new_digest();
        assert_eq!(place.one.invitation(&token).await.unwrap(), None);
        assert_eq!(place.one.take_invitation(&token).await.unwrap(), None);
        place.one.invite(&token, &invitation, DAY).await.unwrap();
        for _ in 0..2 {
            let found = place.two.invitation(&token).await.unwrap();
            assert_eq!(found.as_ref(), Some(&invitation));
        }
        let got = Arc::new(Mutex::new(Vec::new()));
        let takers: Vec<_> = (0..50)
            .map(|number| {
                let store = Arc::clone(if number % 2 == 0 {
                    &place.one
                } else {
                    &place.two
                });
                let got = Arc::clone(&got);
                tokio::spawn(async move {
                    let took = store.take_invitation(&token).await.unwrap();
                    got.lock().unwrap().extend(took);
                })
            })
            .collect();
        for taker in takers {
            taker.await.unwrap();
        }
        assert_eq!(*got.lock().unwrap(), [invitation]);
        assert_eq!(place.one.invitation(&token).await.unwrap(), None);
        assert_eq!(place.two.take_invitation(&token).await.unwrap(), None);
    }
}

async fn an_invitation_that_is_given_back_can_be_taken_again(place: &Place) {
    let token = new_digest();
    let bound = Invitation::new(Purpose::Reset, Some(new_user("amy"))).with_stamp("a stamp");
    let free = Invitation::new(Purpose::FirstAccount, None);
    place.one.invite(&token, &bound, DAY).await.unwrap();
    for invitation in [&bound, &free, &bound] {
        place.one.give_back(&token, invitation, DAY).await.unwrap();
        let found = place.two.invitation(&token).await.unwrap();
        assert_eq!(found.as_ref(), Some(invitation));
        let got = place.two.take_invitation(&token).await.unwrap();
        assert_eq!(got.as_ref(), Some(invitation));
        assert_eq!(place.one.take_invitation(&token).await.unwrap(), None);
    }
}

async fn an_invitation_ends_after_its_time(place: &Place) {
    let token = new_digest();
    let invitation = Invitation::new(Purpose::NewAccount, Some(new_user("amy")));
    place.one.invite(&token, &invitation, DAY).await.unwrap();
    place.pass(DAY, &format!("invitation:{token}"));
    assert_eq!(place.one.invitation(&token).await.unwrap(), None);
    assert_eq!(place.one.take_invitation(&token).await.unwrap(), None);
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
                assert_eq!(lasting_but_accounts(server), [""; 0]);
            }
        }
    };
    ($place:ident $($case:ident),+) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let place = super::Place::$place();
                super::$case(&place).await;
                for server in place.servers() {
                    assert_eq!(super::lasting_but_accounts(server), [""; 0]);
                }
            })+
        }
    };
}

/// The keys that live for ever, accounts and a foreign one aside.
fn lasting_but_accounts(server: &RedisServer) -> Vec<String> {
    let mut keys = lasting_keys(server);
    keys.retain(|key| !key.starts_with("account:") && key != "accounts:amy");
    keys
}

on_every_place! {
    an_account_is_found_as_it_was_added,
    a_password_is_changed_by_the_change_that_runs,
    a_change_of_password_takes_a_minute_at_most,
    of_fifty_changes_at_once_one_is_made,
    a_hash_is_replaced_only_where_it_still_stands,
    an_account_is_disabled_enabled_and_removed,
    all_accounts_are_listed_and_nothing_else,
    an_invitation_is_taken_once_and_looking_takes_nothing,
    an_invitation_that_is_given_back_can_be_taken_again,
    an_invitation_ends_after_its_time,
}

#[tokio::test]
async fn accounts_and_invitations_survive_a_restart() {
    let place = Place::folder();
    let user = add(&*place.one, "amy").await;
    let change = new_digest();
    assert!(place.one.begin_change(&user, &change).await.unwrap());
    let token = new_digest();
    let invitation = Invitation::new(Purpose::Reset, Some(user.clone()));
    place.one.invite(&token, &invitation, DAY).await.unwrap();
    let before = read(&*place.one, &user).await;
    let place = place.reopened();
    assert_eq!(read(&*place.one, &user).await, before);
    let set = place.one.set_password(&user, &change, "new", moment(9));
    assert_eq!(set.await.unwrap(), SetPassword::Done);
    let got = place.one.take_invitation(&token).await.unwrap();
    assert_eq!(got, Some(invitation));
    let place = place.reopened();
    assert_eq!(
        read(&*place.one, &user).await.password.as_deref(),
        Some("new")
    );
    assert_eq!(place.one.take_invitation(&token).await.unwrap(), None);
}

/// Each operation, with a reply that is lost, and with one that never got to Redis, does what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_twice_is_done_once() {
    let redis = RedisServer::start();
    redis.allow(OPERATORS_RIGHTS);
    let store: Arc<dyn Keeps> = Arc::new(open_redis(&redis.url()));
    for fault in [Fault::Cut, Fault::LoseReply] {
        /// Calls a method of a store whose request has this fault.
        macro_rules! faulty {
            ($method:ident($($argument:expr),*)) => {{
                let (proxy, faulty) = with_fault(&redis, fault).await;
                let outcome = faulty.$method($($argument),*).await.unwrap();
                assert!(proxy.is_done());
                outcome
            }};
        }
        let user = new_user("amy");
        let account = new_account("hash");
        assert!(faulty!(add(&user, &account)));
        assert_eq!(faulty!(account(&user)), Some(account.clone()));
        let change = new_digest();
        assert!(faulty!(begin_change(&user, &change)));
        let set = faulty!(set_password(&user, &change, "new", moment(9)));
        assert_eq!(set, SetPassword::Done);
        faulty!(rehash(&user, "new", "newer"));
        let password = read(&*store, &user).await.password;
        assert_eq!(password.as_deref(), Some("newer"));
        assert!(store.begin_change(&user, &change).await.unwrap());
        faulty!(cancel_change(&user, &change));
        assert!(!read(&*store, &user).await.is_changing);
        assert!(faulty!(set_disabled(&user, true)));
        assert!(read(&*store, &user).await.disabled);
        let token = new_digest();
        let invitation = Invitation::new(Purpose::Reset, Some(user.clone()));
        let given = invitation.clone();
        faulty!(invite(&token, &invitation, DAY));
        assert_eq!(faulty!(invitation(&token)), Some(invitation.clone()));
        assert_eq!(faulty!(take_invitation(&token)), Some(invitation));
        assert_eq!(store.take_invitation(&token).await.unwrap(), None);
        // Another instance that makes the same one does not give it back.
        store.invite(&token, &given, DAY).await.unwrap();
        assert_eq!(store.take_invitation(&token).await.unwrap(), None);
        faulty!(give_back(&token, &given, DAY));
        assert_eq!(store.take_invitation(&token).await.unwrap(), Some(given));
        // Nobody knows who removed it.
        assert_eq!(faulty!(remove(&user, account.created)), fault == Fault::Cut);
        assert_eq!(store.account(&user).await.unwrap(), None);
    }
    assert_eq!(lasting_keys(&redis), [""; 0]);
}

/// Nothing that opens an account, or a browser's count, stands in the store.
#[tokio::test]
async fn a_copy_of_the_store_holds_no_secret() {
    for place in [Place::folder(), Place::redis()] {
        let (invited, device) = (Token::generate(), Token::generate());
        let user = add(&*place.one, "amy").await;
        let invitation = Invitation::new(Purpose::Reset, Some(user.clone()));
        place
            .one
            .invite(&invited.digest(), &invitation, DAY)
            .await
            .unwrap();
        place
            .one
            .remember_device(&device.digest(), &user, DAY)
            .await
            .unwrap();
        let mut copy = Vec::new();
        if let Some(path) = place.path() {
            for file in std::fs::read_dir(path).unwrap() {
                copy.extend(std::fs::read(file.unwrap().path()).unwrap());
            }
        }
        for server in place.servers() {
            for key in server.keys() {
                let dump: Vec<u8> = server.run(&format!("DUMP {key}"));
                copy.extend([key.as_bytes(), &dump].concat());
            }
        }
        let holds = |text: &str| copy.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds(user.as_str()));
        for secret in [invited.expose(), device.expose()] {
            assert!(!holds(secret));
        }
    }
}
