//! Whatever ends a user's right to be signed in ends his sessions: at each step of it and of a sign-in, of two at once, and
//! with lost replies, in every store.

use std::sync::Arc;

use innkeeper::{
    Account, AccountError, AccountStore, Accounts, Client, Clock, Credentials, Hasher, Password,
    PasswordPolicy, SessionId, SessionStore, Sessions, StoreError, StorePath, Token, UserName,
    Verified,
};
use tokio::task::JoinSet;

use crate::support::cluster::Cluster;
use crate::support::kept::{LIFETIMES, new_user, open_embedded, open_redis};
use crate::support::redis::{OPERATORS_RIGHTS, RedisServer};
use crate::support::stepped::{Loss, Running, Stepped, Steps, Whole};

const OLD: &str = "correct horse battery staple";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    SignIn,
    /// By the user, who has just typed the old password.
    Change,
    Disable,
    Remove,
    /// A link to choose a new password.
    Accept,
}

use Operation::{Accept, Change, Disable, Remove, SignIn};

/// What also meets where each step is a round trip.
const ON_SERVERS: [(Operation, Operation); 5] = [
    (SignIn, Change),
    (SignIn, Disable),
    (SignIn, Remove),
    (Change, Change),
    (Accept, Change),
];

#[derive(Debug)]
enum Outcome {
    SignedIn(SessionId),
    /// The password was wrong, or not right any more when the session had been stored.
    NotSignedIn,
    Changed(Verified),
    Done,
    Failed(AccountError),
}

/// Where accounts are kept, and what one of them is.
struct World {
    store: Arc<dyn Whole>,
    other: Arc<dyn Whole>,
    hasher: Hasher,
    account: Account,
    _servers: Option<Servers>,
}

#[expect(dead_code, reason = "they end when this is dropped")]
enum Servers {
    One(RedisServer),
    Cluster(Cluster),
}

/// One account with its old password, a session, and a link.
#[derive(Clone)]
struct Case {
    user: UserName,
    present: Verified,
    session: SessionId,
    link: Token,
}

#[derive(Clone)]
struct Service {
    accounts: Accounts,
    sessions: Sessions,
}

impl World {
    async fn memory() -> Self {
        let store = Arc::new(open_embedded(&StorePath::Memory, &Clock::start()));
        Self::new(store.clone(), store, None).await
    }

    async fn redis() -> Self {
        let server = RedisServer::start();
        server.allow(OPERATORS_RIGHTS);
        let open = || Arc::new(open_redis(&server.url()));
        Self::new(open(), open(), Some(Servers::One(server))).await
    }

    async fn cluster() -> Self {
        let cluster = Cluster::start();
        for node in &cluster.nodes {
            node.allow(OPERATORS_RIGHTS);
        }
        let open = || Arc::new(open_redis(&cluster.url()));
        Self::new(open(), open(), Some(Servers::Cluster(cluster))).await
    }

    async fn new(store: Arc<dyn Whole>, other: Arc<dyn Whole>, servers: Option<Servers>) -> Self {
        let hasher = Hasher::new();
        let scratch = Arc::new(open_embedded(&StorePath::Memory, &Clock::start()));
        let user = new_user("model");
        let service = Service::new(Arc::clone(&scratch), &hasher);
        let signed_up = service.accounts.sign_up(&user, &password(OLD)).await;
        assert!(signed_up.is_ok(), "{signed_up:?}");
        let account = scratch.account(&user).await.unwrap().unwrap();
        Self {
            store,
            other,
            hasher,
            account,
            _servers: servers,
        }
    }

    fn service(&self, steps: &Arc<Steps>) -> Service {
        let stepped = Stepped {
            store: Arc::clone(&self.store),
            steps: Arc::clone(steps),
        };
        Service::new(Arc::new(stepped), &self.hasher)
    }

    /// Without steps.
    fn direct(&self) -> Service {
        self.service(&Steps::failing(usize::MAX, Loss::Request))
    }

    async fn case(&self) -> Case {
        let user = new_user("user");
        assert!(self.store.add(&user, &self.account).await.unwrap());
        let Service { accounts, sessions } = self.direct();
        // A link names the account's state, which is what a check names.
        let link = accounts.reset(&user).await.unwrap();
        let invitation = accounts.invitation(&link).await.unwrap().unwrap();
        let session = sessions
            .start(&user, Client::default(), None)
            .await
            .unwrap();
        Case {
            present: Verified::new(user.clone()).with_stamp(invitation.stamp.unwrap()),
            user,
            session: session.id,
            link,
        }
    }

    async fn is_alive(&self, session: &SessionId) -> bool {
        self.other.peek(session).await.unwrap().is_some()
    }

    async fn live_sessions(&self, case: &Case) -> usize {
        let listed = SessionStore::list(&*self.other, case.user.as_str(), None)
            .await
            .unwrap();
        assert!(listed.complete);
        listed.sessions.len()
    }
}

impl Service {
    fn new(store: Arc<impl Whole>, hasher: &Hasher) -> Self {
        let sessions = Sessions::new(
            Arc::clone(&store) as _,
            LIFETIMES,
            100,
            None,
            Clock::start(),
        );
        let policy = PasswordPolicy::new(15, "Hilbert's Hotel");
        let accounts = Accounts::new(store, sessions.clone(), hasher.clone(), policy);
        Self { accounts, sessions }
    }

    /// `chosen`: a password of this operation's own.
    async fn run(self, operation: Operation, case: Case, chosen: &str) -> Outcome {
        let Self { accounts, sessions } = &self;
        let (chosen, by) = (password(chosen), Client::default());
        let user = &case.user;
        let changed = match operation {
            SignIn => return self.sign_in(user).await,
            Disable => {
                let disabled = accounts.set_disabled(user, true).await;
                return disabled.map_or_else(Outcome::Failed, |_| Outcome::Done);
            }
            Remove => {
                let removed = accounts.remove(user).await;
                return removed.map_or_else(Outcome::Failed, |_| Outcome::Done);
            }
            Change => accounts.change_password(&case.present, &chosen, &by).await,
            Accept => accounts.accept(&case.link, None, &chosen, &by).await,
        };
        let verified = match changed {
            Ok(changed) => changed.verified,
            Err(error) => return Outcome::Failed(error),
        };
        // Whoever has changed it is signed in again, as after a sign-in.
        let started = match sessions.start(user, by.clone(), None).await {
            Ok(started) => started,
            Err(error) => return Outcome::Failed(error.into()),
        };
        match accounts.authenticator().still_holds(&verified).await {
            Ok(true) => {}
            Ok(false) => drop(sessions.end(&started.id, &by).await),
            Err(error) => {
                drop(sessions.end(&started.id, &by).await);
                return Outcome::Failed(StoreError::Failed(error.to_string()).into());
            }
        }
        Outcome::Changed(verified)
    }

    /// As the guard does it.
    async fn sign_in(&self, user: &UserName) -> Outcome {
        let (typed, client) = (password(OLD), Client::default());
        let authenticator = self.accounts.authenticator();
        let credentials = Credentials::new(user, &typed, &client);
        let Some(verified) = authenticator.authenticate(&credentials).await.unwrap() else {
            return Outcome::NotSignedIn;
        };
        let started = self
            .sessions
            .start(user, client.clone(), None)
            .await
            .unwrap();
        if authenticator.still_holds(&verified).await.unwrap() {
            return Outcome::SignedIn(started.id);
        }
        self.sessions.end(&started.id, &client).await.unwrap();
        Outcome::NotSignedIn
    }
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

/// Some steps of the first, some of the second, the rest of the first, the rest of the second; for all numbers of steps.
async fn meet(world: &World, one: Operation, two: Operation) {
    let mut is_first_over = false;
    for first in 0.. {
        if is_first_over {
            break;
        }
        for second in 0.. {
            let case = world.case().await;
            let start = async |operation, chosen| {
                let steps = Steps::one_by_one();
                let service = world.service(&steps);
                let case = case.clone();
                Running::start(
                    steps,
                    async move { service.run(operation, case, chosen).await },
                )
                .await
            };
            let a = start(one, "first vexing quartz sphinx").await;
            for _ in 0..first {
                is_first_over |= !a.step().await;
            }
            let b = start(two, "second vexing quartz sphinx").await;
            let mut is_second_over = false;
            for _ in 0..second {
                is_second_over |= !b.step().await;
            }
            let outcomes = [a.finish().await, b.finish().await];
            let name = format!("{first} steps of {one:?}, {second} of {two:?}: {outcomes:?}");
            judge(world, &case, [one, two], outcomes, &name).await;
            if is_second_over {
                break;
            }
        }
    }
}

async fn judge(
    world: &World,
    case: &Case,
    operations: [Operation; 2],
    outcomes: [Outcome; 2],
    name: &str,
) {
    assert!(!world.is_alive(&case.session).await, "{name}");
    let account = world.other.account(&case.user).await.unwrap();
    assert!(
        account.as_ref().is_none_or(|account| !account.is_changing),
        "{name}"
    );
    let removes = operations.contains(&Remove);
    assert_eq!(account.is_none(), removes, "{name}");
    let disables = operations.contains(&Disable);
    assert!(
        account.is_none_or(|account| account.disabled == disables),
        "{name}"
    );

    let mut current = 0;
    let mut changes = 0;
    for (operation, outcome) in operations.into_iter().zip(&outcomes) {
        match outcome {
            // The old password's session does not outlive what the other operation did.
            Outcome::SignedIn(id) => assert!(!world.is_alive(id).await, "{name}"),
            Outcome::NotSignedIn | Outcome::Done => {}
            Outcome::Changed(verified) => {
                changes += 1;
                let authenticator = world.direct().accounts.authenticator();
                current += usize::from(authenticator.still_holds(verified).await.unwrap());
            }
            Outcome::Failed(error) => {
                let is_expected = matches!(error, AccountError::Superseded)
                    && matches!(operation, Change | Accept)
                    || matches!(error, AccountError::NoInvitation) && operation == Accept
                    || matches!(error, AccountError::NoAccount) && removes;
                assert!(is_expected, "{name}");
            }
        }
    }
    let are_changes = operations
        .iter()
        .all(|operation| matches!(operation, Change | Accept));
    let changed_by_one = operations == [SignIn, Change] || operations == [SignIn, Accept];
    let live = world.live_sessions(case).await;
    if are_changes {
        // Two that know the same state of the account: one of them changes it. Before the other learns that it came too late, it
        // may have ended the session that the new password began.
        assert_eq!((changes, current), (1, 1), "{name}");
        assert!(live <= 1, "{name}");
    } else if changed_by_one {
        assert_eq!((changes, current, live), (1, 1, 1), "{name}");
    } else {
        assert_eq!((current, live), (0, 0), "{name}");
    }
}

macro_rules! in_memory {
    ($($name:ident: $one:ident, $two:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                meet(&World::memory().await, $one, $two).await;
            }
        )*
    };
}

in_memory! {
    a_sign_in_meets_a_change: SignIn, Change;
    a_sign_in_meets_a_reset: SignIn, Accept;
    a_sign_in_meets_disabling: SignIn, Disable;
    a_sign_in_meets_removal: SignIn, Remove;
    a_change_meets_a_change: Change, Change;
    a_reset_meets_itself: Accept, Accept;
    a_reset_meets_a_change: Accept, Change;
    a_change_meets_disabling: Change, Disable;
    a_change_meets_removal: Change, Remove;
    a_reset_meets_removal: Accept, Remove;
    disabling_meets_removal: Disable, Remove;
    removal_meets_removal: Remove, Remove;
}

#[tokio::test]
async fn a_removal_ends_what_another_operator_let_in_meanwhile() {
    let world = World::memory().await;
    let mut signed_in = 0;
    let mut is_over = false;
    for number in 0.. {
        if is_over {
            break;
        }
        let case = world.case().await;
        let steps = Steps::one_by_one();
        let (service, removed) = (world.service(&steps), case.clone());
        let removal = async move { service.run(Remove, removed, "").await };
        let removal = Running::start(steps, removal).await;
        for _ in 0..number {
            is_over |= !removal.step().await;
        }
        let Service { accounts, .. } = world.direct();
        let enabled = accounts.set_disabled(&case.user, false).await;
        let outcome = world.direct().run(SignIn, case.clone(), "").await;
        signed_in += usize::from(matches!(outcome, Outcome::SignedIn(_)));
        let removed = removal.finish().await;
        let name = format!("{number}: {enabled:?}, {outcome:?}, {removed:?}");
        assert!(matches!(removed, Outcome::Done), "{name}");
        let account = world.store.account(&case.user).await.unwrap();
        assert_eq!(account, None, "{name}");
        assert_eq!(world.live_sessions(&case).await, 0, "{name}");
    }
    // Before the first step, and after some.
    assert!(signed_in > 2, "{signed_in}");
}

#[tokio::test]
async fn what_a_removed_account_has_left_is_ended_by_removing_it_again() {
    let world = World::memory().await;
    let case = world.case().await;
    let removed = AccountStore::remove(&*world.store, &case.user, world.account.created);
    assert!(removed.await.unwrap());
    assert!(world.is_alive(&case.session).await);
    let Service { accounts, .. } = world.direct();
    assert_eq!(accounts.remove(&case.user).await.unwrap(), 1);
    assert!(!world.is_alive(&case.session).await);
    let again = accounts.remove(&case.user).await;
    assert!(matches!(again, Err(AccountError::NoAccount)));
}

#[tokio::test]
async fn they_meet_on_redis() {
    let world = World::redis().await;
    for (one, two) in ON_SERVERS {
        meet(&world, one, two).await;
    }
}

#[tokio::test]
async fn they_meet_on_a_cluster() {
    let world = World::cluster().await;
    for (one, two) in ON_SERVERS {
        meet(&world, one, two).await;
    }
}

#[tokio::test]
async fn what_breaks_off_leaves_no_session_to_a_new_password_and_can_be_repeated() {
    let world = World::memory().await;
    for operation in [Change, Accept, Disable, Remove] {
        for loss in [Loss::Request, Loss::Reply] {
            for number in 0.. {
                let case = world.case().await;
                let steps = Steps::failing(number, loss);
                let service = world.service(&steps);
                let outcome = service
                    .run(operation, case.clone(), "vexing quartz sphinx jumps")
                    .await;
                let name = format!("{operation:?}, {loss:?} {number}: {outcome:?}");
                if steps.number() <= number {
                    break;
                }
                let account = world.store.account(&case.user).await.unwrap();
                let is_alive = world.is_alive(&case.session).await;
                match &account {
                    None => assert!(!is_alive, "{name}"),
                    Some(account) => {
                        assert!(!account.is_changing, "{name}");
                        let is_changed = account.password != world.account.password;
                        assert!(!(is_changed && is_alive), "{name}");
                    }
                }
                assert!(
                    matches!(
                        outcome,
                        Outcome::Failed(AccountError::Store(_) | AccountError::NotAllEnded { .. })
                    ),
                    "{name}"
                );
                let again = world
                    .direct()
                    .run(operation, case.clone(), "sphinx of black quartz, judge")
                    .await;
                let name = format!("{name}, then {again:?}");
                assert!(
                    matches!(
                        again,
                        Outcome::Changed(_)
                            | Outcome::Done
                            | Outcome::Failed(
                                AccountError::Superseded
                                    | AccountError::NoAccount
                                    | AccountError::NoInvitation
                            )
                    ),
                    "{name}"
                );
                if operation == Accept {
                    // Only where the password was set, and its reply lost, is the link of no more use.
                    let is_set = account.is_some_and(|it| it.password != world.account.password);
                    let is_accepted = matches!(again, Outcome::Changed(_));
                    assert!(is_accepted || is_set, "{name}");
                }
                if matches!(again, Outcome::Changed(_) | Outcome::Done) {
                    assert!(!world.is_alive(&case.session).await, "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_first_account_that_breaks_off_can_be_made_again() {
    for loss in [Loss::Request, Loss::Reply] {
        for number in 0.. {
            let world = World::memory().await;
            let Service { accounts, .. } = world.direct();
            let link = accounts.invite_first().await.unwrap();
            let steps = Steps::failing(number, loss);
            let (user, by) = (new_user("first"), Client::default());
            let chosen = password("vexing quartz sphinx jumps");
            let failing = world.service(&steps).accounts;
            let outcome = failing.accept(&link, Some(&user), &chosen, &by).await;
            if steps.number() <= number {
                assert!(outcome.is_ok(), "{outcome:?}");
                break;
            }
            let name = format!("{loss:?} {number}: {outcome:?}");
            assert!(matches!(outcome, Err(AccountError::Store(_))), "{name}");
            let is_made = world.store.account(&user).await.unwrap().is_some();
            let again = accounts.accept(&link, Some(&user), &chosen, &by).await;
            let name = format!("{name}, {is_made}, then {again:?}");
            assert!(is_made || again.is_ok(), "{name}");
        }
    }
}

#[tokio::test]
async fn an_instance_that_starts_meanwhile_gives_nobody_a_second_first_account() {
    let mut is_over = false;
    for number in 0.. {
        if is_over {
            break;
        }
        let world = World::redis().await;
        let Service { accounts, .. } = world.direct();
        let link = accounts.invite_first().await.unwrap();
        let steps = Steps::one_by_one();
        let first = world.service(&steps).accounts;
        let first = Running::start(steps, async move {
            let (user, by) = (new_user("one"), Client::default());
            let chosen = password("vexing quartz sphinx jumps");
            first.accept(&link, Some(&user), &chosen, &by).await
        });
        let first = first.await;
        for _ in 0..number {
            is_over |= !first.step().await;
        }
        // Without looking whether there is an account, as where it has looked just before.
        let link = accounts.invite_first().await.unwrap();
        let (user, by) = (new_user("two"), Client::default());
        let chosen = password("vexing quartz sphinx jumps");
        let second = accounts.accept(&link, Some(&user), &chosen, &by).await;
        let outcomes = [first.finish().await, second];
        let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(made, 1, "{number}: {outcomes:?}");
        let mut there = 0;
        AccountStore::list(&*world.store, &mut |_, _| there += 1)
            .await
            .unwrap();
        assert_eq!(there, 1, "{number}: {outcomes:?}");
    }
}

/// Fifty at once, on two instances: who got it.
async fn fifty(world: &World, links: [&Token; 2], names: [Option<&UserName>; 2]) -> usize {
    let mut all = JoinSet::new();
    for number in 0..50 {
        let store = [&world.store, &world.other][number % 2];
        let stepped = Stepped {
            store: Arc::clone(store),
            steps: Steps::failing(usize::MAX, Loss::Request),
        };
        let accounts = Service::new(Arc::new(stepped), &world.hasher).accounts;
        let link = links[number / 2 % 2].clone();
        let name = names[number / 2 % 2].cloned();
        all.spawn(async move {
            let (text, by) = (password("vexing quartz sphinx jumps"), Client::default());
            // Again, where the machine is so slow that there was no time to hash.
            loop {
                match accounts.accept(&link, name.as_ref(), &text, &by).await {
                    Err(AccountError::Busy) => {}
                    outcome => return outcome,
                }
            }
        });
    }
    let mut winners = 0;
    while let Some(outcome) = all.join_next().await {
        match outcome.unwrap() {
            Ok(_) => winners += 1,
            Err(AccountError::NoInvitation) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    winners
}

async fn one_of_fifty_wins(world: World) {
    let accounts = world.direct().accounts;
    let (one, two) = (new_user("one"), new_user("two"));
    let first = accounts.invite_first().await.unwrap();
    let second = accounts.invite_first().await.unwrap();
    let winners = fifty(&world, [&first, &second], [Some(&one), Some(&two)]).await;
    assert_eq!(winners, 1);
    let mut number = 0;
    AccountStore::list(&*world.store, &mut |_, _| number += 1)
        .await
        .unwrap();
    assert_eq!(number, 1);

    let user = new_user("invited");
    let link = accounts.invite(&user).await.unwrap();
    assert_eq!(fifty(&world, [&link, &link], [None, None]).await, 1);
    let link = accounts.reset(&user).await.unwrap();
    assert_eq!(fifty(&world, [&link, &link], [None, None]).await, 1);
}

#[tokio::test]
async fn of_fifty_with_one_link_one_gets_in_memory_what_it_is_for() {
    one_of_fifty_wins(World::memory().await).await;
}

#[tokio::test]
async fn of_fifty_with_one_link_one_gets_on_redis_what_it_is_for() {
    one_of_fifty_wins(World::redis().await).await;
}
