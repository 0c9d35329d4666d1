//! The translated bytes: a conversation with tools of any length, and a streamed response, in every dialect.

use jackfield_dialect::Dialect;
use jackfield_dialect::Usage;
use jackfield_dialect::ir::{
    Delta, Event, FinishReason, Part, PartStart, Request, Response, ResponseContext, Role, Tool,
    ToolCall, ToolChoice, ToolKind, ToolResult, TranslationReport, Turn,
};
use jackfield_dialect::traits::Traits;
use serde_json::json;

use crate::Result;

/// A text with escapes and letters beyond ASCII, which make JSON slow to parse.
const TEXT: &str = "The café's door said \"open\", so we went in.\nNobody was there but a cat, asleep on \
                    the counter next to a plate of biscuits; it did not mind us in the least.";

/// Repetitions of the text in the result of a tool: about one KiB, a page of a file.
const REPEATED: usize = 6;

/// Number of deltas of a streamed text, and of the arguments of a call.
const CHUNKS: usize = 60;

/// Returns a request body of about this length, in bytes, or the shortest one with a call and its result.
pub(crate) fn body(dialect: Dialect, length: usize) -> Result<Vec<u8>> {
    let tools = if length < 4 << 10 { 1 } else { 12 };
    let mut request = Request {
        model: "m".to_owned(),
        stream: true,
        include_usage: true,
        system: vec![Part::text(TEXT)],
        tools: (0..tools).map(tool).collect(),
        tool_choice: Some(ToolChoice::Auto),
        ..Request::default()
    };
    request.sampling.tokens_max = Some(4_096);
    request.sampling.temperature = Some(0.5);
    let encode = |request: &Request| {
        dialect.codec().encode_request(
            request,
            &Traits::everything(),
            &mut TranslationReport::default(),
        )
    };
    push_exchange(&mut request, 0, 1);
    let short = encode(&request)?.len();
    push_exchange(&mut request, 1, REPEATED);
    let growth = encode(&request)?.len() - short;
    let more = length.saturating_sub(short) / growth;
    if more == 0 {
        request.turns.truncate(3);
    }
    for place in 2..=more {
        push_exchange(&mut request, place, REPEATED);
    }
    request.turns.push(turn(Role::User, vec![Part::text(TEXT)]));
    merge_turns(&mut request.turns);
    Ok(encode(&request)?)
}

/// Returns a question, a call, and the result of the tool.
fn push_exchange(request: &mut Request, place: usize, repeated: usize) {
    let id = format!("call_{place}");
    let arguments =
        json!({"path": format!("src/file_{place}.rs"), "lines": [1, 200], "exact": true});
    let call = ToolCall {
        id: id.clone(),
        name: "tool_0".to_owned(),
        arguments: arguments.to_string(),
        signature: None,
    };
    let result = ToolResult {
        call_id: id,
        name: Some("tool_0".to_owned()),
        parts: vec![Part::text(TEXT.repeat(repeated))],
        is_error: false,
    };
    request.turns.extend([
        turn(Role::User, vec![Part::text(TEXT)]),
        turn(
            Role::Assistant,
            vec![Part::text(TEXT), Part::ToolCall(call)],
        ),
        turn(Role::User, vec![Part::ToolResult(result)]),
    ]);
    merge_turns(&mut request.turns);
}

/// Joins neighbouring parts of one role to one turn.
fn merge_turns(turns: &mut Vec<Turn>) {
    turns.dedup_by(|later, turn| {
        let same = later.role == turn.role;
        if same {
            turn.parts.append(&mut later.parts);
        }
        same
    });
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn tool(number: usize) -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The file, from the root of the project."},
            "lines": {"type": "array", "items": {"type": "integer"}},
            "exact": {"type": "boolean"},
        },
        "required": ["path", "lines", "exact"],
        "additionalProperties": false,
    });
    Tool {
        name: format!("tool_{number}"),
        description: Some("Reads a file, or a part of it.".to_owned()),
        kind: ToolKind::Function(Some(schema)),
        strict: None,
    }
}

/// Returns a provider's stream: the names and the data of its events.
pub(crate) fn stream(dialect: Dialect) -> Vec<(String, Vec<u8>)> {
    let mut encoder = dialect.codec().encoder(ResponseContext {
        id: "call-1".to_owned(),
        model: "m".to_owned(),
        include_usage: true,
        ..ResponseContext::default()
    });
    let mut frames = Vec::new();
    for event in events() {
        encoder.event(&event, &mut frames);
    }
    let frames = frames.into_iter();
    frames
        .map(|frame| (frame.name.into_owned(), frame.data))
        .collect()
}

/// Returns text and calls in deltas of about ten bytes, as models stream them.
fn events() -> Vec<Event> {
    let usage = Usage {
        input: 900,
        output: 300,
        cached_input: 512,
        cache_write_input: 0,
        reasoning: 60,
    };
    let mut events = vec![Event::Start {
        id: "answer".to_owned(),
        model: "m".to_owned(),
    }];
    let mut part = |start, piece: fn(usize) -> Delta| {
        events.push(Event::PartStart(start));
        events.extend((0..CHUNKS).map(|place| Event::Delta(piece(place))));
        events.push(Event::PartEnd);
    };
    part(PartStart::Reasoning { redacted: false }, |place| {
        Delta::Reasoning(format!(" thought {place}"))
    });
    part(PartStart::Text, |place| {
        Delta::Text(format!(" \"wörd\" {place}\n"))
    });
    for call in 0..2 {
        let start = PartStart::ToolCall {
            id: format!("call_{call}"),
            name: "tool_0".to_owned(),
            signature: None,
        };
        part(start, |place| {
            Delta::Arguments(match place {
                0 => "{\"numbers\":[0".to_owned(),
                place if place + 1 == CHUNKS => "]}".to_owned(),
                place => format!(", {place}"),
            })
        });
    }
    let end = Response {
        finish: FinishReason::ToolCalls,
        usage: Some(usage),
        ..Response::default()
    };
    events.extend(end.events().into_iter().skip(1));
    events
}
