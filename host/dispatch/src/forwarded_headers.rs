//! Which headers of a client reach which provider: those that change what its API does, and those that the
//! operator lets through to it. All others stay here, above all the client's key and its cookies.

use std::sync::Arc;

use http::HeaderMap;
use jackfield_dialect::Dialect;

use crate::header_pattern::HeaderPattern;
use crate::snapshot::Snapshot;

/// Returns the headers of a client's request that may reach a provider of the snapshot. [`headers_for`] then
/// leaves out those that are not for the provider of an attempt.
pub(crate) fn forwarded_headers(
    client: Dialect,
    headers: &HeaderMap,
    snapshot: &Snapshot,
) -> HeaderMap {
    let is_allowed = |name: &str| {
        let mut providers = snapshot.providers.values();
        providers.any(|provider| any_matches(&provider.client_headers, name))
    };
    let mut forwarded = HeaderMap::new();
    for (name, value) in headers {
        let name_text = name.as_str();
        let is_built_in = rule(name_text).is_some_and(|rule| rule.accepts_client(client));
        if is_built_in || is_allowed(name_text) {
            // Not `insert`: a client may send a list such as `anthropic-beta` in several lines
            // (RFC 9110, section 5.3).
            forwarded.append(name, value.clone());
        }
    }
    forwarded
}

/// Returns the headers of a client of one dialect for a provider that receives another or the same, and for
/// which the operator allows further ones. Others refuse requests with headers that they do not know, or
/// never answer them (router-for-me/CLIProxyAPI#2228).
pub(crate) fn headers_for(
    client: Dialect,
    upstream: Dialect,
    headers: &Arc<HeaderMap>,
    allowed: &[HeaderPattern],
) -> Arc<HeaderMap> {
    let accepts = |name: &str| {
        let of_rule =
            |rule: HeaderRule| rule.accepts_client(client) && rule.accepts_upstream(upstream);
        rule(name).is_some_and(of_rule) || any_matches(allowed, name)
    };
    if headers.keys().all(|name| accepts(name.as_str())) {
        return Arc::clone(headers);
    }
    let accepted = headers
        .iter()
        .filter(|(name, _)| accepts(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()));
    let mut filtered = HeaderMap::new();
    for (name, value) in accepted {
        filtered.append(name, value);
    }
    Arc::new(filtered)
}

fn any_matches(patterns: &[HeaderPattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// Where a header may go.
#[derive(Clone, Copy)]
enum HeaderRule {
    /// To every provider.
    All,
    /// To providers that receive Anthropic's dialect.
    Anthropic,
    /// As [`Self::Anthropic`], if the client speaks that dialect, too. These headers say which client it is;
    /// of the client of another API they would be wrong.
    AnthropicClients,
    /// To providers that receive one of OpenAI's dialects.
    OpenAi,
}

impl HeaderRule {
    fn accepts_client(self, client: Dialect) -> bool {
        match self {
            Self::All | Self::Anthropic | Self::OpenAi => true,
            Self::AnthropicClients => client == Dialect::AnthropicMessages,
        }
    }

    fn accepts_upstream(self, upstream: Dialect) -> bool {
        let is_anthropic = match upstream {
            Dialect::AnthropicMessages => true,
            Dialect::Gemini => return matches!(self, Self::All),
            Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiResponses => false,
        };
        match self {
            Self::All => true,
            Self::Anthropic | Self::AnthropicClients => is_anthropic,
            Self::OpenAi => !is_anthropic,
        }
    }
}

/// Returns where a header may go; `None` if it reaches no provider.
fn rule(name: &str) -> Option<HeaderRule> {
    Some(match name {
        "idempotency-key" => HeaderRule::All,
        // Anthropic, API reference, versions and beta headers.
        "anthropic-beta" | "anthropic-version" => HeaderRule::Anthropic,
        // Claude Code sends these, and Anthropic's SDKs `x-stainless-..` (anthropics/anthropic-sdk-python,
        // src/anthropic/_base_client.py).
        "user-agent" | "x-app" | "x-claude-code-session-id" => HeaderRule::AnthropicClients,
        _ if name.starts_with("x-stainless-") => HeaderRule::AnthropicClients,
        // OpenAI, API reference.
        "openai-beta" => HeaderRule::OpenAi,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn map(names: &[&'static str]) -> HeaderMap {
        let entry = |name: &&'static str| {
            let value = HeaderValue::from_static("1");
            (HeaderName::from_static(name), value)
        };
        names.iter().map(entry).collect()
    }

    fn sent(client: Dialect, upstream: Dialect) -> Vec<String> {
        let all = map(&[
            "anthropic-beta",
            "anthropic-dangerous-direct-browser-access",
            "anthropic-version",
            "authorization",
            "cookie",
            "content-encoding",
            "idempotency-key",
            "openai-beta",
            "openai-organization",
            "origin",
            "user-agent",
            "x-api-key",
            "x-app",
            "x-claude-code-session-id",
            "x-forwarded-for",
            "x-goog-api-key",
            "x-stainless-os",
        ]);
        let headers = Arc::new(forwarded_headers(client, &all, &Snapshot::default()));
        let headers = headers_for(client, upstream, &headers, &[]);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn each_provider_gets_only_headers_of_its_api() {
        let anthropic = ["anthropic-beta", "anthropic-version", "idempotency-key"];
        let openai = ["idempotency-key", "openai-beta"];
        for client in [Dialect::OpenaiChat, Dialect::Gemini] {
            assert_eq!(sent(client, Dialect::AnthropicMessages), anthropic);
        }
        for client in [Dialect::AnthropicMessages, Dialect::OpenaiResponses] {
            for upstream in [Dialect::OpenaiChat, Dialect::OpenaiResponses] {
                assert_eq!(sent(client, upstream), openai);
            }
            assert_eq!(sent(client, Dialect::Gemini), ["idempotency-key"]);
        }
    }

    #[test]
    fn anthropic_sees_which_of_its_clients_calls() {
        let sent = sent(Dialect::AnthropicMessages, Dialect::AnthropicMessages);
        let expected = [
            "anthropic-beta",
            "anthropic-version",
            "idempotency-key",
            "user-agent",
            "x-app",
            "x-claude-code-session-id",
            "x-stainless-os",
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn keeps_all_lines_of_a_list() {
        let mut headers = map(&["anthropic-beta", "user-agent"]);
        headers.append("anthropic-beta", HeaderValue::from_static("2"));
        let client = Dialect::AnthropicMessages;
        let headers = Arc::new(forwarded_headers(client, &headers, &Snapshot::default()));
        for upstream in [Dialect::AnthropicMessages, Dialect::OpenaiChat] {
            let lines = if upstream == Dialect::OpenaiChat {
                0
            } else {
                2
            };
            let sent = headers_for(client, upstream, &headers, &[]);
            assert_eq!(sent.get_all("anthropic-beta").iter().count(), lines);
        }
    }
}
