//! Reads errors of providers, in all formats in use.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::{is_void, items, members, string};
use crate::limits::{
    CODE_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX, ERROR_PATH_STEPS_MAX, PASSED_ON_BYTES_MAX,
};
use crate::truncate;

/// An error that a provider reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderError {
    /// The message for people. A long one is truncated; it is empty if there was none.
    pub message: String,
    /// The kind: the member `type`, or Google's `status`.
    pub kind: Option<String>,
    /// A more specific code: the member `code`, which may be a number.
    pub code: Option<String>,
    /// The invalid parameter: the member `param`.
    pub param: Option<String>,
    /// The error of the provider behind a gateway, as that provider wrote it: `metadata.raw` of OpenRouter.
    pub passed_on: Option<String>,
}

impl ProviderError {
    /// Reads the body of an error response: `{"error": {..}}` as OpenAI, Anthropic, Google and most
    /// others have it; `{"error": ".."}`; `{"message": ..}` as Mistral, Cohere and Azure's gateway;
    /// `{"base_resp": {..}}` as MiniMax;
    /// `{"detail": ".."}` and `{"detail": [{"msg": .., "loc": [..]}]}` as FastAPI; and any of these as
    /// the only item of an array. `None` for anything else.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.trim_ascii();
        if !text.starts_with('[') {
            return Self::from_body(text);
        }
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Self::from_body(items(raw, 1).first()?.get())
    }

    /// The HTTP status of the error: its code, if that is one, or the status that its kind or code
    /// stands for; `None` if neither is known.
    pub(crate) fn status(&self) -> Option<u16> {
        let code = self.code.as_deref().and_then(|code| code.parse().ok());
        // Other numbers are a provider's own error codes, not statuses.
        let http_status = code.filter(|code| (400..600).contains(code));
        http_status.or_else(|| {
            let codes = [self.kind.as_deref(), self.code.as_deref()];
            codes.into_iter().flatten().find_map(status_for_code)
        })
    }

    /// The message, with the one of the provider behind a gateway: `Provider returned error` alone says nothing.
    #[must_use]
    pub fn full_message(&self) -> Cow<'_, str> {
        let Some(raw) = self.passed_on.as_deref() else {
            return Cow::Borrowed(&self.message);
        };
        let inner = Self::read(raw.as_bytes()).map(|error| error.message);
        let inner = inner.filter(|message| !message.is_empty());
        let inner = inner.unwrap_or_else(|| truncate(raw, ERROR_MESSAGE_BYTES_MAX).to_owned());
        match self.message.as_str() {
            "" => Cow::Owned(inner),
            message => Cow::Owned(format!("{message}: {inner}")),
        }
    }

    /// Reads an `error` member; `None` if it is empty.
    pub(crate) fn from_member(error: &RawValue) -> Option<Self> {
        if is_void(error) {
            return None;
        }
        let text = error.get();
        Some(match string(error) {
            Some(message) => Self::from_message(&message),
            None if text.starts_with('{') => Self::from_object(text).unwrap_or_default(),
            None => Self::from_message(text),
        })
    }

    /// An error with nothing but a message.
    pub(crate) fn from_message(message: &str) -> Self {
        Self {
            message: truncate(message, ERROR_MESSAGE_BYTES_MAX).to_owned(),
            ..Self::default()
        }
    }

    fn from_body(text: &str) -> Option<Self> {
        let names = ["error", "detail", "message", "base_resp"];
        let [error, detail, message, base_response] = members(text, names).ok()?.values;
        if let Some(found) = error.and_then(Self::from_member) {
            return Some(match (error.and_then(string), message.and_then(string)) {
                // `error` holds the code, and `message` beside it the message.
                (Some(word), Some(message)) => Self {
                    code: Some(truncate_code(&word)),
                    ..Self::from_message(&message)
                },
                _ => found,
            });
        }
        if message.is_some_and(|message| !is_void(message)) {
            return Self::from_object(text);
        }
        match detail.filter(|detail| !is_void(detail)) {
            Some(detail) => Self::from_detail(detail),
            None => Self::from_base_response(base_response?),
        }
    }

    /// Reads MiniMax's `{"status_code": 1008, "status_msg": ".."}`; 0 is no error.
    fn from_base_response(raw: &RawValue) -> Option<Self> {
        let names = ["status_code", "status_msg"];
        let [code, message] = members(raw.get(), names).ok()?.values;
        let code = code.and_then(code_text).filter(|code| code != "0")?;
        Some(Self {
            message: message.map(message_text).unwrap_or_default(),
            code: Some(code),
            ..Self::default()
        })
    }

    /// Reads an object with the members `message`, `type`, `code`, `param`.
    fn from_object(text: &str) -> Option<Self> {
        let names = [
            "message", "type", "code", "param", "status", "detail", "metadata",
        ];
        let [message, kind, code, param, status, detail, metadata] =
            members(text, names).ok()?.values;
        Some(Self {
            message: message.or(detail).map(message_text).unwrap_or_default(),
            kind: kind
                .and_then(code_text)
                .or_else(|| status.and_then(code_text)),
            code: code.and_then(code_text),
            param: param.and_then(code_text),
            passed_on: metadata.and_then(passed_on),
        })
    }

    fn from_detail(detail: &RawValue) -> Option<Self> {
        if detail.get().starts_with('{') {
            return Self::from_object(detail.get());
        }
        let Some(item) = items(detail, 1).first().copied() else {
            return Some(Self::from_message(&message_text(detail)));
        };
        let [message, kind, location] = members(item.get(), ["msg", "type", "loc"]).ok()?.values;
        Some(Self {
            message: message.map(message_text)?,
            kind: kind.and_then(code_text),
            code: None,
            param: location.map(dotted_path),
            passed_on: None,
        })
    }
}

/// Returns a string as it is, and any other value as JSON; truncated.
fn message_text(raw: &RawValue) -> String {
    let text = string(raw).unwrap_or(Cow::Borrowed(raw.get()));
    truncate(&text, ERROR_MESSAGE_BYTES_MAX).to_owned()
}

/// Returns `raw` of a gateway's `metadata`: a text, or JSON.
fn passed_on(metadata: &RawValue) -> Option<String> {
    let [raw] = members(metadata.get(), ["raw"]).ok()?.values;
    let raw = raw.filter(|raw| !is_void(raw))?;
    let text = string(raw).unwrap_or(Cow::Borrowed(raw.get()));
    Some(truncate(&text, PASSED_ON_BYTES_MAX).to_owned())
}

/// Returns a string or a number as text; `None` for other values.
fn code_text(raw: &RawValue) -> Option<String> {
    let number = || {
        raw.get()
            .starts_with(|first: char| first == '-' || first.is_ascii_digit())
    };
    string(raw)
        .or_else(|| number().then_some(Cow::Borrowed(raw.get())))
        .filter(|word| !word.is_empty())
        .map(|word| truncate_code(&word))
}

fn truncate_code(word: &str) -> String {
    truncate(word, CODE_BYTES_MAX).to_owned()
}

/// Joins FastAPI's path of a fault, `["body", "model"]`, to `body.model`.
fn dotted_path(raw: &RawValue) -> String {
    let steps: Vec<String> = items(raw, ERROR_PATH_STEPS_MAX)
        .into_iter()
        .filter_map(code_text)
        .collect();
    truncate_code(&steps.join("."))
}

/// Returns the HTTP status that an error code of Google, OpenAI or Anthropic stands for.
pub(crate) fn status_for_code(word: &str) -> Option<u16> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "invalid_request_error" => {
            400
        }
        "UNAUTHENTICATED" | "authentication_error" | "invalid_api_key" => 401,
        "PERMISSION_DENIED" | "permission_error" => 403,
        "NOT_FOUND" | "not_found_error" | "model_not_found" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "request_too_large" => 413,
        "RESOURCE_EXHAUSTED"
        | "insufficient_quota"
        | "rate_limit_error"
        | "rate_limit_exceeded" => 429,
        "CANCELLED" => 499,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE"
        | "overloaded_error"
        | "server_is_overloaded"
        | "service_unavailable_error" => 503,
        "DEADLINE_EXCEEDED" | "timeout_error" => 504,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "api_error" | "server_error" => 500,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
