//! Why an application does not launch.

use std::io;
use std::sync::{Arc, Mutex};

use innkeeper::Stage;
use rocket::figment::Figment;
use tracing_subscriber::util::SubscriberInitExt;

use crate::launch::app;

/// What the log says of an application that does not launch.
pub(crate) async fn problem(settings: Figment, stage: Stage) -> String {
    let lines = Lines::default();
    let written = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || written.clone());
    let _log = log.finish().set_default();
    let error = app(settings, stage).ignite().await.unwrap_err();
    // Unless its kind is read, Rocket panics when the error is dropped.
    drop(error.kind().to_string());
    let lines = lines.0.lock().unwrap();
    String::from_utf8(lines.clone()).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
