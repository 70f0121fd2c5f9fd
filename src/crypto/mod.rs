//! Signatures and secrets: ECDSA on secp224k1 with SHA-224, personal signatures of wallets, keyed hashes, nonces, and a string that does not show itself.

mod eip191;
mod mac;
mod nonce;
mod secp224k1;
mod secret;

pub use eip191::{InvalidWalletKey, sign_personal};
pub use mac::{hex, hmac_sha256, hmac_sha384, hmac_sha512, sha256};
pub use nonce::{InvalidNonce, Nonce, OsRandomness, Randomness};
pub use secp224k1::{Challenge, InvalidKey, Signature, SignatureError, SigningKey, VerifyingKey};
pub use secret::Secret;
