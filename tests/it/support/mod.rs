//! Helpers that speak the domain.

pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod http;
pub(crate) mod kept;
pub(crate) mod nginx;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod redis;
pub(crate) mod scrape;
pub(crate) mod sentinel;
pub(crate) mod served;
pub(crate) mod stepped;

mod app;

pub(crate) use app::{Answer, Backend, FORM, TestApp, TestClient, configured, with_templates};
pub(crate) use redis::RedisServer;

/// Stamps each case for every store.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::support::Backend::Embedded).await;
            })+
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::support::Backend::Redis).await;
            })+
        }
    };
}

/// A port that was free a moment ago. Whoever uses it must check that it got it.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port on the loopback address")
        .port()
}

/// A page with the plain names of the static files, whatever their content is.
pub(crate) fn without_hashes(page: &str) -> String {
    let mut parts = page.split("/static/innkeeper/");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (stem, rest) = part.split_once('-').unwrap();
        let (hash, rest) = rest.split_once('.').unwrap();
        assert_eq!(hash.len(), 16, "{part}");
        plain.extend(["/static/innkeeper/", stem, ".", rest]);
    }
    plain
}

/// Waits for something that another process does, and gives up loudly.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("waited 30 seconds for {what}");
}
