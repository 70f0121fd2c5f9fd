//! Logging in: keys, challenges and signatures (AUTH in the exchange's API documents).
//!
//! A private key is SHA-224(user ‖ passphrase), a signature is made over user ‖ server nonce ‖ client nonce, the user
//! being 8 bytes, big-endian. No interface here takes a digest: the `ecdsa` crate cuts digests longer than 225 bits at
//! a byte, not at the bit where FIPS 186-5, section 6.4, wants it, so SHA-224 must be all it ever sees.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecdsa::signature::{MultipartSigner, MultipartVerifier};
use k256::elliptic_curve::FieldBytes;
use sha2::{Digest, Sha224};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::curve::Secp224k1;
use crate::crypto::Nonce;
use crate::model::UserId;

/// Bytes of a private key and of each part of a signature on the wire.
const WIRE_BYTES: usize = 28;

/// What is signed to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Who logs in.
    pub user_id: UserId,
    /// The nonce of the venue's greeting.
    pub server_nonce: Nonce,
    /// Our nonce.
    pub client_nonce: Nonce,
}

impl Challenge {
    /// The parts of the message, in order.
    fn with_parts<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[&self.user_id.0.to_be_bytes(), &self.server_nonce.0, &self.client_nonce.0])
    }
}

/// A private key. Wiped from memory when dropped; `Debug` does not show it.
#[derive(Clone)]
pub struct SigningKey(ecdsa::SigningKey<Secp224k1>);

/// A private key of zero: the only 28 bytes that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the private key is zero")]
pub struct InvalidKey;

impl SigningKey {
    /// The key of a user and passphrase. The passphrase is taken byte for byte: nothing trimmed, nothing normalised.
    ///
    /// Costs a multiplication on the curve, so derive it once for an account, not for every login.
    ///
    /// # Panics
    /// If the digest is zero; nobody knows an input that makes SHA-224 zero.
    #[must_use]
    pub fn derive(user_id: UserId, passphrase: &str) -> Self {
        let mut digest = Sha224::new_with_prefix(user_id.0.to_be_bytes()).chain_update(passphrase).finalize();
        let key = Self::from_bytes(digest.as_ref());
        digest.zeroize();
        key.expect("no input with a SHA-224 digest of zero is known")
    }

    /// The key of that big-endian integer, as REST takes it in place of the passphrase.
    ///
    /// # Errors
    /// If it is zero. All else is below the group's order, which has a bit more.
    pub fn from_bytes(bytes: &[u8; WIRE_BYTES]) -> Result<Self, InvalidKey> {
        let mut padded = Zeroizing::new(FieldBytes::<Secp224k1>::default());
        padded[1..].copy_from_slice(bytes);
        ecdsa::SigningKey::from_bytes(&padded).map(Self).map_err(|_| InvalidKey)
    }

    /// Signs a challenge, deterministically (RFC 6979, section 3.2, with SHA-224).
    #[must_use]
    pub fn sign(&self, challenge: &Challenge) -> Signature {
        let signature: ecdsa::Signature<Secp224k1> = challenge.with_parts(|parts| self.0.multipart_sign(parts));
        Signature::shortened(&signature)
    }

    /// The public key.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(*self.0.verifying_key())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// A public key. Only the exchange's side has a use for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey(ecdsa::VerifyingKey<Secp224k1>);

impl VerifyingKey {
    /// Checks that the key's owner signed the challenge.
    ///
    /// Of any signature (r, s), (r, n − s) is one too: equal challenges do not mean equal signatures.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if not.
    pub fn verify(&self, challenge: &Challenge, signature: &Signature) -> Result<(), SignatureError> {
        let whole = signature.lengthened();
        challenge.with_parts(|parts| self.0.multipart_verify(parts, &whole)).map_err(|_| SignatureError::Mismatch)
    }
}

/// A signature as the wire has it: two integers r and s of 28 bytes, neither zero. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    r: [u8; WIRE_BYTES],
    s: [u8; WIRE_BYTES],
}

/// A signature that cannot be one, or is none of this key and challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A part is not canonical, padded base64 of exactly 28 bytes.
    #[error("signature part {0} is not base64 of 28 bytes")]
    Malformed(char),
    /// A part is zero.
    #[error("signature part {0} is zero")]
    Zero(char),
    /// The key's owner did not sign this.
    #[error("the signature does not match")]
    Mismatch,
}

impl Signature {
    /// Reads r and s as the wire has them.
    ///
    /// # Errors
    /// If one of them is not base64 of exactly 28 bytes, or is zero.
    pub fn from_base64(r: &str, s: &str) -> Result<Self, SignatureError> {
        Ok(Self { r: part('r', r)?, s: part('s', s)? })
    }

    /// r and s as the wire has them.
    #[must_use]
    pub fn to_base64(&self) -> [String; 2] {
        [STANDARD.encode(self.r), STANDARD.encode(self.s)]
    }

    /// r is below p, which has 28 bytes. s is below n and takes 29 once in 2¹¹¹ times; n − s, as valid, does not then.
    fn shortened(signature: &ecdsa::Signature<Secp224k1>) -> Self {
        let (r, mut s) = (signature.r().to_bytes(), signature.s());
        if s.to_bytes()[0] != 0 {
            s = -s;
        }
        let (mut short, s) = (Self { r: [0; WIRE_BYTES], s: [0; WIRE_BYTES] }, s.to_bytes());
        short.r.copy_from_slice(&r[1..]);
        short.s.copy_from_slice(&s[1..]);
        short
    }

    fn lengthened(&self) -> ecdsa::Signature<Secp224k1> {
        let (mut r, mut s) = (FieldBytes::<Secp224k1>::default(), FieldBytes::<Secp224k1>::default());
        r[1..].copy_from_slice(&self.r);
        s[1..].copy_from_slice(&self.s);
        ecdsa::Signature::from_scalars(r, s).expect("28 bytes are below the order, and zero was refused")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature([redacted])")
    }
}

fn part(name: char, text: &str) -> Result<[u8; WIRE_BYTES], SignatureError> {
    let malformed = SignatureError::Malformed(name);
    let bytes = STANDARD.decode(text).map_err(|_| malformed)?;
    let bytes: [u8; WIRE_BYTES] = bytes.try_into().map_err(|_| malformed)?;
    if bytes == [0; WIRE_BYTES] { Err(SignatureError::Zero(name)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use k256::elliptic_curve::bigint::{Reduce, U256};
    use k256::elliptic_curve::{Group, ff::PrimeField};
    use primeorder::ProjectivePoint;
    use proptest::prelude::*;

    use super::super::scalar::Scalar;
    use super::*;

    /// The worked example of the exchange's AUTH page, in its own values.
    fn example() -> (SigningKey, Challenge) {
        let challenge = Challenge {
            user_id: UserId(1),
            server_nonce: Nonce::from_base64("azRzAi5rm1ry/l0drnz1vw==").unwrap(),
            client_nonce: Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap(),
        };
        (SigningKey::derive(UserId(1), "opensesame"), challenge)
    }

    const EXAMPLE_KEY: [u8; WIRE_BYTES] = [
        0xb8, 0x9e, 0xa7, 0xfc, 0xd2, 0x2c, 0xc0, 0x59, 0xc2, 0x67, 0x3d, 0xc2, 0x4f, 0xf4, 0x0b, 0x97, 0x83, 0x07,
        0x46, 0x46, 0x86, 0x56, 0x0d, 0x0a, 0xd7, 0x56, 0x1b, 0x83,
    ];
    const EXAMPLE_R: &str = "P7d6nXtbKmggnnb2hyB4xXkTQNWYmFSto6tzXg==";
    const EXAMPLE_S: &str = "NLhDQS8YqRDxin1M4dNZeGDmNFsiv3iUz2d4Cg==";

    #[test]
    fn the_published_example_derives_its_key_and_verifies() {
        let (key, challenge) = example();
        assert_eq!(key.0.to_bytes()[1..], EXAMPLE_KEY);
        assert_eq!(SigningKey::from_bytes(&EXAMPLE_KEY).unwrap().verifying_key(), key.verifying_key());

        // Signed with a random k, so for verifying only.
        let published = Signature::from_base64(EXAMPLE_R, EXAMPLE_S).unwrap();
        assert_eq!(key.verifying_key().verify(&challenge, &published), Ok(()));
    }

    #[test]
    fn the_published_example_is_signed_as_the_official_client_signs_it() {
        let (key, challenge) = example();
        let expected = ["F4H/SZe0jTifUY33UAHEtlZAgpViKNdN0DIWVg==", "R7Ac7rJqD0eM4MoV7UbLcM5Xg79Y+ijnLY39QA=="];
        assert_eq!(key.sign(&challenge).to_base64(), expected);
    }

    /// Vectors of the official client under edge inputs: rejected candidates for k, short r and s, odd passphrases.
    #[test]
    fn signatures_equal_those_of_the_official_client_bit_for_bit() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/secp224k1.json");
        let path = std::env::var("FEEDTAPE_SECP224K1_VECTORS").unwrap_or_else(|_| path.to_owned());
        let Ok(text) = std::fs::read_to_string(&path) else {
            // Not `eprintln!`, which the test harness swallows.
            writeln!(std::io::stderr(), "SKIPPED: no signature vectors at {path}").unwrap();
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let text = |field: &str| vector[field].as_str().unwrap();
            let user_id = UserId(vector["user_id"].as_u64().unwrap());
            let key = SigningKey::derive(user_id, text("passphrase"));
            let private: String = key.0.to_bytes()[1..].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(private, text("private_key"), "{vector}");

            let server_nonce = Nonce::from_base64(text("server_nonce")).unwrap();
            let client_nonce = Nonce::from_base64(text("client_nonce")).unwrap();
            let challenge = Challenge { user_id, server_nonce, client_nonce };
            let signature = key.sign(&challenge);
            assert_eq!(signature.to_base64(), [text("r"), text("s")], "{vector}");
            assert_eq!(key.verifying_key().verify(&challenge, &signature), Ok(()), "{vector}");
        }
    }

    #[test]
    fn a_changed_challenge_signature_or_key_is_refused() {
        let (key, challenge) = example();
        let signature = key.sign(&challenge);
        let verify = |challenge: &Challenge, signature: &Signature| key.verifying_key().verify(challenge, signature);
        assert_eq!(verify(&challenge, &signature), Ok(()));

        let mismatch = Err(SignatureError::Mismatch);
        assert_eq!(verify(&Challenge { user_id: UserId(2), ..challenge }, &signature), mismatch);
        for byte in 0..16 {
            let (mut server, mut client) = (challenge, challenge);
            server.server_nonce.0[byte] ^= 1;
            client.client_nonce.0[byte] ^= 0x80;
            assert_eq!(verify(&server, &signature), mismatch);
            assert_eq!(verify(&client, &signature), mismatch);
        }
        for byte in 0..WIRE_BYTES {
            let (mut r, mut s) = (signature, signature);
            r.r[byte] ^= 1;
            s.s[byte] ^= 0x80;
            assert_eq!(verify(&challenge, &r), mismatch);
            assert_eq!(verify(&challenge, &s), mismatch);
        }
        assert_eq!(verify(&challenge, &Signature { r: signature.s, s: signature.r }), mismatch);
        let other = SigningKey::derive(UserId(1), "opensesame ").verifying_key();
        assert_eq!(other.verify(&challenge, &signature), mismatch);
    }

    #[test]
    fn signature_text_is_base64_of_twenty_eight_bytes_and_not_zero() {
        let read = |r: &str, s: &str| Signature::from_base64(r, s).map(|signature| signature.to_base64());
        assert_eq!(read(EXAMPLE_R, EXAMPLE_S), Ok([EXAMPLE_R.to_owned(), EXAMPLE_S.to_owned()]));

        let zero = STANDARD.encode([0; WIRE_BYTES]);
        assert_eq!(read(&zero, EXAMPLE_S), Err(SignatureError::Zero('r')));
        assert_eq!(read(EXAMPLE_R, &zero), Err(SignatureError::Zero('s')));
        let mut refused = [27, 29, 0].map(|length| STANDARD.encode(vec![1; length])).to_vec();
        refused.push(EXAMPLE_R.trim_end_matches('=').to_owned());
        refused.push(EXAMPLE_R.replace('+', "-") + "\n");
        for text in refused {
            assert_eq!(read(&text, EXAMPLE_S), Err(SignatureError::Malformed('r')), "{text}");
            assert_eq!(read(EXAMPLE_R, &text), Err(SignatureError::Malformed('s')), "{text}");
        }
    }

    #[test]
    fn an_s_of_twenty_nine_bytes_is_sent_as_its_equivalent() {
        // 2²²⁴ is the smallest that takes 29 bytes.
        let s = Scalar::from_u64(2).pow_vartime(&U256::from_u64(224));
        let whole = ecdsa::Signature::from_scalars(Scalar::ONE, s).unwrap();
        let short = Signature::shortened(&whole).lengthened();
        assert_eq!(*short.s().as_ref(), -s);
        assert_eq!(*short.r().as_ref(), Scalar::ONE);
    }

    #[test]
    fn only_zero_is_no_private_key() {
        assert_eq!(SigningKey::from_bytes(&[0; WIRE_BYTES]).unwrap_err(), InvalidKey);
        let (_, challenge) = example();
        let key = SigningKey::from_bytes(&[0xff; WIRE_BYTES]).unwrap();
        assert_eq!(key.verifying_key().verify(&challenge, &key.sign(&challenge)), Ok(()));
    }

    #[test]
    fn the_generator_has_the_order_of_the_curve() {
        let generator = ProjectivePoint::<Secp224k1>::generator();
        // n − 1 is the greatest scalar: n · G = (n − 1) · G + G must be the identity.
        assert_eq!(generator * -Scalar::ONE + generator, ProjectivePoint::IDENTITY);
        assert_ne!(generator.double(), ProjectivePoint::IDENTITY);
    }

    #[test]
    fn wide_integers_are_reduced_fully() {
        // 2²⁵⁶ − 1 = 2²⁵⁶ mod n − 1.
        assert_eq!(Scalar::reduce(&U256::MAX), Scalar::from_u64(2).pow_vartime(&U256::from_u64(256)) - Scalar::ONE);
        assert!(bool::from(Scalar::from_repr([0xff; 29].into()).is_none()), "a scalar is below n");
    }

    #[test]
    fn nothing_secret_shows_in_debug_output() {
        let (key, challenge) = example();
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
        assert_eq!(format!("{:?}", key.sign(&challenge)), "Signature([redacted])");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_signed_verifies_and_survives_its_text(
            user in any::<u64>(),
            passphrase in any::<String>(),
            server in any::<[u8; 16]>(),
            client in any::<[u8; 16]>(),
        ) {
            let user_id = UserId(user);
            let key = SigningKey::derive(user_id, &passphrase);
            let challenge = Challenge { user_id, server_nonce: Nonce(server), client_nonce: Nonce(client) };
            let [r, s] = key.sign(&challenge).to_base64();
            let read = Signature::from_base64(&r, &s).unwrap();
            prop_assert_eq!(key.verifying_key().verify(&challenge, &read), Ok(()));

            // (r, n − s) is a signature as well, if it fits the wire.
            let negated = ecdsa::Signature::from_scalars(read.lengthened().r(), -read.lengthened().s()).unwrap();
            let negated = Signature::shortened(&negated);
            prop_assert_eq!(key.verifying_key().verify(&challenge, &negated), Ok(()));
        }
    }
}
