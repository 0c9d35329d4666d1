//! Removes secrets from providers' messages. Some providers repeat the key that they reject; it must
//! reach neither clients nor logs.

use jackfield_auth::Lease;
use jackfield_credential::Failure;
use jackfield_dialect::ProviderError;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

/// Replaces the secrets of this lease in a failure's message.
pub(crate) fn scrub(lease: &Lease, failure: &mut Failure) {
    replace_secrets(&mut failure.message, secrets(lease));
}

/// Removes the secrets of this lease from an error that the provider reported. `message` is the error's full message
/// without them.
pub(crate) fn scrub_reported(lease: &Lease, error: &mut ProviderError, message: &str) {
    message.clone_into(&mut error.message);
    error.passed_on = None;
    for text in [&mut error.kind, &mut error.code, &mut error.param] {
        let shown = text.as_ref();
        if shown.is_some_and(|text| shows_secret(lease, text.as_bytes())) {
            *text = None;
        }
    }
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
