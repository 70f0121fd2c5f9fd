//! The exchange's decoder of commands: whatever a client sends, it answers, and what it accepts it reads the same way
//! again.
//!
//! `cargo +nightly fuzz run command`

#![no_main]

use feedtape::venue::coinflex::wire::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Request::decode(text) {
        Ok(request) => assert_eq!(Request::decode(&request.to_json()).as_ref(), Ok(&request)),
        Err(error) => assert_eq!(error.refusal.code(), 8),
    }
});
