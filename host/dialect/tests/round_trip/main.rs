//! For all pairs of dialects: translating a request, a whole response or a stream to the other dialect and
//! back changes nothing that both dialects can express.

mod requests;
mod responses;
mod signatures;
mod streams;
mod usage;

use jackfield_dialect::ir::{
    Effort, Part, Reasoning, Request, ResponseContext, Role, TranslationReport, Turn,
};
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Dialect, RequestHead};
use proptest::prelude::*;

/// The chat dialects. Text completions have separate tests.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// The number of cases for each property. Every case goes through all sixteen pairs.
const CASES: u32 = 96;

type TestResult<T> = Result<T, TestCaseError>;

/// Returns a test failure with its place.
fn failed(place: impl std::fmt::Display, what: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(format!("{place}: {what}"))
}

/// Returns all ordered pairs of dialects.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let with_all = |first| DIALECTS.map(move |second| (first, second));
    DIALECTS.into_iter().flat_map(with_all)
}

/// Returns the context in which responses are encoded.
fn response_context() -> ResponseContext {
    ResponseContext {
        id: "call-1".to_owned(),
        created: 1_780_000_000,
        model: "m".to_owned(),
        include_usage: true,
        custom_tools: vec![requests::CUSTOM.to_owned()],
        ..ResponseContext::default()
    }
}

/// Encodes a request in a dialect and decodes it again. Fails on warnings.
fn recode_request(dialect: Dialect, request: &Request) -> TestResult<Request> {
    let mut report = TranslationReport::default();
    let read = encode_and_decode(dialect, request, &mut report)?;
    prop_assert_eq!(report.warnings(), &[], "{}", dialect);
    Ok(read)
}

fn encode_and_decode(
    dialect: Dialect,
    request: &Request,
    report: &mut TranslationReport,
) -> TestResult<Request> {
    let failure = |error| failed(dialect, error);
    let body = dialect
        .codec()
        .encode_request(request, &Traits::everything(), report)
        .map_err(failure)?;
    let head = RequestHead::from_path(&request.model, request.stream);
    let head = head.map_err(|error| failed(dialect, error))?;
    dialect
        .codec()
        .decode_request(&body, &head, report)
        .map_err(failure)
}

/// Some dialects carry an effort, others a token budget. Conversion must preserve the effort.
#[test]
fn efforts_round_trip() -> TestResult<()> {
    let effective_effort = |request: &Request| {
        let reasoning = request.reasoning?;
        let of_budget = reasoning.budget_tokens.map(Effort::from_budget);
        reasoning.effort.or(of_budget)
    };
    for (first, second) in pairs() {
        for effort in [Effort::None, Effort::Low, Effort::Medium, Effort::High] {
            let reasoning = Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            };
            let mut request = Request {
                model: "m".to_owned(),
                turns: vec![Turn {
                    role: Role::User,
                    parts: vec![Part::text("a")],
                }],
                reasoning: Some(reasoning),
                ..Request::default()
            };
            request.sampling.tokens_max = Some(99_999);
            for dialect in [first, second, first] {
                request = encode_and_decode(dialect, &request, &mut TranslationReport::default())?;
                prop_assert_eq!(
                    effective_effort(&request),
                    Some(effort),
                    "{} and {}",
                    first,
                    second
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn requests_round_trip(generated in requests::request()) {
        for (first, second) in pairs() {
            let request = requests::common(&generated, &[first, second]);
            let once = recode_request(first, &request)?;
            prop_assert_eq!(requests::normalize(&once), requests::normalize(&request), "{}", first);
            let there = recode_request(second, &once)?;
            let back = recode_request(first, &there)?;
            prop_assert_eq!(
                requests::normalize(&back), requests::normalize(&request), "{} via {}", first, second
            );
        }
    }
}
