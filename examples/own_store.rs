//! A shop that keeps its sessions in a store of its own: a map behind one lock, so nothing can come between a look and a
//! change. (It is gone with the process. A database's store does in one transaction what this one does under the lock.)
//!
//! `cargo test --example own_store` tries it with the suite that Innkeeper's own stores pass.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use innkeeper::{
    ActiveSession, Clock, Config, ConfigError, Created, EndOutcome, EndedSession, HandlePrefix,
    Lifetimes, Listing, NewSession, Selection, Session, SessionHandle, SessionId, SessionStore,
    StoreError, StoreStats, WriteOutcome,
};
use rocket::{Build, Rocket, async_trait};

/// Sessions by their handles, which do not open them: whoever reads a copy of the map can use no session.
#[derive(Debug)]
pub(crate) struct MapStore {
    maps: Mutex<Maps>,
    lifetimes: Lifetimes,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Maps {
    sessions: HashMap<SessionHandle, Record>,
    /// Why sessions ended, each with the time until which that is kept.
    ended: HashMap<SessionHandle, (EndedSession, SystemTime)>,
    created: u64,
}

#[derive(Debug)]
struct Record {
    session: Session,
    last_used: SystemTime,
    /// Tells sessions of the same second apart.
    number: u64,
}

impl MapStore {
    /// An empty store. `clock` is the application's: a test moves it.
    pub(crate) fn new(lifetimes: Lifetimes, clock: Clock) -> Self {
        Self {
            maps: Mutex::default(),
            lifetimes,
            clock,
        }
    }

    /// All live sessions; those that have expired are removed first.
    fn lock(&self) -> (MutexGuard<'_, Maps>, SystemTime) {
        // A panic while the lock was held leaves the maps as they were: each change is one call.
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        maps.sessions
            .retain(|_, record| self.active(record, now).is_some());
        maps.ended.retain(|_, (_, until)| *until > now);
        (maps, now)
    }

    fn active(&self, record: &Record, now: SystemTime) -> Option<ActiveSession> {
        let unused = now.duration_since(record.last_used).unwrap_or_default();
        let left = self.lifetimes.idle.saturating_sub(unused);
        ActiveSession::new(record.session.clone(), left, &self.lifetimes, now)
    }

    /// Ends the sessions that are chosen, and returns them with their users, the oldest first.
    fn end(
        &self,
        maps: &mut Maps,
        now: SystemTime,
        chosen: impl Fn(SessionHandle, &Record) -> bool,
        why: impl Fn(&str) -> EndedSession,
    ) -> Vec<(SessionHandle, String)> {
        let chosen = |handle: &SessionHandle, record: &mut Record| chosen(*handle, record);
        let mut ended: Vec<_> = maps.sessions.extract_if(chosen).collect();
        ended.sort_by_key(|(_, record)| record.number);
        let until = now + self.lifetimes.idle;
        ended
            .into_iter()
            .map(|(handle, Record { session, .. })| {
                maps.ended.insert(handle, (why(&session.user), until));
                (handle, session.user)
            })
            .collect()
    }

    fn find_all(
        &self,
        wanted: impl Fn(SessionHandle, &Record) -> bool,
    ) -> Vec<(SessionHandle, ActiveSession)> {
        let (maps, now) = self.lock();
        let records = maps.sessions.iter();
        records
            .filter(|(handle, record)| wanted(**handle, record))
            .filter_map(|(handle, record)| Some((*handle, self.active(record, now)?)))
            .collect()
    }
}

/// The reason, with the session's user, as an operator's ends are kept.
fn of_user(why: &EndedSession, user: &str) -> EndedSession {
    let mut why = why.clone();
    why.user = Some(user.to_owned());
    why
}

fn only_handles(ended: Vec<(SessionHandle, String)>) -> Vec<SessionHandle> {
    ended.into_iter().map(|(handle, _)| handle).collect()
}

#[async_trait]
impl SessionStore for MapStore {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        let (mut maps, now) = self.lock();
        let mut created = Created::default();
        if let Some((old, why)) = new.replaced {
            let old = SessionHandle::from(old);
            let ended = self.end(&mut maps, now, |handle, _| handle == old, |_| why.clone());
            created.replaced = ended.into_iter().next().map(|(_, user)| user);
        }
        maps.created += 1;
        let number = maps.created;
        let record = Record {
            session: new.session.clone(),
            last_used: now,
            number,
        };
        maps.sessions.insert(new.id.into(), record);

        let of_user = |record: &Record| record.session.user == new.session.user;
        let mut numbers: Vec<_> = maps
            .sessions
            .values()
            .filter(|it| of_user(it))
            .map(|it| it.number)
            .collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let last = new.limit.saturating_sub(1);
        let kept = numbers.get(last).copied().unwrap_or_default();
        let beyond = |_, record: &Record| of_user(record) && record.number < kept;
        created.evicted =
            only_handles(self.end(&mut maps, now, beyond, |_| new.over_limit.clone()));
        Ok(created)
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let (mut maps, now) = self.lock();
        Ok(maps.sessions.get_mut(&id.into()).and_then(|record| {
            record.last_used = now;
            self.active(record, now)
        }))
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        let (maps, now) = self.lock();
        Ok(maps
            .sessions
            .get(&id.into())
            .and_then(|record| self.active(record, now)))
    }

    async fn list(
        &self,
        user: &str,
        _: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        Ok(Listing::all(
            self.find_all(|_, record| record.session.user == user),
        ))
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let (mut maps, now) = self.lock();
        let wanted = SessionHandle::from(id);
        let ended = self.end(
            &mut maps,
            now,
            |handle, _| handle == wanted,
            |_| why.clone(),
        );
        Ok(ended.into_iter().next().map(|(_, user)| user))
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        let (mut maps, now) = self.lock();
        let chosen =
            |handle, record: &Record| record.session.user == user && selection.includes(handle);
        let ended = self.end(&mut maps, now, chosen, |_| why.clone());
        Ok(EndOutcome::all(only_handles(ended)))
    }

    async fn delete_by_handle(
        &self,
        wanted: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        let (mut maps, now) = self.lock();
        let ended = self.end(
            &mut maps,
            now,
            |handle, _| handle == wanted,
            |user| of_user(why, user),
        );
        Ok(ended.into_iter().next().map(|(_, user)| user))
    }

    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        for (handle, active) in self.find_all(|_, _| true) {
            found(handle, active);
        }
        Ok(())
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        Ok(self.find_all(|handle, _| prefix.includes(handle)))
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        let (mut maps, now) = self.lock();
        let ended = self.end(&mut maps, now, |_, _| true, |user| of_user(why, user));
        Ok(EndOutcome::all(only_handles(ended)))
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        let (maps, _) = self.lock();
        Ok(maps.ended.get(&id.into()).map(|(why, _)| why.clone()))
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        let (mut maps, _) = self.lock();
        let Some(record) = maps.sessions.get_mut(&id.into()) else {
            return Ok(WriteOutcome::NoSession);
        };
        Ok(if record.session.write(field, value, limit) {
            WriteOutcome::Written
        } else {
            WriteOutcome::TooManyFields
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn stats(&self) -> StoreStats {
        let mut stats = StoreStats::default();
        stats.active = Some(self.lock().0.sessions.len() as u64);
        stats
    }
}

/// The application. The store must know how long sessions live: the settings say it.
fn rocket() -> Result<Rocket<Build>, ConfigError> {
    let rocket = rocket::build();
    let lifetimes = Config::from(rocket.figment())?.lifetimes;
    let store = MapStore::new(lifetimes, Clock::start());
    Ok(rocket.attach(innkeeper::stage().store(Arc::new(store))))
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    rocket()?.launch().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use innkeeper::testing::contract::Setup;

    use super::MapStore;

    async fn open(setup: Setup) -> MapStore {
        MapStore::new(setup.lifetimes, setup.clock)
    }

    innkeeper::store_contract!(open);
}
