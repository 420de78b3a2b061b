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

/// How many requests may wait to be sent. More of them first wait for a place in that queue, and each is woken twice.
const QUEUE_SIZE: usize = 1024;

/// After so long without a packet the kernel sends a keepalive probe: often enough that a firewall does not forget the
/// connection.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);

/// How often it sends another where there is no answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// After so long without an acknowledgement of what was sent the kernel ends the connection (`TCP_USER_TIMEOUT`).
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pool's manager.
///
/// deadpool-redis' own checks a connection before each loan (`UNWATCH`, `PING`), which would double the round trips.
pub(crate) struct Connector {
    target: Target,
    config: AsyncConnectionConfig,
    siblings: Arc<Siblings>,
}

enum Target {
    Server(Manager),
    /// Asked anew for each connection: after a failover they name another primary.
    Sentinels(Mutex<SentinelClient>),
}

impl Connector {
    /// `timeout`: how long making a connection may take. `replaceable`: whether a new connection may lead to another
    /// server; to a node of a cluster it does not.
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
            siblings: Siblings::new(replaceable),
        })
    }

    pub(crate) fn with_sentinels(sentinels: Sentinels, timeout: Duration) -> RedisResult<Self> {
        Ok(Self {
            target: Target::Sentinels(Mutex::new(sentinel_client(sentinels)?)),
            config: config(timeout),
            siblings: Siblings::new(true),
        })
    }

    /// What its connections know of one another.
    pub(crate) fn siblings(&self) -> Arc<Siblings> {
        Arc::clone(&self.siblings)
    }
}

fn config(timeout: Duration) -> AsyncConnectionConfig {
    // How long an answer may take is timed once for a whole request, and not by each connection too.
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE_SIZE)
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
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

/// Keepalive alone ends a dead connection here.
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
        Ok(Connection::new(link, Arc::clone(&self.siblings)))
    }

    // A connection stays in its place until it is replaced.
    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}
