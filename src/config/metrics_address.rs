//! Where the metrics are served.

use std::net::{IpAddr, SocketAddr};

use rocket::figment::Figment;

use super::error::ConfigError;
use super::table::Table;

const KEY: &str = "metrics_address";

/// Where the metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsAddress {
    /// Port 0 is one that is free; the log names it.
    pub address: SocketAddr,
    /// The setting that named it, for messages.
    pub source: String,
}

impl MetricsAddress {
    pub(super) fn read(figment: &Figment, table: &Table) -> Result<Option<Self>, ConfigError> {
        let parse = |text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|_| "must be an address and a port, like 127.0.0.1:9100 or [::1]:9100")
        };
        let Some(address) = table.parsed(KEY, parse)? else {
            return Ok(None);
        };
        if is_public(figment, address) {
            return Err(table.error(KEY, "must not be where the site itself is served"));
        }
        Ok(Some(Self {
            address,
            source: table.name(KEY),
        }))
    }
}

/// Whether it is where visitors come in. Whoever opened that port second would only say that it is taken.
fn is_public(figment: &Figment, address: SocketAddr) -> bool {
    let ip = figment.extract_inner::<IpAddr>("address");
    let port = figment.extract_inner::<u16>("port");
    let overlap =
        |ip: IpAddr| ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
    address.port() != 0 && port.is_ok_and(|port| port == address.port()) && ip.is_ok_and(overlap)
}
