//! Connects to one server, or to the primary that Sentinels name.

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
use crate::store::redis::connection::pool::connection::{Connection, ServerHealth};

/// The length of the client library's send queue. A request that finds it full waits for a place, and is woken twice.
const QUEUE_SIZE: usize = 1024;

/// After how long without a packet the kernel sends a keepalive probe: short enough that no firewall drops the
/// connection.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);

/// After how long it sends the next one if there is no answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// After how long without an acknowledgement of sent data the kernel closes the connection (`TCP_USER_TIMEOUT`).
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pool's manager.
///
/// Not deadpool-redis' own, which checks a connection before each loan (`UNWATCH`, `PING`): twice the round trips.
pub(crate) struct Connector {
    target: Target,
    config: AsyncConnectionConfig,
    server_health: Arc<ServerHealth>,
}

enum Target {
    Server(Manager),
    /// Asked again for each connection: after a failover they name another primary.
    Sentinels(Mutex<SentinelClient>),
}

impl Connector {
    /// `timeout`: how long connecting may take. `replaceable`: whether a new connection may lead to another server; to
    /// a node of a cluster it does not.
    pub(crate) fn new(
        server: ConnectionInfo,
        timeout: Duration,
        replaceable: bool,
    ) -> RedisResult<Self> {
        let config = config(timeout);
        let server = server.set_tcp_settings(tcp_settings());
        let manager = Manager::new_with_config(server, config.clone())?;
        Ok(Self {
            target: Target::Server(manager),
            config,
            server_health: ServerHealth::new(replaceable),
        })
    }

    pub(crate) fn with_sentinels(sentinels: Sentinels, timeout: Duration) -> RedisResult<Self> {
        Ok(Self {
            target: Target::Sentinels(Mutex::new(sentinel_client(sentinels)?)),
            config: config(timeout),
            server_health: ServerHealth::new(true),
        })
    }

    pub(crate) fn server_health(&self) -> Arc<ServerHealth> {
        Arc::clone(&self.server_health)
    }
}

fn config(timeout: Duration) -> AsyncConnectionConfig {
    // No response timeout: the caller's deadline is enough.
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE_SIZE)
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
    // No delay: Redis' commands are smaller than a packet, and would wait for one another.
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    with_user_timeout(settings)
}

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn with_user_timeout(settings: TcpSettings) -> TcpSettings {
    settings.set_user_timeout(USER_TIMEOUT)
}

/// Without `TCP_USER_TIMEOUT` only keepalive closes a dead connection.
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
        if let Some(ca) = sentinels.ca {
            builder = builder
                .set_client_to_redis_certificates(ca.clone())
                .set_client_to_sentinel_certificates(ca);
        }
    }
    builder.build()
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Connection> {
        let link = match &self.target {
            Target::Server(manager) => manager.create().await?,
            Target::Sentinels(client) => {
                let primary = client.lock().await.async_get_client().await?;
                primary
                    .get_multiplexed_async_connection_with_config(&self.config)
                    .await?
            }
        };
        Ok(Connection::new(link, Arc::clone(&self.server_health)))
    }

    // Nothing to check: a connection stays in its place until it is replaced.
    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}
