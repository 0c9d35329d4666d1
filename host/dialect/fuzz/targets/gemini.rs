//! Target: all that the dialect `gemini_signature` reads.
#![no_main]

use jackfield_dialect::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| jackfield_dialect_fuzz::check(Dialect::Gemini, data));
