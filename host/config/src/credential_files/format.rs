//! Parses one credential file into the body of a request to the admin API. There are two formats: ours,
//! with a `provider`, and that of CLIProxyAPI, with a `type`.

use jackfield_credential::Timestamp;
use serde_json::{Map, Value, json};

use super::expiration::{expiration, timestamp};
use jackfield_credential::model_names::normalize_prefix;

/// The content of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Content {
    /// The body for the admin API. It contains secrets.
    pub(super) body: Value,
    /// The end of its token.
    pub(super) expires_at: Option<Timestamp>,
    /// When the token was refreshed.
    pub(super) refreshed_at: Option<Timestamp>,
    /// Metadata of the account that is not secret.
    pub(super) metadata: Map<String, Value>,
}

/// Parses the text of a file.
///
/// # Errors
/// Why the file is invalid. The message contains no value, since it may be a secret.
pub(super) fn parse(text: &[u8]) -> Result<Content, String> {
    let file: Value = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("is not valid JSON at line {line}, column {column}")
    })?;
    let Value::Object(file) = file else {
        return Err("must hold a JSON object".to_owned());
    };
    if file.contains_key("provider") {
        let mut body = Value::Object(file);
        // The id is the path of the file, which the caller knows.
        body["id"] = json!(PLACEHOLDER);
        return Ok(Content {
            body,
            expires_at: None,
            refreshed_at: None,
            metadata: Map::new(),
        });
    }
    parse_cliproxyapi(&file)
}

fn parse_cliproxyapi(file: &Map<String, Value>) -> Result<Content, String> {
    let provider = file.get("type").and_then(Value::as_str).map(str::trim);
    let Some(provider) = provider.filter(|provider| !provider.is_empty()) else {
        return Err("has no provider: add a `type` or a `provider`".to_owned());
    };
    let mut body = Map::from_iter([
        ("id".to_owned(), json!(PLACEHOLDER)),
        ("provider".to_owned(), json!(provider.to_lowercase())),
        ("secrets".to_owned(), Value::Object(secrets(file))),
    ]);
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    let line = |name| text(file, name).map(|text| json!(text));
    put("label", line("label"));
    put("proxy-url", line("proxy_url"));
    // A prefix with a slash inside is ignored, as in CLIProxyAPI.
    let prefix = text(file, "prefix").and_then(|text| normalize_prefix(text).ok()?);
    put("prefix", prefix.map(|prefix| json!(prefix)));
    put(
        "priority",
        whole(file.get("priority")).map(|number| json!(number)),
    );
    put("disabled", flag(file.get("disabled")));
    put("disable-cooling", flag(file.get("disable_cooling")));
    let attributes = text_members(file, &ATTRIBUTES);
    put(
        "attributes",
        (!attributes.is_empty()).then_some(Value::Object(attributes)),
    );
    let refreshed = REFRESHED.iter().filter_map(|key| file.get(*key));
    Ok(Content {
        body: Value::Object(body),
        expires_at: expiration(file),
        refreshed_at: refreshed.into_iter().find_map(timestamp),
        metadata: text_members(file, &METADATA),
    })
}

/// Returns the secrets of a file and of its nested tokens, by the names that executors use.
fn secrets(file: &Map<String, Value>) -> Map<String, Value> {
    let mut found = Map::new();
    for nested in ["Token", "token"] {
        if let Some(tokens) = file.get(nested).and_then(Value::as_object) {
            found.extend(secrets(tokens));
        }
    }
    for (key, name) in SECRETS {
        if let Some(secret) = text(file, key) {
            found.insert(name.to_owned(), json!(secret));
        }
    }
    found
}

fn text<'a>(file: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = file.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn text_members(file: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let found = names.iter().filter_map(|name| {
        let text = text(file, name)?;
        Some(((*name).to_owned(), json!(text)))
    });
    found.collect()
}

fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}

fn flag(value: Option<&Value>) -> Option<Value> {
    value.filter(|value| value.is_boolean()).cloned()
}

/// The id while a file is parsed.
pub(super) const PLACEHOLDER: &str = "file";

/// The secrets in a file of CLIProxyAPI, and their names here.
const SECRETS: [(&str, &str); 8] = [
    ("api_key", "api-key"),
    ("access_token", "access-token"),
    ("refresh_token", "refresh-token"),
    ("id_token", "id-token"),
    ("client_id", "client-id"),
    ("client_secret", "client-secret"),
    ("cookie", "cookie"),
    ("token", "access-token"),
];

/// The members that executors may read.
const ATTRIBUTES: [&str; 3] = ["project_id", "account_id", "resource_url"];

/// The members that the admin API shows.
const METADATA: [&str; 3] = ["email", "project_id", "account_id"];

/// The keys of the last refresh, by precedence (CLIProxyAPI v6.7.21).
const REFRESHED: [&str; 4] = [
    "last_refresh",
    "lastRefresh",
    "last_refreshed_at",
    "lastRefreshedAt",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &Value) -> Content {
        parse(file.to_string().as_bytes()).unwrap_or_else(|error| Content {
            body: json!(error),
            expires_at: None,
            refreshed_at: None,
            metadata: Map::new(),
        })
    }

    #[test]
    fn cliproxyapi_compat_1_18_file_type_names_the_provider() {
        let file = json!({
            "type": "Claude", "email": "me@example.com", "access_token": "at", "refresh_token": "rt",
            "expired": "2026-01-24T10:00:00Z", "last_refresh": "2026-01-24T09:00:00+00:00",
            "prefix": " /team-a/ ", "priority": "7", "disabled": true, "unknown": { "kept": "out" },
        });
        let content = read(&file);
        let expected = json!({
            "id": "file", "provider": "claude", "prefix": "team-a", "priority": 7, "disabled": true,
            "secrets": { "access-token": "at", "refresh-token": "rt" },
        });
        assert_eq!(content.body, expected);
        assert_eq!(content.metadata["email"], "me@example.com");
        assert_eq!(
            content.expires_at.map(Timestamp::as_millis),
            Some(1_769_248_800_000)
        );
        assert_eq!(
            content.refreshed_at.map(Timestamp::as_millis),
            Some(1_769_245_200_000)
        );
    }

    #[test]
    fn cliproxyapi_compat_1_18_reads_tokens_from_nested_object() {
        let file = json!({
            "type": "gemini-cli", "project_id": "p",
            "token": { "access_token": "at", "refresh_token": "rt", "client_id": "c", "expiry": 5 },
        });
        let content = read(&file);
        let secrets = json!({ "access-token": "at", "refresh-token": "rt", "client-id": "c" });
        assert_eq!(content.body["secrets"], secrets);
        assert_eq!(content.body["attributes"], json!({ "project_id": "p" }));
        assert_eq!(content.expires_at.map(Timestamp::as_millis), Some(5000));
    }

    #[test]
    fn cliproxyapi_compat_1_12_ignores_prefix_with_inner_slash() {
        let file = json!({ "type": "acme", "api_key": "k", "prefix": "a/b" });
        assert_eq!(read(&file).body.get("prefix"), None);
    }

    #[test]
    fn rejects_invalid_files_without_showing_values() {
        let error_of = |text: &[u8]| parse(text).map_or_else(|error| error, |_| String::new());
        assert_eq!(
            error_of(b"{ \"key\": \"sk-"),
            "is not valid JSON at line 1, column 13"
        );
        assert_eq!(error_of(b"[]"), "must hold a JSON object");
        assert_eq!(
            error_of(b"{}"),
            "has no provider: add a `type` or a `provider`"
        );
    }
}
