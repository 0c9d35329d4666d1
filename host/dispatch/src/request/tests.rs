//! Origins, headers and the places of secrets.

use http::header::CONTENT_LENGTH;

use super::*;

fn planned(url: &str, body: PlannedBody, place: SecretPlace) -> PlannedRequest {
    PlannedRequest {
        method: Method::POST,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        secrets: vec![("api-key".to_owned(), place)],
        body,
    }
}

fn build(plan: PlannedRequest) -> Result<UpstreamRequest, PlanError> {
    let held = SecretString::from("s3 cret&");
    build_with(plan, &|name| (name == "api-key").then_some(&held))
}

fn build_with<'a>(
    plan: PlannedRequest,
    secret: &dyn Fn(&str) -> Option<&'a SecretString>,
) -> Result<UpstreamRequest, PlanError> {
    let base_url = Url::parse("https://api.example.com/v1").unwrap();
    let body = Bytes::from_static(br#"{"model":"a"}"#);
    let connect = Duration::from_secs(5);
    build_request(
        plan,
        &Bounds {
            grants: &[],
            hosts: &[],
            base_url: &base_url,
            body: &body,
            secret: &|name| secret(name),
            proxy: None,
            connect,
        },
    )
}

const HOME: &str = "https://api.example.com/v1/chat/completions";

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
    plan.headers
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1"));
    assert!(build(plan).unwrap_err().contains("content-length"));
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
    let held = |name: &str| SecretString::from(if name == "id" { id } else { secret });
    let (id_held, secret_held) = (held("id"), held("secret"));
    let sent = |user: SecretPlace, password: SecretPlace| {
        let mut plan = planned(HOME, PlannedBody::Empty, SecretPlace::Bearer);
        plan.secrets = vec![("id".to_owned(), user), ("secret".to_owned(), password)];
        let request = build_with(plan, &|name| match name {
            "id" => Some(&id_held),
            "secret" => Some(&secret_held),
            _ => None,
        });
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
        assert!(error.contains("own making"), "{error}");
    }
}

#[test]
fn unknown_secrets_and_schemes_are_refused() {
    let mut plan = planned(HOME, PlannedBody::Original, SecretPlace::Bearer);
    plan.secrets[0].0 = "password".to_owned();
    assert!(build(plan).unwrap_err().contains("`password`"));
    let scheme = SecretPlace::Scheme("aws-sigv4".into());
    assert!(
        build(planned(HOME, PlannedBody::Original, scheme))
            .unwrap_err()
            .contains("aws-sigv4")
    );
}

#[test]
fn a_refusal_never_shows_the_secret() {
    let body = PlannedBody::Bytes(Bytes::from_static(b"not json"));
    let error = build(planned(HOME, body, SecretPlace::Json("/token".into()))).unwrap_err();
    assert!(!error.contains("s3"), "{error}");
}
