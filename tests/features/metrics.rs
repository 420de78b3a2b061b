//! The metrics.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use innkeeper::testing;

use crate::launch::{client, settings};
use crate::own_store::store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_and_served() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let settings = settings().merge(("innkeeper.metrics_address", address.to_string()));
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let client = client(settings, stage).await;
    let amy = testing::sign_in(&client, "amy").await;
    assert_eq!(amy.get("/who").dispatch().await.status().code, 200);
    let text = tokio::task::spawn_blocking(move || {
        let mut connection = TcpStream::connect(address).unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        text
    });
    let text = text.await.unwrap();
    let counted = |line: &str| text.lines().any(|one| one == line);
    assert!(counted("innkeeper_sessions_active 1"), "{text}");
    let requests = r#"innkeeper_http_requests_total{method="GET",route="/who",status="200"} 1"#;
    assert!(counted(requests), "{text}");
}
