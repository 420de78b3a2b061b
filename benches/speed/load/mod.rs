//! The load generator: one thread, connections that stay open, one request at a time on each.
//!
//! It shares the machine with the server, so it is as light as can be: an event loop of its own instead of a task a
//! connection, and of an answer it reads the status, the length and the whole body, and no more.

mod connection;
mod outcome;
pub(crate) mod request;
pub(crate) mod rounds;
pub(crate) mod visits;
mod window;

use std::time::{Duration, Instant};

use mio::{Events, Poll};

pub(crate) use self::connection::Answer;
pub(crate) use self::outcome::Outcome;

use self::connection::Connection;
use self::request::Supply;
use self::window::Window;
use crate::Plan;
use crate::servers::Server;

/// What is to be done.
pub(crate) struct Load {
    /// Connections are spread over them.
    pub(crate) ports: Vec<u16>,
    /// The servers' processes, whose use of the processor is read.
    pub(crate) processes: Vec<u32>,
    pub(crate) connections: usize,
    /// Not counted, before `length` begins; errors in it are.
    pub(crate) warm_up: Duration,
    /// `None`: as long as the supply lasts.
    pub(crate) length: Option<Duration>,
}

impl Load {
    /// With no warm-up.
    pub(crate) fn on(server: &Server, connections: usize, length: Option<Duration>) -> Self {
        Self {
            ports: vec![server.port],
            processes: vec![server.id()],
            connections,
            warm_up: Duration::ZERO,
            length,
        }
    }

    /// As long as the plan says, after a moment that does not count.
    pub(crate) fn planned(plan: Plan, server: &Server, connections: usize) -> Self {
        Self {
            warm_up: plan.length / 8,
            ..Self::on(server, connections, Some(plan.length))
        }
    }
}

/// The only status that is no error.
const EXPECTED: u16 = 200;
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what the supply gives; `heard` gets the head of each good answer.
pub(crate) fn run(load: &Load, supply: &mut Supply<'_>, heard: &mut dyn FnMut(&[u8])) -> Outcome {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(load.connections.min(1024));
    let ports = load.ports.iter().cycle();
    let mut connections: Vec<_> = (0..load.connections)
        .zip(ports)
        .map(|(number, port)| Connection::open(*port, &poll, number).unwrap())
        .collect();

    let begin = Instant::now() + load.warm_up;
    let until = load.length.map(|length| begin + length);
    let mut window = Window::new(&load.processes, begin, until);
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
    (outcome.elapsed, outcome.usage) = window.close();
    outcome.latencies.sort_unstable();
    outcome
}
