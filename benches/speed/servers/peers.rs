//! The programs that Innkeeper is compared with: those of them that are built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::servers::Server;
use crate::servers::redis::RedisServer;

const PEERS: [(&str, &str); 3] = [
    (
        "actix-session",
        "actix-session/target/release/actix-session-peer",
    ),
    (
        "axum, tower-sessions",
        "axum-tower-sessions/target/release/axum-tower-sessions-peer",
    ),
    ("the tutorial (FastAPI)", "tutorial/.venv/bin/uvicorn"),
];

/// Those that run, and the names of those that are not built.
pub(crate) fn start(redis: &RedisServer) -> (Vec<Server>, Vec<&'static str>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let mut running = Vec::new();
    let mut missing = Vec::new();
    for (name, program) in PEERS {
        let program = folder.join(program);
        if program.is_file() {
            running.push(launch(name, &program, &folder, redis));
        } else {
            missing.push(name);
        }
    }
    (running, missing)
}

fn launch(name: &'static str, program: &PathBuf, folder: &Path, redis: &RedisServer) -> Server {
    let mut command = Command::new(program);
    let mut port = "PORT";
    if program.ends_with("uvicorn") {
        command.current_dir(folder.join("tutorial"));
        command.args(["main:app", "--no-access-log"]);
        // By which every option of uvicorn can be given.
        port = "UVICORN_PORT";
    }
    Server::start(name, command, port, &[("REDIS_URL", redis.url())])
}
