//! Generates requests, and reduces them to what all of some dialects can express.

use jackfield_dialect::Dialect;
use jackfield_dialect::ir::{
    Effort, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request, Role, Sampling,
    Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use Dialect::{AnthropicMessages, Gemini, OpenaiChat, OpenaiResponses};

/// The name of the only custom tool.
pub(crate) const CUSTOM: &str = "bare";

/// The name that an encoder gives to an unnamed format, in dialects that require a name.
const FORMAT_NAME: &str = "answer";

prop_compose! {
    /// Returns a request with all features that at least two dialects support.
    pub(crate) fn request()(
        (stream, user) in (any::<bool>(), option::of(word())),
        system in vec(text(), 0..3),
        turns in turns(),
        (tools, tool_choice, parallel_tools) in tools(),
        (format, stop) in (format(), vec(word(), 0..4)),
        sampling in sampling(),
        think in any::<bool>(),
        openai in option::of(select(vec!["metadata", "service_tier", "verbosity"])),
    ) -> Request {
        let reasoning = think.then_some(Reasoning {
            effort: Some(Effort::None),
            ..Reasoning::default()
        });
        let openai = openai.map(|name| (name.to_owned(), json!("low")));
        Request {
            model: "m".to_owned(),
            stream,
            include_usage: true,
            system, turns, tools, tool_choice, parallel_tools, format, stop, sampling, reasoning, user,
            openai: openai.into_iter().collect(),
            ..Request::default()
        }
    }
}

/// Generates names and stop sequences. They contain no white space, because some APIs do not accept a stop
/// sequence of white space only.
fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,8}"
}

fn text() -> impl Strategy<Value = Part> {
    "[ -~é\n\u{1F600}]{0,8}[a-z]".prop_map(Part::text)
}

fn media() -> impl Strategy<Value = Part> {
    let of = |media_type: &str, source| Media {
        media_type: Some(media_type.to_owned()),
        source,
        detail: None,
        title: None,
    };
    let data = || "([A-Za-z0-9+/]{4}){1,3}".prop_map(MediaSource::Base64);
    // The file extension marks the URL as an image in dialects that carry no media type.
    let url = "https://[a-z]{1,8}\\.example/x\\.png".prop_map(MediaSource::Url);
    prop_oneof![
        (select(vec!["image/png", "image/webp"]), data())
            .prop_map(move |(kind, source)| Part::Image(of(kind, source))),
        url.prop_map(move |source| Part::Image(of("image/png", source))),
        data().prop_map(move |source| Part::Document(of("application/pdf", source))),
        "[a-z]{1,8}"
            .prop_map(move |text| Part::Document(of("text/plain", MediaSource::Text(text)))),
        data().prop_map(move |source| Part::Audio(of("audio/wav", source))),
    ]
}

/// The contents of one exchange. Its calls do not have ids yet.
#[derive(Clone, Debug)]
struct Exchange {
    user_content: Vec<Part>,
    reasoning_part: Option<Part>,
    assistant_text: Part,
    calls: Vec<(ToolCall, ToolResult)>,
    instruction: Option<Part>,
}

fn reasoning_part() -> impl Strategy<Value = Part> {
    ("[a-z ]{1,8}", "[a-z]{4,8}").prop_map(|(text, data)| {
        let signature = Signature {
            origin: AnthropicMessages,
            data,
        };
        Part::Reasoning(ReasoningPart {
            text,
            signature: Some(signature),
            redacted: false,
        })
    })
}

fn call() -> impl Strategy<Value = (ToolCall, ToolResult)> {
    let shown = (text(), option::of(media()));
    (word(), "[ -~é]{0,9}", shown, any::<bool>()).prop_map(|(name, value, shown, is_error)| {
        let parts = [shown.0].into_iter().chain(shown.1).collect();
        let call = ToolCall {
            id: String::new(),
            name: name.clone(),
            arguments: json!({"a": {"b": [value, 1, null]}}).to_string(),
            signature: None,
        };
        let result = ToolResult {
            call_id: String::new(),
            name: Some(name),
            parts,
            is_error,
        };
        (call, result)
    })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let more = vec(prop_oneof![text(), media()], 0..3);
    // At least one text, so that no turn is empty after `common` removes unsupported parts.
    let user_content = (text(), more).prop_map(|(first, more)| [vec![first], more].concat());
    let rest = (
        option::of(reasoning_part()),
        text(),
        vec(call(), 0..3),
        option::of(text()),
    );
    (user_content, rest).prop_map(
        |(user_content, (reasoning_part, assistant_text, calls, instruction))| Exchange {
            user_content,
            reasoning_part,
            assistant_text,
            calls,
            instruction,
        },
    )
}

/// Generates alternating turns of the user and the assistant. Each call has its result in the next turn.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    (vec(exchange(), 0..3), text()).prop_map(|(exchanges, last)| {
        let (mut turns, mut user_parts) = (Vec::new(), Vec::new());
        for (place, exchange) in exchanges.into_iter().enumerate() {
            user_parts.extend(exchange.user_content);
            turns.push(turn(Role::User, std::mem::take(&mut user_parts)));
            turns.extend(
                exchange
                    .instruction
                    .map(|part| turn(Role::System, vec![part])),
            );
            let mut assistant_parts: Vec<Part> = exchange.reasoning_part.into_iter().collect();
            assistant_parts.push(exchange.assistant_text);
            for (index, (mut call, mut result)) in exchange.calls.into_iter().enumerate() {
                call.id = format!("call_{place}_{index}");
                result.call_id.clone_from(&call.id);
                assistant_parts.push(Part::ToolCall(call));
                user_parts.push(Part::ToolResult(result));
            }
            turns.push(turn(Role::Assistant, assistant_parts));
        }
        user_parts.push(last);
        turns.push(turn(Role::User, user_parts));
        turns
    })
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

type Tools = (Vec<Tool>, Option<ToolChoice>, Option<bool>);

fn tools() -> impl Strategy<Value = Tools> {
    let described = (option::of("[ -~]{1,9}"), option::of(any::<bool>()));
    let parallel = option::of(any::<bool>());
    (described, 0..8_usize, parallel).prop_map(|((description, strict), kind, parallel)| {
        let names = || vec!["look".to_owned(), "seek".to_owned()];
        let schema = json!({
            "type": "object", "properties": {"a": {"type": ["string", "null"]}},
            "required": ["a"], "additionalProperties": false,
        });
        let tool = |name: &str, kind, strict| Tool {
            name: name.to_owned(),
            description: description.clone(),
            kind,
            strict,
        };
        let function = || ToolKind::Function(Some(schema.clone()));
        let tools = vec![
            tool("look", function(), strict),
            tool("seek", function(), None),
            tool(CUSTOM, ToolKind::Custom(None), None),
        ];
        let choice = match kind {
            0 => return (Vec::new(), None, None),
            1 => None,
            2 => Some(ToolChoice::Auto),
            3 => Some(ToolChoice::None),
            4 => Some(ToolChoice::Required),
            5 => Some(ToolChoice::Named("look".to_owned())),
            _ => Some(ToolChoice::Allowed {
                names: names(),
                required: kind == 6,
            }),
        };
        (tools, choice, parallel)
    })
}

fn format() -> impl Strategy<Value = Format> {
    let schema = (word(), option::of(any::<bool>())).prop_map(|(name, strict)| Format::Schema {
        name: Some(name),
        description: None,
        schema: json!({
            "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
            "additionalProperties": false,
        }),
        strict,
    });
    prop_oneof![Just(Format::Text), Just(Format::Json), schema]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let quarters = |range: std::ops::RangeInclusive<i32>| {
        option::of(range.prop_map(|quarters| f64::from(quarters) / 4.0))
    };
    let generated = (
        quarters(0..=4),
        quarters(0..=4),
        quarters(-8..=8),
        quarters(-8..=8),
    );
    let whole = (
        option::of(1..100_u64),
        16..9_999_u64,
        option::of(any::<i32>()),
    );
    (generated, whole).prop_map(|(generated, (top_k, tokens_max, seed))| Sampling {
        temperature: generated.0,
        top_p: generated.1,
        top_k,
        tokens_max: Some(tokens_max),
        presence_penalty: generated.2,
        frequency_penalty: generated.3,
        seed: seed.map(i64::from),
    })
}

/// Returns the request reduced to what all of these dialects can express.
pub(crate) fn common(generated: &Request, dialects: &[Dialect]) -> Request {
    let none_is = |others: &[Dialect]| dialects.iter().all(|dialect| !others.contains(dialect));
    let mut request = generated.clone();
    let sampling = &mut request.sampling;
    sampling.top_k = sampling
        .top_k
        .filter(|_| none_is(&[OpenaiChat, OpenaiResponses]));
    if !none_is(&[AnthropicMessages, OpenaiResponses]) {
        (
            sampling.seed,
            sampling.presence_penalty,
            sampling.frequency_penalty,
        ) = (None, None, None);
    }
    if !none_is(&[OpenaiResponses]) {
        request.stop.clear();
    }
    if !none_is(&[Gemini]) {
        request.user = None;
        request.parallel_tools = None;
    }
    if !none_is(&[AnthropicMessages, Gemini]) {
        request.openai.clear();
        request.turns.retain(|turn| turn.role != Role::System);
        request.tools.retain(|tool| tool.name != CUSTOM);
    }
    if !none_is(&[AnthropicMessages]) {
        if request.format == Format::Json {
            request.format = Format::Text;
        }
        if let Some(ToolChoice::Allowed { .. }) = request.tool_choice {
            request.tool_choice = None;
        }
        if matches!(request.tool_choice, None | Some(ToolChoice::None)) {
            request.parallel_tools = None;
        }
    }
    // Anthropic accepts calls only with tool definitions. Without them, the encoder adds placeholder tools,
    // which would change the request.
    let callable = !request.tools.is_empty() || none_is(&[AnthropicMessages]);
    for turn in &mut request.turns {
        turn.parts.retain(|part| match part {
            Part::ToolCall(_) | Part::ToolResult(_) => callable,
            part => supports(part, dialects),
        });
        for part in &mut turn.parts {
            if let Part::ToolResult(result) = part {
                result.is_error &= none_is(&[OpenaiChat, OpenaiResponses]);
                let inside = |part: &Part| match part {
                    Part::Image(Media { source, .. }) => {
                        none_is(&[OpenaiChat]) && matches!(source, MediaSource::Base64(_))
                    }
                    part => matches!(part, Part::Text { .. }),
                };
                result.parts.retain(inside);
            }
        }
    }
    request
}

/// Returns whether all of these dialects can express a part.
fn supports(part: &Part, dialects: &[Dialect]) -> bool {
    match part {
        Part::Audio(_) => dialects
            .iter()
            .all(|dialect| matches!(dialect, Gemini | OpenaiChat)),
        // OpenAI requires a file name, which Gemini cannot carry.
        Part::Document(_)
            if dialects.contains(&Gemini)
                && dialects
                    .iter()
                    .any(|dialect| matches!(dialect, OpenaiChat | OpenaiResponses)) =>
        {
            false
        }
        Part::Document(media) => {
            !matches!(media.source, MediaSource::Text(_)) || !dialects.contains(&OpenaiChat)
        }
        Part::Reasoning(_) => dialects.iter().all(|dialect| *dialect == AnthropicMessages),
        _ => true,
    }
}

/// Removes the members that dialects express differently and that do not change the meaning of the request.
pub(crate) fn normalize(request: &Request) -> Request {
    let mut request = request.clone();
    request.echo.clear();
    request.include_usage = true;
    for tool in &mut request.tools {
        tool.strict = None;
    }
    // `Auto` is the default in all dialects. A Gemini request may still state it, to carry `strict`.
    request.tool_choice = request
        .tool_choice
        .filter(|choice| *choice != ToolChoice::Auto);
    if let Format::Schema { name, strict, .. } = &mut request.format {
        *name = Some(FORMAT_NAME.to_owned());
        *strict = None;
    }
    for turn in &mut request.turns {
        for part in &mut turn.parts {
            clear_labels(part);
        }
    }
    request
}

/// Removes labels that not all dialects carry: file names, the default `detail` of an image, and the media
/// type of a URL.
fn clear_labels(part: &mut Part) {
    match part {
        Part::Audio(media) | Part::Document(media) | Part::Image(media) => {
            media.title = None;
            media.detail = media.detail.take().filter(|detail| detail != "auto");
            if let MediaSource::Url(_) = media.source {
                media.media_type = None;
            }
        }
        Part::ToolResult(result) => result.parts.iter_mut().for_each(clear_labels),
        _ => {}
    }
}
