//! Decodes `generationConfig`.

use serde_json::Value;

use crate::gemini::reasoning::LEVELS;
use crate::gemini::request::members::nested;
use crate::gemini::schema_keywords::to_json_schema;
use crate::ir::{
    Effort, Format, ObjectReader, Reasoning, Request, Sampling, TranslationError, TranslationReport,
};

/// Decodes the configuration into `request`.
///
/// # Errors
/// If a member is not valid, or has no common form and changes what kind of response the client gets.
pub(crate) fn decode(
    mut config: ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    if config
        .count("candidateCount")?
        .is_some_and(|count| count > 1)
    {
        return Err(config.error("candidateCount", "only one candidate can be translated"));
    }
    refuse_modalities(&mut config)?;
    request.sampling = Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: top_k(&mut config)?,
        tokens_max: config.token_limit("maxOutputTokens")?,
        presence_penalty: config.number("presencePenalty")?,
        frequency_penalty: config.number("frequencyPenalty")?,
        seed: config.integer("seed")?,
    };
    request.stop = stops(&mut config)?;
    request.format = format(&mut config)?;
    if let Some(thinking) = nested(&mut config, "thinkingConfig")? {
        request.reasoning = Some(reasoning(thinking, report)?);
    }
    // False is the default, so it is no loss.
    if config.peek("responseLogprobs") == Some(&Value::Bool(false)) {
        config.skip("responseLogprobs");
    }
    config.warn_unread(report);
    Ok(())
}

fn refuse_modalities(config: &mut ObjectReader) -> Result<(), TranslationError> {
    for modality in config.list("responseModalities")? {
        let name = modality.as_str().unwrap_or_default();
        if !["TEXT", "MODALITY_UNSPECIFIED"].contains(&name.to_ascii_uppercase().as_str()) {
            return Err(config.error("responseModalities", "only TEXT can be translated"));
        }
    }
    Ok(())
}

/// The API's type is a float, though only whole numbers are meaningful.
fn top_k(config: &mut ObjectReader) -> Result<Option<u64>, TranslationError> {
    let Some(number) = config.number("topK")? else {
        return Ok(None);
    };
    if !(0.0..=1e9).contains(&number) {
        return Err(config.error("topK", "must be a whole number, not negative"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    Ok(Some(number as u64))
}

fn stops(config: &mut ObjectReader) -> Result<Vec<String>, TranslationError> {
    config.strings("stopSequences")
}

fn format(config: &mut ObjectReader) -> Result<Format, TranslationError> {
    // Both are taken, so that the one without effect gets no warning.
    let google_schema = config.schema("responseSchema")?.map(to_json_schema);
    let schema = config.schema("responseJsonSchema")?.or(google_schema);
    let media_type = config.string("responseMimeType")?;
    match media_type.as_deref() {
        None | Some("" | "application/json") => {}
        Some("text/plain") => return Ok(Format::Text),
        Some(_) => {
            return Err(config.error(
                "responseMimeType",
                "only text/plain and application/json can be translated",
            ));
        }
    }
    Ok(match (schema, media_type) {
        (Some(schema), _) => Format::Schema {
            name: None,
            description: None,
            schema,
            strict: None,
        },
        (None, Some(media_type)) if !media_type.is_empty() => Format::Json,
        (None, _) => Format::Text,
    })
}

fn reasoning(
    mut thinking: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Reasoning, TranslationError> {
    let mut reasoning = Reasoning {
        effort: None,
        budget_tokens: None,
        shown: thinking.flag("includeThoughts")?,
    };
    match thinking.integer("thinkingBudget")? {
        Some(0) => reasoning.effort = Some(Effort::None),
        // With -1 the model chooses the budget.
        Some(budget) => reasoning.budget_tokens = u64::try_from(budget).ok(),
        None => {}
    }
    let level = thinking.string("thinkingLevel")?;
    match level.map(|level| level.to_ascii_uppercase()).as_deref() {
        None | Some("" | "THINKING_LEVEL_UNSPECIFIED") => {}
        // Google's levels end at HIGH. OpenAI's API calls the next one `xhigh`.
        Some("XHIGH") => reasoning.effort = Some(Effort::Max),
        Some(level) => {
            let known = LEVELS.iter().find(|(name, _)| *name == level);
            let (_, effort) = known.ok_or_else(|| {
                thinking.error(
                    "thinkingLevel",
                    "must be MINIMAL, LOW, MEDIUM, HIGH or XHIGH",
                )
            })?;
            reasoning.effort = Some(*effort);
        }
    }
    thinking.warn_unread(report);
    Ok(reasoning)
}
