//! In the SQLite file `SQLITE_FILE`, as durable as Innkeeper's embedded store; with `SLIDING=no` reading prolongs nothing.

use std::env::var;
use std::error::Error;

use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::SqlitePool;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = SqliteConnectOptions::new()
        .filename(var("SQLITE_FILE")?)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
    store.migrate().await?;
    let sliding = var("SLIDING").as_deref() != Ok("no");
    axum_tower_sessions_peer::serve(store, sliding).await
}
