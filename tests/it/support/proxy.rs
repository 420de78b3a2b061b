//! A TCP proxy between Innkeeper and its Redis, which can delay, hold, cut and swallow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to one request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks before the server sees it.
    Cut,
    /// The server does it, and the connection breaks before its answer comes back.
    LoseReply,
    /// It waits until [`Proxy::release`].
    Hold,
    /// The connection is reset before the server sees it.
    Reset,
    /// Nobody ever answers.
    Swallow,
    /// Each command is answered with this error and not done.
    Say(&'static str),
}

/// Forwards connections from a port of its own. A client's request that fits one packet is one step.
pub(crate) struct Proxy {
    port: u16,
    user: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What happens to the requests from here on, the next one first; beyond it they pass.
    plan: Vec<Option<Fault>>,
    /// What happens to all requests that the plan does not name.
    always: Option<Fault>,
    held: bool,
    delay: Duration,
    /// How many connections there have been.
    connections: usize,
    /// So many of them, the first ones, are forgotten.
    forgotten: usize,
}

impl Proxy {
    pub(crate) fn to(url: &str) -> Self {
        let (user, target) = url.rsplit_once('@').unwrap();
        let (user, target) = (user.to_owned(), target.to_owned());
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let forwarding = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else {
                    continue;
                };
                let shared = Arc::clone(&forwarding);
                thread::spawn(move || shared.forward(&client, &server));
            }
        });
        Self { port, user, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}@127.0.0.1:{}", self.user, self.port)
    }

    /// Lets so many requests pass and then does this to the next ones.
    pub(crate) fn plan(&self, pass: usize, faults: &[Fault]) {
        let mut state = self.shared.state.lock().unwrap();
        state.plan = vec![None; pass];
        state.plan.extend(faults.iter().copied().map(Some));
    }

    /// Whether the plan has been carried out; forgets what is left of it.
    pub(crate) fn is_done(&self) -> bool {
        std::mem::take(&mut self.shared.state.lock().unwrap().plan).is_empty()
    }

    /// Whether some of the plan has not been carried out yet.
    pub(crate) fn is_pending(&self) -> bool {
        !self.shared.state.lock().unwrap().plan.is_empty()
    }

    /// Does this to every request from here on.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.shared.state.lock().unwrap().always = fault;
    }

    /// Lets nothing more through on the connections that there are, as a firewall does that has forgotten them.
    pub(crate) fn forget_connections(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.forgotten = state.connections;
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().connections
    }

    /// Delays every answer from here on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.state.lock().unwrap().delay = delay;
    }

    /// Whether a request is held at this moment.
    pub(crate) fn is_holding(&self) -> bool {
        self.shared.state.lock().unwrap().held
    }

    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().held = false;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn forward(&self, client: &TcpStream, server: &TcpStream) {
        for stream in [client, server] {
            stream.set_nodelay(true).unwrap();
        }
        let number = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        thread::scope(|scope| {
            scope.spawn(|| self.answers(server, client));
            self.requests(number, client, server);
            drop(server.shutdown(Shutdown::Both));
            drop(client.shutdown(Shutdown::Both));
        });
    }

    fn requests(&self, number: usize, mut client: &TcpStream, mut server: &TcpStream) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(1..) = client.peek(&mut buffer[..1]) {
            let fault = self.next_fault(number);
            if fault == Some(Fault::Reset) {
                // Closing what has not been read resets the connection.
                return;
            }
            let Ok(length @ 1..) = client.read(&mut buffer) else {
                return;
            };
            match fault {
                None | Some(Fault::Reset) => {}
                Some(Fault::Cut) => return,
                Some(Fault::Swallow) => continue,
                Some(Fault::Say(error)) => {
                    let answer = format!("-{error}\r\n").repeat(commands(&buffer[..length]));
                    if client.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                    continue;
                }
                Some(Fault::LoseReply) => {
                    // Nothing of the answer may get through: the way back is closed first.
                    drop(client.shutdown(Shutdown::Both));
                    drop(server.write_all(&buffer[..length]));
                    // The server answers when it has done it.
                    thread::sleep(Duration::from_millis(20));
                    return;
                }
                Some(Fault::Hold) => self.hold(),
            }
            if server.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    }

    fn answers(&self, mut server: &TcpStream, mut client: &TcpStream) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length @ 1..) = server.read(&mut buffer) {
            let delay = self.state.lock().unwrap().delay;
            thread::sleep(delay);
            if client.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
        drop(client.shutdown(Shutdown::Both));
    }

    fn next_fault(&self, number: usize) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        if number <= state.forgotten {
            return Some(Fault::Swallow);
        }
        if state.plan.is_empty() {
            return state.always;
        }
        state.plan.remove(0)
    }

    fn hold(&self) {
        let mut state = self.state.lock().unwrap();
        state.held = true;
        while state.held {
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// How many commands a request has: each begins with the number of its words.
fn commands(request: &[u8]) -> usize {
    let text = String::from_utf8_lossy(request);
    let is_head = |line: &&str| {
        let number = line.strip_prefix('*');
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    };
    text.split("\r\n").filter(is_head).count()
}
