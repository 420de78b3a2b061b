//! Where the metrics are served.

use std::net::{IpAddr, SocketAddr};

use rocket::figment::Figment;

use super::error::ConfigError;
use super::sources::origin::Origin;

const KEY: &str = "metrics_address";

/// Where the metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsAddress {
    /// Port 0 stands for any free port; the log names it.
    pub address: SocketAddr,
    /// The setting that named it, for messages.
    pub source: String,
}

impl MetricsAddress {
    pub(crate) fn new(text: &str, origin: &Origin, figment: &Figment) -> Result<Self, ConfigError> {
        let problem = match text.parse() {
            Ok(address) if !is_public(figment, address) => {
                let source = origin.name(KEY);
                return Ok(Self { address, source });
            }
            Ok(_) => "must not be where the site itself is served",
            Err(_) => "must be an address and a port, like 127.0.0.1:9100 or [::1]:9100",
        };
        Err(origin.error(KEY, problem))
    }
}

/// Whether Rocket listens there, too. The second to bind the port would report only that it is in use.
fn is_public(figment: &Figment, address: SocketAddr) -> bool {
    let ip = figment.extract_inner::<IpAddr>("address");
    let port = figment.extract_inner::<u16>("port");
    let overlap =
        |ip: IpAddr| ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
    address.port() != 0 && port.is_ok_and(|port| port == address.port()) && ip.is_ok_and(overlap)
}
