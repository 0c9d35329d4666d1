//! The members of a request beside its conversation and its tools.

use crate::ir::{Effort, Format, Part, Request, TranslationReport, loss};
use crate::traits::schema;
use crate::traits::short_names::{NameRule, digest};
use crate::traits::{
    EffortWord, NameAlphabet, ReasoningRequest, ResponseFormats, SamplingMembers, Traits,
};

/// Shapes sampling, stop texts, reasoning, the format, `user`, and the members of OpenAI's dialects.
pub(super) fn shape(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    reasoning(request, traits, report);
    // After the effort, on which it depends.
    sampling(request, traits, report);
    stop(request, traits, report);
    format(request, traits, report);
    user(request, traits, report);
    openai(request, traits, report);
}

fn sampling(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    let effort = request.reasoning.and_then(|it| it.effort);
    let sampling = &mut request.sampling;
    if !traits.seed && sampling.seed.take().is_some() {
        report.warn("seed", loss::REFUSED_BY_PROVIDER);
    }
    let refused = match traits.sampling {
        SamplingMembers::All | SamplingMembers::One | SamplingMembers::WithoutPenalties => false,
        SamplingMembers::None => true,
        SamplingMembers::WithoutReasoning => effort != Some(Effort::None),
    };
    // The default of each member; it changes nothing, so its loss needs no warning.
    let penalties = refused || traits.sampling == SamplingMembers::WithoutPenalties;
    let numbers = [
        ("temperature", &mut sampling.temperature, 1.0_f64, refused),
        ("top_p", &mut sampling.top_p, 1.0, refused),
        (
            "presence_penalty",
            &mut sampling.presence_penalty,
            0.0,
            penalties,
        ),
        (
            "frequency_penalty",
            &mut sampling.frequency_penalty,
            0.0,
            penalties,
        ),
    ];
    for (name, number, default, refused) in numbers {
        if refused
            && let Some(number) = number.take()
            && number.to_bits() != default.to_bits()
        {
            report.warn(name, loss::REFUSED_BY_MODEL);
        }
    }
    if refused {
        if sampling.top_k.take().is_some() {
            report.warn("top_k", loss::REFUSED_BY_MODEL);
        }
        return;
    }
    let most = f64::from(traits.temperature_max_percent) / 100.0;
    if let Some(temperature) = &mut sampling.temperature
        && *temperature > most
    {
        *temperature = most;
        report.warn(
            "temperature",
            format!("changed: to {most}, the provider's maximum"),
        );
    }
    if traits.sampling == SamplingMembers::One
        && sampling.temperature.is_some()
        && sampling.top_p.take().is_some_and(|top_p| top_p < 1.0)
    {
        report.warn(
            "top_p",
            "dropped: the model takes a temperature or this, not both",
        );
    }
}

fn stop(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    let given = request.stop.len();
    let longest = usize::from(traits.stop_chars_max);
    if longest > 0 {
        request.stop.retain(|text| text.chars().count() <= longest);
    }
    request.stop.truncate(usize::from(traits.stop_texts_max));
    match request.stop.len() {
        left if left == given => {}
        0 => report.warn("stop", loss::REFUSED_BY_PROVIDER),
        left => report.warn(
            "stop",
            format!("changed: to the {left} that the provider takes"),
        ),
    }
}

fn reasoning(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    if !traits.takes_effort(!request.tools.is_empty())
        && let Some(reasoning) = request.reasoning.take()
        && (reasoning.effort.is_some() || reasoning.budget_tokens.is_some())
    {
        report.warn(loss::EFFORT, loss::REFUSED_BY_MODEL);
    }
    let Some(reasoning) = &mut request.reasoning else {
        return;
    };
    if traits.efforts.is_empty() {
        return;
    }
    if reasoning.effort.is_none()
        && let Some(tokens) = reasoning.budget_tokens.take()
    {
        report.warn(loss::BUDGET, loss::BUDGET_AS_EFFORT);
        reasoning.effort = Some(Effort::from_budget(tokens));
    }
    if let Some(effort) = reasoning.effort {
        let nearest = traits.nearest_effort(effort);
        if nearest != effort {
            report.warn(loss::EFFORT, traits.changed_effort(nearest));
            reasoning.effort = Some(nearest);
        }
    }
}

impl Traits {
    /// Whether the model takes an effort, in a request with tools or without.
    pub(crate) fn takes_effort(&self, has_tools: bool) -> bool {
        self.reasoning_request != ReasoningRequest::None && (self.effort_with_tools || !has_tools)
    }

    /// Returns the nearest effort of those that the model takes, and of two that are as near the lower one. Who asks for
    /// reasoning does not get none, where there is another.
    pub(crate) fn nearest_effort(&self, effort: Effort) -> Effort {
        let place = |effort: Effort| Effort::ALL.iter().position(|it| *it == effort).unwrap_or(0);
        let distance = |other: &Effort| {
            let ends_reasoning = effort != Effort::None && *other == Effort::None;
            (
                ends_reasoning,
                place(effort).abs_diff(place(*other)),
                place(*other),
            )
        };
        let taken = self.efforts.iter().map(|word| word.effort());
        taken.min_by_key(distance).unwrap_or(effort)
    }

    /// The warning for an effort in place of another one.
    pub(crate) fn changed_effort(&self, effort: Effort) -> String {
        let word = self.effort_word(effort);
        format!("changed: to {word}, the nearest that the model takes")
    }

    /// The provider's word for an effort.
    pub(crate) fn effort_word(&self, effort: Effort) -> &'static str {
        if effort == Effort::Max && self.efforts.contains(&EffortWord::Max) {
            return "max";
        }
        effort.openai_name()
    }
}

impl EffortWord {
    /// The effort in the common form.
    pub(crate) const fn effort(self) -> Effort {
        match self {
            Self::None => Effort::None,
            Self::Minimal => Effort::Minimal,
            Self::Low => Effort::Low,
            Self::Medium => Effort::Medium,
            Self::High => Effort::High,
            Self::Max | Self::Xhigh => Effort::Max,
        }
    }
}

fn format(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    let plain = match (&mut request.format, traits.response_formats) {
        (Format::Text, _) | (Format::Json, ResponseFormats::JsonObject) => return,
        (Format::Json, ResponseFormats::SchemaOnly) => {
            report.warn("response_format", "changed: to the schema of any object");
            request.format = Format::Schema {
                name: None,
                description: None,
                schema: serde_json::json!({"type": "object"}),
                strict: None,
            };
            return;
        }
        (format, ResponseFormats::Schema | ResponseFormats::SchemaOnly) => {
            shape_schema(format, traits, report);
            return;
        }
        (_, ResponseFormats::JsonObject) => Format::Json,
        (_, ResponseFormats::Text) => Format::Text,
    };
    report.warn(
        "response_format",
        "changed: the instructions have the schema, and the provider does not check it",
    );
    let instruction = match std::mem::replace(&mut request.format, plain) {
        Format::Schema { schema, .. } => {
            format!("Answer with a JSON object that matches this JSON schema:\n{schema}")
        }
        Format::Json | Format::Text => "Answer with a JSON object.".to_owned(),
    };
    request.system.push(Part::text(instruction));
}

fn shape_schema(format: &mut Format, traits: &Traits, report: &mut TranslationReport) {
    let Format::Schema {
        name,
        schema,
        strict,
        ..
    } = format
    else {
        return;
    };
    if !traits.strict && strict.take() == Some(true) {
        report.warn("response_format.strict", loss::REFUSED_BY_PROVIDER);
    }
    if !traits.schema_bounds && schema::describe_bounds(schema) {
        report.warn("response_format.schema", loss::BOUNDS_DESCRIBED);
    }
    if !traits.schema_refs && schema::inline_refs(schema) {
        report.warn("response_format.schema", loss::REFS_INLINED);
    }
    let rule = NameRule {
        alphabet: traits.tool_name_alphabet,
        chars_min: 1,
        chars_max: traits.tool_name_chars_max,
    };
    if let Some(name) = name.as_mut().filter(|name| !rule.takes(name)) {
        report.warn("response_format.name", loss::NAME_SHORTENED);
        *name = rule.replacement(name, &std::collections::BTreeSet::new());
    }
}

fn user(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    let Some(user) = &mut request.user else {
        return;
    };
    let rule = NameRule {
        alphabet: NameAlphabet::Any,
        chars_min: traits.user_chars_min,
        chars_max: traits.user_chars_max,
    };
    let length = user.chars().count();
    if !traits.user || length < usize::from(rule.chars_min) {
        report.warn("user", loss::REFUSED_BY_PROVIDER);
        request.user = None;
    } else if length > usize::from(rule.chars_max) {
        report.warn(
            "user",
            "changed: to a digest, since the provider takes only short ones",
        );
        let digest = digest(user);
        *user = digest.chars().take(usize::from(rule.chars_max)).collect();
    }
}

fn openai(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    if !traits.parallel_tool_calls && request.parallel_tools.take() == Some(false) {
        report.warn("parallel_tool_calls", loss::REFUSED_BY_PROVIDER);
    }
    request.openai.retain(|name, value| {
        let taken = match name.as_str() {
            "service_tier" => traits.service_tier,
            "prompt_cache_key" => traits.prompt_cache_key,
            "verbosity" => traits.verbosity,
            _ => traits.openai_members,
        };
        // `false` is the default of all these members, and changes nothing.
        if !taken && *value != serde_json::Value::Bool(false) {
            report.warn(name.as_str(), loss::REFUSED_BY_PROVIDER);
        }
        taken
    });
}
