//! The server's side of the socket.

use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::accounts;
use super::output::Output;
use super::wire::{Asked, Greeting, MAX_QUESTION_BYTES, Request};
use super::{sessions, socket};
use crate::session::StoreError;
use crate::store::Stores;

/// Commands that are answered at the same time; others wait.
const MAX_CONNECTIONS: usize = 16;

/// How long a client may take to ask.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take to read what was sent to it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// After so long without a reply, an empty line is sent.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The wait after a connection could not be accepted, for lack of open files, say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Listens until it is dropped, which removes the socket.
#[derive(Debug)]
pub(crate) struct ControlServer {
    folder: PathBuf,
    accepting: JoinHandle<()>,
}

impl ControlServer {
    /// Makes the socket in the store's folder, which must be this process's, and answers the commands that connect to it.
    ///
    /// # Errors
    ///
    /// The socket cannot be made.
    pub(crate) fn start(folder: &Path, stores: Stores) -> io::Result<Self> {
        let listener = socket::listen(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            accepting: tokio::spawn(accept(listener, stores)),
        })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Err(error) = socket::remove(&self.folder) {
            tracing::warn!(%error, "the socket for commands could not be removed");
        }
    }
}

async fn accept(listener: UnixListener, stores: Stores) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => {
                let stores = stores.clone();
                connections.spawn(async move {
                    if let Err(error) = serve(client, &stores).await {
                        tracing::debug!(%error, "a command's connection has ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a command's connection cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one request.
async fn serve(mut client: UnixStream, stores: &Stores) -> io::Result<()> {
    // The socket's permissions say the same, where the file system has some.
    let user = client.peer_cred()?.uid();
    if user != 0 && user != rustix::process::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let (reader, mut writer) = client.split();
    let output = Output::default();
    output.push_line(&Greeting::ours());
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(MAX_QUESTION_BYTES));
    timeout(ASK_TIMEOUT, reader.read_until(b'\n', &mut line)).await??;
    let work = async {
        let request = parse(&line).map_err(StoreError::Failed)?;
        answer(&request, stores, &output).await
    };
    drive(work, &output, &mut writer).await
}

/// The request, or a sentence for the operator.
fn parse(line: &[u8]) -> Result<Request, String> {
    let unreadable = "the server cannot read what the command asks";
    let command: Greeting = serde_json::from_slice(line).map_err(|_| unreadable)?;
    if let Some(problem) = Greeting::mismatch(&Greeting::ours(), &command) {
        return Err(problem);
    }
    let asked: Asked = serde_json::from_slice(line).map_err(|_| unreadable)?;
    Ok(asked.request)
}

async fn answer(request: &Request, stores: &Stores, output: &Output) -> Result<(), StoreError> {
    match request {
        Request::Account(request) => accounts::answer(request, stores, output).await,
        Request::Check
        | Request::List { .. }
        | Request::ListAll
        | Request::Find { .. }
        | Request::RestoreLists { .. }
        | Request::DeleteOfUser { .. }
        | Request::DeleteByHandle { .. }
        | Request::DeleteAll { .. } => sessions::answer(request, &*stores.sessions, output).await,
    }
}

enum Progress {
    Ended(Result<(), StoreError>),
    HasOutput,
    None,
}

/// Works, and sends the output. The work goes on only when all that it has put out is sent, so that a client that reads slowly
/// costs no memory.
async fn drive(
    work: impl Future<Output = Result<(), StoreError>>,
    output: &Output,
    writer: &mut (impl AsyncWriteExt + Unpin),
) -> io::Result<()> {
    let mut work = pin!(work);
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        let progress = poll_fn(|context| {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                Poll::Ready(Progress::Ended(outcome))
            } else if output.is_empty() {
                heartbeat.poll_tick(context).map(|_| Progress::None)
            } else {
                Poll::Ready(Progress::HasOutput)
            }
        });
        let is_last = match progress.await {
            Progress::Ended(outcome) => {
                output.push_outcome(outcome);
                true
            }
            Progress::None => {
                output.push_empty_line();
                false
            }
            Progress::HasOutput => false,
        };
        timeout(READ_TIMEOUT, writer.write_all(&output.take())).await??;
        if is_last {
            return Ok(());
        }
    }
}
