//! The schemes whose results are fixed by a specification, and what all schemes refuse.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;

struct TestSecrets(BTreeMap<&'static str, String>);

impl SchemeSecrets for TestSecrets {
    fn secret(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn secrets(pairs: &[(&'static str, &str)]) -> TestSecrets {
    let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    TestSecrets(pairs.iter().map(owned).collect())
}

fn parsed(name: &str, parameters: &[(&str, &str)]) -> Result<Scheme, SigningError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let parameters: Vec<_> = parameters.iter().map(owned).collect();
    Scheme::parse(name, &parameters)
}

fn request<'a>() -> UnsignedRequest<'a> {
    UnsignedRequest {
        method: "POST",
        host: "api.example.com",
        path: "/v1/chat",
        query: "a=1&b=2",
        headers: vec![("content-type", b"application/json")],
        body: b"{}",
    }
}

/// 1 December 2026, 04:07:09 UTC.
const NOW_MS: u64 = 1_796_098_029_500;

/// The header of this name that a scheme adds.
fn header(fields: &SignedFields, name: &str) -> String {
    let found = fields.headers.iter().find(|(found, _)| found == name);
    found.unwrap().1.expose_secret().to_owned()
}

#[test]
fn basic_joins_user_and_password() {
    let secrets = secrets(&[("password", "open sesame"), ("user", "Aladdin")]);
    for parameters in [[("user", "Aladdin")], [("user-secret", "user")]] {
        let scheme = parsed("basic", &parameters).unwrap();
        let fields = scheme
            .sign(&request(), "password", &secrets, NOW_MS)
            .unwrap();
        // RFC 7617, section 2.
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(header(&fields, "authorization"), expected);
    }
}

/// Expected values by Python's `hmac`.
#[test]
fn hmac_signs_the_named_parts_in_order() {
    let secrets = secrets(&[("key", "k3y")]);
    let sign = |parameters: &[(&str, &str)]| {
        let scheme = parsed("hmac-sha256", parameters).unwrap();
        scheme.sign(&request(), "key", &secrets, NOW_MS).unwrap()
    };
    let fields = sign(&[
        ("parts", "timestamp, method, path,query,body-sha256"),
        ("header", "X-Signature"),
        ("timestamp-header", "x-timestamp"),
        ("prefix", "v1="),
    ]);
    assert_eq!(header(&fields, "x-timestamp"), "1796098029");
    let expected = "v1=601e91b77fbde9c49a0629a166ab963ac42488c2da15549e5f02d2342a36f2df";
    assert_eq!(header(&fields, "x-signature"), expected);
    let fields = sign(&[
        ("parts", "host,timestamp,body"),
        ("separator", "."),
        ("encoding", "base64"),
        ("header", "x-signature"),
        ("timestamp-header", "x-timestamp"),
        ("timestamp-unit", "milliseconds"),
    ]);
    assert_eq!(header(&fields, "x-timestamp"), "1796098029500");
    assert_eq!(
        header(&fields, "x-signature"),
        "M9cR/TLf162NzF+C7YsQVtfJ8ffb/GmIi0vczaaa+u0="
    );
}

/// `tests/cases/jwt` has the assertion that the Python package `cryptography` signed.
#[test]
fn rs256_assertion_is_that_of_another_implementation() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/jwt/rs256/");
    let read = |file: &str| std::fs::read_to_string(format!("{folder}{file}")).unwrap();
    let expected = read("expect.txt");
    let scheme = parsed(
        "jwt-bearer",
        &[
            ("algorithm", "RS256"),
            ("audience", "https://oauth2.googleapis.com/token"),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
        ],
    )
    .unwrap();
    let file = read("service-account.json");
    let secrets = secrets(&[("key", &file)]);
    let fields = scheme.sign(&request(), "key", &secrets, NOW_MS).unwrap();
    let [(field, assertion)] = fields.form.as_slice() else {
        panic!("one field");
    };
    assert_eq!(field, "assertion");
    assert_eq!(assertion.expose_secret(), expected.trim_end());
    // The same key alone, with the claims of the file as parameters.
    let file: Value = serde_json::from_str(&file).unwrap();
    let text = |name: &str| file[name].as_str().unwrap();
    let pem = text("private_key");
    let in_one_line = pem.replace('\n', "\\n");
    for pem in [pem, in_one_line.as_str()] {
        let scheme = parsed(
            "jwt-bearer",
            &[
                ("audience", "https://oauth2.googleapis.com/token"),
                ("issuer", text("client_email")),
                ("key-id", text("private_key_id")),
                ("lifetime", "3600"),
                ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            ],
        );
        let secrets = self::secrets(&[("key", pem)]);
        let fields = scheme.unwrap().sign(&request(), "key", &secrets, NOW_MS);
        let fields = fields.unwrap();
        assert_eq!(fields.form[0].1.expose_secret(), expected.trim_end());
    }
}

#[test]
fn es256_assertion_has_the_claims_and_verifies() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let scheme = parsed(
        "jwt-bearer",
        &[
            ("algorithm", "ES256"),
            ("audience", "https://auth.example.com"),
            ("issuer", "app"),
            ("subject", "ada"),
            ("lifetime", "60"),
        ],
    )
    .unwrap();
    let secrets = secrets(&[("key", &pem)]);
    let fields = scheme.sign(&request(), "key", &secrets, NOW_MS).unwrap();
    let assertion = fields.form[0].1.expose_secret();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key());
    key.verify(signed.as_bytes(), &decoded(signature)).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let parse = |text: &str| serde_json::from_slice::<Value>(&decoded(text)).unwrap();
    assert_eq!(parse(header), json!({"alg": "ES256", "typ": "JWT"}));
    let seconds = NOW_MS / 1_000;
    assert_eq!(
        parse(claims),
        json!({
            "iss": "app", "sub": "ada", "aud": "https://auth.example.com",
            "iat": seconds, "exp": seconds + 60,
        })
    );
}

/// A scheme, its parameters, and a part of the error.
type RefusedParameters = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const REGION: (&str, &str) = ("region", "eu-central-1");

const REFUSED: &[RefusedParameters] = &[
    ("aws-sigv5", &[], "does not know the scheme `aws-sigv5`"),
    ("aws-sigv4", &[REGION], "needs the parameter `service`"),
    (
        "aws-sigv4",
        &[("region", "")],
        "needs the parameter `region`",
    ),
    (
        "aws-sigv4",
        &[("region", "a/b")],
        "`region` of the scheme `aws-sigv4` must be",
    ),
    (
        "aws-sigv4",
        &[REGION, ("service", "s"), ("x", "y")],
        "no parameter `x`",
    ),
    (
        "aws-sigv4",
        &[REGION, REGION, ("service", "s")],
        "no parameter `region`, or it occurs twice",
    ),
    (
        "aws-sigv4",
        &[REGION, ("service", "s"), ("normalize", "no")],
        "true or false",
    ),
    ("basic", &[], "needs the parameter `user`"),
    ("basic", &[("user", "a:b")], "`user` of the scheme `basic`"),
    (
        "hmac-sha256",
        &[("header", "x")],
        "needs the parameter `parts`",
    ),
    (
        "hmac-sha256",
        &[("header", "x"), ("parts", "cookie")],
        "body-sha256",
    ),
    (
        "hmac-sha256",
        &[("parts", "body")],
        "needs the parameter `header`",
    ),
    (
        "hmac-sha256",
        &[("parts", "body"), ("header", "a b")],
        "the name of a header",
    ),
    (
        "hmac-sha256",
        &[("parts", "timestamp"), ("header", "x")],
        "`timestamp-header`",
    ),
    (
        "hmac-sha256",
        &[("parts", "body,method,body"), ("header", "x")],
        "each once",
    ),
    (
        "hmac-sha256",
        &[
            ("parts", "body"),
            ("header", "X-A"),
            ("timestamp-header", "x-a"),
        ],
        "another header than `header`",
    ),
    ("jwt-bearer", &[], "needs the parameter `audience`"),
    (
        "jwt-bearer",
        &[("audience", "a"), ("algorithm", "HS256")],
        "RS256 or ES256",
    ),
    (
        "jwt-bearer",
        &[("audience", "a"), ("lifetime", "3601")],
        "1 to 3600",
    ),
    (
        "jwt-bearer",
        &[("audience", "a"), ("lifetime", "0")],
        "1 to 3600",
    ),
];

#[test]
fn refuses_parameters_and_names_them() {
    for (scheme, parameters, part) in REFUSED {
        let error = parsed(scheme, parameters).unwrap_err().to_string();
        assert!(error.contains(part), "{parameters:?}: {error}");
    }
}

#[test]
fn empty_session_token_is_none() {
    let scheme = parsed("aws-sigv4", &[("region", "r"), ("service", "s")]).unwrap();
    let pairs = [("key", "k"), ("access-key-id", "id"), ("session-token", "")];
    let signed = scheme
        .sign(&request(), "key", &secrets(&pairs), NOW_MS)
        .unwrap();
    let names: Vec<&str> = signed
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["x-amz-date", "authorization"]);
}

/// As the receiver sees them, byte by byte.
#[test]
fn header_values_need_not_be_utf8() {
    let scheme = parsed("aws-sigv4", &[("region", "r"), ("service", "s")]).unwrap();
    let pairs = [("key", "k"), ("access-key-id", "id")];
    let signature = |value: &'static [u8]| {
        let mut request = request();
        request.headers.push(("x-name", value));
        let signed = scheme
            .sign(&request, "key", &secrets(&pairs), NOW_MS)
            .unwrap();
        header(&signed, "authorization")
    };
    assert_ne!(signature(b"M\xfcller"), signature(b"M\xe4ller"));
    assert_eq!(signature(b"a  \xfc "), signature(b"a \xfc"));
}

#[test]
fn names_the_secret_that_is_missing_or_unusable() {
    let sign = |scheme: &str, parameters: &[(&str, &str)], pairs: &[(&'static str, &str)]| {
        let scheme = parsed(scheme, parameters).unwrap();
        let signed = scheme.sign(&request(), "key", &secrets(pairs), NOW_MS);
        signed.unwrap_err().to_string()
    };
    let sigv4 = [("region", "r"), ("service", "s")];
    let missing = sign("aws-sigv4", &sigv4, &[]);
    assert_eq!(missing, "the credential has no secret `key`");
    let missing = sign("aws-sigv4", &sigv4, &[("key", "k")]);
    assert_eq!(missing, "the credential has no secret `access-key-id`");
    let basic = [("user-secret", "user")];
    for user in ["s3c:ret", "s3c\r\nret"] {
        let error = sign("basic", &basic, &[("key", "k"), ("user", user)]);
        assert!(
            error.contains("has no colon") && !error.contains("s3c"),
            "{error}"
        );
    }
    let jwt = [("audience", "a"), ("issuer", "i")];
    for (secret, part) in [
        ("s3cret", "no private key in PEM"),
        ("{\"s3cret\":", "not valid JSON"),
        ("{\"type\": \"s3cret\"}", "no `private_key`"),
        (
            "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----",
            "an RSA key",
        ),
    ] {
        let error = sign("jwt-bearer", &jwt, &[("key", secret)]);
        assert!(
            error.starts_with("the secret `key` is not usable"),
            "{error}"
        );
        assert!(error.contains(part), "{error}");
        assert!(
            !error.contains("s3cret") && !error.contains("czNj"),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a plan contains: no panic, and the secret is in no error and in no debug output.
    #[test]
    fn never_shows_the_secret(
        name in "aws-sigv4|basic|hmac-sha256|jwt-bearer",
        parameters in prop::collection::vec(
            ("region|service|user|parts|header|audience|issuer|lifetime|algorithm", "[a-z0-9,-]{1,8}|RS256|body|60"),
            0..5,
        ),
        path in "/[ -~]{0,20}",
        query in "[ -~]{0,20}",
        now_ms in any::<u64>(),
    ) {
        let secrets = secrets(&[("key", "S3CRET-S3CRET"), ("access-key-id", "id")]);
        let request = UnsignedRequest { path: &path, query: &query, ..request() };
        let signed = Scheme::parse(&name, &parameters)
            .and_then(|scheme| scheme.sign(&request, "key", &secrets, now_ms));
        let shown = format!("{signed:?}").contains("S3CRET");
        prop_assert!(!shown);
        if let Ok(fields) = signed {
            prop_assert!(!fields.derived.is_empty());
        }
    }
}
