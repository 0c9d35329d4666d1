//! `aws-sigv4`: AWS Signature Version 4 in the header `authorization` (AWS, IAM user guide, "Create a signed AWS
//! API request").

mod canonical;

use jiff::Timestamp;
use secrecy::SecretString;

use self::canonical::CanonicalRequest;
use crate::digest::{hex, hmac_sha256, sha256};
use crate::error::SigningError;
use crate::parameters::{OFF_ON, ON_OFF, Parameters};
use crate::request::{SchemeSecrets, SignedFields, UnsignedRequest, required_secret};

/// The parameters of AWS Signature Version 4. The secret to sign with is the secret access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsSigV4 {
    region: String,
    service: String,
    /// The name of the secret with the access key's id.
    access_key_id: String,
    /// The name of the secret with the token of temporary credentials, which need not exist.
    session_token: String,
    /// Whether the path is normalized, as for all services but S3.
    normalize: bool,
    /// Whether the hash of the body is also a header, as S3 requires.
    content_sha256_header: bool,
    /// Whether the header with the session token is not signed, as for AWS IoT.
    omit_session_token: bool,
}

impl AwsSigV4 {
    pub(crate) const NAME: &str = "aws-sigv4";

    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Self, SigningError> {
        let mut parameters = Parameters::new(Self::NAME, parameters);
        let mut scope_part = |parameter| {
            let value = parameters.required(parameter)?;
            // It is a part of the credential scope, whose parts are joined by slashes.
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if value.bytes().all(legal) {
                return Ok(value.to_owned());
            }
            Err(parameters.invalid(parameter, "a name of letters, digits and hyphens"))
        };
        let region = scope_part("region")?;
        let service = scope_part("service")?;
        let mut secret_name = |parameter: &str| {
            let name = parameters.optional(parameter);
            name.unwrap_or(parameter).to_owned()
        };
        let access_key_id = secret_name("access-key-id");
        let session_token = secret_name("session-token");
        let places = [("none", false), ("header", true)];
        let switch = "true or false";
        let scheme = Self {
            region,
            service,
            access_key_id,
            session_token,
            normalize: parameters.one_of("normalize", &ON_OFF, switch)?,
            content_sha256_header: parameters.one_of(
                "content-sha256",
                &places,
                "none or header",
            )?,
            omit_session_token: parameters.one_of("omit-session-token", &OFF_ON, switch)?,
        };
        parameters.finish()?;
        Ok(scheme)
    }

    pub(crate) fn sign(
        &self,
        request: &UnsignedRequest<'_>,
        secret_access_key: &str,
        secrets: &dyn SchemeSecrets,
        now_ms: u64,
    ) -> Result<SignedFields, SigningError> {
        let access_key_id = required_secret(secrets, &self.access_key_id)?;
        // Long-lived keys have none; an empty one is none.
        let session_token = secrets.secret(&self.session_token);
        let session_token = session_token.filter(|token| !token.is_empty());
        let [date, time] = date_and_time(now_ms)?;
        let canonical = self.canonical_request(request, &time, session_token);
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hex(sha256(&canonical.text).as_ref())
        );
        let key = self.signing_key(secret_access_key, &date);
        let signature = hex(hmac_sha256(key.as_ref(), to_sign.as_bytes()).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={}, Signature={signature}",
            canonical.signed_headers
        );
        let mut headers = vec![
            ("x-amz-date".to_owned(), SecretString::from(time)),
            (
                "authorization".to_owned(),
                SecretString::from(authorization),
            ),
        ];
        if let Some(token) = session_token {
            headers.push((
                SECURITY_TOKEN.to_owned(),
                SecretString::from(token.to_owned()),
            ));
        }
        if self.content_sha256_header {
            let hash = SecretString::from(canonical.body_sha256);
            headers.push((CONTENT_SHA256.to_owned(), hash));
        }
        Ok(SignedFields {
            headers,
            derived: vec![SecretString::from(signature)],
            ..SignedFields::default()
        })
    }

    fn canonical_request(
        &self,
        request: &UnsignedRequest<'_>,
        time: &str,
        session_token: Option<&str>,
    ) -> CanonicalRequest {
        let body_sha256 = hex(sha256(request.body).as_ref());
        let mut headers = request.headers.clone();
        // The signature replaces headers of these names, so the old values must not be signed.
        headers.retain(|(name, _)| !OWN_HEADERS.contains(name));
        headers.push(("host", request.host.as_bytes()));
        headers.push(("x-amz-date", time.as_bytes()));
        if let Some(token) = session_token
            && !self.omit_session_token
        {
            headers.push((SECURITY_TOKEN, token.as_bytes()));
        }
        if self.content_sha256_header {
            headers.push((CONTENT_SHA256, body_sha256.as_bytes()));
        }
        let is_s3 = self.service == "s3";
        let path = canonical::path(request.path, self.normalize && !is_s3, !is_s3);
        CanonicalRequest::new(
            request.method,
            &path,
            &canonical::query(request.query),
            &headers,
            body_sha256.clone(),
        )
    }

    /// Derives the key of a day, a region and a service from the secret access key.
    fn signing_key(&self, secret_access_key: &str, date: &str) -> ring::hmac::Tag {
        let mut key = hmac_sha256(
            format!("AWS4{secret_access_key}").as_bytes(),
            date.as_bytes(),
        );
        for part in [self.region.as_str(), &self.service, "aws4_request"] {
            key = hmac_sha256(key.as_ref(), part.as_bytes());
        }
        key
    }
}

/// Returns the date and the time of the scheme: `20150830` and `20150830T123600Z`.
fn date_and_time(now_ms: u64) -> Result<[String; 2], SigningError> {
    let seconds = i64::try_from(now_ms / 1_000).ok();
    let now = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let now = now.ok_or(SigningError::Time(AwsSigV4::NAME))?;
    Ok(["%Y%m%d", "%Y%m%dT%H%M%SZ"].map(|format| now.strftime(format).to_string()))
}

const SECURITY_TOKEN: &str = "x-amz-security-token";
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// The headers that the scheme sets.
const OWN_HEADERS: [&str; 5] = [
    "authorization",
    CONTENT_SHA256,
    "host",
    "x-amz-date",
    SECURITY_TOKEN,
];

#[cfg(test)]
mod tests;
