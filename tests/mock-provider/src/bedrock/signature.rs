//! Verifies AWS Signature Version 4 as AWS documents it (IAM user guide, "Create a signed AWS API request"), with code that
//! shares nothing with a signer: each step starts from the request that arrived.

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::serve::IncomingRequest;
use crate::unix_time::basic_time;

/// An access key of AWS.
#[derive(Debug, Clone)]
pub struct MockAccessKey {
    /// The id, such as `AKIA..`.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// The only region that accepts signatures.
    pub region: String,
}

/// How far a signature's time may be from the provider's, in seconds: 5 minutes, as AWS documents it.
const SKEW_S_MAX: u64 = 5 * 60;

/// The name and the message of AWS's exception.
pub(super) type SignatureRefusal = (&'static str, String);

/// Returns the id of the access key whose signature the header `authorization` has. `now` is in seconds since the Unix
/// epoch.
pub(super) fn verify(
    keys: &[MockAccessKey],
    authorization: &str,
    incoming: &IncomingRequest,
    now: u64,
) -> Result<String, SignatureRefusal> {
    let incomplete = || {
        let message = format!(
            "Authorization header is incomplete: {}",
            authorization.len()
        );
        ("IncompleteSignatureException", message)
    };
    let parameters = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(incomplete)?;
    let parameter = |name: &str| {
        let mut parameters = parameters.split(", ");
        let found = parameters.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(incomplete)
    };
    let credential: Vec<&str> = parameter("Credential")?.split('/').collect();
    let [id, date, region, service, "aws4_request"] = credential.as_slice() else {
        return Err(incomplete());
    };
    let key = keys.iter().find(|key| key.id == *id).ok_or_else(|| {
        let message = "The security token included in the request is invalid.";
        ("UnrecognizedClientException", message.to_owned())
    })?;
    let invalid = |message: &str| ("InvalidSignatureException", message.to_owned());
    if *region != key.region || *service != "bedrock" {
        return Err(invalid("Credential should be scoped to a valid region."));
    }
    let header = |name: &str| header(&incoming.headers, name);
    let time = header("x-amz-date").ok_or_else(incomplete)?;
    check_time(&time, date, now).map_err(|message| invalid(&message))?;
    if header("x-amz-security-token") != key.session_token {
        let message = "The security token included in the request is invalid.";
        return Err(("UnrecognizedClientException", message.to_owned()));
    }
    let signed_headers = parameter("SignedHeaders")?;
    check_signed(signed_headers, &incoming.headers).map_err(|message| invalid(&message))?;
    let canonical = canonical_request(incoming, signed_headers);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(&canonical))
    );
    let mut signing_key = hmac(format!("AWS4{}", key.secret).as_bytes(), date.as_bytes());
    for part in [region, service, &"aws4_request"] {
        signing_key = hmac(&signing_key, part.as_bytes());
    }
    if hex(&hmac(&signing_key, to_sign.as_bytes())) != parameter("Signature")? {
        return Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check your \
             AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok((*id).to_owned())
}

/// The values of a header, joined as the canonical request joins them.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<String> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn check_time(time: &str, date: &str, now: u64) -> Result<(), String> {
    let earliest = basic_time(now.saturating_sub(SKEW_S_MAX));
    let latest = basic_time(now + SKEW_S_MAX);
    if !time.starts_with(date) {
        return Err("Date in Credential scope does not match the date of the request".to_owned());
    }
    // Times of one format are in the order of their texts.
    if time < earliest.as_str() {
        return Err(format!(
            "Signature expired: {time} is now earlier than {earliest}"
        ));
    }
    if time > latest.as_str() {
        return Err(format!(
            "Signature not yet current: {time} is still later than {latest}"
        ));
    }
    Ok(())
}

/// Checks that the names are sorted, and that what must be signed is: the host, the content type, and all of Amazon's
/// own headers.
fn check_signed(signed_headers: &str, headers: &HeaderMap) -> Result<(), String> {
    let signed: Vec<&str> = signed_headers.split(';').collect();
    if !signed.is_sorted() {
        return Err("SignedHeaders is not sorted".to_owned());
    }
    let names = headers.keys().map(|name| name.as_str());
    let must =
        names.filter(|name| name.starts_with("x-amz-") || matches!(*name, "content-type" | "host"));
    for name in must {
        if !signed.contains(&name) {
            return Err(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            ));
        }
    }
    Ok(())
}

fn canonical_request(incoming: &IncomingRequest, signed_headers: &str) -> Vec<u8> {
    let path: Vec<String> = incoming
        .uri
        .path()
        .split('/')
        // Decoded as a server does, then encoded twice as the documentation demands.
        .map(|segment| encode(encode(&decode(segment)).as_bytes()))
        .collect();
    let mut query: Vec<&str> = incoming
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .collect();
    query.sort_unstable();
    let mut text = format!("POST\n{}\n{}\n", path.join("/"), query.join("&"));
    for name in signed_headers.split(';') {
        let value = header(&incoming.headers, name).unwrap_or_default();
        let words: Vec<&str> = value.split_whitespace().collect();
        text.push_str(&format!("{name}:{}\n", words.join(" ")));
    }
    let body = hex(&Sha256::digest(&incoming.body));
    text.push_str(&format!("\n{signed_headers}\n{body}"));
    text.into_bytes()
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or(b'0')));
        let value = digits.map(|digit| digit.to_digit(16).unwrap_or_default());
        decoded.push(u8::try_from(value[0] * 16 + value[1]).unwrap_or_default());
    }
    decoded
}

fn encode(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: &u8| {
        if plain(byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().map(one).collect()
}

/// HMAC by its definition (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let digest = Sha256::digest(key);
    let key = if key.len() > block.len() {
        &digest[..]
    } else {
        key
    };
    block[..key.len()].copy_from_slice(key);
    let inner = block.map(|byte| byte ^ 0x36);
    let outer = block.map(|byte| byte ^ 0x5c);
    let inner = Sha256::new()
        .chain_update(inner)
        .chain_update(message)
        .finalize();
    let outer = Sha256::new().chain_update(outer).chain_update(inner);
    outer.finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
