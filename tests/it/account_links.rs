//! Accounts as an operator and their users see them.

use std::sync::Arc;

use innkeeper::{
    Account, AccountError, Accounts, Client, Clock, Credentials, Hasher, ImportProblem, Password,
    PasswordPolicy, Sessions, StorePath, UserName, Verified,
};

use crate::support::kept::{LIFETIMES, open_embedded};

const RIGHT: &str = "correct horse battery staple";
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";

fn accounts() -> Accounts {
    let clock = Clock::start();
    let store = Arc::new(open_embedded(&StorePath::Memory, &clock));
    let sessions = Sessions::new(Arc::clone(&store) as _, LIFETIMES, 100, None, clock);
    let policy = PasswordPolicy::new(15, "Hilbert's Hotel");
    Accounts::new(store, sessions, Hasher::new(), policy)
}

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

async fn all(accounts: &Accounts) -> Vec<(String, Account)> {
    let mut all = Vec::new();
    let mut found = |user: UserName, account| all.push((user.to_string(), account));
    accounts.list(&mut found).await.unwrap();
    all.sort_by(|(one, _), (two, _)| one.cmp(two));
    all
}

async fn sign_in(accounts: &Accounts, user: &str, text: &str) -> Option<Verified> {
    let (user, password, client) = (name(user), password(text), Client::default());
    let credentials = Credentials::new(&user, &password, &client);
    let authenticator = accounts.authenticator();
    authenticator.authenticate(&credentials).await.unwrap()
}

#[tokio::test]
async fn a_check_holds_until_the_account_is_changed() {
    let accounts = accounts();
    let (amy, client) = (name("amy"), Client::default());
    let holds = async |verified: &Verified| {
        let authenticator = accounts.authenticator();
        authenticator.still_holds(verified).await.unwrap()
    };
    let first = accounts.sign_up(&amy, &password(RIGHT)).await.unwrap();
    assert!(holds(&first).await);
    accounts.set_disabled(&amy, true).await.unwrap();
    assert!(!holds(&first).await);
    accounts.set_disabled(&amy, false).await.unwrap();
    assert!(holds(&first).await);

    let other = password("vexing quartz sphinx jumps");
    let changed = accounts
        .change_password(&first, &other, &client)
        .await
        .unwrap();
    assert!(!holds(&first).await && holds(&changed.verified).await);
    accounts.remove(&amy).await.unwrap();
    assert!(!holds(&changed.verified).await);
    // Another account, of the same name and with the same password.
    let again = accounts.sign_up(&amy, &other).await.unwrap();
    assert!(!holds(&changed.verified).await && holds(&again).await);
}

#[tokio::test]
async fn a_link_dies_with_its_use_a_change_and_the_account() {
    let accounts = accounts();
    let (amy, client) = (name("amy"), Client::default());
    let link = accounts.invite(&amy).await.unwrap();
    let other = accounts.invite(&amy).await.unwrap();
    assert!(accounts.invitation(&other).await.unwrap().is_some());
    // A password that is refused uses nothing up.
    let refused = accounts
        .accept(&link, None, &password("short"), &client)
        .await;
    assert!(matches!(refused, Err(AccountError::Problem(_))));
    let changed = accounts
        .accept(&link, None, &password(RIGHT), &client)
        .await
        .unwrap();
    assert_eq!(changed.verified.user(), &amy);
    for link in [&link, &other] {
        assert_eq!(accounts.invitation(link).await.unwrap(), None);
        let accepted = accounts.accept(link, None, &password(RIGHT), &client).await;
        assert!(matches!(accepted, Err(AccountError::NoInvitation)));
    }
    assert!(matches!(
        accounts.invite(&amy).await,
        Err(AccountError::NameTaken)
    ));

    let reset = accounts.reset(&amy).await.unwrap();
    let text = password("vexing quartz sphinx jumps");
    accounts
        .change_password(&changed.verified, &text, &client)
        .await
        .unwrap();
    assert_eq!(accounts.invitation(&reset).await.unwrap(), None);

    let reset = accounts.reset(&amy).await.unwrap();
    accounts.set_disabled(&amy, true).await.unwrap();
    assert_eq!(accounts.invitation(&reset).await.unwrap(), None);
    accounts.set_disabled(&amy, false).await.unwrap();
    assert!(accounts.invitation(&reset).await.unwrap().is_some());
    accounts.remove(&amy).await.unwrap();
    accounts.sign_up(&amy, &text).await.unwrap();
    assert_eq!(accounts.invitation(&reset).await.unwrap(), None);
}

#[tokio::test]
async fn the_first_accounts_link_is_worth_nothing_once_there_is_one() {
    let accounts = accounts();
    let client = Client::default();
    let (link, other) = (
        accounts.invite_first().await.unwrap(),
        accounts.invite_first().await.unwrap(),
    );
    assert!(accounts.is_empty().await.unwrap());
    let nameless = accounts
        .accept(&link, None, &password(RIGHT), &client)
        .await;
    assert!(matches!(nameless, Err(AccountError::NameMissing)));
    let amy = name("amy");
    let accepted = accounts
        .accept(&link, Some(&amy), &password(RIGHT), &client)
        .await;
    assert_eq!(accepted.unwrap().verified.user(), &amy);
    assert!(!accounts.is_empty().await.unwrap());
    for link in [&link, &other] {
        assert_eq!(accounts.invitation(link).await.unwrap(), None);
    }
    assert!(sign_in(&accounts, "amy", RIGHT).await.is_some());
}

#[tokio::test]
async fn accounts_move_by_export_and_import() {
    let (from, to) = (accounts(), accounts());
    from.sign_up(&name("amy"), &password(RIGHT)).await.unwrap();
    from.add(&name("invited"), None).await.unwrap();
    from.add(&name("bob"), None).await.unwrap();
    from.set_disabled(&name("bob"), true).await.unwrap();
    let mut lines = Vec::new();
    from.export(&mut |line| lines.push(line)).await.unwrap();
    lines.sort();
    let text = format!("# accounts\n\n{}\nx\n", lines.join("\r\n"));
    let mut told = Vec::new();
    to.import(&text, &mut |number, outcome| told.push((number, outcome)))
        .await
        .unwrap();
    let ok = |user| Ok(name(user));
    assert_eq!(
        told,
        [
            (3, ok("amy")),
            (4, ok("bob")),
            (5, ok("invited")),
            (6, Err(ImportProblem::Format))
        ]
    );
    assert_eq!(all(&to).await, all(&from).await);
    // What is there is left as it is.
    let mut told = Vec::new();
    let text = format!("amy:{BCRYPT}");
    to.import(&text, &mut |_, outcome| told.push(outcome))
        .await
        .unwrap();
    assert_eq!(told, [Err(ImportProblem::Exists)]);
    assert!(sign_in(&to, "amy", RIGHT).await.is_some());
}
