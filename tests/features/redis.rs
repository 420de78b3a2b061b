//! Redis: a server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::launch::{client, settings};
use crate::sign_in::is_whole;

/// Ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn sessions_are_kept_in_redis() {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let folder = tempfile::tempdir().unwrap();
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let _server = Server(server.expect("redis-server, which this test needs: install it"));
    let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    for _ in 0..400 {
        if answers() {
            break;
        }
        thread::sleep(Duration::from_millis(25));
    }
    assert!(answers(), "redis-server does not answer after ten seconds");
    let url = format!("redis://127.0.0.1:{port}");
    let settings = settings()
        .merge(("innkeeper.redis_url", url))
        .merge(("innkeeper.redis_timeout_ms", 10_000));
    is_whole(&client(settings, innkeeper::stage()).await).await;
}
