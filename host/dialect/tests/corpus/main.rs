//! Runs every case of `tests/cases/wild`: the client's request as the provider gets it, and the provider's
//! response as clients of all dialects get it, whole and as a stream, however its bytes are split.
//! `tests/cases/wild/README.md` describes the files.

mod request;
mod stream;
mod whole;

use std::error::Error;

use jackfield_corpus::{Case, Expectations, cases};
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{
    Dialect, ProviderError, RequestHead, TranslatedRequest, TranslationInput,
    translate_error_response,
};

use stream::EventText;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The dialects of chats. Text completions are older than most of what the cases are about.
const CLIENTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

#[test]
fn wild_cases_have_the_expected_results() -> Outcome<()> {
    let mut differences = Vec::new();
    for case in cases()? {
        let found = run(&case).map_err(|error| format!("{}: {error}", case.name))?;
        differences.extend(found);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    Ok(())
}

fn run(case: &Case) -> Outcome<Vec<String>> {
    let provider = Dialect::parse(&case.provider).ok_or("no such dialect")?;
    let mut expectations = case.expectations()?;
    let own = request::check(case, provider, &mut expectations)?;
    whole::check_relay(case, provider, &mut expectations);
    let events = match &case.stream {
        Some(stream) => stream::events(&stream.body)?,
        None => Vec::new(),
    };
    stream::check_relay(case, provider, &events, &mut expectations);
    for client in CLIENTS {
        let plain = plain_request(client, provider)?;
        let request = match &own {
            Some((dialect, request)) if *dialect == client => request,
            _ => &plain,
        };
        let exchange = Exchange {
            case,
            client,
            provider,
            request,
            events: &events,
        };
        exchange.check(&mut expectations)?;
    }
    Ok(expectations.finish()?)
}

/// A case at a client of one dialect.
struct Exchange<'a> {
    case: &'a Case,
    client: Dialect,
    provider: Dialect,
    /// What the response is translated with.
    request: &'a TranslatedRequest,
    /// The events of the provider's stream.
    events: &'a [EventText],
}

/// Why a provider's response is no success for the client.
enum Failure {
    /// The provider reports an error, with this status of its response.
    Error(u16, ProviderError),
    /// The response is unusable, for this reason.
    Unusable(&'static str),
}

impl Exchange<'_> {
    fn check(&self, expectations: &mut Expectations) -> Outcome<()> {
        let relayed = self.client == self.provider;
        match (&self.case.response, &self.case.stream) {
            (Some(response), _) if !relayed => {
                let whole = whole::translate(self, response)?;
                self.report("json", "error.json", whole, expectations)?;
            }
            (None, Some(_)) => {
                let whole = whole::collect(self)?;
                self.report("json", "error.json", whole, expectations)?;
            }
            _ => {}
        }
        match (&self.case.response, &self.case.stream) {
            (_, Some(_)) if !relayed => {
                let text = stream::translate(self)?;
                self.report("sse", "stream-error.json", text, expectations)?;
            }
            (Some(response), None) if response.status() == Some(200) => {
                let text = stream::translate_whole(self, response)?;
                self.report("sse", "stream-error.json", text, expectations)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Compares what the client gets, or the failure.
    fn report(
        &self,
        success: &str,
        failure: &str,
        found: Result<Vec<u8>, Failure>,
        expectations: &mut Expectations,
    ) -> Outcome<()> {
        let file = |suffix: &str| format!("{}.{suffix}", self.client);
        match found {
            Ok(body) if success == "json" => expectations.check_json(&file(success), &body)?,
            Ok(body) => expectations.check_text(&file(success), &String::from_utf8(body)?),
            Err(error) => expectations.check_json(&file(failure), &self.failure(&error)?)?,
        }
        Ok(())
    }

    /// Renders a failure: its class, and what the client gets if no other credential serves the call.
    fn failure(&self, failure: &Failure) -> Outcome<Vec<u8>> {
        let value = match failure {
            Failure::Unusable(reason) => serde_json::json!({ "unusable": reason }),
            Failure::Error(status, error) => {
                let (for_client, body) = translate_error_response(self.client, *status, error);
                let body: serde_json::Value = serde_json::from_slice(&body)?;
                let class = error.class(Some(*status)).name();
                serde_json::json!({ "class": class, "status": for_client, "body": body })
            }
        };
        Ok(serde_json::to_vec(&value)?)
    }
}

/// Writes an error as the host reads it: its class, and the members that there are.
fn error_text(status: Option<u16>, error: &ProviderError) -> String {
    let mut text = format!(
        "error: {}\nmessage: {:?}\n",
        error.class(status).name(),
        error.message
    );
    let members = [
        ("kind", &error.kind),
        ("code", &error.code),
        ("param", &error.param),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            text += &format!("{name}: {value}\n");
        }
    }
    text
}

/// A short request of a client, for responses to requests that a case does not have.
fn plain_request(client: Dialect, provider: Dialect) -> Outcome<TranslatedRequest> {
    let body = match client {
        Dialect::AnthropicMessages => {
            r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#
        }
        Dialect::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        Dialect::OpenaiChat => {
            r#"{"model":"m","stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#
        }
        Dialect::OpenaiCompletions => r#"{"model":"m","prompt":"hi"}"#,
        Dialect::OpenaiResponses => r#"{"model":"m","input":"hi"}"#,
    };
    let head = RequestHead::from_path("m", false)?;
    let input = TranslationInput {
        dialect: client,
        body: body.as_bytes(),
        head: &head,
        model: "m",
        traits: &Traits::everything(),
        thinking: None,
        id: ID,
        created: CREATED,
    };
    if client == provider {
        return Ok(TranslatedRequest::same_dialect(&input));
    }
    Ok(TranslatedRequest::translate_content(&input, provider)?)
}

/// The id of all calls.
const ID: &str = "call-1";
/// When all calls arrived, in seconds since the Unix epoch.
const CREATED: u64 = 1_780_000_000;
