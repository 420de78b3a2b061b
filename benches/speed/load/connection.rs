//! A connection of the load generator, and the answers that come by it.

use std::io::{self, Read, Write};
use std::net::{self, Ipv4Addr};
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use super::Outcome;
use super::request::Supply;

pub(super) struct Connection {
    stream: TcpStream,
    pub(super) sent: Instant,
    request: Vec<u8>,
    pub(super) buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(super) fn open(port: u16, poll: &Poll, number: usize) -> io::Result<Self> {
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
    pub(super) fn send(&mut self, supply: &mut Supply<'_>, outcome: &mut Outcome) -> bool {
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
    pub(super) fn read(&mut self) -> Option<io::Result<Answer>> {
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
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: usize,
    pub(crate) body: usize,
}

impl Answer {
    /// `None`: the head is not complete yet.
    pub(crate) fn parse(bytes: &[u8]) -> Option<io::Result<Self>> {
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
