//! What logging in costs: deriving a key once for an account, a signature for every login, a verification on the
//! exchange's side.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use feedtape::crypto::{Challenge, Nonce, SigningKey};
use feedtape::model::UserId;

fn signing(c: &mut Criterion) {
    let user_id = UserId(1);
    let key = SigningKey::derive(user_id, "opensesame");
    let challenge = Challenge { user_id, server_nonce: Nonce([1; 16]), client_nonce: Nonce([2; 16]) };
    let signature = key.sign(&challenge);
    let public = key.verifying_key();

    let mut group = c.benchmark_group("secp224k1");
    group.bench_function("derive", |b| b.iter(|| SigningKey::derive(user_id, black_box("opensesame"))));
    group.bench_function("sign", |b| b.iter(|| key.sign(black_box(&challenge))));
    group.bench_function("verify", |b| b.iter(|| public.verify(black_box(&challenge), &signature)));
    group.finish();
}

criterion_group!(benches, signing);
criterion_main!(benches);
