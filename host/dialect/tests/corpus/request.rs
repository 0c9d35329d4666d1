//! The client's request as the provider gets it.

use jackfield_corpus::{Case, Expectations, HttpMessage};
use jackfield_dialect::traits::{TraitScope, Traits, resolve};
use jackfield_dialect::{Dialect, RequestHead, TranslatedRequest, TranslationInput};

use crate::{CREATED, ID, Outcome};

/// Translates the request of a case, if there is one. Returns it with the client's dialect, for the
/// translation of the response.
pub(crate) fn check(
    case: &Case,
    provider: Dialect,
    expectations: &mut Expectations,
) -> Outcome<Option<(Dialect, TranslatedRequest)>> {
    let (Some(message), Some(client)) = (&case.request, case.client()) else {
        return Ok(None);
    };
    let client = Dialect::parse(client).ok_or("no such dialect")?;
    let head = head(case, message)?;
    let model = case.model.clone();
    let model = model.unwrap_or_else(|| head.model.clone().into_owned());
    let input = TranslationInput {
        dialect: client,
        body: &message.body,
        head: &head,
        model: &model,
        traits: &traits(case, provider, &model),
        thinking: None,
        id: ID,
        created: CREATED,
    };
    if client == provider {
        expectations.check_json("request.json", &message.body)?;
        return Ok(Some((client, TranslatedRequest::same_dialect(&input))));
    }
    match TranslatedRequest::translate_content(&input, provider) {
        Ok(translated) => {
            expectations.check_json("request.json", &translated.body)?;
            let mut warnings = String::new();
            for warning in &translated.warnings {
                warnings += &format!("{}: {}\n", warning.field, warning.what);
            }
            if !warnings.is_empty() {
                expectations.check_text("warnings.txt", &warnings);
            }
            Ok(Some((client, translated)))
        }
        Err(error) => {
            expectations.check_text("refused.txt", &format!("{error}\n"));
            Ok(None)
        }
    }
}

/// What the provider takes.
fn traits(case: &Case, provider: Dialect, model: &str) -> Traits {
    let scope = TraitScope {
        dialect: provider,
        server: case.server.as_deref(),
        authority: &case.authority,
        model,
    };
    resolve(&scope, &[]).traits
}

fn head<'a>(case: &'a Case, message: &'a HttpMessage) -> Outcome<RequestHead<'a>> {
    Ok(match case.gemini_path() {
        Some((model, stream)) => RequestHead::from_path(model, stream)?,
        None => RequestHead::read(&message.body)?,
    })
}
