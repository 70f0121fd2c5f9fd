//! Personal signatures of Ethereum wallets (EIP-191, version 0x45): ECDSA on secp256k1 over Keccak-256.

use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use sha3::{Digest, Keccak256};
use thiserror::Error;

use super::{Secret, hex};

/// A text that is no private key of secp256k1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the private key is not 32 bytes in hexadecimal, or out of the range of secp256k1")]
pub struct InvalidWalletKey;

/// The signature of a text, `0x` and 65 bytes in hexadecimal: r, s (the lower of the two that hold) and v, 27 or 28. The
/// same every time (RFC 6979). `key`: 32 bytes in hexadecimal, with or without `0x`.
///
/// # Errors
/// If the key is none.
pub fn sign_personal(key: &Secret, text: &str) -> Result<String, InvalidWalletKey> {
    let digits = key.expose().trim();
    let bytes = zeroize::Zeroizing::new(bytes(digits.strip_prefix("0x").unwrap_or(digits)).ok_or(InvalidWalletKey)?);
    let key = SigningKey::from_slice(&*bytes).map_err(|_| InvalidWalletKey)?;
    let (signature, recovery): (Signature, RecoveryId) = key.sign_prehash_recoverable(&digest(text));
    Ok(format!("0x{}{:02x}", hex(&signature.to_bytes()), 27 + recovery.to_byte()))
}

/// What is signed: the text behind a prefix with its length, so that it cannot be a transaction.
fn digest(text: &str) -> [u8; 32] {
    Keccak256::digest(format!("\x19Ethereum Signed Message:\n{}{text}", text.len())).into()
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A throw-away key of Derive's documentation. Digests and signatures were made with eth-account.
    const KEY: &str = "2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd";
    const VECTORS: [(&str, &str, &str); 2] = [
        (
            "1700000000000",
            "1362375365df31a82fb5331c8b5ae150f25d8ee09c8431ae46bac7625862136a",
            "0xfccbd618b0154b6b3cedb0b952d247deb76d08af6c4d3fd7f7ae120fe1c3b6195fcd1a5e51901e17b37cffaa89847595f0ffc0d5c7998d3e017495a3dbd5d1161c",
        ),
        (
            "1700000001234",
            "eedf970e450185083ec376a317a4af2a90c0a0652ad0bff78fe46dcaaeae1817",
            "0x2f07abc499d1225e2e33913fb354675069d81fecc37477327e0b13ad45a3965e4c24cca8b13fbab5bae0874cc394471ea735c6a393331778c2022d284c24980a1b",
        ),
    ];

    #[test]
    fn digests_and_signatures_are_those_of_another_implementation() {
        for (text, digest_of_text, signature) in VECTORS {
            assert_eq!(hex(&digest(text)), digest_of_text);
            for key in [KEY.to_owned(), format!("0x{KEY}\n")] {
                assert_eq!(sign_personal(&Secret::new(key), text).unwrap(), signature);
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let zero = "0".repeat(64);
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        for key in ["", "0x", "2ae8", &KEY[1..], &format!("{KEY}00"), &"g".repeat(64), &zero, order] {
            assert_eq!(sign_personal(&Secret::new(key.to_owned()), "1"), Err(InvalidWalletKey), "{key}");
        }
    }
}
