//! A scheme with its parameters.

use crate::basic::Basic;
use crate::error::SigningError;
use crate::hmac_sha256::HmacSha256;
use crate::jwt::JwtBearer;
use crate::request::{SchemeSecrets, SignedFields, UnsignedRequest, required_secret};
use crate::sigv4::AwsSigV4;

/// A scheme and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    AwsSigV4(AwsSigV4),
    Basic(Basic),
    HmacSha256(HmacSha256),
    JwtBearer(JwtBearer),
}

impl Scheme {
    /// Reads the parameters of the scheme of this name.
    ///
    /// # Errors
    /// When there is no scheme of this name, a parameter is missing or unknown, or its value is invalid.
    pub fn parse(name: &str, parameters: &[(String, String)]) -> Result<Self, SigningError> {
        let kind = match name {
            AwsSigV4::NAME => Kind::AwsSigV4(AwsSigV4::parse(parameters)?),
            Basic::NAME => Kind::Basic(Basic::parse(parameters)?),
            HmacSha256::NAME => Kind::HmacSha256(HmacSha256::parse(parameters)?),
            JwtBearer::NAME => Kind::JwtBearer(JwtBearer::parse(parameters)?),
            other => return Err(SigningError::UnknownScheme(other.to_owned())),
        };
        Ok(Self(kind))
    }

    /// Signs a request. `name` is the secret to sign with; `now` is in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When a secret is missing, or is not what the scheme needs.
    pub fn sign(
        &self,
        request: &UnsignedRequest<'_>,
        name: &str,
        secrets: &dyn SchemeSecrets,
        now_ms: u64,
    ) -> Result<SignedFields, SigningError> {
        let secret = required_secret(secrets, name)?;
        match &self.0 {
            Kind::AwsSigV4(scheme) => scheme.sign(request, secret, secrets, now_ms),
            Kind::Basic(scheme) => scheme.sign(secret, secrets),
            Kind::HmacSha256(scheme) => Ok(scheme.sign(request, secret, now_ms)),
            Kind::JwtBearer(scheme) => scheme.sign(name, secret, now_ms),
        }
    }
}

#[cfg(test)]
mod tests;
