//! Redis, as the settings say.

use crate::clock::Clock;
use crate::config::{Config, RedisConfig};
use crate::store::redis::{AddressError, Endpoint, RedisOptions, RedisStore};
use crate::store::stores::Stores;

/// Opens it for the server.
pub(crate) fn open(config: &Config, redis: &RedisConfig, clock: Clock) -> Result<Stores, String> {
    Ok(Stores::new(open_store(config, redis, clock)?))
}

/// Where it is, for the operator.
pub(crate) fn place(redis: &RedisConfig) -> String {
    let endpoint = Endpoint::resolve(&redis.address);
    endpoint.map_or_else(|_| "Redis".to_owned(), |endpoint| endpoint.describe())
}

/// Why accounts could vanish from it, as [`RedisStore::risks_for_accounts`] says.
pub(crate) async fn risks_for_accounts(
    config: &Config,
    redis: &RedisConfig,
) -> Result<Vec<&'static str>, String> {
    let store = open_store(config, redis, Clock::start())?;
    let risks = store.risks_for_accounts().await;
    risks.map_err(|error| error.reason())
}

/// Opens it; an error names the setting that is wrong.
pub(crate) fn open_store(
    config: &Config,
    redis: &RedisConfig,
    clock: Clock,
) -> Result<RedisStore, String> {
    let options = RedisOptions {
        timeout: config.redis_timeout,
        connections: config.redis_connections,
        ca_file: redis.ca_file.clone(),
        client: config.redis_client.clone(),
    };
    let store = RedisStore::open(&redis.address, &options, config.lifetimes, clock);
    store.map_err(|error| {
        let setting = match error {
            AddressError::CaFile(_) => "`redis_ca_file`",
            AddressError::ClientCertificate(_) => "`redis_cert_file`",
            AddressError::ClientKey(_) => "`redis_key_file`",
            AddressError::Unreadable
            | AddressError::ServiceMissing
            | AddressError::Parameter
            | AddressError::Unescaped
            | AddressError::Node
            | AddressError::Database => redis.source.as_str(),
        };
        format!("{setting}: {error}")
    })
}
