//! Signatures and secrets: ECDSA on secp224k1 with SHA-224, and a string that does not show itself.

mod secp224k1;
mod secret;

pub use secp224k1::SigningKey;
pub use secret::Secret;
