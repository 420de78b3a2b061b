//! Makes connections to one server, or to the primary that Sentinels name.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleResult};
use deadpool_redis::Manager;
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::io::tcp::socket2::TcpKeepalive;
use deadpool_redis::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionInfo, RedisError, RedisResult, TlsMode,
};
use tokio::sync::Mutex;

use crate::store::redis::connection::address::Sentinels;
use crate::store::redis::connection::pool::connection::{Connection, Siblings};

/// So many requests may wait for their turn to be sent; more of them first wait for a place in that queue, and each is
/// woken twice.
const QUEUE: usize = 1024;

/// After so long without a packet the kernel asks whether the other side is still there: often enough that a
/// firewall does not forget the connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// How often it asks again where there is no answer.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// After so long without an acknowledgement of what was sent the kernel ends the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pool's manager.
///
/// deadpool-redis' own checks a connection before each loan (`UNWATCH`, `PING`), which would double the round trips.
pub(in crate::store::redis) struct Connector {
    to: To,
    config: AsyncConnectionConfig,
    siblings: Arc<Siblings>,
}

enum To {
    Server(Manager),
    /// Asked anew for each connection: after a failover they lead elsewhere.
    Sentinels(Mutex<SentinelClient>),
}

impl Connector {
    /// `connecting`: how long making a connection may take.
    pub(in crate::store::redis) fn to_server(
        server: ConnectionInfo,
        connecting: Duration,
    ) -> RedisResult<Self> {
        Self::to(server, connecting, Siblings::new())
    }

    /// To a node of a cluster, whose refusals are about the cluster and not about the connection.
    pub(in crate::store::redis) fn to_node(
        node: ConnectionInfo,
        connecting: Duration,
    ) -> RedisResult<Self> {
        Self::to(node, connecting, Siblings::of_node())
    }

    fn to(
        server: ConnectionInfo,
        connecting: Duration,
        siblings: Arc<Siblings>,
    ) -> RedisResult<Self> {
        let config = config(connecting);
        let server = server.set_tcp_settings(tcp_settings());
        let manager = Manager::new_with_config(server, config.clone())?;
        Ok(Self {
            to: To::Server(manager),
            config,
            siblings,
        })
    }

    pub(in crate::store::redis) fn to_primary(
        sentinels: Sentinels,
        connecting: Duration,
    ) -> RedisResult<Self> {
        Ok(Self {
            to: To::Sentinels(Mutex::new(sentinel_client(sentinels)?)),
            config: config(connecting),
            siblings: Siblings::new(),
        })
    }

    /// What its connections know of one another.
    pub(in crate::store::redis) fn siblings(&self) -> Arc<Siblings> {
        Arc::clone(&self.siblings)
    }
}

fn config(connecting: Duration) -> AsyncConnectionConfig {
    // How long an answer may take is timed once for a whole operation, and not by each connection too.
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connecting))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE)
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    // Without delay: Redis' commands are smaller than a packet, and would wait for one another.
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    with_user_timeout(settings)
}

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn with_user_timeout(settings: TcpSettings) -> TcpSettings {
    settings.set_user_timeout(USER_TIMEOUT)
}

/// There keepalive alone ends a dead connection.
#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
fn with_user_timeout(settings: TcpSettings) -> TcpSettings {
    settings
}

fn sentinel_client(sentinels: Sentinels) -> RedisResult<SentinelClient> {
    let mut builder = SentinelClientBuilder::new(
        sentinels.addresses,
        sentinels.service,
        SentinelServerType::Master,
    )?
    .set_client_to_redis_db(sentinels.primary.db())
    .set_client_to_redis_tcp_settings(tcp_settings())
    .set_client_to_sentinel_tcp_settings(tcp_settings());
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
        if let Some(authorities) = sentinels.authorities {
            builder = builder
                .set_client_to_redis_certificates(authorities.clone())
                .set_client_to_sentinel_certificates(authorities);
        }
    }
    builder.build()
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Connection> {
        let link = match &self.to {
            To::Server(manager) => manager.create().await?,
            To::Sentinels(client) => {
                let primary = client.lock().await.async_get_client().await?;
                primary
                    .get_multiplexed_async_connection_with_config(&self.config)
                    .await?
            }
        };
        Ok(Connection::new(link, Arc::clone(&self.siblings)))
    }

    // A connection stays in its place until it is done with.
    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}
