//! Target: `jackfield_dialect_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jackfield_dialect_fuzz::json::check(data));
