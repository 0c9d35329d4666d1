//! Signatures that botocore made, and what AWS refuses.

use super::*;
use crate::bedrock::signature::verify;
use crate::unix_time::basic_time;

fn key() -> MockAccessKey {
    MockAccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
        region: "eu-central-1".to_owned(),
    }
}

/// A request at a time, whose signature is not checked up to the last step.
fn request(time: &str) -> IncomingRequest {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "bedrock-runtime.eu-central-1.amazonaws.com"),
        ("content-type", "application/json"),
        ("x-amz-date", time),
    ] {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    IncomingRequest {
        uri: "/model/amazon.nova-lite-v1%3A0/converse".parse().unwrap(),
        headers,
        body: Bytes::from_static(b"{}"),
    }
}

fn authorization(time: &str, id: &str, region: &str, signed: &str) -> String {
    let date = &time[..8];
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{date}/{region}/bedrock/aws4_request, SignedHeaders={signed}, Signature=0"
    )
}

/// 1 December 2026, 04:07:09 UTC.
const NOW: u64 = 1_796_098_029;

const SIGNED: &str = "content-type;host;x-amz-date";

/// The difference of the request's time to the provider's in seconds, the key's id, the region, the signed headers, and
/// the exception with a part of its message.
type RefusedSignature = (
    i64,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const ID: &str = "AKIDEXAMPLE";
const REGION: &str = "eu-central-1";
const INVALID: &str = "InvalidSignatureException";
const UNKNOWN: &str = "UnrecognizedClientException";

const REFUSED: [RefusedSignature; 7] = [
    (0, "AKIDOTHER", REGION, SIGNED, UNKNOWN, "is invalid"),
    (0, ID, "us-east-1", SIGNED, INVALID, "valid region"),
    (-301, ID, REGION, SIGNED, INVALID, "Signature expired"),
    (310, ID, REGION, SIGNED, INVALID, "not yet current"),
    (
        0,
        ID,
        REGION,
        "host;x-amz-date",
        INVALID,
        "'content-type' must be",
    ),
    (
        0,
        ID,
        REGION,
        "x-amz-date;content-type;host",
        INVALID,
        "not sorted",
    ),
    (0, ID, REGION, SIGNED, INVALID, "does not match"),
];

#[test]
fn refuses_as_aws_does() {
    for (skew, id, region, signed, exception, part) in REFUSED {
        let time = basic_time(NOW.saturating_add_signed(skew));
        let header = authorization(&time, id, region, signed);
        let (found, message) = verify(&[key()], &header, &request(&time), NOW).unwrap_err();
        assert_eq!(found, exception, "{message}");
        assert!(message.contains(part), "{message}");
    }
    let time = basic_time(NOW);
    let token = MockAccessKey {
        session_token: Some("t".to_owned()),
        ..key()
    };
    let header = authorization(&time, ID, REGION, SIGNED);
    let (found, _) = verify(&[token], &header, &request(&time), NOW).unwrap_err();
    assert_eq!(found, "UnrecognizedClientException");
    let (found, _) = verify(&[key()], "AWS4-HMAC-SHA256 x", &request(&time), NOW).unwrap_err();
    assert_eq!(found, "IncompleteSignatureException");
}

/// `tests/cases/sigv4/bedrock-session-token` has what botocore signed; it is the second opinion on this code, too.
#[test]
fn accepts_the_signature_of_botocore() {
    let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTw==";
    let key = MockAccessKey {
        session_token: Some(token.to_owned()),
        ..key()
    };
    let mut incoming = request("20261201T040709Z");
    for (name, value) in [
        ("host", "bedrock-runtime.eu-central-1.amazonaws.com:8443"),
        ("accept", "application/json"),
        ("user-agent", "x/1"),
        ("x-amz-security-token", token),
    ] {
        let name = HeaderName::from_static(name);
        incoming.headers.insert(name, value.parse().unwrap());
    }
    incoming.body = Bytes::from_static(b"{\"messages\":[]}");
    let expect = include_str!("../../../cases/sigv4/bedrock-session-token/expect.txt");
    let (_, header) = expect.rsplit_once("authorization: ").unwrap();
    let verified = verify(
        std::slice::from_ref(&key),
        header.trim_end(),
        &incoming,
        NOW,
    );
    assert_eq!(verified, Ok("AKIDEXAMPLE".to_owned()));
    incoming.body = Bytes::from_static(b"{\"messages\":[1]}");
    assert!(verify(&[key], header.trim_end(), &incoming, NOW).is_err());
}

#[test]
fn claude_needs_a_version_and_no_model() {
    let body = || json!({ "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let with = |name: &str, value: Value| {
        let mut body = body();
        body["anthropic_version"] = json!("bedrock-2023-05-31");
        body[name] = value;
        parse_claude(body, "anthropic.claude-x", true)
    };
    assert!(with("max_tokens", json!(9)).unwrap().stream);
    let field = |error: Result<ModelRequest, RequestError>| error.unwrap_err().field;
    assert_eq!(field(parse_claude(body(), "m", false)), "anthropic_version");
    assert_eq!(field(with("stream", json!(true))), "stream");
    assert_eq!(field(with("model", json!("m"))), "model");
    let refused = with("anthropic_beta", json!(["x"])).unwrap_err();
    assert_eq!(refused.message, "invalid beta flag");
}
