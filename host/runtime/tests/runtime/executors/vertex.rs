//! The executor `vertex`.

use jackfield_credential::Scope;

use super::{ERROR_CASE, ErrorCase, PLAN_CASE, PlanCase, built_in, check_errors, check_plans};

const VERTEX: PlanCase = PlanCase {
    dialect: "gemini",
    base_url: "https://europe-west1-aiplatform.googleapis.com",
    model: "gemini-x",
    secrets: &["access-token", "service-account-key"],
    settings: r#"{"project":"p"}"#,
    ..PLAN_CASE
};

const CLAUDE: PlanCase = PlanCase {
    dialect: "anthropic-messages",
    model: "claude-x@20260101",
    client_model: "sonnet",
    body: r#"{"model":"sonnet","max_tokens":1}"#,
    ..VERTEX
};

const PLANS: &[PlanCase] = &[
    PlanCase {
        name: "Gemini",
        expect: "POST https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-x:generateContent
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..VERTEX
    },
    PlanCase {
        name: "Gemini as a stream, with a project and a location of the credential",
        stream: true,
        model: "models/gemini-x",
        attributes: &[("location", "global"), ("project", "q")],
        expect: "POST https://europe-west1-aiplatform.googleapis.com/v1/projects/q/locations/global/publishers/google/models/gemini-x:streamGenerateContent?alt=sse
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..VERTEX
    },
    PlanCase {
        name: "Gemini's token count at the global endpoint",
        operation: "count-tokens",
        base_url: "https://aiplatform.googleapis.com",
        expect: "POST https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/gemini-x:countTokens
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..VERTEX
    },
    PlanCase {
        name: "Claude",
        expect: r#"POST https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-x%4020260101:rawPredict
            content-type: application/json
            secret access-token as bearer
            body {"max_tokens":1,"anthropic_version":"vertex-2023-10-16"}"#,
        ..CLAUDE
    },
    PlanCase {
        name: "Claude as a stream, with the betas that the operator names",
        stream: true,
        headers: &[("anthropic-beta", "a-1,b-2")],
        settings: r#"{"project":"p","betas":["b-2"]}"#,
        body: r#"{"model":"sonnet","stream":true}"#,
        expect: r#"POST https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-x%4020260101:streamRawPredict
            anthropic-beta: b-2
            content-type: application/json
            secret access-token as bearer
            body {"stream":true,"anthropic_version":"vertex-2023-10-16"}"#,
        ..CLAUDE
    },
    PlanCase {
        name: "Claude's token count, whose model is in the body",
        operation: "count-tokens",
        expect: r#"POST https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/anthropic/models/count-tokens:rawPredict
            content-type: application/json
            secret access-token as bearer
            body {"model":"claude-x@20260101","max_tokens":1,"anthropic_version":"vertex-2023-10-16"}"#,
        ..CLAUDE
    },
    PlanCase {
        name: "no token yet",
        secrets: &["service-account-key"],
        expect: "refused credential authentication: there is no access token yet",
        ..VERTEX
    },
    PlanCase {
        name: "no project",
        settings: "{}",
        expect: "refused request invalid: the project is not known: set `project` in the settings of the provider",
        ..VERTEX
    },
    PlanCase {
        name: "a token for an assertion of the service account",
        operation: "refresh",
        expect: r#"POST https://oauth2.googleapis.com/token
            content-type: application/x-www-form-urlencoded
            secret service-account-key as Scheme { name: "jwt-bearer", parameters: [("algorithm", "RS256"), ("audience", "https://oauth2.googleapis.com/token"), ("scope", "https://www.googleapis.com/auth/cloud-platform")] }
            body written grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer
            captures /access_token into access-token
            captures /expires_in into expires-in"#,
        ..VERTEX
    },
    PlanCase {
        name: "a token for the refresh token of a person",
        operation: "refresh",
        secrets: &["refresh-token"],
        settings: r#"{"token-url":"https://oauth2.googleapis.com/token"}"#,
        expect: "POST https://oauth2.googleapis.com/token
            accept: application/json
            content-type: application/x-www-form-urlencoded
            secret refresh-token as Form(\"refresh_token\")
            body written grant_type=refresh_token
            captures /access_token into access-token
            captures /refresh_token into refresh-token
            captures /expires_in into expires-in",
        ..VERTEX
    },
    PlanCase {
        name: "another operation",
        operation: "embed",
        expect: "refused request unsupported: this executor does not support the operation `embed`",
        ..VERTEX
    },
];

#[tokio::test]
async fn plans() {
    check_plans("vertex", PLANS).await;
}

#[tokio::test]
async fn claude_speaks_one_dialect_and_gemini_another() {
    let executor = built_in("vertex").await;
    let options = executor.descriptor().options.iter();
    let rules: Vec<&str> = options
        .filter(|(name, _)| name == "dialect-of-models")
        .map(|(_, rule)| rule.as_str())
        .collect();
    assert_eq!(rules, ["claude-*=anthropic-messages", "*=gemini"]);
}

const NOT_FOUND: &str = r#"{"error":{"code":404,"status":"NOT_FOUND","message":"Publisher Model `projects/p/locations/l/publishers/anthropic/models/m` was not found or your project does not have access to it."}}"#;

#[tokio::test]
async fn errors() {
    let cases = [
        ErrorCase {
            name: "a model that this project does not have",
            status: 404,
            body: NOT_FOUND,
            scope: Scope::Model,
            kind: "not-found",
            ..ERROR_CASE
        },
        ErrorCase {
            name: "a missing role",
            status: 403,
            body: r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p' (or it may not exist).","details":[{"reason":"IAM_PERMISSION_DENIED"}]}}"#,
            scope: Scope::Credential,
            kind: "permission",
            ..ERROR_CASE
        },
        ErrorCase {
            name: "what the host classifies",
            status: 429,
            body: r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Resource exhausted. Please try again later."}}"#,
            scope: Scope::Model,
            kind: "rate-limit",
            ..ERROR_CASE
        },
    ];
    check_errors("vertex", "gemini", &cases).await;
    let for_claude = ErrorCase {
        body_part: r#"{"type":"error","error":{"type":"not_found_error","message":"Publisher Model"#,
        ..cases[0]
    };
    check_errors("vertex", "anthropic-messages", &[for_claude]).await;
}
