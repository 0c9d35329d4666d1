//! Translating there and back is the identity on what two dialects have in common: for requests, for
//! whole answers and for streams, between all pairs.

mod requests;
mod responses;
mod signatures;
mod streams;

use jackfield_dialect::ir::{
    Effort, Part, Reasoning, Request, ResponseContext, Role, TranslationReport, Turn,
};
use jackfield_dialect::{Dialect, RequestHead};
use proptest::prelude::*;

/// The dialects of conversations. Text completions have tests of their own.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// How often each property is tried: every case goes through all sixteen pairs.
const CASES: u32 = 96;

type TestResult<T> = Result<T, TestCaseError>;

/// What a test fails with, and where it was.
fn failed(place: impl std::fmt::Display, what: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(format!("{place}: {what}"))
}

/// All ordered pairs.
fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let with_all = |first| DIALECTS.map(move |second| (first, second));
    DIALECTS.into_iter().flat_map(with_all)
}

/// What a client of a dialect that asked like this is owed.
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

/// A request written in a dialect and read again, both without a warning.
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
        .encode_request(request, report)
        .map_err(failure)?;
    let head = RequestHead::from_path(&request.model, request.stream);
    let head = head.map_err(|error| failed(dialect, error))?;
    dialect
        .codec()
        .decode_request(&body, &head, report)
        .map_err(failure)
}

/// Some are told an effort, some a budget: what is meant stays the same.
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
                requests::normalize(&back), requests::normalize(&request), "{} by way of {}", first, second
            );
        }
    }
}
