//! The families of strict servers: their paths, the corpus of real exchanges, and Jackfield's table of traits.
//! Only these tests know other crates; the mock provider does not.

mod served;
mod traits;
mod wild;

use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;
