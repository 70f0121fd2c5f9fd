//! The 16 random bytes that each side of a login contributes, and where ours come from.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// 16 bytes that make a challenge unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

/// A nonce that is not base64 of exactly 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the nonce is not base64 of 16 bytes")]
pub struct InvalidNonce;

impl Nonce {
    /// Reads the text form of the wire.
    ///
    /// # Errors
    /// If it is not canonical, padded base64 of exactly 16 bytes.
    pub fn from_base64(text: &str) -> Result<Self, InvalidNonce> {
        let bytes = STANDARD.decode(text).map_err(|_| InvalidNonce)?;
        bytes.try_into().map(Self).map_err(|_| InvalidNonce)
    }

    /// The text form of the wire.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

/// A source of nonces, given to sessions from outside: they have no randomness of their own, so that a test or a
/// simulation decides it.
pub trait Randomness: fmt::Debug + Send + Sync {
    /// A nonce that nobody can predict and that never comes again.
    fn nonce(&self) -> Nonce;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    /// # Panics
    /// If the operating system has no working generator; to log in without one would be unsafe.
    fn nonce(&self) -> Nonce {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system's random generator works");
        Nonce(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_base64_of_sixteen_bytes_and_nothing_else() {
        let text = "azRzAi5rm1ry/l0drnz1vw==";
        assert_eq!(Nonce::from_base64(text).map(|nonce| nonce.to_base64()), Ok(text.to_owned()));

        let refused = [
            String::new(),
            "azRzAi5rm1ry/l0drnz1vw".to_owned(),
            "azRzAi5rm1ry/l0drnz1vx==".to_owned(),
            " azRzAi5rm1ry/l0drnz1vw==".to_owned(),
            "azRzAi5rm1ry_l0drnz1vw==".to_owned(),
            STANDARD.encode([0; 15]),
            STANDARD.encode([0; 17]),
            STANDARD.encode(vec![0; 1_000_000]),
        ];
        for text in refused {
            assert_eq!(Nonce::from_base64(&text), Err(InvalidNonce), "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn the_systems_nonces_differ() {
        assert_ne!(OsRandomness.nonce(), OsRandomness.nonce());
    }
}
