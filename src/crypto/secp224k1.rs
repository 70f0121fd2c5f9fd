//! ECDSA on secp224k1 with SHA-224.

/// A private key.
#[derive(Clone)]
pub struct SigningKey(());

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}
