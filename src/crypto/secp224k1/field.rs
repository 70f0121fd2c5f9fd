//! The field: integers modulo p = 2²²⁴ − 2³² − 6803 (SEC 2 v1, section 2.6.1).

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::bigint::modular::ConstMontyParams;
use k256::elliptic_curve::bigint::{U256, const_prime_monty_params};
use k256::elliptic_curve::consts::U29;
use k256::elliptic_curve::ops::BatchInvert;
use k256::elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};
use primefield::{ByteOrder, MontyFieldParams, compute_t};

/// p, padded to the width of [`U256`].
const MODULUS: &str = "00000000fffffffffffffffffffffffffffffffffffffffffffffffeffffe56d";

// 2 is the least primitive root modulo p.
const_prime_monty_params!(FieldParams, U256, MODULUS, 2, "The field's modulus p.");

/// Elements take 29 bytes although 28 would do: the traits want one size for the field and the scalars, and a scalar
/// has 225 bits. `primefield::monty_field_params!` would make it 28, hence this by hand.
impl MontyFieldParams<{ U256::LIMBS }> for FieldParams {
    type ByteSize = U29;
    const BYTE_ORDER: ByteOrder = ByteOrder::BigEndian;
    const MODULUS_HEX: &'static str = MODULUS;
    const T: U256 = compute_t(FieldParams::PARAMS.modulus().as_ref());
}

primefield::monty_field_element! {
    name: FieldElement,
    params: FieldParams,
    uint: U256,
    doc: "An integer modulo p."
}

primefield::monty_field_arithmetic! {
    name: FieldElement,
    params: FieldParams,
    uint: U256
}

impl BatchInvert for FieldElement {}
