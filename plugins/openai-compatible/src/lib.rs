//! An executor for every provider that serves `POST {base-url}/chat/completions`.
//!
//! It never touches a byte of a body: the request goes out as it came, or with the model's name
//! replaced by the host, and the answer is relayed. A credential with an access token sends that, and
//! is refreshed by OAuth 2.0's refresh grant.

mod refresh;

use jackfield_plugin::executor::{
    Context, Credential, Descriptor, Executor, Failure, HttpRequest, Plan, Relayed, Scope,
    SecretPlace,
};

struct OpenAiCompatible;

impl Executor for OpenAiCompatible {
    type Reply = Relayed;

    fn describe() -> Descriptor {
        Descriptor {
            refresh_lead_ms: Some(REFRESH_LEAD_MS),
            ..Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-chat")
                .operation("refresh")
                .operation("http-request")
                // Where a provider's token endpoint is only its operator knows, who grants it.
                .host("*")
        }
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let Some(credential) = &context.credential else {
            return Err(Failure::new(
                Scope::Request,
                "authentication",
                "no credential was chosen",
            ));
        };
        match context.operation.as_str() {
            "generate" => Ok(generate(&context, credential)),
            "http-request" => decorate(&context, credential),
            "refresh" => refresh::plan(credential, &jackfield_plugin::settings_json()),
            other => Err(Failure::unsupported(other)),
        }
    }
}

fn generate(context: &Context, credential: &Credential) -> Plan {
    HttpRequest::post(format!("{}/chat/completions", credential.base_url))
        .secret(key(credential), SecretPlace::Bearer)
        .model_of(context)
        .headers_of(context)
        .relay()
}

/// A request of somebody else's making gets nothing but the secret.
fn decorate(context: &Context, credential: &Credential) -> Result<Plan, Failure> {
    let (Some(method), Some(url)) = (context.option("method"), context.option("url")) else {
        return Err(Failure::new(
            Scope::Request,
            "invalid",
            "a raw request needs the options `method` and `url`",
        ));
    };
    Ok(HttpRequest::new(method, url)
        .secret(key(credential), SecretPlace::Bearer)
        .headers_of(context)
        .relay())
}

/// The secret that a request carries: an access token before an API key.
fn key(credential: &Credential) -> &'static str {
    if credential.has_secret("access-token") {
        "access-token"
    } else {
        "api-key"
    }
}

/// How long before its end a token is refreshed: 5 minutes, which an hour's token can spare and a
/// token endpoint may be down for. The operator's own lead wins.
const REFRESH_LEAD_MS: u64 = 5 * 60 * 1_000;

jackfield_plugin::export_executor!(OpenAiCompatible);
