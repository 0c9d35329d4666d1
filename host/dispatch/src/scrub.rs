//! Removes secrets from providers' messages. Some providers repeat the key that they reject; it must
//! reach neither clients nor logs.

use jackfield_auth::Lease;
use jackfield_credential::Failure;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

/// Replaces the secrets of this lease in a failure's message.
pub(crate) fn scrub(lease: &Lease, failure: &mut Failure) {
    replace_secrets(&mut failure.message, secrets(lease));
}

/// Replaces all these secrets in a message by `[secret]`. Empty secrets are ignored.
pub(crate) fn replace_secrets<'a>(
    message: &mut String,
    secrets: impl Iterator<Item = &'a SecretString>,
) {
    for secret in secrets.map(ExposeSecret::expose_secret) {
        // `replace` of an empty secret would insert the mark between all characters.
        if !secret.is_empty() && message.contains(secret) {
            *message = message.replace(secret, "[secret]");
        }
    }
}

/// Whether a text contains a secret of this lease.
pub(crate) fn shows_secret(lease: &Lease, text: &[u8]) -> bool {
    secrets(lease).any(|secret| {
        let secret = secret.expose_secret();
        !secret.is_empty() && memmem::find(text, secret.as_bytes()).is_some()
    })
}

fn secrets(lease: &Lease) -> impl Iterator<Item = &SecretString> {
    let fields = lease.credential().secret_fields.iter();
    fields.filter_map(|field| lease.secret(field))
}
