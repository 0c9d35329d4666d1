//! Origins, headers and the places of secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use secrecy::SecretString;

use super::*;
use crate::limits::SCHEMES_MAX;
use crate::plan::{PlannedRequest, ResponseMode, SecretPlace};

fn planned(url: &str, body: PlannedBody, place: SecretPlace) -> Plan {
    Plan {
        request: PlannedRequest {
            method: Method::POST,
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::new(),
            forward_headers: Vec::new(),
            forward_query: Vec::new(),
            secrets: vec![("api-key".to_owned(), place)],
            body,
        },
        response_mode: ResponseMode::Relay,
        captures: Vec::new(),
        state: Bytes::new(),
        delay: None,
    }
}

/// A credential with some secrets and one header of its own.
struct FakeAccount {
    credential: Credential,
    secrets: BTreeMap<&'static str, SecretString>,
}

impl FakeAccount {
    fn new(secrets: &[(&'static str, &str)]) -> Self {
        let mut credential = Credential::new("a", "p", "https://api.example.com/v1");
        let attributes = &mut credential.attributes;
        attributes.insert("header:x-own".into(), "own".into());
        let secrets = secrets.iter();
        Self {
            credential,
            secrets: secrets
                .map(|(name, secret)| (*name, SecretString::from(*secret)))
                .collect(),
        }
    }
}

impl Account for FakeAccount {
    fn credential(&self) -> &Credential {
        &self.credential
    }

    fn secret(&self, name: &str) -> Option<&SecretString> {
        self.secrets.get(name)
    }

    fn proxy(&self) -> Option<&SecretString> {
        None
    }
}

fn build(plan: Plan) -> Result<UpstreamRequest, PlanError> {
    let account = FakeAccount::new(&[("api-key", "s3 cret&")]);
    build_for(plan, &account, Recipient::Api)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the tests make a plan for one use"
)]
fn build_for(
    plan: Plan,
    account: &FakeAccount,
    recipient: Recipient,
) -> Result<UpstreamRequest, PlanError> {
    build_with(&plan, account, recipient, Forwardable::default())
}

fn provider() -> Provider {
    Provider {
        executor: Arc::from("e"),
        base_url: Arc::new(Url::parse("https://api.example.com/v1").unwrap()),
        settings: Arc::from("{}"),
        grants: Vec::new(),
        client_headers: Vec::new(),
        traits: Arc::default(),
        login: None,
    }
}

fn build_with(
    plan: &Plan,
    account: &FakeAccount,
    recipient: Recipient,
    client: Forwardable<'_>,
) -> Result<UpstreamRequest, PlanError> {
    let provider = provider();
    let body = Bytes::from_static(br#"{"model":"a"}"#);
    build_request(
        plan,
        &Bounds {
            provider: &provider,
            hosts: &[],
            body: &body,
            account,
            client,
            recipient,
            connect: Duration::from_secs(5),
            now: NOW,
        },
    )
    .map(|built| built.request)
}

/// 1 December 2026, 04:07:09 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_796_098_029_000);

const HOME: &str = "https://api.example.com/v1/chat/completions";

/// Another origin needs the operator and the executor. The refusal says whose word is missing.
#[test]
fn refusal_of_an_origin_reports_what_is_missing() {
    let refused = |grants: &[&str], hosts: &[&str]| {
        let grants = grants.iter().map(|grant| Url::parse(grant).unwrap());
        let provider = Provider {
            grants: grants.collect(),
            ..provider()
        };
        let account = FakeAccount::new(&[("api-key", "s3 cret&")]);
        let url = "https://auth.example.com/token";
        let plan = planned(url, PlannedBody::Original, SecretPlace::Bearer);
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let bounds = Bounds {
            provider: &provider,
            hosts: &hosts,
            body: &Bytes::new(),
            account: &account,
            client: Forwardable::default(),
            recipient: Recipient::Api,
            connect: Duration::from_secs(5),
            now: NOW,
        };
        let built = build_request(&plan, &bounds);
        built.err().map(|error| error.to_string())
    };
    let (grant, host) = (["https://auth.example.com"], ["*.example.com"]);
    let start = "its URL has the origin https://auth.example.com, but the credential is bound to \
                 https://api.example.com; for another origin ";
    for (grants, hosts, missing) in [
        (&grant[..], &[][..], "the executor's declaration is missing"),
        (&[], &host[..], "the operator's grant is missing"),
        (&[], &[], "both are missing"),
    ] {
        let message = refused(grants, hosts).unwrap();
        let rest = message.strip_prefix(start).unwrap();
        assert!(rest.starts_with(missing), "{message}");
    }
    assert_eq!(refused(&grant, &host), None);
}

#[test]
fn only_the_credentials_own_origin_may_be_named() {
    for url in [
        "https://evil.example.com/v1",
        "http://api.example.com/v1",
        "https://api.example.com:8443/v1",
        "https://api.example.com.evil.com/v1",
        "https://u:p@api.example.com/v1",
    ] {
        assert!(
            build(planned(url, PlannedBody::Original, SecretPlace::Bearer)).is_err(),
            "{url}"
        );
    }
    let explicit_port = "https://api.example.com:443/other#part";
    let request = build(planned(
        explicit_port,
        PlannedBody::Original,
        SecretPlace::Bearer,
    ))
    .unwrap();
    assert_eq!(request.url.as_str(), "https://api.example.com/other");
}

#[test]
fn headers_of_the_connection_are_the_hosts() {
    let mut plan = planned(HOME, PlannedBody::Original, SecretPlace::Bearer);
    plan.request
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1"));
    assert!(
        build(plan)
            .unwrap_err()
            .to_string()
            .contains("content-length")
    );
}

/// A secret in `host` would name another server, and one in `transfer-encoding` would hide a second request.
#[test]
fn secrets_are_not_placed_into_headers_of_the_connection() {
    for name in ["host", "transfer-encoding", "content-length", "connection"] {
        let place = SecretPlace::Header {
            name: name.into(),
            prefix: String::new(),
        };
        let refused = build(planned(HOME, PlannedBody::Empty, place)).unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

#[test]
fn methods_of_the_connection_are_refused() {
    for method in [Method::CONNECT, Method::TRACE] {
        let mut plan = planned(HOME, PlannedBody::Empty, SecretPlace::Bearer);
        plan.request.method = method.clone();
        let refused = build(plan).unwrap_err();
        assert!(refused.to_string().contains(method.as_str()), "{refused}");
    }
}

#[test]
fn places_secrets_by_plan() {
    let bearer = build(planned(HOME, PlannedBody::Original, SecretPlace::Bearer)).unwrap();
    assert_eq!(bearer.headers[AUTHORIZATION], "Bearer s3 cret&");
    assert!(bearer.headers[AUTHORIZATION].is_sensitive());

    let place = SecretPlace::Header {
        name: "x-goog-api-key".into(),
        prefix: String::new(),
    };
    let header = build(planned(HOME, PlannedBody::Empty, place)).unwrap();
    assert_eq!(header.headers["x-goog-api-key"], "s3 cret&");

    let query = build(planned(
        HOME,
        PlannedBody::Empty,
        SecretPlace::Query("key".into()),
    ))
    .unwrap();
    assert_eq!(query.url.query(), Some("key=s3+cret%26"));

    let basic = build(planned(
        HOME,
        PlannedBody::Empty,
        SecretPlace::BasicPassword,
    ))
    .unwrap();
    assert_eq!(
        basic.headers[AUTHORIZATION],
        format!("Basic {}", STANDARD.encode(":s3 cret&"))
    );

    let body = PlannedBody::Bytes(Bytes::from_static(b"grant_type=refresh"));
    let form = build(planned(HOME, body, SecretPlace::Form("token".into()))).unwrap();
    assert_eq!(&form.body[..], b"grant_type=refresh&token=s3+cret%26");

    let body = PlannedBody::Bytes(Bytes::from_static(br#"{"a":1}"#));
    let json = build(planned(HOME, body, SecretPlace::Json("/token".into()))).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(value["token"], "s3 cret&");
}

/// RFC 6749, section 2.3.1 and appendix B: OAuth clients form-encode both parts before HTTP Basic
/// joins them by a colon (RFC 7617, section 2), which itself encodes nothing.
#[test]
fn only_oauth_clients_are_encoded_before_basic() {
    let (id, secret) = ("app:1+ü", "p%4 a&b=c*~");
    let account = FakeAccount::new(&[("id", id), ("secret", secret)]);
    let sent = |user: SecretPlace, password: SecretPlace| {
        let mut plan = planned(HOME, PlannedBody::Empty, SecretPlace::Bearer);
        plan.request.secrets = vec![("id".to_owned(), user), ("secret".to_owned(), password)];
        let request = build_for(plan, &account, Recipient::TokenEndpoint);
        let header = request.unwrap().headers[AUTHORIZATION].clone();
        assert!(header.is_sensitive());
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    };
    assert_eq!(
        sent(SecretPlace::OauthClientId, SecretPlace::OauthClientSecret),
        "app%3A1%2B%C3%BC:p%254+a%26b%3Dc*%7E"
    );
    assert_eq!(
        sent(SecretPlace::BasicUser, SecretPlace::BasicPassword),
        format!("{id}:{secret}")
    );
}

#[test]
fn no_secret_goes_into_a_clients_body() {
    for place in [
        SecretPlace::Json("/model".into()),
        SecretPlace::Form("token".into()),
    ] {
        let error = build(planned(HOME, PlannedBody::Original, place)).unwrap_err();
        assert!(matches!(error, PlanError::SecretInClientBody), "{error}");
    }
}

#[test]
fn unknown_secrets_and_schemes_are_refused() {
    let mut plan = planned(HOME, PlannedBody::Original, SecretPlace::Bearer);
    plan.request.secrets[0].0 = "password".to_owned();
    let error = build(plan).unwrap_err().to_string();
    assert!(error.contains("`password`"), "{error}");
    for (name, part) in [
        ("aws-sigv5", "does not know the scheme `aws-sigv5`"),
        ("aws-sigv4", "needs the parameter `region`"),
    ] {
        let error = build(planned(HOME, PlannedBody::Original, scheme(name, &[]))).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let mut plan = planned(HOME, PlannedBody::Empty, SecretPlace::Bearer);
    let basic = ("api-key".to_owned(), scheme("basic", &[("user", "u")]));
    plan.request.secrets = vec![basic; SCHEMES_MAX + 1];
    let error = build(plan).unwrap_err();
    assert!(matches!(error, PlanError::TooManySchemes), "{error}");
}

fn scheme(name: &str, parameters: &[(&str, &str)]) -> SecretPlace {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    SecretPlace::Scheme {
        name: name.to_owned(),
        parameters: parameters.iter().map(owned).collect(),
    }
}

/// The values are those of botocore 1.43.11, the headers of the credential included.
#[test]
fn schemes_sign_the_final_request() {
    let account = FakeAccount::new(&[
        (
            "secret-access-key",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        ),
        ("key-id", "AKIDEXAMPLE"),
    ]);
    let parameters = [
        ("region", "eu-central-1"),
        ("service", "bedrock"),
        ("access-key-id", "key-id"),
    ];
    let mut plan = planned(
        "https://api.example.com:443/model/a.b-v1%3A0/invoke?x=1",
        PlannedBody::Original,
        scheme("aws-sigv4", &parameters),
    );
    plan.request.secrets[0].0 = "secret-access-key".to_owned();
    let headers = &mut plan.request.headers;
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let request = build_for(plan, &account, Recipient::Api).unwrap();
    assert_eq!(request.headers["x-amz-date"], "20261201T040709Z");
    let signed = &request.headers[AUTHORIZATION];
    assert!(signed.is_sensitive());
    assert_eq!(
        signed,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261201/eu-central-1/bedrock/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-own, Signature=4699ebb9ea7520747a8233f8b4e0d0030b724a3abdbf17f79867365cdf410616"
    );
}

#[test]
fn assertion_is_a_field_of_a_form_of_the_executor() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/jwt/rs256/");
    let read = |file: &str| std::fs::read_to_string(format!("{folder}{file}")).unwrap();
    let key = read("service-account.json");
    let account = FakeAccount::new(&[("api-key", &key)]);
    let place = scheme(
        "jwt-bearer",
        &[
            ("audience", "https://oauth2.googleapis.com/token"),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
        ],
    );
    let body = PlannedBody::Bytes(Bytes::from_static(b"grant_type=g"));
    let plan = planned(HOME, body, place.clone());
    let request = build_for(plan, &account, Recipient::TokenEndpoint).unwrap();
    let expected = format!("grant_type=g&assertion={}", read("expect.txt").trim_end());
    assert_eq!(request.body, expected);
    let plan = planned(HOME, PlannedBody::Original, place);
    let error = build_for(plan, &account, Recipient::Api).unwrap_err();
    assert!(matches!(error, PlanError::SecretInClientBody), "{error}");
}

#[test]
fn token_endpoints_may_be_captured_and_get_no_headers_of_the_credential() {
    let account = FakeAccount::new(&[("api-key", "k")]);
    let plan = || Plan {
        captures: vec![("/access_token".to_owned(), "access-token".to_owned())],
        ..planned(HOME, PlannedBody::Empty, SecretPlace::Bearer)
    };
    let token = build_for(plan(), &account, Recipient::TokenEndpoint).unwrap();
    assert_eq!(token.headers.get("x-own"), None);
    let error = build_for(plan(), &account, Recipient::Api).unwrap_err();
    assert!(matches!(error, PlanError::Captures), "{error}");
    let api = build(planned(HOME, PlannedBody::Empty, SecretPlace::Bearer)).unwrap();
    assert_eq!(api.headers["x-own"], "own");
}

#[test]
fn a_refusal_never_shows_the_secret() {
    let body = PlannedBody::Bytes(Bytes::from_static(b"not json"));
    let error = build(planned(HOME, body, SecretPlace::Json("/token".into()))).unwrap_err();
    assert!(!error.to_string().contains("s3"), "{error}");
}

#[test]
fn forwards_what_the_plan_names_and_the_host_lets_through() {
    let account = FakeAccount::new(&[("api-key", "s3cret")]);
    let mut client = HeaderMap::new();
    for (name, value) in [
        ("anthropic-version", "2099-01-01"),
        ("x-stainless-os", "linux"),
        ("x-stainless-lang", "js"),
        ("idempotency-key", "k"),
        ("authorization", "forged"),
    ] {
        client.append(name, HeaderValue::from_static(value));
    }
    client.append("x-stainless-os", HeaderValue::from_static("again"));
    let forward = |headers: &[&str], query: &[&str]| {
        let url = "https://api.example.com/v1?beta=own&page=2";
        let mut plan = planned(url, PlannedBody::Empty, SecretPlace::Bearer);
        let own = HeaderValue::from_static("2023-06-01");
        plan.request.headers.insert("anthropic-version", own);
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        plan.request.forward_headers = owned(headers);
        plan.request.forward_query = owned(query);
        plan
    };
    let build = |plan: &Plan| {
        let forwardable = Forwardable::new(&client, &[("beta", "true")]);
        build_with(plan, &account, Recipient::Api, forwardable).unwrap()
    };
    let none = build(&forward(&[], &[]));
    assert_eq!(none.headers["anthropic-version"], "2023-06-01");
    assert!(!none.headers.contains_key("x-stainless-os"));
    assert_eq!(none.url.query(), Some("beta=own&page=2"));
    let some = build(&forward(
        &["anthropic-version", "x-stainless-*", "authorization"],
        &["beta", "other"],
    ));
    assert_eq!(some.headers["anthropic-version"], "2099-01-01");
    let os: Vec<_> = some.headers.get_all("x-stainless-os").iter().collect();
    assert_eq!(os, ["linux", "again"]);
    assert_eq!(some.headers["x-stainless-lang"], "js");
    assert!(!some.headers.contains_key("idempotency-key"));
    assert_eq!(some.headers[AUTHORIZATION], "Bearer s3cret");
    assert_eq!(some.url.query(), Some("page=2&beta=true"));
}
