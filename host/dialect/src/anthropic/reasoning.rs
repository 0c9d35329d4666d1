//! How hard the model is to think, and what shape its answer is to have, both ways: the API has the two
//! in one member, `output_config`.

pub(super) mod model_rules;
pub(super) mod suffix;

use serde_json::{Map, Value, json};

use super::tools;
use crate::anthropic::reasoning::model_rules::ModelRules;
use crate::ir::{
    Effort, Format, ObjectReader, Part, Reasoning, Request, Role, TranslationError,
    TranslationReport, loss,
};

/// Reads `thinking`, `output_config` and its forerunner `output_format`.
pub(super) fn decode(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let mut effort = None;
    if let Some(format) = fields.object("output_format")? {
        request.format = decode_format(format, report)?;
    }
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(word) = config.string("effort")? {
            let known = Effort::parse(&word);
            effort = Some(known.ok_or_else(|| config.error("effort", "no such effort"))?);
        }
        if let Some(format) = config.object("format")? {
            request.format = decode_format(format, report)?;
        }
        config.warn_unread(report);
    }
    let thinking = fields.object("thinking")?;
    request.reasoning = match thinking {
        None => effort.map(|effort| Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }),
        Some(mut thinking) => {
            let reasoning = decode_thinking(&mut thinking, effort, report)?;
            thinking.warn_unread(report);
            Some(reasoning)
        }
    };
    Ok(())
}

fn decode_thinking(
    fields: &mut ObjectReader,
    effort: Option<Effort>,
    report: &mut TranslationReport,
) -> Result<Reasoning, TranslationError> {
    let shown = match fields.string("display")?.as_deref() {
        None => None,
        Some("omitted") => Some(false),
        Some("summarized") => Some(true),
        Some(_) => return Err(fields.error("display", "must be summarized or omitted")),
    };
    let mut reasoning = Reasoning {
        effort,
        budget_tokens: None,
        shown,
    };
    match fields.required_string("type")?.as_str() {
        "adaptive" => {}
        "between_tools" => report.warn("thinking.type", "changed: to adaptive"),
        "disabled" => {
            if effort.is_some_and(|effort| effort != Effort::None) {
                report.warn_dropped("output_config.effort");
            }
            reasoning.effort = Some(Effort::None);
        }
        "enabled" => {
            let budget = fields.count("budget_tokens")?;
            let budget = budget.ok_or_else(|| fields.error("budget_tokens", "missing"))?;
            reasoning.budget_tokens = Some(budget);
            // Every model that takes a budget shows what it thinks unless told not to.
            reasoning.shown = Some(shown.unwrap_or(true));
        }
        _ => return Err(fields.error("type", "must be enabled, disabled or adaptive")),
    }
    Ok(reasoning)
}

fn decode_format(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Format, TranslationError> {
    if fields.required_string("type")? != "json_schema" {
        return Err(fields.error("type", "must be json_schema"));
    }
    let Some(schema @ Value::Object(_)) = fields.take("schema") else {
        return Err(fields.error("schema", "must be a JSON schema"));
    };
    fields.warn_unread(report);
    Ok(Format::Schema {
        name: None,
        description: None,
        // The API follows every schema to the letter; others only those that leave nothing open.
        strict: is_closed_schema(&schema).then_some(true),
        schema,
    })
}

/// Whether all objects in a schema are closed and need all their members.
fn is_closed_schema(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().all(is_closed_schema),
        Value::Object(members) => {
            let closed = match members.get("properties") {
                Some(Value::Object(properties)) => {
                    let required = members.get("required").and_then(Value::as_array);
                    let is_required = |name: &String| {
                        required.is_some_and(|names| names.iter().any(|it| it == name))
                    };
                    members.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(is_required)
                }
                _ => true,
            };
            closed && members.values().all(is_closed_schema)
        }
        _ => true,
    }
}

/// What a request says of thinking, and how long the answer may be, which depends on it.
#[derive(Debug, Default)]
pub(super) struct ThinkingPlan {
    /// The member `thinking`.
    pub(super) thinking: Option<Value>,
    /// Whether the model is asked to think.
    pub(super) enabled: bool,
    /// The member `effort` of `output_config`.
    pub(super) effort: Option<&'static str>,
    /// The budget that `max_tokens` must exceed.
    budget: u64,
}

/// What of the rest of a request decides whether and how long the model may think.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThinkingConstraints {
    /// Whether it must call a tool.
    pub(super) is_forced: bool,
    /// Whether it is in the midst of calling tools, and its thoughts before are missing.
    pub(super) is_mid_tool_use: bool,
    /// The most tokens that the answer may have.
    pub(super) tokens_max: Option<u64>,
}

impl ThinkingPlan {
    /// What is asked for, as the model takes it.
    pub(super) fn for_request(
        request: &Request,
        rules: ModelRules,
        report: &mut TranslationReport,
    ) -> Self {
        let Some(reasoning) = request.reasoning else {
            return Self::default();
        };
        let setting = ThinkingConstraints {
            is_forced: tools::is_forced(request),
            is_mid_tool_use: is_mid_tool_use(request),
            tokens_max: request.sampling.tokens_max,
        };
        Self::new(reasoning, setting, rules, report)
    }

    /// The same, where the rest of the request allows it.
    pub(super) fn new(
        reasoning: Reasoning,
        setting: ThinkingConstraints,
        rules: ModelRules,
        report: &mut TranslationReport,
    ) -> Self {
        let off = match reasoning.budget_tokens {
            Some(budget) => budget == 0,
            None => reasoning.effort == Some(Effort::None),
        };
        if off {
            return Self {
                thinking: Some(json!({"type": "disabled"})),
                ..Self::default()
            };
        }
        if setting.is_forced {
            report.warn(
                "reasoning",
                "dropped: the API lets no model think that must call a tool",
            );
            return Self::default();
        }
        let is_unspecified = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
        let adaptive = rules.adaptive.unwrap_or(is_unspecified);
        if adaptive && (reasoning.budget_tokens.is_none() || !rules.budget) {
            return Self::adaptive(reasoning, report);
        }
        Self::budgeted(setting, reasoning, rules, report)
    }

    fn adaptive(reasoning: Reasoning, report: &mut TranslationReport) -> Self {
        let mut thinking = json!({"type": "adaptive"});
        if let Some(shown) = reasoning.shown {
            thinking["display"] = if shown { "summarized" } else { "omitted" }.into();
        }
        let mut effort = reasoning.effort;
        if let Some(budget) = reasoning.budget_tokens {
            report.warn(loss::BUDGET, loss::BUDGET_AS_EFFORT);
            effort = effort.or(Some(Effort::from_budget(budget)));
        }
        Self {
            thinking: Some(thinking),
            enabled: true,
            effort: effort.map(|effort| effort_name(effort, report)),
            budget: 0,
        }
    }

    fn budgeted(
        setting: ThinkingConstraints,
        reasoning: Reasoning,
        rules: ModelRules,
        report: &mut TranslationReport,
    ) -> Self {
        if setting.is_mid_tool_use {
            let what = "dropped: the thoughts before the last call of a tool are missing";
            report.warn("reasoning", what);
            return Self::default();
        }
        let requested = reasoning
            .budget_tokens
            .unwrap_or_else(|| reasoning.effort.unwrap_or(Effort::Medium).budget_tokens());
        let mut budget = requested.max(BUDGET_TOKENS_MIN);
        if let Some(most) = setting.tokens_max {
            if most <= BUDGET_TOKENS_MIN {
                report.warn(
                    "reasoning",
                    "dropped: the answer may not be long enough to think",
                );
                return Self::default();
            }
            if budget >= most {
                // Half is left for what it says then.
                budget = (most / 2).max(BUDGET_TOKENS_MIN);
            }
        }
        if budget != requested && reasoning.budget_tokens.is_some() {
            report.warn(loss::BUDGET, format!("changed: to {budget}"));
        }
        let mut thinking = json!({"type": "enabled", "budget_tokens": budget});
        if reasoning.shown == Some(false) {
            thinking["display"] = "omitted".into();
        }
        let effort = reasoning.effort.filter(|_| rules.adaptive == Some(true));
        Self {
            thinking: Some(thinking),
            enabled: true,
            effort: effort.map(|effort| effort_name(effort, report)),
            budget,
        }
    }

    /// The member `max_tokens`, which must be there.
    pub(super) fn tokens_max(&self, request: &Request) -> u64 {
        let default_max = TOKENS_MAX_DEFAULT.max(self.budget.saturating_add(OUTPUT_TOKENS_DEFAULT));
        request.sampling.tokens_max.unwrap_or(default_max)
    }

    /// Writes `thinking` and `output_config`. The sentence that must stand in the system text, if the
    /// API cannot say otherwise what shape the answer is to have.
    pub(super) fn encode(
        self,
        format: &Format,
        body: &mut Map<String, Value>,
        report: &mut TranslationReport,
    ) -> Option<&'static str> {
        if let Some(thinking) = self.thinking {
            body.insert("thinking".to_owned(), thinking);
        }
        let mut config = Map::new();
        if let Some(effort) = self.effort {
            config.insert("effort".to_owned(), effort.into());
        }
        let mut sentence = None;
        match format {
            Format::Json => {
                report.warn("response_format", "changed: asked for in the system text");
                sentence = Some(JSON_INSTRUCTION);
            }
            Format::Schema {
                description,
                schema,
                ..
            } => {
                if description.is_some() {
                    report.warn_dropped("response_format.json_schema.description");
                }
                let mut schema = schema.clone();
                close_schema(&mut schema);
                let format = json!({"type": "json_schema", "schema": schema});
                config.insert("format".to_owned(), format);
            }
            Format::Text => {}
        }
        if !config.is_empty() {
            body.insert("output_config".to_owned(), config.into());
        }
        sentence
    }
}

/// The API's word for an effort.
fn effort_name(effort: Effort, report: &mut TranslationReport) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal => {
            report.warn(loss::EFFORT, "changed: low is the least");
            "low"
        }
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "max",
    }
}

/// Whether the model is in the midst of calling tools and its thoughts before are not there: with a
/// budget the API then refuses to let it think.
fn is_mid_tool_use(request: &Request) -> bool {
    let mut turns = request.turns.iter().rev();
    let last = turns.find(|turn| turn.role != Role::System);
    let has_tool_results = last.is_some_and(|turn| {
        turn.role == Role::User && matches!(turn.parts.first(), Some(Part::ToolResult(_)))
    });
    let before = turns.find(|turn| turn.role == Role::Assistant);
    let reasoning = before.is_some_and(|turn| {
        let reasoning = turn.parts.iter().find_map(|part| match part {
            Part::Reasoning(reasoning) => reasoning.signature.as_ref(),
            _ => None,
        });
        reasoning.is_some_and(|signature| signature.data_for(super::DIALECT).is_some())
    });
    has_tool_results && !reasoning
}

/// The API takes only schemas whose objects are closed.
fn close_schema(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close_schema),
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|kind| kind == "object")
            {
                members
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close_schema);
        }
        _ => {}
    }
}

/// The least budget that the API takes, in tokens.
const BUDGET_TOKENS_MIN: u64 = 1_024;
/// The longest answer, in tokens, where the client does not say: OpenAI's and Google's APIs then allow
/// what the model can. Every Claude model in service since 2025 takes this much.
const TOKENS_MAX_DEFAULT: u64 = 32_000;
/// What is left for the answer beside a budget for thinking, in tokens, where the client does not say.
const OUTPUT_TOKENS_DEFAULT: u64 = 8_192;
const JSON_INSTRUCTION: &str =
    "Answer with one JSON object and nothing else: no other text, no code fence.";
