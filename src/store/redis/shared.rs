//! Connections that many requests use at once, and the pool's manager of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_redis::Manager;
use deadpool_redis::redis::cluster::ClusterClient;
use deadpool_redis::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionInfo, RedisError, RedisResult, TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;

use super::address::{Sentinels, Server, without_delay};
use super::link::Link;

/// So many requests may wait for their turn to be sent; more of them first wait for a place in that queue, and each is
/// woken twice.
const QUEUE: usize = 1024;

/// Makes connections to one server, to a cluster, or to the primary that Sentinels name.
///
/// deadpool-redis' own managers check a connection before each loan (`UNWATCH`, `PING`), which would double the
/// round trips.
pub(super) enum Shared {
    One(Manager),
    Cluster(ClusterClient),
    Sentinel {
        /// Asked anew for each connection: after a failover it leads elsewhere.
        client: Mutex<SentinelClient>,
        config: AsyncConnectionConfig,
    },
}

pub(super) struct SharedConnection {
    pub(super) link: Link,
    /// Set by whoever got no answer.
    pub(super) broken: Arc<AtomicBool>,
}

impl Shared {
    /// `connecting`: how long making a connection may take; `answering`: how long an answer.
    pub(super) fn to(
        server: Server,
        authorities: Option<TlsCertificates>,
        connecting: Duration,
        answering: Duration,
    ) -> RedisResult<Self> {
        // How long an answer may take is timed once for a whole operation, and not by each connection too.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connecting))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        match server {
            Server::One(info) => Ok(Self::One(Manager::new_with_config(info, config)?)),
            Server::Cluster(nodes) => {
                let client = cluster(nodes, authorities, connecting, answering)?;
                Ok(Self::Cluster(client))
            }
            Server::Sentinel(sentinels) => Ok(Self::Sentinel {
                client: Mutex::new(sentinel(sentinels, authorities)?),
                config,
            }),
        }
    }

    /// A connection to a cluster is one to each of its nodes, which mends itself.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

fn cluster(
    nodes: Vec<ConnectionInfo>,
    authorities: Option<TlsCertificates>,
    connecting: Duration,
    answering: Duration,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClient::builder(nodes)
        .connection_timeout(connecting)
        .response_timeout(answering)
        // Enough for a redirect. Whatever takes longer is the caller's to decide, who knows how long he can wait.
        .retries(1)
        .min_retry_wait(10)
        .max_retry_wait(50)
        .tcp_settings(without_delay());
    if let Some(authorities) = authorities {
        builder = builder.certs(authorities);
    }
    builder.build()
}

fn sentinel(
    sentinels: Sentinels,
    authorities: Option<TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let mut builder = SentinelClientBuilder::new(
        sentinels.addresses,
        sentinels.service,
        SentinelServerType::Master,
    )?
    .set_client_to_redis_db(sentinels.primary.db())
    .set_client_to_redis_tcp_settings(without_delay());
    if let Some(user) = sentinels.primary.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = sentinels.primary.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(user) = sentinels.user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = sentinels.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if sentinels.tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        if let Some(authorities) = authorities {
            builder = builder
                .set_client_to_redis_certificates(authorities.clone())
                .set_client_to_sentinel_certificates(authorities);
        }
    }
    builder.build()
}

impl managed::Manager for Shared {
    type Type = SharedConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<SharedConnection> {
        let link = match self {
            Self::One(manager) => Link::One(manager.create().await?),
            Self::Cluster(client) => Link::Cluster(client.get_async_connection().await?),
            Self::Sentinel { client, config } => {
                let primary = client.lock().await.async_get_client().await?;
                let connection = primary.get_multiplexed_async_connection_with_config(config);
                Link::One(connection.await?)
            }
        };
        Ok(SharedConnection {
            link,
            broken: Arc::default(),
        })
    }

    async fn recycle(
        &self,
        shared: &mut SharedConnection,
        _: &Metrics,
    ) -> RecycleResult<RedisError> {
        // Most nodes of a cluster may be well: the connection to them serves until there is another one.
        if !self.is_cluster() && shared.broken.load(Ordering::Relaxed) {
            return Err(RecycleError::message("an answer did not come"));
        }
        Ok(())
    }
}
