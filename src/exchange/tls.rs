//! TLS where it is wanted: published clients know `wss` and `https` only.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use super::config::Tls;

/// TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{file}: not a PEM file with a {what}: {error}")]
    Pem {
        /// Which.
        file: String,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        error: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit each other, or are of a kind that is not supported.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The self-signed certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The self-signed certificate could not be written.
    #[error("{file}: cannot be written: {error}")]
    Write {
        /// Where to.
        file: String,
        /// Why.
        error: io::Error,
    },
}

/// The hosts that published clients have written in: a hosts file may send them here.
const EXCHANGE_HOSTS: [&str; 6] = [
    "api.coinflex.com",
    "webapi.coinflex.com",
    "stgapi.coinflex.com",
    "stgwebapi.coinflex.com",
    "api.coinfloor.co.uk",
    "webapi.coinfloor.co.uk",
];

/// What ends TLS for clients of `address`.
pub(super) fn acceptor(tls: &Tls, address: SocketAddr) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = match tls {
        Tls::Files { certificate, key } => (read_chain(certificate)?, read_key(key)?),
        Tls::SelfSigned { certificate } => make(certificate, address)?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // A WebSocket needs HTTP/1.1, and REST no more.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    chain.map_err(|error| TlsError::Pem { file: path.display().to_string(), what: "certificate", error })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::Pem {
        file: path.display().to_string(),
        what: "private key",
        error,
    })
}

/// Makes a certificate and writes it, so that clients can be told to trust it. The key stays in memory.
fn make(path: &Path, address: SocketAddr) -> Result<Identity, TlsError> {
    let address = address.ip().to_string();
    let names = ["localhost", "127.0.0.1", "::1", &address].into_iter().chain(EXCHANGE_HOSTS);
    let made = rcgen::generate_simple_self_signed(names.map(str::to_owned).collect::<Vec<_>>())?;
    std::fs::write(path, made.cert.pem())
        .map_err(|error| TlsError::Write { file: path.display().to_string(), error })?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}
