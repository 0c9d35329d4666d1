//! Removes secrets from providers' messages. Some providers repeat the key that they reject; it must
//! reach neither clients nor logs.

use jackfield_auth::Lease;
use jackfield_credential::Failure;
use memchr::memmem;
use secrecy::ExposeSecret;

/// Replaces the secrets of this lease in a failure's message.
pub(crate) fn scrub(lease: &Lease, failure: &mut Failure) {
    for secret in secrets(lease) {
        if failure.message.contains(secret) {
            failure.message = failure.message.replace(secret, "[secret]");
        }
    }
}

/// Whether a text contains a secret of this lease.
pub(crate) fn shows_secret(lease: &Lease, text: &[u8]) -> bool {
    secrets(lease).any(|secret| memmem::find(text, secret.as_bytes()).is_some())
}

fn secrets(lease: &Lease) -> impl Iterator<Item = &str> {
    let fields = lease.credential().secret_fields.iter();
    fields
        .filter_map(|field| lease.secret(field))
        .map(ExposeSecret::expose_secret)
        .filter(|secret| !secret.is_empty())
}
