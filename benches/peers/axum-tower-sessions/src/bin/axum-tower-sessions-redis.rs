//! On Redis; `REDIS_URL` says where.

use std::env::var;
use std::error::Error;

use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

/// The client sends many commands at once on each, so a few are enough.
const CONNECTIONS: usize = 6;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let redis = Config::from_url(&var("REDIS_URL")?)?;
    let pool = Pool::new(redis, None, None, None, CONNECTIONS)?;
    pool.connect();
    pool.wait_for_connect().await?;
    axum_tower_sessions_peer::serve(RedisStore::new(pool), true).await
}
