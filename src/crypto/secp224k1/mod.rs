//! ECDSA on secp224k1 with SHA-224, as CoinFLEX logs users in.
//!
//! secp224k1 is the Koblitz curve y² = x³ + 5 of [SEC 2 v1], section 2.6.1 (v2 dropped it). It is neither secp256k1
//! nor NIST P-224, and no published crate has it; here it is RustCrypto's generic prime-order arithmetic with this
//! curve's constants. Its order has one bit more than its field, which is what every odd size in this folder is about.
//!
//! * [`field`]: integers modulo p, 224 bits.
//! * [`scalar`]: integers modulo n, 225 bits.
//! * [`curve`]: the equation, the generator, and how they fit the traits of the `elliptic-curve` and `ecdsa` crates.
//! * [`ecdsa`]: keys, challenges and signatures as the exchange defines them: the only public part.
//!
//! [SEC 2 v1]: https://www.secg.org/SEC2-Ver-1.0.pdf

mod curve;
mod ecdsa;
mod field;
mod scalar;

pub use ecdsa::{Challenge, InvalidKey, Signature, SignatureError, SigningKey, VerifyingKey};
