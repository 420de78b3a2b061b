//! The programs that Innkeeper is compared with: those of them that are built.

use std::path::Path;

use super::Program;
use super::redis::RedisServer;

/// Beside which of Innkeeper's stores a peer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Redis,
    /// A file, and no other server.
    Embedded,
}

pub(crate) struct Peer {
    pub(crate) program: Program,
    pub(crate) store: Store,
}

pub(crate) const ACTIX: &str = "actix-session";

const ACTIX_PATH: &str = "actix-session/target/release/actix-session-peer";
const AXUM_ON_REDIS: &str = "axum-tower-sessions/target/release/axum-tower-sessions-redis";
const AXUM_ON_SQLITE: &str = "axum-tower-sessions/target/release/axum-tower-sessions-sqlite";
const FLEX: &str = "rocket-flex-session/target/release/rocket-flex-session-peer";
const GUNICORN: &str = "django/.venv/bin/gunicorn";
const UVICORN: &str = "tutorial/.venv/bin/uvicorn";

/// Those that are built, and the names of the others. What they keep in files is in `folder`.
pub(crate) fn find(redis: Option<&RedisServer>, folder: &Path) -> (Vec<Peer>, Vec<&'static str>) {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let program = |name, path: &str| Program::new(name, peers.join(path), folder);
    let in_its_folder = |name, path: &str| {
        let own = path.split('/').next().unwrap_or_default();
        Program::new(name, peers.join(path), &peers.join(own))
    };
    let mut all = Vec::new();
    if let Some(redis) = redis {
        let on_redis = [
            program(ACTIX, ACTIX_PATH),
            program("axum, tower-sessions", AXUM_ON_REDIS),
            program("rocket_flex_session", FLEX),
            in_its_folder("Django", GUNICORN).arguments(&["main:application"]),
            in_its_folder("the tutorial (FastAPI)", UVICORN)
                .arguments(&["main:app", "--no-access-log"])
                // By which every option of uvicorn can be given.
                .port("UVICORN_PORT"),
        ];
        all.extend(on_redis.map(|program| Peer {
            program: program.with("REDIS_URL", &redis.url()),
            store: Store::Redis,
        }));
    }
    let file = |name: &str| folder.join(name).display().to_string();
    let on_sqlite = [
        program("axum, tower-sessions, SQLite", AXUM_ON_SQLITE)
            .with("SQLITE_FILE", &file("sliding.sqlite")),
        program("axum on SQLite, not sliding", AXUM_ON_SQLITE)
            .with("SQLITE_FILE", &file("not-sliding.sqlite"))
            .with("SLIDING", "no"),
    ];
    all.extend(on_sqlite.map(|program| Peer {
        program,
        store: Store::Embedded,
    }));
    let (built, missing): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|peer| peer.program.is_built());
    let missing = missing.iter().map(|peer| peer.program.name).collect();
    (built, missing)
}
