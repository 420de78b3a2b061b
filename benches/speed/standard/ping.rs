//! One `PING` after the other on a raw connection: what the way to Redis and back costs without any client library.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// The median in microseconds.
pub(crate) fn median(port: u16, length: Duration) -> f64 {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = [0; b"+PONG\r\n".len()];
    let mut latencies = Vec::new();
    let until = Instant::now() + length;
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(b"PING\r\n").unwrap();
        stream.read_exact(&mut answer).unwrap();
        latencies.push(sent.elapsed());
    }
    assert_eq!(&answer, b"+PONG\r\n");
    latencies.sort_unstable();
    latencies[latencies.len() / 2].as_secs_f64() * 1e6
}
