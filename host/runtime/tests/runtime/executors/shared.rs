//! Cases that all built-in executors have in common.

use jackfield_test_support::plugin;

use super::{PLAN_CASE, PlanCase, built_in, check_plans};

const EXECUTORS: [&str; 4] = ["anthropic", "gemini", "openai", "openai-compatible"];

const REFRESH: PlanCase = PlanCase {
    operation: "refresh",
    secrets: &["refresh-token"],
    settings: r#"{"token-url": "https://auth.invalid/token"}"#,
    ..PLAN_CASE
};

const REFRESHES: &[PlanCase] = &[
    PlanCase {
        name: "the token goes into a form, and the new ones are captured",
        secrets: &[
            "access-token",
            "client-id",
            "client-secret",
            "refresh-token",
        ],
        settings: r#"{"token-url": "https://auth.invalid/token", "scope": "chat all",
            "token-params": {"audience": "a&b=ü*"}, "of-another-part": 1}"#,
        expect: r#"POST https://auth.invalid/token
            accept: application/json
            content-type: application/x-www-form-urlencoded
            secret refresh-token as Form("refresh_token")
            secret client-id as Form("client_id")
            secret client-secret as Form("client_secret")
            body written grant_type=refresh_token&scope=chat+all&audience=a%26b%3D%C3%BC*
            captures /access_token into access-token
            captures /refresh_token into refresh-token
            captures /expires_in into expires-in"#,
        ..REFRESH
    },
    PlanCase {
        name: "client authentication by HTTP Basic",
        secrets: &["client-id", "client-secret", "refresh-token"],
        settings: r#"{"token-url": "https://auth.invalid/token", "client-authentication": "basic"}"#,
        expect: r#"POST https://auth.invalid/token
            accept: application/json
            content-type: application/x-www-form-urlencoded
            secret refresh-token as Form("refresh_token")
            secret client-id as OauthClientId
            secret client-secret as OauthClientSecret
            body written grant_type=refresh_token
            captures /access_token into access-token
            captures /refresh_token into refresh-token
            captures /expires_in into expires-in"#,
        ..REFRESH
    },
    PlanCase {
        name: "a public client",
        expect: r#"POST https://auth.invalid/token
            accept: application/json
            content-type: application/x-www-form-urlencoded
            secret refresh-token as Form("refresh_token")
            body written grant_type=refresh_token
            captures /access_token into access-token
            captures /refresh_token into refresh-token
            captures /expires_in into expires-in"#,
        ..REFRESH
    },
    PlanCase {
        name: "no token endpoint",
        settings: "{}",
        expect: "refused request invalid: the setting `token-url` is missing",
        ..REFRESH
    },
    PlanCase {
        name: "no refresh token",
        secrets: &["access-token"],
        expect: "refused request invalid: the credential has no `refresh-token`",
        ..REFRESH
    },
    PlanCase {
        name: "an unknown client authentication",
        settings: r#"{"token-url": "https://auth.invalid/token", "client-authentication": "secret"}"#,
        expect: "refused request invalid: invalid settings for a refresh: unknown variant `secret`, \
            expected `body` or `basic` at line 1 column 77",
        ..REFRESH
    },
];

#[tokio::test]
async fn refreshes_tokens_by_oauth() {
    for executor in EXECUTORS {
        check_plans(executor, REFRESHES).await;
    }
}

#[tokio::test]
async fn allows_any_token_endpoint_host() {
    for executor in EXECUTORS {
        let executor = built_in(executor).await;
        assert_eq!(executor.descriptor().hosts, ["*"]);
        assert!(executor.descriptor().refresh_lead.is_some());
    }
}

/// Raw requests without a URL. Complete ones are in the tables of each executor.
#[tokio::test]
async fn rejects_raw_requests_without_a_url() {
    let expect = "refused request invalid: a raw request needs the options `method` and `url`";
    let case = PlanCase {
        name: "a raw request without a URL",
        operation: "http-request",
        options: &[("method", "GET")],
        expect,
        ..PLAN_CASE
    };
    for executor in EXECUTORS {
        check_plans(executor, &[case]).await;
    }
}

/// The binary carries the components, and each start compiles those that are not cached.
#[tokio::test]
async fn executors_are_small() {
    for executor in EXECUTORS {
        let size = plugin(executor).len();
        assert!(size < 400 << 10, "{executor} has {size} bytes");
    }
}
