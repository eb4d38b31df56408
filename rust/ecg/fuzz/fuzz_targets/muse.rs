//! GE MUSE `RestingECG`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| hfrisk_ecg_fuzz::parse_after_its_like(b"<RestingECG>", input));
