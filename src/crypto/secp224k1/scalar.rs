//! The scalars: integers modulo the group's order n, which has 225 bits (SEC 2 v1, section 2.6.1).

use k256::elliptic_curve::bigint::U256;
use k256::elliptic_curve::ops::{BatchInvert, Reduce};
use k256::elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
use k256::elliptic_curve::subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, CtOption};
use k256::elliptic_curve::{Curve, FieldBytes, PrimeField, scalar_impls};
use primefield::{ByteOrder, MontyFieldElement};

use super::curve::{ORDER_HEX, Secp224k1};

// 6 is the least primitive root modulo n.
primefield::monty_field_params! {
    name: ScalarParams,
    modulus: ORDER_HEX,
    uint: U256,
    byte_order: ByteOrder::BigEndian,
    multiplicative_generator: 6,
    doc: "The scalars' modulus n."
}

primefield::monty_field_element! {
    name: Scalar,
    params: ScalarParams,
    uint: U256,
    doc: "An integer modulo n."
}

primefield::monty_field_arithmetic! {
    name: Scalar,
    params: ScalarParams,
    uint: U256
}

primeorder::wnaf::impl_wnaf_size_for_scalar!(Scalar);
scalar_impls!(Secp224k1, Scalar);

impl BatchInvert for Scalar {}

impl AsRef<Scalar> for Scalar {
    fn as_ref(&self) -> &Scalar {
        self
    }
}

impl FromUintUnchecked for Scalar {
    type Uint = U256;

    fn from_uint_unchecked(uint: U256) -> Self {
        Self::from_uint_unchecked(uint)
    }
}

impl IsHigh for Scalar {
    fn is_high(&self) -> Choice {
        const HALF: U256 = Secp224k1::ORDER.as_ref().shr_vartime(1);
        ConstantTimeGreater::ct_gt(&self.to_canonical(), &HALF)
    }
}

/// A full reduction: a 256-bit value may exceed n by a factor of 2³¹, more than one subtraction could mend.
impl Reduce<U256> for Scalar {
    fn reduce(value: &U256) -> Self {
        Self(MontyFieldElement::reduce(value))
    }
}

impl Reduce<FieldBytes<Secp224k1>> for Scalar {
    fn reduce(bytes: &FieldBytes<Secp224k1>) -> Self {
        let mut padded = [0; U256::BYTES];
        padded[U256::BYTES - bytes.len()..].copy_from_slice(bytes);
        Self::reduce(&U256::from_be_slice(&padded))
    }
}
