//! Signature schemes that the host computes for executors: `aws-sigv4`, `basic`, `hmac-sha256` and `jwt-bearer`.
//!
//! Pure: the parts of a request, secrets, parameters and the time in; headers and form fields out. No I/O and no
//! clock. The one exception is the system's randomness, which an ECDSA signature needs. Results are secrets, and no
//! error contains one.

mod basic;
mod digest;
mod error;
mod hmac_sha256;
mod jwt;
mod parameters;
mod request;
mod scheme;
mod service_account_key;
mod sigv4;

pub use error::SigningError;
pub use request::{SchemeSecrets, SignedFields, UnsignedRequest};
pub use scheme::Scheme;
