//! Stores whose calls happen when a test lets them, or lose their reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use innkeeper::{
    Account, AccountStore, ActiveSession, Created, Digest, EndOutcome, EndedSession, HandlePrefix,
    Invitation, Listing, NewSession, Selection, SessionHandle, SessionId, SessionStore,
    SetPassword, StoreError, UserName, WriteOutcome,
};
use rocket::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A store that keeps sessions and accounts.
pub(crate) trait Whole: SessionStore + AccountStore {}

impl<S: SessionStore + AccountStore> Whole for S {}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is never done.
    Request,
    /// It is done, and the caller is not told.
    Reply,
}

/// The calls of one operation.
#[derive(Debug)]
pub(crate) struct Steps {
    allowed: Semaphore,
    /// One for each time that the operation stands before a call, or has ended.
    stopped: Semaphore,
    has_ended: AtomicBool,
    number: AtomicUsize,
    /// Which call fails, and how.
    loss: Option<(usize, Loss)>,
}

impl Steps {
    /// Each waits until it is let.
    pub(crate) fn one_by_one() -> Arc<Self> {
        Arc::new(Self::new(0, None))
    }

    /// None waits, and this one fails.
    pub(crate) fn failing(number: usize, loss: Loss) -> Arc<Self> {
        Arc::new(Self::new(1000, Some((number, loss))))
    }

    fn new(allowed: usize, loss: Option<(usize, Loss)>) -> Self {
        Self {
            allowed: Semaphore::new(allowed),
            stopped: Semaphore::new(0),
            has_ended: AtomicBool::new(false),
            number: AtomicUsize::new(0),
            loss,
        }
    }

    /// How many calls have begun.
    pub(crate) fn number(&self) -> usize {
        self.number.load(Ordering::SeqCst)
    }

    async fn step<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.stopped.add_permits(1);
        self.allowed.acquire().await.unwrap().forget();
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        let lost = || StoreError::Unreachable("the test lost it".to_owned());
        match self.loss.filter(|(at, _)| *at == number) {
            Some((_, Loss::Request)) => Err(lost()),
            Some((_, Loss::Reply)) => {
                call.await?;
                Err(lost())
            }
            None => call.await,
        }
    }
}

/// An operation that stands before its next call.
pub(crate) struct Running<T> {
    steps: Arc<Steps>,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Running<T> {
    /// Goes on to the first call.
    pub(crate) async fn start(
        steps: Arc<Steps>,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let ends = Arc::clone(&steps);
        let task = tokio::spawn(async move {
            let outcome = operation.await;
            ends.has_ended.store(true, Ordering::SeqCst);
            ends.stopped.add_permits(1);
            outcome
        });
        let running = Self { steps, task };
        running.stopped().await;
        running
    }

    async fn stopped(&self) {
        self.steps.stopped.acquire().await.unwrap().forget();
    }

    /// Lets it do one call and go on to the next; `false` if it has ended.
    pub(crate) async fn step(&self) -> bool {
        if self.steps.has_ended.load(Ordering::SeqCst) {
            return false;
        }
        self.steps.allowed.add_permits(1);
        self.stopped().await;
        true
    }

    pub(crate) async fn finish(self) -> T {
        while self.step().await {}
        self.task.await.unwrap()
    }
}

/// A store for one operation. What requests do to sessions and accounts are its steps; the rest is passed on.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) store: Arc<dyn Whole>,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl AccountStore for Stepped {
    async fn account(&self, user: &UserName) -> Result<Option<Account>, StoreError> {
        self.steps.step(self.store.account(user)).await
    }

    async fn add(&self, user: &UserName, account: &Account) -> Result<bool, StoreError> {
        self.steps.step(self.store.add(user, account)).await
    }

    async fn begin_change(&self, user: &UserName, change: &Digest) -> Result<bool, StoreError> {
        self.steps.step(self.store.begin_change(user, change)).await
    }

    async fn cancel_change(&self, user: &UserName, change: &Digest) -> Result<(), StoreError> {
        let cancel = self.store.cancel_change(user, change);
        self.steps.step(cancel).await
    }

    async fn set_password(
        &self,
        user: &UserName,
        change: &Digest,
        password: &str,
        changed: SystemTime,
    ) -> Result<SetPassword, StoreError> {
        let set = self.store.set_password(user, change, password, changed);
        self.steps.step(set).await
    }

    async fn rehash(&self, user: &UserName, old: &str, new: &str) -> Result<(), StoreError> {
        self.steps.step(self.store.rehash(user, old, new)).await
    }

    async fn set_disabled(&self, user: &UserName, disabled: bool) -> Result<bool, StoreError> {
        let set = self.store.set_disabled(user, disabled);
        self.steps.step(set).await
    }

    async fn remove(&self, user: &UserName, created: SystemTime) -> Result<bool, StoreError> {
        self.steps
            .step(AccountStore::remove(&*self.store, user, created))
            .await
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(UserName, Account) + Send),
    ) -> Result<(), StoreError> {
        self.steps
            .step(AccountStore::list(&*self.store, found))
            .await
    }

    async fn invite(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let invite = self.store.invite(token, invitation, ttl);
        self.steps.step(invite).await
    }

    async fn give_back(
        &self,
        token: &Digest,
        invitation: &Invitation,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let give_back = self.store.give_back(token, invitation, ttl);
        self.steps.step(give_back).await
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        self.steps.step(self.store.invitation(token)).await
    }

    async fn take_invitation(&self, token: &Digest) -> Result<Option<Invitation>, StoreError> {
        self.steps.step(self.store.take_invitation(token)).await
    }
}

#[async_trait]
impl SessionStore for Stepped {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        self.steps.step(self.store.create(new)).await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.store.touch(id).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.store.peek(id).await
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        SessionStore::list(&*self.store, user, reader).await
    }

    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        self.steps.step(self.store.restore_lists(users)).await
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.steps.step(self.store.delete(id, why)).await
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let delete = self.store.delete_of_user(user, selection, why);
        self.steps.step(delete).await
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
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
        self.store.find(prefix).await
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        self.store.delete_all(why).await
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        self.store.ended(id).await
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        self.store.write(id, field, value, limit).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        SessionStore::check(&*self.store).await
    }
}
