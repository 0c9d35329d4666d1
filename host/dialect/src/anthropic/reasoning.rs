//! Reasoning, and the format of the response: the API has both in one member, `output_config`.

mod format;
pub(super) mod suffix;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::ir::{
    Effort, Format, ObjectReader, Part, Reasoning, Request, Role, TranslationError,
    TranslationReport, loss,
};
use crate::traits::{ThinkingForm, ThinkingOff, Traits};

/// Decodes `thinking`, `output_config` and its predecessor `output_format`.
pub(super) fn decode(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let mut effort = None;
    if let Some(format) = fields.object("output_format")? {
        request.format = format::decode(format, report)?;
    }
    // Read after its predecessor: if a request has both formats, this one wins.
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(word) = config.string("effort")? {
            let known = Effort::parse(&word);
            effort = Some(known.ok_or_else(|| config.error("effort", "no such effort"))?);
        }
        if let Some(format) = config.object("format")? {
            request.format = format::decode(format, report)?;
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
            // Every model with budgets shows its reasoning by default.
            reasoning.shown = Some(shown.unwrap_or(true));
        }
        _ => return Err(fields.error("type", "must be enabled, disabled or adaptive")),
    }
    Ok(reasoning)
}

/// The members of a request about thinking, and `max_tokens`, which depends on them.
#[derive(Debug, Default)]
pub(super) struct ThinkingPlan {
    /// The member `thinking`.
    pub(super) thinking: Option<Value>,
    /// Whether thinking is enabled.
    pub(super) enabled: bool,
    /// The member `effort` of `output_config`.
    pub(super) effort: Option<&'static str>,
    /// The budget that `max_tokens` must exceed.
    budget: u64,
}

/// What in the rest of a request limits thinking.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThinkingConstraints {
    /// Whether the model must call a tool.
    pub(super) is_forced: bool,
    /// Whether the last turn holds tool results, and the thinking before the calls is missing.
    pub(super) is_mid_tool_use: bool,
    /// The maximum number of tokens of the response.
    pub(super) tokens_max: Option<u64>,
}

impl ThinkingPlan {
    /// The plan for a request to a model with these traits.
    pub(super) fn for_request(
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Self {
        let Some(reasoning) = request.reasoning else {
            return Self::default();
        };
        let setting = ThinkingConstraints {
            is_forced: request.requires_tool_call(),
            is_mid_tool_use: is_mid_tool_use(request),
            tokens_max: request.sampling.tokens_max,
        };
        Self::new(reasoning, setting, traits, report)
    }

    /// The plan for a model with these traits, within the constraints.
    pub(super) fn new(
        reasoning: Reasoning,
        setting: ThinkingConstraints,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Self {
        let off = match reasoning.budget_tokens {
            Some(budget) => budget == 0,
            None => reasoning.effort == Some(Effort::None),
        };
        if off {
            return Self::least(traits, report);
        }
        if setting.is_forced {
            report.warn(
                "reasoning",
                "dropped: the API has no thinking together with a required tool call",
            );
            return Self::default();
        }
        let is_unspecified = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
        let adaptive = match traits.thinking {
            ThinkingForm::Budget => false,
            ThinkingForm::Effort => true,
            ThinkingForm::Either => reasoning.budget_tokens.is_none(),
            ThinkingForm::Unknown => is_unspecified,
        };
        if adaptive {
            return Self::adaptive(reasoning, report);
        }
        Self::budgeted(setting, reasoning, traits, report)
    }

    /// The plan for a request without thinking.
    fn least(traits: &Traits, report: &mut TranslationReport) -> Self {
        let (kind, what, effort) = match traits.thinking_off {
            ThinkingOff::Off => ("disabled", None, None),
            ThinkingOff::BetweenTools => (
                "between_tools",
                Some("changed: the model may write notes between tool calls"),
                None,
            ),
            ThinkingOff::Never => (
                "adaptive",
                Some("changed: to low, since the model always thinks"),
                Some("low"),
            ),
        };
        if let Some(what) = what {
            report.warn(loss::EFFORT, what);
        }
        Self {
            thinking: Some(json!({"type": kind})),
            enabled: traits.thinking_off != ThinkingOff::Off,
            effort,
            ..Self::default()
        }
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
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Self {
        if setting.is_mid_tool_use {
            let what = "dropped: the reasoning before the last tool call is missing";
            report.warn("reasoning", what);
            return Self::default();
        }
        let requested = reasoning
            .budget_tokens
            .unwrap_or_else(|| reasoning.effort.unwrap_or(Effort::Medium).budget_tokens());
        let mut budget = requested.max(BUDGET_TOKENS_MIN);
        if let Some(most) = setting.tokens_max {
            // The API requires a budget below `max_tokens`, so even the minimum would not fit.
            if most <= BUDGET_TOKENS_MIN {
                report.warn(
                    "reasoning",
                    "dropped: `max_tokens` leaves no room for thinking",
                );
                return Self::default();
            }
            if budget >= most {
                // Half is left for the text.
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
        let effort = reasoning
            .effort
            .filter(|_| traits.thinking == ThinkingForm::Either);
        Self {
            thinking: Some(thinking),
            enabled: true,
            effort: effort.map(|effort| effort_name(effort, report)),
            budget,
        }
    }

    /// The member `max_tokens`, which the API requires.
    pub(super) fn tokens_max(&self, request: &Request) -> u64 {
        let default_max = TOKENS_MAX_DEFAULT.max(self.budget.saturating_add(OUTPUT_TOKENS_DEFAULT));
        request.sampling.tokens_max.unwrap_or(default_max)
    }

    /// Adds `thinking` and `output_config`. Returns an instruction for the system text, if the API has
    /// no member for the format.
    pub(super) fn encode(
        self,
        format: &Format,
        body: &mut Map<String, Value>,
        report: &mut TranslationReport,
    ) -> Option<Cow<'static, str>> {
        if let Some(thinking) = self.thinking {
            body.insert("thinking".to_owned(), thinking);
        }
        let mut config = Map::new();
        if let Some(effort) = self.effort {
            config.insert("effort".to_owned(), effort.into());
        }
        let instruction = format::encode(format, &mut config, report);
        if !config.is_empty() {
            body.insert("output_config".to_owned(), config.into());
        }
        instruction
    }
}

/// Returns the API's name of an effort. An effort below the API's minimum becomes the minimum.
fn effort_name(effort: Effort, report: &mut TranslationReport) -> &'static str {
    if let Some((name, _)) = EFFORTS.iter().find(|(_, known)| *known == effort) {
        return name;
    }
    report.warn(loss::EFFORT, "changed: to low, the minimum");
    "low"
}

/// Whether the last turn holds tool results, and the turn with the calls does not begin with thinking. The API
/// rejects a thinking budget then. It joins adjacent turns of one role, and instructions between them may be moved
/// to the system text, so this compares the joined turns.
fn is_mid_tool_use(request: &Request) -> bool {
    let turns = request.turns.iter().rev();
    let mut turns = turns.filter(|turn| turn.role != Role::System).peekable();
    let mut has_tool_results = false;
    while let Some(turn) = turns.next_if(|turn| turn.role == Role::User) {
        let mut parts = turn.parts.iter();
        has_tool_results |= parts.any(|part| matches!(part, Part::ToolResult(_)));
    }
    let mut begins_with_thinking = false;
    while let Some(turn) = turns.next_if(|turn| turn.role == Role::Assistant) {
        let mut parts = turn.parts.iter();
        // An earlier turn of the same role decides, unless nothing of it is sent.
        if let Some(first) = parts.find(|part| is_sent(part)) {
            begins_with_thinking = matches!(first, Part::Reasoning(_));
        }
    }
    has_tool_results && !begins_with_thinking
}

/// Whether a part of the assistant's turn reaches the API.
fn is_sent(part: &Part) -> bool {
    match part {
        Part::Audio(_)
        | Part::CacheMark(_)
        | Part::Document(_)
        | Part::Image(_)
        | Part::ToolResult(_) => false,
        Part::Reasoning(reasoning) => {
            let signature = reasoning.signature.as_ref();
            signature.is_some_and(|signature| signature.data_for(super::DIALECT).is_some())
        }
        Part::Refusal(text) | Part::Text { text, .. } => !text.trim().is_empty(),
        Part::ToolCall(_) => true,
    }
}

/// The values of `effort`. Clients may send OpenAI's names too.
const EFFORTS: [(&str, Effort); 4] = [
    ("low", Effort::Low),
    ("medium", Effort::Medium),
    ("high", Effort::High),
    ("max", Effort::Max),
];

/// The minimum budget of the API, in tokens.
const BUDGET_TOKENS_MIN: u64 = 1_024;
/// `max_tokens` if the client sets none: OpenAI's and Google's APIs then use the model's limit. Every
/// Claude model in service since 2025 supports this many.
const TOKENS_MAX_DEFAULT: u64 = 32_000;
/// How many tokens are left for the text beside a thinking budget, if the client sets no limit.
const OUTPUT_TOKENS_DEFAULT: u64 = 8_192;
