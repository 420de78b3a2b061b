//! A Rocket of this process, served to a browser.

use std::sync::Mutex;

use rocket::fairing::AdHoc;
use rocket::{Build, Rocket, Shutdown};
use tokio::sync::oneshot;

/// A Rocket that listens on a loopback port; shut down with this value.
pub(crate) struct Served {
    pub(crate) port: u16,
    shutdown: Shutdown,
}

impl Served {
    pub(crate) async fn start(rocket: Rocket<Build>) -> Self {
        let (up, listens) = oneshot::channel();
        let up = Mutex::new(Some(up));
        let figment = rocket.figment().clone().merge(("port", 0));
        let rocket = rocket
            .configure(figment)
            .attach(AdHoc::on_liftoff("Port", |rocket| {
                Box::pin(async move {
                    let up = up.lock().unwrap().take().unwrap();
                    up.send(rocket.config().port).unwrap();
                })
            }));
        let rocket = rocket.ignite().await.unwrap();
        let shutdown = rocket.shutdown();
        tokio::spawn(rocket.launch());
        let port = listens.await.expect("a launched Rocket");
        Self { port, shutdown }
    }

    /// Without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}
