//! The private key of a service account: PEM, or Google's JSON file that contains it.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

/// A private key and what its file says about it.
pub(crate) struct ServiceAccountKey {
    pub(crate) key: PrivateKeyDer<'static>,
    /// The issuer of assertions: `client_email` of Google's file.
    pub(crate) issuer: Option<String>,
    /// The id of the key: `private_key_id` of Google's file.
    pub(crate) key_id: Option<String>,
}

impl ServiceAccountKey {
    /// Reads a secret.
    ///
    /// # Errors
    /// What is wrong with it. The message contains nothing of the secret.
    pub(crate) fn parse(secret: &str) -> Result<Self, &'static str> {
        if !secret.trim_start().starts_with('{') {
            return Ok(Self {
                key: from_pem(secret)?,
                issuer: None,
                key_id: None,
            });
        }
        // Google Cloud, IAM, service account keys: the members of the file.
        let file: Value = serde_json::from_str(secret).map_err(|_| "it is not valid JSON")?;
        let member = |name: &str| file[name].as_str().map(str::to_owned);
        let pem = member("private_key").map(Zeroizing::new);
        let pem = pem.ok_or("the JSON has no `private_key`")?;
        Ok(Self {
            key: from_pem(&pem)?,
            issuer: member("client_email"),
            key_id: member("private_key_id"),
        })
    }
}

fn from_pem(pem: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    // A PEM in an environment variable often has `\n` for its line ends.
    let pem = Zeroizing::new(pem.replace("\\n", "\n"));
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "it has no private key in PEM (`-----BEGIN PRIVATE KEY-----`)")
}
