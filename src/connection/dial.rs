//! From a URL to an open socket, and every way that can fail.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError, WsClientError};
use awc::http::header;
use awc::{Client, Connector};
use rustls::ClientConfig;
use tokio::time::timeout;
use url::Url;

use super::address::{refuse_plaintext, resolve, time_for};
use super::socket::Socket;
use crate::config::{Limits, Pace};
use crate::journal::Closed;
use crate::model::CloseCause;

/// How we introduce ourselves.
pub(super) const USER_AGENT: &str = concat!("feedtape/", env!("CARGO_PKG_VERSION"));

/// Opens WebSockets.
#[derive(Clone)]
pub struct Dialer {
    tls: Arc<ClientConfig>,
    limits: Limits,
    pace: Pace,
}

impl Dialer {
    /// A dialer with that TLS configuration (see [`super::client_config`]).
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>, limits: Limits, pace: Pace) -> Self {
        Self { tls, limits, pace }
    }

    /// Opens a WebSocket. The host's name is resolved anew each time.
    ///
    /// `secretly`: the connection will carry credentials, so without TLS it goes no further than loopback.
    ///
    /// # Errors
    /// Why it could not be opened. An HTTP status other than 101 is in [`Closed::code`].
    pub async fn dial(&self, url: &str, secretly: bool) -> Result<(Socket, SocketAddr), Closed> {
        let unreachable = |detail| Closed::new(CloseCause::Unreachable, detail);
        let url = Url::parse(url).map_err(|error| unreachable(format!("not a URL: {error}")))?;
        let addresses = resolve(&url, self.pace.connect).await.map_err(unreachable)?;
        self.dial_at(&url, &addresses, secretly).await
    }

    /// Opens a WebSocket at the first of these addresses that is not merely out of reach.
    ///
    /// # Errors
    /// As for [`Dialer::dial`]: the cause of the last address, and what each came to.
    pub async fn dial_at(
        &self,
        url: &Url,
        addresses: &[SocketAddr],
        secretly: bool,
    ) -> Result<(Socket, SocketAddr), Closed> {
        let mut failures = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            if let Some(detail) = refuse_plaintext(url, *address).filter(|_| secretly) {
                failures.push(Closed::new(CloseCause::Tls, detail));
                continue;
            }
            let left = addresses.len() - 1 - index;
            match self.open_in_time(url, *address, left).await {
                Ok(socket) => return Ok((socket, *address)),
                Err(refused) if refused.cause == CloseCause::UpgradeRefused => return Err(refused),
                Err(failure) => failures.push(Closed { detail: format!("{address}: {}", failure.detail), ..failure }),
            }
        }
        Err(summary(failures))
    }

    /// Opens a WebSocket at an address. If `left` others come after it, it has little time for all there is to it.
    async fn open_in_time(&self, url: &Url, address: SocketAddr, left: usize) -> Result<Socket, Closed> {
        let Pace { connect, handshake, .. } = self.pace;
        let within = time_for(connect + handshake, left);
        let late = || {
            let detail = format!("not open within {within:?}, and there is another address");
            Closed::new(CloseCause::TimedOut, detail)
        };
        let opening = self.open(url, address, connect.min(within));
        if left == 0 { opening.await } else { timeout(within, opening).await.unwrap_or_else(|_| Err(late())) }
    }

    async fn open(&self, url: &Url, address: SocketAddr, connect: Duration) -> Result<Socket, Closed> {
        let Pace { handshake, .. } = self.pace;
        let connector = Connector::new()
            .timeout(connect)
            .handshake_timeout(handshake)
            .limit(0)
            // Not `max_http_version`: it would replace this configuration, authorities and all.
            .rustls_0_23(Arc::clone(&self.tls));
        let client = Client::builder().timeout(connect + handshake).connector(connector).finish();
        let request = client.ws(url.as_str()).address(address).set_header(header::USER_AGENT, USER_AGENT);
        let (response, framed) = request.connect().await.map_err(|error| explain(error, url, connect, handshake))?;
        if let Some(extension) = response.headers().get(header::SEC_WEBSOCKET_EXTENSIONS) {
            let detail = format!("the peer wants the extension {extension:?}, which was not offered");
            return Err(Closed::new(CloseCause::Protocol, detail));
        }
        let parts = framed.into_parts();
        Ok(Socket::new(parts.io, parts.read_buf, self.limits, self.pace))
    }
}

/// One ending for the failures of all addresses: the last one's cause, and what each came to.
fn summary(mut failures: Vec<Closed>) -> Closed {
    let details: Vec<_> = failures.iter().map(|failure| failure.detail.as_str()).collect();
    let detail = details.join("; ");
    let last = failures.pop().unwrap_or(Closed::new(CloseCause::Unreachable, ""));
    Closed { detail, ..last }
}

fn explain(error: WsClientError, url: &Url, connect: Duration, handshake: Duration) -> Closed {
    let with = |cause, code, detail: String| Closed { code, ..Closed::new(cause, detail) };
    match error {
        WsClientError::InvalidResponseStatus(status) => {
            let remedy = if status.is_redirection() { ", redirects are not followed" } else { "" };
            let detail = format!("the upgrade was answered with {status}{remedy}");
            with(CloseCause::UpgradeRefused, Some(i64::from(status.as_u16())), detail)
        }
        WsClientError::SendRequest(SendRequestError::Connect(error)) => match error {
            ConnectError::Timeout => with(
                CloseCause::TimedOut,
                None,
                format!("not connected within {connect:?}, or no TLS in {handshake:?}"),
            ),
            ConnectError::Io(error) => {
                let (cause, detail) = explain_io(&error, url);
                with(cause, None, detail)
            }
            // What awc calls disconnected is the end of the stream in place of an answer.
            ConnectError::Disconnected => {
                with(CloseCause::EndOfStream, None, "hung up instead of answering the upgrade".to_owned())
            }
            error => with(CloseCause::Unreachable, None, error.to_string()),
        },
        WsClientError::SendRequest(SendRequestError::Timeout) => {
            with(CloseCause::TimedOut, None, format!("no answer to the upgrade within {:?}", connect + handshake))
        }
        WsClientError::SendRequest(SendRequestError::Send(error)) => {
            let (cause, detail) = explain_io(&error, url);
            with(cause, None, detail)
        }
        WsClientError::SendRequest(SendRequestError::Response(error)) => match error {
            ParseError::Incomplete => {
                with(CloseCause::EndOfStream, None, "hung up inside the answer to the upgrade".to_owned())
            }
            ParseError::Io(error) => with(CloseCause::Transport, None, error.to_string()),
            ParseError::TooLarge => {
                with(CloseCause::TooLarge, None, "the answer to the upgrade is too large".to_owned())
            }
            error => with(CloseCause::Protocol, None, format!("the answer to the upgrade is no HTTP: {error}")),
        },
        error => with(CloseCause::Protocol, None, format!("the upgrade failed: {error}")),
    }
}

fn explain_io(error: &std::io::Error, url: &Url) -> (CloseCause, String) {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let remedy = match error {
            rustls::Error::InvalidMessage(_) => "; the peer may not speak TLS on this port",
            rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
                "; name a private authority with `ca_file`"
            }
            _ => "",
        };
        return (CloseCause::Tls, format!("{error}{remedy}"));
    }
    let tls = matches!(url.scheme(), "wss" | "https");
    match error.kind() {
        ErrorKind::UnexpectedEof if tls => (CloseCause::Tls, "hung up during the TLS handshake".to_owned()),
        ErrorKind::InvalidInput if tls => (CloseCause::Tls, error.to_string()),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => (CloseCause::Transport, error.to_string()),
        _ => (CloseCause::Unreachable, error.to_string()),
    }
}
