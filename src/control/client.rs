//! The command's side of the socket.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::socket;
use super::wire::{Greeting, MAX_REPLY_BYTES, Question, Reply, Request};
use crate::session::StoreError;

/// A server that works says so every second.
const SILENCE: Duration = Duration::from_secs(10);

/// The store of a running server. It reaches what an operator's commands need, and no more.
#[derive(Debug)]
pub(crate) struct RemoteStore {
    folder: PathBuf,
}

/// Why there is no [`RemoteStore`].
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// No server listens.
    NoServer,
    /// A sentence for the operator.
    Problem(String),
}

impl RemoteStore {
    /// Looks for a server that has the store in this folder open, and asks it whether it can use it.
    pub(crate) async fn connect(folder: &Path) -> Result<Self, ConnectError> {
        let store = Self {
            folder: folder.to_owned(),
        };
        match store.try_ask(&Request::Check, &mut |_| ()).await {
            Ok(_) => Ok(store),
            Err(Problem::NoServer) => Err(ConnectError::NoServer),
            Err(Problem::Told(problem)) => Err(ConnectError::Problem(problem)),
        }
    }

    /// Passes every reply to `found`.
    pub(super) async fn ask(
        &self,
        request: &Request,
        found: &mut (dyn FnMut(Reply) + Send),
    ) -> Result<(), StoreError> {
        match self.try_ask(request, found).await {
            Ok(outcome) => outcome,
            Err(Problem::NoServer) => Err(StoreError::Unreachable(ENDED.to_owned())),
            Err(Problem::Told(problem)) => Err(StoreError::Unreachable(problem)),
        }
    }

    async fn try_ask(
        &self,
        request: &Request,
        found: &mut (dyn FnMut(Reply) + Send),
    ) -> Result<Result<(), StoreError>, Problem> {
        let server = connect(&self.folder).await?;
        let mut server = BufReader::new(server);
        let question = Question {
            greeting: Greeting::ours(),
            request,
        };
        let mut line = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
        line.push(b'\n');
        // A server that refuses to read has said why.
        let sent = in_time(server.write_all(&line)).await;
        let greeting: Greeting = parse(&read_line(&mut server).await?)?;
        if let Some(problem) = Greeting::mismatch(&greeting, &Greeting::ours()) {
            return Err(Problem::Told(problem));
        }
        sent?;
        loop {
            let line = read_line(&mut server).await?;
            if line == b"\n" {
                continue;
            }
            match parse(&line)? {
                Reply::Done => return Ok(Ok(())),
                Reply::Failed(failure) => return Ok(Err(failure.into())),
                reply @ (Reply::Session(_)
                | Reply::Ended(_)
                | Reply::User(_)
                | Reply::Incomplete(_)
                | Reply::Account(_)) => found(reply),
            }
        }
    }
}

enum Problem {
    NoServer,
    Told(String),
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Told(problem)
    }
}

const ENDED: &str = "the running server has ended, or has cut the connection";

async fn connect(folder: &Path) -> Result<UnixStream, Problem> {
    let server = match timeout(SILENCE, socket::connect(folder)).await {
        Err(_) => return Err(silent().into()),
        Ok(Ok(server)) => server,
        Ok(Err(error)) if is_nobody(&error) => return Err(Problem::NoServer),
        Ok(Err(error)) => return Err(cannot(&error).into()),
    };
    // In a folder that others may write to, anybody could listen.
    let user = server.peer_cred().map_err(|error| cannot(&error))?.uid();
    let owner = folder.metadata().map_err(|error| cannot(&error))?.uid();
    if user != owner && user != 0 && user != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "what listens in {} is another user's process",
            folder.display()
        )
        .into());
    }
    Ok(server)
}

/// A socket that a crash has left refuses connections.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    )
}

async fn read_line(server: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    let mut limited = server.take(MAX_REPLY_BYTES);
    in_time(limited.read_until(b'\n', &mut line)).await?;
    if line.ends_with(b"\n") {
        Ok(line)
    } else {
        Err(ENDED.to_owned())
    }
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(SILENCE, step).await {
        Err(_) => Err(silent()),
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => Err(ENDED.to_owned()),
        Ok(outcome) => outcome.map_err(|error| cannot(&error)),
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line)
        .map_err(|_| "the running server answers something that is not understood".to_owned())
}

fn silent() -> String {
    format!(
        "the running server has not answered for {} s",
        SILENCE.as_secs()
    )
}

fn cannot(error: &io::Error) -> String {
    format!("the running server cannot be asked ({error}); run this as its user")
}
