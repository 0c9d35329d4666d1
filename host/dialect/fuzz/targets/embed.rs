//! Target: `jackfield_dialect_fuzz::embed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jackfield_dialect_fuzz::embed::check(data));
