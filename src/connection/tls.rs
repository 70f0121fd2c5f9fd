//! TLS as connections use it: verified always, over HTTP/1.1 only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Why the private certificate authorities cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read as PEM.
    #[error("{}: the certificates cannot be read ({reason}); give a PEM file", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file has no certificate.
    #[error("{}: there is no certificate in it; give a PEM file", file.display())]
    Empty {
        /// Which file.
        file: PathBuf,
    },
    /// A certificate of the file cannot be a trust anchor.
    #[error("{}: a certificate cannot be trusted ({reason})", file.display())]
    Unusable {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The client's side of TLS: the public authorities and those of `ca_file` are trusted, nothing turns that off.
///
/// HTTP/1.1 is all it offers, because a WebSocket cannot be opened over a connection that negotiated HTTP/2.
///
/// # Errors
/// If `ca_file` is not a PEM file with at least one usable certificate.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        add_authorities(&mut roots, file)?;
    }
    // awc builds a configuration of its own before it takes ours, and panics without a default provider.
    let _ = ring::default_provider().install_default();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_authorities(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let unreadable = |error: rustls::pki_types::pem::Error| TlsError::Unreadable {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots
            .add(certificate.map_err(unreadable)?)
            .map_err(|error| TlsError::Unusable { file: file.to_owned(), reason: error.to_string() })?;
    }
    if roots.len() == before { Err(TlsError::Empty { file: file.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_must_have_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(matches!(client_config(Some(&file)), Err(TlsError::Unreadable { .. })));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(client_config(Some(&file)), Err(TlsError::Empty { .. })));
        let bogus = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, bogus).unwrap();
        assert!(matches!(client_config(Some(&file)), Err(TlsError::Unusable { .. })));
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&file, authority.cert.pem()).unwrap();
        assert!(client_config(Some(&file)).is_ok());
    }

    #[test]
    fn http_2_is_never_offered() {
        assert_eq!(client_config(None).unwrap().alpn_protocols, [b"http/1.1"]);
    }
}
