//! The curve y² = x³ + 5 and its generator (SEC 2 v1, section 2.6.1).

use k256::elliptic_curve::bigint::{Odd, U256};
use k256::elliptic_curve::consts::U29;
use k256::elliptic_curve::hazmat::FieldArithmetic;
use k256::elliptic_curve::{Curve, CurveArithmetic, PrimeCurve, PrimeCurveArithmetic};
use primeorder::mul_backend::VariableOnly;
use primeorder::point_arithmetic::EquationAIsZero;
use primeorder::{AffinePoint, PrimeCurveParams, ProjectivePoint};
use sha2::Sha224;

use super::field::FieldElement;
use super::scalar::Scalar;

/// n, padded to the width of [`U256`].
pub(super) const ORDER_HEX: &str = "000000010000000000000000000000000001dce8d2ec6184caf0a971769fb1f7";

/// The curve, as a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secp224k1;

impl Curve for Secp224k1 {
    /// One byte more than a field element needs: scalars have 225 bits.
    type FieldBytesSize = U29;
    type Uint = U256;
    const ORDER: Odd<U256> = Odd::<U256>::from_be_hex(ORDER_HEX);
}

impl PrimeCurve for Secp224k1 {}

impl CurveArithmetic for Secp224k1 {
    type AffinePoint = AffinePoint<Self>;
    type ProjectivePoint = ProjectivePoint<Self>;
    type Scalar = Scalar;
}

impl FieldArithmetic for Secp224k1 {
    type FieldElement = FieldElement;
}

impl PrimeCurveArithmetic for Secp224k1 {
    type CurveGroup = ProjectivePoint<Self>;
}

impl PrimeCurveParams for Secp224k1 {
    type PointArithmetic = EquationAIsZero;
    type Backend = VariableOnly;

    const EQUATION_A: FieldElement = FieldElement::ZERO;
    const EQUATION_B: FieldElement = FieldElement::from_u64(5);
    const GENERATOR: (FieldElement, FieldElement) = (
        FieldElement::from_hex_vartime("00a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c"),
        FieldElement::from_hex_vartime("007e089fed7fba344282cafbd6f7e319f7c0b0bd59e2ca4bdb556d61a5"),
    );
}

impl ::ecdsa::EcdsaCurve for Secp224k1 {
    /// The exchange takes s and n − s alike, and its own clients do not normalise.
    const NORMALIZE_S: bool = false;
}

impl ::ecdsa::DigestAlgorithm for Secp224k1 {
    type Digest = Sha224;
}
