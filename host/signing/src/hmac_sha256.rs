//! `hmac-sha256`: an HMAC of named parts of the request, for providers with a signature of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::digest::{hex, hmac_sha256, sha256};
use crate::error::SigningError;
use crate::parameters::Parameters;
use crate::request::{SignedFields, UnsignedRequest};

/// What is signed, and where the result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HmacSha256 {
    parts: Vec<Part>,
    separator: String,
    encoding: Encoding,
    /// The header of the result.
    header: String,
    /// The text before the result.
    prefix: String,
    /// The header of the time stamp.
    timestamp_header: Option<String>,
    timestamp_unit: TimestampUnit,
}

/// A part of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Method,
    Host,
    Path,
    Query,
    Timestamp,
    Body,
    /// The SHA-256 of the body, in hexadecimal digits.
    BodySha256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Hex,
    Base64,
}

/// The unit of the time since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimestampUnit {
    Seconds,
    Milliseconds,
}

const PARTS: [(&str, Part); 7] = [
    ("method", Part::Method),
    ("host", Part::Host),
    ("path", Part::Path),
    ("query", Part::Query),
    ("timestamp", Part::Timestamp),
    ("body", Part::Body),
    ("body-sha256", Part::BodySha256),
];

/// A scheme names each part once at most; more are a mistake.
fn each_once(parts: &[Part]) -> bool {
    let is_first = |(at, part): (usize, &Part)| !parts[..at].contains(part);
    parts.iter().enumerate().all(is_first)
}

impl HmacSha256 {
    pub(crate) const NAME: &str = "hmac-sha256";

    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Self, SigningError> {
        let mut parameters = Parameters::new(Self::NAME, parameters);
        let expected = "a list with commas, each once, of method, host, path, query, timestamp, body, body-sha256";
        let names = parameters.required("parts")?;
        let part = |name: &str| PARTS.iter().find(|(known, _)| *known == name.trim());
        let parts: Option<Vec<Part>> = names
            .split(',')
            .map(|name| part(name).map(|(_, part)| *part))
            .collect();
        let parts = parts.filter(|parts| each_once(parts));
        let parts = parts.ok_or_else(|| parameters.invalid("parts", expected))?;
        let header = parameters.header_name("header")?;
        let header = header.ok_or(SigningError::MissingParameter {
            scheme: Self::NAME,
            parameter: "header",
        })?;
        let timestamp_header = parameters.header_name("timestamp-header")?;
        if timestamp_header.as_ref() == Some(&header) {
            return Err(parameters.invalid("timestamp-header", "another header than `header`"));
        }
        if parts.contains(&Part::Timestamp) && timestamp_header.is_none() {
            // The provider could not check a signature of a time that it does not know.
            return Err(SigningError::MissingParameter {
                scheme: Self::NAME,
                parameter: "timestamp-header",
            });
        }
        let prefix = parameters.optional("prefix").unwrap_or_default();
        if prefix.contains(char::is_control) {
            return Err(parameters.invalid("prefix", "one line of text"));
        }
        let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
        let units = [
            ("seconds", TimestampUnit::Seconds),
            ("milliseconds", TimestampUnit::Milliseconds),
        ];
        let scheme = Self {
            parts,
            separator: parameters.optional("separator").unwrap_or("\n").to_owned(),
            encoding: parameters.one_of("encoding", &encodings, "hex or base64")?,
            header,
            prefix: prefix.to_owned(),
            timestamp_header,
            timestamp_unit: parameters.one_of(
                "timestamp-unit",
                &units,
                "seconds or milliseconds",
            )?,
        };
        parameters.finish()?;
        Ok(scheme)
    }

    pub(crate) fn sign(
        &self,
        request: &UnsignedRequest<'_>,
        secret: &str,
        now_ms: u64,
    ) -> SignedFields {
        let timestamp = match self.timestamp_unit {
            TimestampUnit::Seconds => (now_ms / 1_000).to_string(),
            TimestampUnit::Milliseconds => now_ms.to_string(),
        };
        let mut signed = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                signed.extend_from_slice(self.separator.as_bytes());
            }
            match part {
                Part::Method => signed.extend_from_slice(request.method.as_bytes()),
                Part::Host => signed.extend_from_slice(request.host.as_bytes()),
                Part::Path => signed.extend_from_slice(request.path.as_bytes()),
                Part::Query => signed.extend_from_slice(request.query.as_bytes()),
                Part::Timestamp => signed.extend_from_slice(timestamp.as_bytes()),
                Part::Body => signed.extend_from_slice(request.body),
                Part::BodySha256 => {
                    signed.extend_from_slice(hex(sha256(request.body).as_ref()).as_bytes());
                }
            }
        }
        let tag = hmac_sha256(secret.as_bytes(), &signed);
        let signature = match self.encoding {
            Encoding::Hex => hex(tag.as_ref()),
            Encoding::Base64 => STANDARD.encode(tag.as_ref()),
        };
        let value = SecretString::from(format!("{}{signature}", self.prefix));
        let mut headers = vec![(self.header.clone(), value)];
        if let Some(name) = &self.timestamp_header {
            headers.push((name.clone(), SecretString::from(timestamp)));
        }
        SignedFields {
            headers,
            derived: vec![SecretString::from(signature)],
            ..SignedFields::default()
        }
    }
}
