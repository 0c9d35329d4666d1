//! The Converse API: Anthropic's requests as requests of Converse, and its responses as Anthropic's (Amazon Bedrock API
//! reference, Converse and ConverseStream).

mod content;
mod request;
mod stream;
mod whole;

pub(crate) use request::with_body;
pub(crate) use stream::ConverseStream;
pub(crate) use whole::ConverseWhole;

use jackfield_plugin::executor::{Failure, Scope, Usage};
use serde_json::{Value, json};

/// Returns Anthropic's stop reason for that of Converse (`StopReason`).
///
/// # Errors
/// When the model wrote what Bedrock could not read.
fn stop_reason(reason: &str) -> Result<&str, Failure> {
    match reason {
        "content_filtered" | "guardrail_intervened" => Ok("refusal"),
        "malformed_model_output" | "malformed_tool_use" => {
            let message = format!("the model's output was not usable ({reason})");
            Err(Failure::new(Scope::MODEL, "transient", message))
        }
        // `end_turn`, `max_tokens`, `model_target_window_exceeded`, `stop_sequence`, `tool_use` are the same words.
        other => Ok(other),
    }
}

/// The counts of Converse's `TokenUsage`. Its input excludes the cached tokens, as Anthropic's does.
struct TokenUsage {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl TokenUsage {
    fn read(usage: &Value) -> Self {
        let count = |name: &str| usage[name].as_u64().unwrap_or_default();
        Self {
            input: count("inputTokens"),
            output: count("outputTokens"),
            cache_read: count("cacheReadInputTokens"),
            cache_write: count("cacheWriteInputTokens"),
        }
    }

    /// Anthropic's `usage`.
    fn anthropic(&self) -> Value {
        json!({
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output,
        })
    }

    /// The host's counts, whose input includes the cached tokens.
    fn of_contract(&self) -> Usage {
        Usage {
            input: self.input + self.cache_read + self.cache_write,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            reasoning: 0,
            options: Vec::new(),
        }
    }
}

/// The id of a message: that of the request, because Converse has none for messages.
fn message_id(request_id: Option<&str>) -> String {
    format!("msg_{}", request_id.unwrap_or("bedrock"))
}

fn malformed(what: &str) -> Failure {
    Failure::new(
        Scope::PROVIDER,
        "transient",
        format!("the provider's response is not one of Converse: {what}"),
    )
}
