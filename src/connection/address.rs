//! The addresses behind a URL, each of which is to be tried.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use url::{Host, Url};

/// An address other than the last is given up after this if it is not open, upgrade and all: one that is dead, or takes
/// connections and says nothing, does not cost the whole time-out.
const NOT_LAST_MAX: Duration = Duration::from_secs(3);

/// The addresses of a URL's host, in the resolver's order, asked for anew each time.
///
/// # Errors
/// Why there is none, as one clause.
pub(super) async fn resolve(url: &Url, within: Duration) -> Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().ok_or("the URL has no port")?;
    let name = match url.host() {
        None => return Err("the URL has no host".to_owned()),
        Some(Host::Ipv4(address)) => return Ok(vec![(address, port).into()]),
        Some(Host::Ipv6(address)) => return Ok(vec![(address, port).into()]),
        Some(Host::Domain(name)) => name,
    };
    let found = timeout(within, lookup_host((name, port)))
        .await
        .map_err(|_| format!("{name} was not resolved within {within:?}"))?
        .map_err(|error| format!("{name} cannot be resolved: {error}"))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(format!("{name} has no address")) } else { Ok(addresses) }
}

/// How long to try an address, of which `left` come after it.
pub(super) fn time_for(within: Duration, left: usize) -> Duration {
    if left == 0 { within } else { within.min(NOT_LAST_MAX) }
}

/// Why a URL without TLS must not carry credentials to this address; `None` if it may, or has TLS.
pub(super) fn refuse_plaintext(url: &Url, address: SocketAddr) -> Option<String> {
    let remedy = match url.scheme() {
        "ws" => "wss",
        "http" => "https",
        _ => return None,
    };
    if address.ip().is_loopback() {
        return None;
    }
    Some(format!("credentials must not go to {address} in the clear, use {remedy}://"))
}
