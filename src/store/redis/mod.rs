//! Sessions in Redis: shared by any number of instances, and with the tutorial's own server.

mod connection;
mod inspect;
mod keys;
mod rights;
mod sessions;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::TlsCertificates;

pub use connection::address::AddressError;
pub(crate) use connection::address::endpoint::{By, Reach, Tls, reach};
pub(crate) use connection::error::{
    NO_CERTIFICATE, NO_CLUSTER, NO_COMMAND, NO_DATABASE, NO_HOST, NO_PASSWORD,
};
pub(crate) use inspect::{Clocks, Info, Server, Survey};
pub(crate) use rights::{Denied, Need};

use self::connection::Connections;
use self::connection::address::{self, ca, client_certificate};
use self::sessions::relisting::Relisting;
use self::sessions::server_time::ServerTime;
use crate::clock::Clock;
use crate::config::{ClientCertificate, RedisAddress, default_connections};
use crate::session::{
    ActiveSession, Created, EndOutcome, EndedSession, HandlePrefix, Lifetimes, Listing, NewSession,
    Selection, SessionHandle, SessionId, SessionStore, StoreError, StoreStats, WriteOutcome,
};

/// How Redis is used, its address aside.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// The whole time that one call may take, retries included. Default: a second.
    pub timeout: Duration,
    /// How many connections there are, each shared by many requests; in a cluster there is one to each node.
    /// Default: a quarter of the cores, at least 1 and at most 4.
    pub connections: usize,
    /// A PEM file with certificate authorities to trust besides the system's. Default: none.
    pub ca_file: Option<PathBuf>,
    /// What to show a server that asks its clients who they are. Default: nothing.
    pub client: Option<ClientCertificate>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            connections: default_connections(),
            ca_file: None,
            client: None,
        }
    }
}

/// Keeps sessions in Redis 6.2 or later, or Valkey, in the layout of the tutorial: a hash `session:{id}` that expires.
///
/// Beside it the sorted set `user_sessions:{user}` lists the user's ids by the time of their creation, and the
/// string `ended_session:{id}` says for the idle timeout why somebody ended a session.
/// A touch is `HGETALL` and `EXPIRE` in one pipeline: neither can make a key, so a session that is deleted
/// in between stays deleted.
///
/// A session's age is told by Redis' clock, so that instances whose own clocks differ agree about it to a second or
/// two: the script that writes it dates it, and every 30 seconds a request asks for Redis' `TIME` beside its own commands.
#[derive(Clone, Debug)]
pub struct RedisStore {
    connections: Arc<Connections>,
    lifetimes: Lifetimes,
    clock: Clock,
    server_time: Arc<ServerTime>,
    relisting: Arc<Relisting>,
}

impl RedisStore {
    /// Prepares the pool; connects when the first request needs it.
    ///
    /// # Errors
    ///
    /// The address is not one of Redis, or the file cannot be used.
    pub fn open(
        address: &RedisAddress,
        options: &RedisOptions,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, AddressError> {
        let RedisOptions {
            timeout,
            connections,
            ca_file,
            client,
        } = options;
        let own = ca_file.as_deref().map(ca::with).transpose()?;
        let client_tls = client.as_ref().map(client_certificate::read).transpose()?;
        let mut server = address::resolve(address)?;
        if server.is_tls() {
            let authorities = own.unwrap_or_else(ca::of_the_system);
            server = server.trusting(&TlsCertificates {
                client_tls,
                ..authorities
            })?;
        } else if own.is_some() || client_tls.is_some() {
            tracing::warn!(
                "`redis_ca_file`, `redis_cert_file` and `redis_key_file` are not used: the address of Redis asks for no TLS"
            );
        }
        let connections = Connections::to(server, (*connections).max(1), *timeout)?;
        Ok(Self {
            connections: Arc::new(connections),
            lifetimes,
            clock,
            server_time: Arc::default(),
            relisting: Arc::default(),
        })
    }

    /// What a live session's expiry is set to before its age is known.
    fn longest(&self) -> Duration {
        let idle = self.lifetimes.idle;
        self.lifetimes
            .absolute
            .map_or(idle, |absolute| absolute.min(idle))
    }

    /// How long a user's list is kept: at least as long as its youngest session can live.
    fn list_lifetime(&self) -> Duration {
        let idle = self.lifetimes.idle;
        self.lifetimes
            .absolute
            .map_or(idle, |absolute| absolute.max(idle))
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, new: &NewSession<'_>) -> Result<Created, StoreError> {
        self.connections.within_budget(self.do_create(new)).await
    }

    async fn touch(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.connections.within_budget(self.do_touch(id)).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Option<ActiveSession>, StoreError> {
        self.connections.within_budget(self.do_peek(id)).await
    }

    async fn list(
        &self,
        user: &str,
        reader: Option<&SessionId>,
    ) -> Result<Listing<(SessionHandle, ActiveSession)>, StoreError> {
        self.connections
            .within_budget(self.do_list(user, reader))
            .await
    }

    // Each round trip has a budget of its own: there may be many keys.
    async fn restore_lists(&self, users: &[String]) -> Result<(), StoreError> {
        self.do_restore_lists(users).await
    }

    async fn delete(
        &self,
        id: &SessionId,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.connections
            .within_budget(self.do_delete(id, why))
            .await
    }

    async fn delete_of_user(
        &self,
        user: &str,
        selection: Selection,
        why: &EndedSession,
    ) -> Result<EndOutcome, StoreError> {
        self.connections
            .within_budget(self.do_delete_of_user(user, selection, why))
            .await
    }

    // Each round trip of these four has a budget of its own: there may be many keys.
    async fn list_all(
        &self,
        found: &mut (dyn FnMut(SessionHandle, ActiveSession) + Send),
    ) -> Result<(), StoreError> {
        self.do_list_all(found).await
    }

    async fn find(
        &self,
        prefix: HandlePrefix,
    ) -> Result<Vec<(SessionHandle, ActiveSession)>, StoreError> {
        self.do_find(prefix).await
    }

    async fn delete_all(&self, why: &EndedSession) -> Result<EndOutcome, StoreError> {
        self.do_delete_all(why).await
    }

    async fn delete_by_handle(
        &self,
        handle: SessionHandle,
        why: &EndedSession,
    ) -> Result<Option<String>, StoreError> {
        self.do_delete_by_handle(handle, why).await
    }

    async fn ended(&self, id: &SessionId) -> Result<Option<EndedSession>, StoreError> {
        self.connections.within_budget(self.do_ended(id)).await
    }

    async fn write(
        &self,
        id: &SessionId,
        field: &str,
        value: Option<&str>,
        limit: usize,
    ) -> Result<WriteOutcome, StoreError> {
        self.connections
            .within_budget(self.do_write(id, field, value, limit))
            .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.connections
            .within_budget(self.connections.probe())
            .await
    }

    async fn stats(&self) -> StoreStats {
        self.do_stats().await
    }
}
