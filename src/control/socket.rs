//! The socket's file: made so that nobody else can ever connect, and found again.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::config::CONTROL_SOCKET;

/// A longer path does not fit into a socket's address: 108 bytes on Linux, 104 elsewhere, with a zero at the end.
const MAX_PATH_BYTES: usize = 103;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// The path of the socket in a folder, short enough for a socket's address.
struct Address {
    path: PathBuf,
    /// The folder, which a long path is short by: open as long as the path is used.
    _folder: Option<File>,
}

impl Address {
    fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(CONTROL_SOCKET);
        if path.as_os_str().len() <= MAX_PATH_BYTES {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let open = File::open(folder)?;
        Ok(Self {
            path: format!("/proc/self/fd/{}/{CONTROL_SOCKET}", open.as_raw_fd()).into(),
            _folder: Some(open),
        })
    }
}

/// Makes the socket in the store's folder, in place of one that a crash has left there: the caller has the store open, so no
/// other server uses it.
pub(super) fn listen(folder: &Path) -> io::Result<UnixListener> {
    remove(folder)?;
    let address = Address::new(folder)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(&address.path)?;
    // Nobody connects to a socket that does not listen yet.
    let listening = fs::set_permissions(&address.path, Permissions::from_mode(0o600))
        .and_then(|()| socket.listen(BACKLOG));
    if listening.is_err() {
        drop(remove(folder));
    }
    listening
}

/// Removes the socket; another kind of file is left and is an error.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let path = folder.join(CONTROL_SOCKET);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects to the server that listens there.
pub(super) async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let address = Address::new(folder)?;
    UnixStream::connect(&address.path).await
}
