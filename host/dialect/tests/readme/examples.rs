//! The least requests with one thing in them that some provider cannot be told.

use jackfield_dialect::Dialect;
use jackfield_dialect::ir::{
    Citation, Effort, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request, Role,
    Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use serde_json::{Value, json};

use crate::DIALECTS;

/// Something in a request.
pub(crate) struct Example {
    /// What it is, as the tables have it.
    pub(crate) name: &'static str,
    /// Whose clients say it, where it does not suffice that their dialect carries it.
    pub(crate) clients: Option<&'static [Dialect]>,
    put: fn(&mut Request),
}

impl Example {
    /// The request with it in it.
    pub(crate) fn request(&self) -> Request {
        let mut request = Request {
            model: "m".to_owned(),
            include_usage: true,
            turns: vec![turn(Role::User, Part::text("a"))],
            ..Request::default()
        };
        request.sampling.tokens_max = Some(9_999);
        (self.put)(&mut request);
        request
    }
}

const fn example(name: &'static str, put: fn(&mut Request)) -> Example {
    Example {
        name,
        clients: None,
        put,
    }
}

/// What a provider made: clients of every dialect keep it.
const fn from_all_clients(name: &'static str, put: fn(&mut Request)) -> Example {
    Example {
        name,
        clients: Some(&DIALECTS),
        put,
    }
}

/// What others carry in their own way, without a word for it.
const fn from_openai_clients(name: &'static str, put: fn(&mut Request)) -> Example {
    Example {
        name,
        clients: Some(&[Dialect::OpenaiChat, Dialect::OpenaiResponses]),
        put,
    }
}

/// Everything, in the order of the tables.
pub(crate) const EXAMPLES: &[Example] = &[
    example("instructions inside of the conversation", |request| {
        request.turns.extend([
            turn(Role::Assistant, Part::text("b")),
            turn(Role::System, Part::text("c")),
            turn(Role::User, Part::text("d")),
        ]);
    }),
    example("`detail` of an image", |request| {
        let image = media("image/png", MediaSource::Base64("iVBORw0KGgo=".to_owned()));
        let detail = Some("high".to_owned());
        add_part(request, Part::Image(Media { detail, ..image }));
    }),
    example("audio (WAV)", |request| {
        let audio = media("audio/wav", MediaSource::Base64("AAAA".to_owned()));
        add_part(request, Part::Audio(audio));
    }),
    example("title or file name of a document", |request| {
        let pdf = media("application/pdf", MediaSource::Base64("AAAA".to_owned()));
        let title = Some("a.pdf".to_owned());
        add_part(request, Part::Document(Media { title, ..pdf }));
    }),
    example("document by URL", |request| {
        let url = MediaSource::Url("https://a.example/a.pdf".to_owned());
        let media_type = None;
        add_part(
            request,
            Part::Document(Media {
                media_type,
                ..media("", url)
            }),
        );
    }),
    example("tool error", |request| {
        add_tool_result(request, true, vec![Part::text("no such file")]);
    }),
    example("image in a tool result", |request| {
        let image = media("image/png", MediaSource::Base64("iVBORw0KGgo=".to_owned()));
        add_tool_result(request, false, vec![Part::text("r"), Part::Image(image)]);
    }),
    example("image from the model", |request| {
        let image = media("image/png", MediaSource::Base64("iVBORw0KGgo=".to_owned()));
        request
            .turns
            .push(turn(Role::Assistant, Part::Image(image)));
        request.turns.push(turn(Role::User, Part::text("b")));
    }),
    from_all_clients("reasoning of another provider", |request| {
        let reasoning = ReasoningPart {
            text: "hm".to_owned(),
            signature: Some(foreign()),
            redacted: false,
        };
        let mut assistant = turn(Role::Assistant, Part::Reasoning(reasoning));
        assistant.parts.push(Part::text("b"));
        request
            .turns
            .extend([assistant, turn(Role::User, Part::text("c"))]);
    }),
    from_all_clients("signature of another provider's call", |request| {
        add_tool_result(request, false, vec![Part::text("r")]);
        if let Some(Part::ToolCall(call)) = request.turns[1].parts.first_mut() {
            call.signature = Some(foreign());
        }
    }),
    from_all_clients("citations of another provider", |request| {
        let citation = Citation {
            url: Some("https://a.example".to_owned()),
            title: None,
            quoted: None,
            span: None,
            raw: Value::Null,
        };
        let text = Part::Text {
            text: "b".to_owned(),
            citations: vec![citation],
        };
        request.turns.push(turn(Role::Assistant, text));
        request.turns.push(turn(Role::User, Part::text("c")));
    }),
    from_openai_clients("custom tools (bare text)", |request| {
        request.tools = vec![tool("t", ToolKind::Custom(None))];
    }),
    example("`strict` of a tool", |request| {
        request.tools = vec![Tool {
            strict: Some(true),
            ..tool("t", ToolKind::Function(Some(object())))
        }];
    }),
    example("tool choice among some of the tools", |request| {
        let function = || ToolKind::Function(Some(object()));
        request.tools = vec![tool("t", function()), tool("u", function())];
        let names = vec!["t".to_owned()];
        request.tool_choice = Some(ToolChoice::Allowed {
            names,
            required: true,
        });
    }),
    example("no parallel calls", |request| {
        request.tools = vec![tool("t", ToolKind::Function(Some(object())))];
        request.tool_choice = Some(ToolChoice::Auto);
        request.parallel_tools = Some(false);
    }),
    example("JSON without a schema", |request| {
        request.format = Format::Json;
    }),
    from_openai_clients("description of a schema", |request| {
        request.format = Format::Schema {
            name: Some("answer".to_owned()),
            description: Some("d".to_owned()),
            schema: object(),
            strict: Some(true),
        };
    }),
    example("`stop`", |request| request.stop = vec!["END".to_owned()]),
    example("five stop sequences", |request| {
        request.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    }),
    example("temperature above 1", |request| {
        request.sampling.temperature = Some(1.5);
    }),
    example("`top_k`", |request| request.sampling.top_k = Some(5)),
    example("`seed`", |request| request.sampling.seed = Some(5)),
    example("`presence_penalty`", |request| {
        request.sampling.presence_penalty = Some(0.5);
    }),
    example("`frequency_penalty`", |request| {
        request.sampling.frequency_penalty = Some(0.5);
    }),
    example("fewer than 16 output tokens", |request| {
        request.sampling.tokens_max = Some(9);
    }),
    from_openai_clients("reasoning effort", |request| {
        set_reasoning(request, Some(Effort::High), None, None)
    }),
    from_openai_clients("minimal reasoning effort", |request| {
        set_reasoning(request, Some(Effort::Minimal), None, None);
    }),
    example("reasoning budget with the reasoning shown", |request| {
        set_reasoning(request, None, Some(2_000), Some(true));
    }),
    example("reasoning shown", |request| {
        set_reasoning(request, None, None, Some(true));
    }),
    example("end user", |request| request.user = Some("u".to_owned())),
    example("`service_tier: default`", |request| {
        openai(request, "service_tier", json!("default"))
    }),
    example("`store: true`", |request| {
        openai(request, "store", json!(true))
    }),
    example("`metadata`", |request| {
        openai(request, "metadata", json!({"a": "b"}))
    }),
    example("`verbosity`", |request| {
        openai(request, "verbosity", json!("low"))
    }),
    example("`prompt_cache_key`", |request| {
        openai(request, "prompt_cache_key", json!("k"))
    }),
];

fn turn(role: Role, part: Part) -> Turn {
    Turn {
        role,
        parts: vec![part],
    }
}

fn add_part(request: &mut Request, part: Part) {
    request.turns[0].parts.push(part);
}

fn media(media_type: &str, source: MediaSource) -> Media {
    Media {
        media_type: Some(media_type.to_owned()),
        source,
        detail: None,
        title: None,
    }
}

/// By a provider that takes no part in the test.
fn foreign() -> Signature {
    Signature {
        origin: Dialect::OpenaiCompletions,
        data: "s".to_owned(),
    }
}

fn add_tool_result(request: &mut Request, is_error: bool, parts: Vec<Part>) {
    request.tools = vec![tool("t", ToolKind::Function(Some(object())))];
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "t".to_owned(),
        arguments: "{}".to_owned(),
        signature: None,
    };
    let result = ToolResult {
        call_id: "call_1".to_owned(),
        name: Some("t".to_owned()),
        parts,
        is_error,
    };
    request.turns.extend([
        turn(Role::Assistant, Part::ToolCall(call)),
        turn(Role::User, Part::ToolResult(result)),
    ]);
}

fn object() -> Value {
    json!({
        "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false,
    })
}

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        kind,
        strict: None,
    }
}

fn set_reasoning(
    request: &mut Request,
    effort: Option<Effort>,
    budget_tokens: Option<u64>,
    shown: Option<bool>,
) {
    request.reasoning = Some(Reasoning {
        effort,
        budget_tokens,
        shown,
    });
}

fn openai(request: &mut Request, name: &str, value: Value) {
    request.openai.insert(name.to_owned(), value);
}
