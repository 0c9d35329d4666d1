//! Tests of shaping: whatever the traits, the encoded request obeys them.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::ir::{
    Effort, Format, Media, MediaSource, Part, Reasoning, Request, Role, Tool, ToolCall, ToolChoice,
    ToolKind, ToolResult, TranslationReport, Turn,
};
use crate::traits::{
    ContentForm, EffortWord, FirstTurn, ImagePlaces, LastTurn, NameAlphabet, ReasoningRequest,
    ResponseFormats, SamplingMembers, SystemMessages, TokenLimitMember, ToolChoiceWords, Traits,
};
use crate::{Dialect, RequestHead};

prop_compose! {
    fn traits()(
        content in select(vec![ContentForm::List, ContentForm::Text]),
        system in select(vec![SystemMessages::Anywhere, SystemMessages::First, SystemMessages::None]),
        (first_turn, last_turn) in (
            select(vec![FirstTurn::Any, FirstTurn::User]),
            select(vec![LastTurn::Any, LastTurn::User]),
        ),
        images in select(vec![ImagePlaces::None, ImagePlaces::UserTurns]),
        token_limit in select(vec![TokenLimitMember::MaxTokens, TokenLimitMember::MaxCompletionTokens]),
        sampling in select(vec![
            SamplingMembers::All, SamplingMembers::None, SamplingMembers::One,
            SamplingMembers::WithoutPenalties, SamplingMembers::WithoutReasoning,
        ]),
        (stop_texts_max, custom_tools, schema_properties_required) in (0..5_u16, any::<bool>(), any::<bool>()),
        tool_choice in select(vec![
            ToolChoiceWords::All, ToolChoiceWords::Auto, ToolChoiceWords::Required, ToolChoiceWords::WithoutAllowed,
        ]),
        (tool_name_chars_max, call_id_chars_max) in (12..70_u16, 9..50_u16),
        alphabet in select(vec![NameAlphabet::Any, NameAlphabet::Word, NameAlphabet::WordAfterLetter]),
        call_id_alphabet in select(vec![NameAlphabet::Any, NameAlphabet::Alphanumeric]),
        reasoning_request in select(vec![ReasoningRequest::Effort, ReasoningRequest::None, ReasoningRequest::Thinking]),
        efforts in select(vec![vec![], vec![EffortWord::Low, EffortWord::High]]),
        response_formats in select(vec![ResponseFormats::JsonObject, ResponseFormats::Schema, ResponseFormats::Text]),
        (strict, members) in (any::<bool>(), any::<bool>()),
    ) -> Traits {
        Traits {
            content, system, first_turn, last_turn, images, token_limit, sampling, stop_texts_max, custom_tools,
            schema_properties_required, tool_choice, tool_name_chars_max, call_id_chars_max,
            tool_name_alphabet: alphabet, call_id_alphabet, reasoning_request, efforts, response_formats, strict,
            parallel_tool_calls: members, service_tier: members, prompt_cache_key: members, verbosity: members,
            openai_members: members, user: members,
            ..Traits::default()
        }
    }
}

fn part() -> impl Strategy<Value = Part> {
    let image = Media {
        media_type: Some("image/png".to_owned()),
        source: MediaSource::Base64("iVBORw0KGgo=".to_owned()),
        detail: None,
        title: None,
    };
    prop_oneof![
        3 => "[a-zé]{1,4}".prop_map(Part::text),
        1 => Just(Part::Image(image)),
    ]
}

/// Names of tools, of all lengths and letters.
const NAMES: [&str; 4] = [
    "ping",
    "21st.tool",
    "mcp__server__a_very_long_name_of_a_tool_that_goes_on_and_on_and_on_for_eighty_chars",
    "mcp__server__a_very_long_name_of_a_tool_that_goes_on_and_on_and_on_for_eighty_charz",
];

fn exchange() -> impl Strategy<Value = Vec<Turn>> {
    let name = || select(NAMES.to_vec());
    (
        prop::collection::vec(part(), 1..3),
        name(),
        "[a-z:_]{1,60}",
        part(),
        any::<bool>(),
    )
        .prop_map(|(user_content, name, id, shown, instructed)| {
            let call = ToolCall {
                id: id.clone(),
                name: name.to_owned(),
                arguments: "{}".to_owned(),
                signature: None,
            };
            let result = ToolResult {
                call_id: id,
                name: Some(name.to_owned()),
                parts: vec![shown],
                is_error: false,
            };
            let turn = |role, parts| Turn { role, parts };
            let mut turns = vec![
                turn(Role::User, user_content),
                turn(Role::Assistant, vec![Part::text("a"), Part::ToolCall(call)]),
                turn(Role::User, vec![Part::ToolResult(result)]),
            ];
            if instructed {
                turns.push(turn(Role::System, vec![Part::text("new rules")]));
            }
            turns.push(turn(Role::Assistant, vec![Part::text("b")]));
            turns
        })
}

prop_compose! {
    fn request()(
        system in prop::collection::vec("[a-z]{1,4}".prop_map(Part::text), 0..3),
        exchanges in prop::collection::vec(exchange(), 1..3),
        (skip, choice) in (0..2_usize, 0..5_usize),
        (temperature, effort) in (prop::option::of(0.0..2.0), prop::option::of(select(Effort::ALL.to_vec()))),
        format in 0..3_usize,
    ) -> Request {
        let tool = |(at, name): (usize, &&str)| Tool {
            name: (*name).to_owned(),
            description: None,
            kind: match at {
                0 => ToolKind::Custom(None),
                1 => ToolKind::Function(None),
                _ => ToolKind::Function(Some(json!({"type": "object"}))),
            },
            strict: Some(true),
        };
        let mut request = Request {
            model: "m".to_owned(),
            stream: true,
            system,
            turns: exchanges.into_iter().flatten().skip(skip).collect(),
            tools: NAMES.iter().enumerate().map(tool).collect(),
            tool_choice: match choice {
                0 => Some(ToolChoice::Required),
                1 => Some(ToolChoice::Named(NAMES[2].to_owned())),
                2 => Some(ToolChoice::Allowed { names: vec![NAMES[1].to_owned()], required: true }),
                3 => Some(ToolChoice::Auto),
                _ => None,
            },
            parallel_tools: Some(false),
            format: match format {
                0 => Format::Text,
                1 => Format::Json,
                _ => Format::Schema { name: None, description: None, schema: json!({"type": "object"}), strict: Some(true) },
            },
            stop: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            reasoning: effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
            user: Some("u".repeat(90)),
            ..Request::default()
        };
        request.sampling.temperature = temperature;
        request.sampling.top_p = Some(0.5);
        request.sampling.presence_penalty = Some(0.5);
        request.sampling.tokens_max = Some(9);
        for name in ["service_tier", "prompt_cache_key", "verbosity", "metadata"] {
            request.openai.insert(name.to_owned(), json!("low"));
        }
        request
    }
}

/// What in an encoded chat request does not obey the traits.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn check(&mut self, holds: bool, what: &str) {
        if !holds {
            self.0.push(what.to_owned());
        }
    }

    fn of(body: &Value, traits: &Traits) -> Vec<String> {
        let mut found = Self::default();
        found.messages(body, traits);
        found.members(body, traits);
        found.tools(body, traits);
        found.0
    }

    fn messages(&mut self, body: &Value, traits: &Traits) {
        let messages = list(&body["messages"]);
        let roles: Vec<&str> = messages
            .iter()
            .filter_map(|it| it["role"].as_str())
            .collect();
        let is_text = |part: &Value| part["type"] == "text";
        for message in messages {
            let parts = list(&message["content"]);
            let texts = !parts.is_empty() && parts.iter().all(is_text);
            self.check(traits.content == ContentForm::List || !texts, "content");
            let image = parts.iter().any(|part| part["type"] == "image_url");
            self.check(traits.images != ImagePlaces::None || !image, "images");
            let call = &message["tool_calls"][0];
            let id = message["tool_call_id"].as_str().or(call["id"].as_str());
            let id = id.unwrap_or("a");
            self.check(
                id.chars().count() <= usize::from(traits.call_id_chars_max),
                "id",
            );
            let letters = id.chars().all(|it| it.is_ascii_alphanumeric());
            self.check(
                traits.call_id_alphabet == NameAlphabet::Any || letters,
                "id's letters",
            );
            self.check(
                traits.custom_tools || call["type"] != "custom",
                "custom call",
            );
        }
        let later = roles.iter().skip(1).any(|role| *role == "system");
        match traits.system {
            SystemMessages::Anywhere => {}
            SystemMessages::First => self.check(!later, "system"),
            SystemMessages::None => self.check(!roles.contains(&"system"), "system"),
        }
        let first = roles.iter().find(|role| **role != "system");
        self.check(
            traits.first_turn == FirstTurn::Any || first != Some(&"assistant"),
            "first turn",
        );
        let last = roles.last() != Some(&"assistant");
        self.check(traits.last_turn == LastTurn::Any || last, "last turn");
    }

    fn members(&mut self, body: &Value, traits: &Traits) {
        let has = |name: &str| body.get(name).is_some();
        let limit = traits.token_limit == TokenLimitMember::MaxTokens;
        self.check(has("max_tokens") == limit, "limit");
        let penalties = matches!(
            traits.sampling,
            SamplingMembers::None | SamplingMembers::WithoutPenalties
        );
        self.check(!penalties || !has("presence_penalty"), "penalty");
        self.check(
            traits.sampling != SamplingMembers::None || !has("temperature"),
            "temperature",
        );
        let both = has("temperature") && has("top_p");
        self.check(
            traits.sampling != SamplingMembers::One || !both,
            "one of two",
        );
        let stops = body["stop"]
            .as_array()
            .map_or(usize::from(has("stop")), Vec::len);
        self.check(stops <= usize::from(traits.stop_texts_max), "stop");
        let effort = traits.reasoning_request == ReasoningRequest::Effort;
        self.check(effort || !has("reasoning_effort"), "effort");
        let known = body["reasoning_effort"].as_str();
        let known = known.is_none_or(|it| ["low", "high"].contains(&it));
        self.check(traits.efforts.is_empty() || known, "efforts");
        let format = body["response_format"]["type"].as_str();
        match traits.response_formats {
            ResponseFormats::Text => self.check(format.is_none(), "format"),
            ResponseFormats::JsonObject => self.check(format != Some("json_schema"), "format"),
            ResponseFormats::Schema | ResponseFormats::SchemaOnly => {}
        }
        for name in [
            "parallel_tool_calls",
            "service_tier",
            "prompt_cache_key",
            "verbosity",
            "metadata",
            "user",
        ] {
            self.check(traits.openai_members || !has(name), name);
        }
        self.check(
            body["user"].as_str().is_none_or(|user| user.len() <= 64),
            "user",
        );
    }

    fn tools(&mut self, body: &Value, traits: &Traits) {
        for tool in list(&body["tools"]) {
            let custom = tool["type"] == "custom";
            self.check(traits.custom_tools || !custom, "custom tool");
            let inner = &tool[if custom { "custom" } else { "function" }];
            let name = inner["name"].as_str().unwrap_or_default();
            self.check(
                name.chars().count() <= usize::from(traits.tool_name_chars_max),
                "name",
            );
            let letter = name.starts_with(|it: char| it.is_ascii_alphabetic());
            let any_letter = traits.tool_name_alphabet != NameAlphabet::WordAfterLetter;
            self.check(any_letter || letter, "first letter");
            self.check(traits.strict || inner.get("strict").is_none(), "strict");
            let properties = inner["parameters"]["properties"].is_object();
            let required = traits.schema_properties_required && !custom;
            self.check(!required || properties, "properties");
        }
        let choice = &body["tool_choice"];
        match traits.tool_choice {
            ToolChoiceWords::All => {}
            ToolChoiceWords::Auto => self.check(choice.is_null() || choice == "auto", "choice"),
            ToolChoiceWords::Required => self.check(!choice.is_object(), "choice"),
            ToolChoiceWords::WithoutAllowed => {
                self.check(choice["type"] != "allowed_tools", "choice");
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

proptest! {
    #[test]
    fn encoded_request_obeys_traits(mut request in request(), traits in traits()) {
        let mut report = TranslationReport::default();
        let before = request.clone();
        request.make_call_ids_unique();
        let names = request.shape(&traits, &mut report);
        let codec = Dialect::OpenaiChat.codec();
        let written = codec.encode_request(&request, &traits, &mut report).map_err(|it| TestCaseError::fail(it.to_string()))?;
        let body: Value = serde_json::from_slice(&written).map_err(|it| TestCaseError::fail(it.to_string()))?;
        prop_assert_eq!(Violations::of(&body, &traits), Vec::<String>::new(), "{:?}\n{}", traits, body);
        // The names of tools that the provider calls become the client's again.
        for tool in &request.tools {
            let mut name = tool.name.clone();
            names.restore(&mut name);
            prop_assert!(before.tools.iter().any(|tool| tool.name == name), "{}", name);
        }
        let head = RequestHead { model: "m".into(), stream: true };
        let read = codec.decode_request(&written, &head, &mut TranslationReport::default());
        prop_assert!(read.is_ok(), "{:?}", read);
    }

    #[test]
    fn shaping_twice_changes_nothing_more(mut request in request(), traits in traits()) {
        request.make_call_ids_unique();
        request.shape(&traits, &mut TranslationReport::default());
        let once = request.clone();
        let mut report = TranslationReport::default();
        request.shape(&traits, &mut report);
        prop_assert_eq!(request, once);
        prop_assert_eq!(report.warnings(), &[]);
    }

    #[test]
    fn full_traits_change_nothing(request in request()) {
        let mut shaped = request.clone();
        let mut report = TranslationReport::default();
        shaped.shape(&Traits::everything(), &mut report);
        prop_assert_eq!(shaped, request);
        prop_assert_eq!(report.warnings(), &[]);
    }
}
