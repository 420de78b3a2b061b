//! The load generator: one thread, connections that stay open, one request at a time on each.
//!
//! It shares the machine with the server, so it is as light as can be: an event loop of its own instead of a task a
//! connection, and of an answer it reads the status, the length and the whole body, and no more.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{self, Ipv4Addr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::process;
use crate::request::Supply;

/// What is to be done.
pub(crate) struct Load {
    pub(crate) port: u16,
    /// The server's process, whose CPU time is read.
    pub(crate) process: u32,
    pub(crate) connections: usize,
    /// Not counted, before `length` begins; errors in it are.
    pub(crate) warm_up: Duration,
    /// `None`: as long as the supply lasts.
    pub(crate) length: Option<Duration>,
}

/// The only status that is no error.
const EXPECTED: u16 = 200;
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) elapsed: Duration,
    /// The server's, user and system.
    pub(crate) cpu: Duration,
    /// In nanoseconds, in ascending order; four seconds and more are one.
    latencies: Vec<u32>,
    /// What was not as expected, and how often.
    pub(crate) troubles: BTreeMap<String, u64>,
}

impl Outcome {
    pub(crate) fn answers(&self) -> usize {
        self.latencies.len()
    }

    pub(crate) fn rate(&self) -> f64 {
        self.answers() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.answers() as f64 / self.cpu.as_secs_f64()
    }

    /// The latency, in microseconds, that this share of the answers did not exceed.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        f64::from(self.latencies.get(at).copied().unwrap_or_default()) / 1000.0
    }
}

/// Sends what the supply gives; `heard` gets the head of each good answer.
pub(crate) fn run(load: &Load, supply: &mut Supply<'_>, heard: &mut dyn FnMut(&[u8])) -> Outcome {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(load.connections.min(1024));
    let mut connections: Vec<_> = (0..load.connections)
        .map(|number| Connection::open(load.port, &poll, number).unwrap())
        .collect();

    let begin = Instant::now() + load.warm_up;
    let until = load.length.map(|length| begin + length);
    let mut window = Window::new(load.process, begin, until);
    let mut outcome = Outcome::default();
    let mut waiting = 0;
    for connection in &mut connections {
        waiting += usize::from(connection.send(supply, &mut outcome));
    }
    let mut quiet_since = Instant::now();
    while waiting > 0 {
        poll.poll(&mut events, Some(Duration::from_millis(100)))
            .unwrap();
        let now = Instant::now();
        window.reach(now);
        if events.is_empty() && now > quiet_since + PATIENCE {
            outcome.trouble("no answer for ten seconds", waiting as u64);
            break;
        }
        for event in &events {
            quiet_since = now;
            let connection = &mut connections[event.token().0];
            let Some(answer) = connection.read() else {
                continue;
            };
            let now = Instant::now();
            waiting -= 1;
            match answer {
                Ok(Answer { status, .. }) if status != EXPECTED => {
                    outcome.trouble(&format!("status {status}"), 1);
                }
                Ok(answer) => {
                    heard(&connection.buffer[..answer.head]);
                    if window.has(now) {
                        let latency = (now - connection.sent).as_nanos();
                        outcome
                            .latencies
                            .push(u32::try_from(latency).unwrap_or(u32::MAX));
                        window.last = now;
                    }
                }
                Err(error) => {
                    outcome.trouble(&error.to_string(), 1);
                    continue;
                }
            }
            if until.is_none_or(|until| now < until) {
                waiting += usize::from(connection.send(supply, &mut outcome));
            }
        }
    }
    (outcome.elapsed, outcome.cpu) = window.close();
    outcome.latencies.sort_unstable();
    outcome
}

impl Outcome {
    fn trouble(&mut self, what: &str, times: u64) {
        *self.troubles.entry(what.to_owned()).or_default() += times;
    }
}

/// The time that counts, and the server's CPU time at both its ends.
struct Window {
    process: u32,
    begin: Instant,
    until: Option<Instant>,
    /// When the last answer that counts came.
    last: Instant,
    cpu_at_begin: Option<Duration>,
    cpu_at_end: Option<Duration>,
}

impl Window {
    fn new(process: u32, begin: Instant, until: Option<Instant>) -> Self {
        let mut window = Self {
            process,
            begin,
            until,
            last: begin,
            cpu_at_begin: None,
            cpu_at_end: None,
        };
        window.reach(Instant::now());
        window
    }

    fn reach(&mut self, now: Instant) {
        if now >= self.begin && self.cpu_at_begin.is_none() {
            self.cpu_at_begin = Some(process::cpu(self.process));
        }
        if self.until.is_some_and(|until| now >= until) && self.cpu_at_end.is_none() {
            self.cpu_at_end = Some(process::cpu(self.process));
        }
    }

    fn has(&self, now: Instant) -> bool {
        now >= self.begin && self.until.is_none_or(|until| now < until)
    }

    fn close(self) -> (Duration, Duration) {
        let now = || process::cpu(self.process);
        let begin = self.cpu_at_begin.unwrap_or_else(now);
        let end = self.cpu_at_end.unwrap_or_else(now);
        let last = self.until.unwrap_or(self.last);
        (last - self.begin, end.saturating_sub(begin))
    }
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    request: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn open(port: u16, poll: &Poll, number: usize) -> io::Result<Self> {
        let stream = net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(number), Interest::READABLE)?;
        Ok(Self {
            stream,
            sent: Instant::now(),
            request: Vec::with_capacity(512),
            buffer: vec![0; 4096],
            filled: 0,
        })
    }

    /// Says whether an answer is to be waited for.
    fn send(&mut self, supply: &mut Supply<'_>, outcome: &mut Outcome) -> bool {
        self.request.clear();
        self.filled = 0;
        if !supply(&mut self.request) {
            return false;
        }
        self.sent = Instant::now();
        // Nothing else is under way, so the socket has room for all of it.
        if let Err(error) = self.stream.write_all(&self.request) {
            outcome.trouble(&error.to_string(), 1);
            return false;
        }
        true
    }

    /// `None`: the answer is not complete yet.
    fn read(&mut self) -> Option<io::Result<Answer>> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Some(Err(io::Error::other("the connection was closed"))),
                Ok(number) => self.filled += number,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(Err(error)),
            }
            match Answer::parse(&self.buffer[..self.filled]) {
                Some(Ok(answer)) if self.filled < answer.head + answer.body => {}
                None => {}
                parsed => return parsed,
            }
        }
    }
}

/// The measures of an answer.
struct Answer {
    status: u16,
    head: usize,
    body: usize,
}

impl Answer {
    /// `None`: the head is not complete yet.
    fn parse(bytes: &[u8]) -> Option<io::Result<Self>> {
        const LENGTH: &[u8] = b"content-length:";
        let mut body = None;
        let mut at = 0;
        loop {
            let end = at + bytes[at..].iter().position(|byte| *byte == b'\n')?;
            let line = bytes[at..end].trim_ascii_end();
            at = end + 1;
            if line.is_empty() {
                break;
            }
            if line.len() > LENGTH.len()
                && line[..LENGTH.len()].eq_ignore_ascii_case(LENGTH)
                && let Ok(text) = str::from_utf8(&line[LENGTH.len()..])
            {
                body = text.trim().parse().ok();
            }
        }
        let status = bytes
            .get(9..12)
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        let (Some(status), Some(body)) = (status, body) else {
            return Some(Err(io::Error::other("an answer without status or length")));
        };
        Some(Ok(Self {
            status,
            head: at,
            body,
        }))
    }
}
