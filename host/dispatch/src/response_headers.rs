//! Which headers of a provider's response reach a client: those that say what the body is, request ids, limits,
//! and what the SDKs and tools of the five dialects read. All others stay here. Some would act on this host instead
//! of the provider's (`location`, `set-cookie`, `access-control-..`, `clear-site-data`), some pretend to be ours
//! (`x-jackfield-..`), and some name the operator's account (`openai-organization`).

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

use crate::connection_headers::CONNECTION_HEADERS;

/// Removes all headers that a client must not get.
pub(crate) fn client_headers(mut headers: HeaderMap) -> HeaderMap {
    // RFC 9110, section 7.6.1: `connection` names further headers of the connection.
    let of_connection = connection_options(&headers);
    let is_withheld = |name: &&HeaderName| {
        !reaches_clients(name.as_str())
            || of_connection.iter().any(|option| option == name.as_str())
    };
    let withheld: Vec<HeaderName> = headers.keys().filter(is_withheld).cloned().collect();
    for name in withheld {
        headers.remove(name);
    }
    headers
}

/// Removes the headers of the connection to the provider. The others are for an operator, who sees them in a body.
pub(crate) fn operator_headers(mut headers: HeaderMap) -> HeaderMap {
    let mut withheld = connection_options(&headers);
    withheld.extend(CONNECTION_HEADERS.map(str::to_owned));
    for name in withheld {
        headers.remove(name);
    }
    headers
}

/// Returns the names in all `connection` headers, in lower case.
fn connection_options(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|option| option.trim().to_ascii_lowercase())
        .collect()
}

fn reaches_clients(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

const NAMES: [&str; 28] = [
    // What the body is (RFC 9110, section 8).
    "content-encoding",
    "content-language",
    "content-type",
    // Ids of the request at the provider, for its support: OpenAI and most others; Anthropic; Azure (apim-.., x-ms-..);
    // Bedrock; Cloudflare; Mistral; OpenRouter; OpenAI for Codex.
    "request-id",
    "x-request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
    "x-amzn-requestid",
    "cf-ray",
    "mistral-correlation-id",
    "x-generation-id",
    "x-oai-request-id",
    // When to try again. OpenAI's and Anthropic's SDKs read all three (openai-python and anthropic-sdk-python,
    // _base_client.py).
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    // Limits without a prefix: draft-ietf-httpapi-ratelimit-headers.
    "ratelimit",
    "ratelimit-policy",
    // OpenAI, API reference, debugging requests.
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    // Codex (openai/codex, codex-api/src/sse/responses.rs and its error mapping).
    "x-error-json",
    "x-models-etag",
    "x-openai-authorization-error",
    "x-openai-model",
    "x-reasoning-included",
    // Anthropic, API reference, versions; Google's SDKs measure the server's time.
    "anthropic-version",
    "server-timing",
];

const PREFIXES: [&str; 5] = [
    "anthropic-ratelimit-",
    "ratelimit-",
    // Limits of ChatGPT subscriptions, and `x-codex-turn-state`, which Codex sends back.
    "x-codex-",
    "x-ratelimit-",
    // Azure, how much of a deployment's throughput is used; Groq.
    "azure-openai-deployment-utilization",
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let headers = client_headers(headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn withholds_what_is_not_for_clients() {
        let withheld = [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "*"),
            ("alt-svc", "h3=\":443\""),
            ("anthropic-organization-id", "org"),
            ("clear-site-data", "\"*\""),
            ("content-length", "3"),
            ("date", "x"),
            ("location", "https://evil.example/"),
            ("openai-organization", "org"),
            ("refresh", "0; url=https://evil.example/"),
            ("server", "x"),
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=1"),
            ("transfer-encoding", "chunked"),
            ("www-authenticate", "Bearer realm=\"key\""),
            ("x-debug-auth", "sk-key"),
            ("x-jackfield-error", "unknown_model"),
            ("x-jackfield-warnings", "user"),
        ];
        assert_eq!(left(&withheld), [""; 0]);
    }

    #[test]
    fn passes_what_clients_read() {
        let passed = [
            ("anthropic-ratelimit-unified-5h-reset", "1784112777"),
            ("content-encoding", "gzip"),
            ("content-type", "application/json"),
            ("openai-processing-ms", "12"),
            ("request-id", "req_1"),
            ("retry-after", "1"),
            ("retry-after-ms", "900"),
            ("x-codex-turn-state", "opaque"),
            ("x-ratelimit-remaining-tokens", "1"),
            ("x-request-id", "req_1"),
            ("x-should-retry", "true"),
        ];
        assert_eq!(left(&passed).len(), passed.len());
    }

    #[test]
    fn withholds_what_connection_names() {
        let lines = [
            ("connection", "x-request-id, close"),
            ("connection", "Retry-After"),
            ("x-request-id", "of the connection"),
            ("retry-after", "1"),
            ("request-id", "req_1"),
        ];
        assert_eq!(left(&lines), ["request-id"]);
    }
}
