//! The command `healthcheck`: asks the server that runs with the same settings.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use serde::Deserialize;

use crate::cli::output::print;
use crate::cli::rows::visible;

/// Our answers are far shorter; another program's may be endless.
const MAX_BYTES: usize = 16 * 1024;

/// What is asked, and for how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct HealthcheckArgs {
    /// Asks whether it can serve (/readyz), its store included, and not only whether it lives (/healthz)
    #[arg(long)]
    ready: bool,
    /// How long the answer may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = value_parser!(u32).range(1..=600))]
    timeout: u32,
}

/// The body of our answer.
#[derive(Deserialize)]
struct Health {
    status: String,
}

/// By `std` alone: one request, to a server that closes the connection after it, needs no HTTP client.
pub(crate) fn run(args: &HealthcheckArgs, rocket: &rocket::Config) -> Result<ExitCode, String> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let address = reachable(rocket.address, rocket.port)?;
    let url = format!("http://{address}{path}");
    let timeout = Duration::from_secs(args.timeout.into());
    let answer = ask(address, path, timeout).map_err(|error| {
        // A read that times out is told as either, depending on the system.
        if let ErrorKind::TimedOut | ErrorKind::WouldBlock = error.kind() {
            format!("{url} has not answered within {} s", args.timeout)
        } else {
            format!("{url} cannot be asked: {error}")
        }
    })?;
    let (status, health) = parse(&answer)
        .ok_or_else(|| format!("{url} is answered by another program than Innkeeper"))?;
    let text = visible(&health.status);
    if status != "200" {
        return Err(format!("{url} answers {status}: {text}"));
    }
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Where the server can be reached from this machine. `0.0.0.0` and `[::]` stand for all its addresses, loopback among them.
fn reachable(address: IpAddr, port: u16) -> Result<SocketAddr, String> {
    if port == 0 {
        return Err(
            "`port` is 0, any free one, so which one the server took is not known".to_owned(),
        );
    }
    let address = match address {
        IpAddr::V4(all) if all.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(all) if all.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    };
    Ok(SocketAddr::new(address, port))
}

/// The whole answer. A server on a loopback address answers to no other `Host` than a loopback one, and this is one.
fn ask(address: SocketAddr, path: &str, timeout: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + timeout;
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        // A socket takes no timeout of zero.
        (!left.is_zero())
            .then_some(left)
            .ok_or_else(|| io::Error::from(ErrorKind::TimedOut))
    };
    let mut server = TcpStream::connect_timeout(&address, left()?)?;
    server.set_write_timeout(Some(left()?))?;
    write!(
        server,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: innkeeper-healthcheck\r\n\
         Accept: application/json\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while answer.len() < MAX_BYTES {
        server.set_read_timeout(Some(left()?))?;
        match server.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend(buffer.iter().take(length)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// Status and body; `None` if it is not the answer of an Innkeeper.
fn parse(answer: &[u8]) -> Option<(&str, Health)> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    Some((status, serde_json::from_str(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_at_loopback() {
        for (address, asked) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("10.0.0.7", "10.0.0.7:80"),
            ("0.0.0.0", "127.0.0.1:80"),
            ("::", "[::1]:80"),
            ("fd00::1", "[fd00::1]:80"),
        ] {
            let reached = reachable(address.parse().unwrap(), 80);
            assert_eq!(reached.map(|it| it.to_string()).as_deref(), Ok(asked));
        }
        assert!(reachable(Ipv4Addr::LOCALHOST.into(), 0).is_err());
    }
}
