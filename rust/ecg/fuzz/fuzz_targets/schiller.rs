//! Schiller `examdescript`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| hfrisk_ecg_fuzz::parse(b"<examdescript>", input));
