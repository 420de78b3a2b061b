//! The servers under test, each a process of its own.

pub(crate) mod nginx;
pub(crate) mod peers;
pub(crate) mod process;
mod program;
pub(crate) mod redis;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use self::program::Program;

/// A running server; ends with this value, by its process id.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    process: Child,
    /// From the start of the process to the first answer.
    pub(crate) starting: Duration,
}

impl Server {
    fn start(name: &'static str, mut command: Command, port_variable: &str) -> Self {
        let port = free_port();
        command.env(port_variable, port.to_string());
        let begun = Instant::now();
        let process = command.spawn().unwrap();
        let mut server = Self {
            name,
            port,
            process,
            starting: Duration::ZERO,
        };
        eventually(name, || {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "{name} does not run: {ended:?}");
            answers(port).ok()
        });
        server.starting = begun.elapsed();
        server
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(asked.success());
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        // Those that it has started would stay.
        for id in process::family(self.id()) {
            let id = id.to_string();
            drop(Command::new("kill").args(["-KILL", &id]).status());
        }
        drop(self.process.wait());
    }
}

/// Whatever the answer is.
fn answers(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    stream.read_exact(&mut [0])
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Beside what is built, because the system's folder for temporary files may be in memory.
pub(crate) fn temporary_folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(outcome) = attempt() {
            return outcome;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
