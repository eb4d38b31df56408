//! CardioSoft `CardiologyXML`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| hfrisk_ecg_fuzz::parse(b"<CardiologyXML>", input));
