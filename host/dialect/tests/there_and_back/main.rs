//! Translating there and back is the identity on what two dialects have in common: for requests, for
//! whole answers and for streams, between all pairs.

mod answers;
mod handed_back;
mod requests;
mod streams;

use jackfield_dialect::interlingua::{Effort, TranslationReport, ResponseContext, Part, Reasoning, Request, Role, Turn};
use jackfield_dialect::{RequestHead, Dialect};
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

type Tried<T> = Result<T, TestCaseError>;

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
fn owed() -> ResponseContext {
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
fn said_in(dialect: Dialect, request: &Request) -> Tried<Request> {
    let mut notes = TranslationReport::default();
    let read = written_and_read(dialect, request, &mut notes)?;
    prop_assert_eq!(notes.warnings(), &[], "{}", dialect);
    Ok(read)
}

fn written_and_read(dialect: Dialect, request: &Request, notes: &mut TranslationReport) -> Tried<Request> {
    let wrong = |refusal| failed(dialect, refusal);
    let body = dialect.encode_request(request, notes).map_err(wrong)?;
    let asked = RequestHead::from_path(&request.model, request.stream);
    let asked = asked.map_err(|error| failed(dialect, error))?;
    dialect.decode_request(&body, &asked, notes).map_err(wrong)
}

/// Some are told an effort, some a budget: what is meant stays the same.
#[test]
fn efforts_come_back_as_they_were() -> Tried<()> {
    let meant = |request: &Request| {
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
                request = written_and_read(dialect, &request, &mut TranslationReport::default())?;
                prop_assert_eq!(meant(&request), Some(effort), "{} and {}", first, second);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn requests_come_back_as_they_were(drawn in requests::request()) {
        for (first, second) in pairs() {
            let request = requests::common(&drawn, &[first, second]);
            let once = said_in(first, &request)?;
            prop_assert_eq!(requests::plain(&once), requests::plain(&request), "{}", first);
            let there = said_in(second, &once)?;
            let back = said_in(first, &there)?;
            prop_assert_eq!(
                requests::plain(&back), requests::plain(&request), "{} by way of {}", first, second
            );
        }
    }
}
