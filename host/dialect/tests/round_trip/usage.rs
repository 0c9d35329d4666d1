//! Usage: whatever a provider counts inside of or beside its other counts, the client of each dialect gets
//! the provider's total, whole and streamed.

use jackfield_dialect::ir::{FinishReason, Part, Response};
use jackfield_dialect::{Dialect, Translator, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{CASES, DIALECTS, TestResult, failed, response_context};

/// What a provider bills.
#[derive(Clone, Copy, Debug)]
struct Bill {
    fresh: u64,
    cached: u64,
    written: u64,
    text: u64,
    reasoning: u64,
}

impl Bill {
    fn input(self) -> u64 {
        self.fresh + self.cached + self.written
    }

    fn total(self) -> u64 {
        self.input() + self.text + self.reasoning
    }

    /// The member of a whole response, with the reasoning inside of the output or beside it.
    fn member(self, provider: Dialect, beside: bool) -> (&'static str, Value) {
        let Self {
            cached,
            written,
            reasoning,
            ..
        } = self;
        let output = self.text + if beside { 0 } else { reasoning };
        match provider {
            Dialect::AnthropicMessages => {
                let usage = json!({"input_tokens": self.fresh, "cache_creation_input_tokens": written,
                    "cache_read_input_tokens": cached, "output_tokens": self.text + reasoning,
                    "output_tokens_details": {"thinking_tokens": reasoning}});
                ("usage", usage)
            }
            Dialect::Gemini => {
                let usage = json!({"promptTokenCount": self.input(), "cachedContentTokenCount": cached,
                    "candidatesTokenCount": output, "thoughtsTokenCount": reasoning,
                    "totalTokenCount": self.total()});
                ("usageMetadata", usage)
            }
            Dialect::OpenaiChat | Dialect::OpenaiCompletions => {
                let usage = json!({"prompt_tokens": self.input(), "completion_tokens": output,
                    "total_tokens": self.total(),
                    "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
                    "completion_tokens_details": {"reasoning_tokens": reasoning}});
                ("usage", usage)
            }
            Dialect::OpenaiResponses => {
                let usage = json!({"input_tokens": self.input(), "output_tokens": output,
                    "total_tokens": self.total(),
                    "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
                    "output_tokens_details": {"reasoning_tokens": reasoning}});
                ("usage", usage)
            }
        }
    }
}

prop_compose! {
    fn bill()(
        fresh in 1..9_999_u64,
        cached in 0..9_999_u64,
        written in 0..999_u64,
        text in 1..9_999_u64,
        reasoning in 0..9_999_u64,
    ) -> Bill {
        Bill { fresh, cached, written, text, reasoning }
    }
}

/// A provider's whole response with this usage.
fn body(provider: Dialect, (name, member): (&str, Value)) -> TestResult<Vec<u8>> {
    let response = Response {
        id: "a".to_owned(),
        model: "m".to_owned(),
        parts: vec![Part::text("a")],
        finish: FinishReason::Stop,
        usage: None,
    };
    let written = provider
        .codec()
        .encode_response(&response, &response_context());
    let mut value: Value =
        serde_json::from_slice(&written).map_err(|error| failed(provider, error))?;
    value[name] = member;
    Ok(value.to_string().into_bytes())
}

/// The sum of the counts that a client pays for, by the arithmetic of its dialect.
fn paid(client: Dialect, body: &Value) -> u64 {
    let usage = match client {
        Dialect::Gemini => &body["usageMetadata"],
        _ => &body["usage"],
    };
    let sum = |names: &[&str]| names.iter().filter_map(|name| usage[name].as_u64()).sum();
    match client {
        Dialect::AnthropicMessages => sum(&[
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
        ]),
        Dialect::Gemini => sum(&[
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
        ]),
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => {
            sum(&["prompt_tokens", "completion_tokens"])
        }
        Dialect::OpenaiResponses => sum(&["input_tokens", "output_tokens"]),
    }
}

/// The usage of a translated stream, and the one that its client reads.
fn streamed(
    client: Dialect,
    provider: Dialect,
    response: &Response,
) -> TestResult<(Option<Usage>, Option<Usage>)> {
    let context = response_context();
    let mut written = Vec::new();
    let mut encoder = provider.codec().encoder(context.clone());
    for event in response.events() {
        encoder.event(&event, &mut written);
    }
    let mut translator = Translator::new(provider, client, context);
    let mut frames = Vec::new();
    for frame in &written {
        translator.translate_event(&frame.name, &frame.data, &mut frames);
    }
    translator.finish(&mut frames);
    let mut observer = client.codec().observer();
    for frame in &frames {
        observer.observe(&frame.name, &frame.data);
    }
    Ok((translator.usage(), observer.usage()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn usage_is_conserved(bill in bill(), beside in any::<bool>()) {
        for provider in DIALECTS {
            let body = body(provider, bill.member(provider, beside))?;
            let response = provider.codec().decode_response(&body)
                .map_err(|error| failed(provider, error))?;
            let usage = response.usage.unwrap_or_default();
            prop_assert_eq!(usage.input + usage.output, bill.total(), "{}", provider);
            prop_assert_eq!(usage.reasoning, bill.reasoning, "{}", provider);
            prop_assert_eq!(usage.cached_input, bill.cached, "{}", provider);
            if provider != Dialect::Gemini {
                prop_assert_eq!(usage.cache_write_input, bill.written, "{}", provider);
            }
            for client in DIALECTS {
                let written = client.codec().encode_response(&response, &response_context());
                let value: Value = serde_json::from_slice(&written)
                    .map_err(|error| failed(client, error))?;
                prop_assert_eq!(paid(client, &value), bill.total(), "{} from {}", client, provider);
                let back = client.codec().decode_response(&written)
                    .map_err(|error| failed(client, error))?;
                let (reported, read) = streamed(client, provider, &response)?;
                prop_assert_eq!(reported, Some(usage), "{} from {}", client, provider);
                prop_assert_eq!(read, back.usage, "{} from {}", client, provider);
            }
        }
    }
}
