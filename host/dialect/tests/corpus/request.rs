//! The client's request as the provider gets it.

use bytes::Bytes;
use jackfield_corpus::{Case, Expectations, HttpMessage};
use jackfield_dialect::ir::Warning;
use jackfield_dialect::traits::{TraitScope, Traits, resolve};
use jackfield_dialect::{
    Dialect, RequestHead, SignatureFilter, TranslatedRequest, TranslationInput, is_wrapped,
    strip_signatures,
};

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
    let traits = traits(case, provider, &model);
    let input = TranslationInput {
        dialect: client,
        body: &message.body,
        head: &head,
        model: &model,
        traits: &traits,
        thinking: None,
        id: ID,
        created: CREATED,
    };
    if client == provider {
        relay(provider, &message.body, &model, &traits, expectations)?;
        return Ok(Some((client, TranslatedRequest::same_dialect(&input))));
    }
    match TranslatedRequest::translate_content(&input, provider) {
        Ok(translated) => {
            expectations.check_json("request.json", &translated.body)?;
            check_warnings(&translated.warnings, expectations);
            Ok(Some((client, translated)))
        }
        Err(error) => {
            expectations.check_text("refused.txt", &format!("{error}\n"));
            Ok(None)
        }
    }
}

/// A request in the provider's own dialect passes as it is, but for what a source says that this server refuses, and
/// for signatures of other providers: here those that a look finds, since no provider of the case has signed any.
fn relay(
    provider: Dialect,
    body: &[u8],
    model: &str,
    traits: &Traits,
    expectations: &mut Expectations,
) -> Outcome<()> {
    let (mut body, mut warnings) = (Bytes::copy_from_slice(body), Vec::new());
    if let Some(shaped) = traits.shape_relay(provider, &body) {
        body = shaped.body;
        warnings.extend(shaped.warnings);
    }
    let refuses_empty = provider.codec().refuses_empty_signature(model);
    let filter = SignatureFilter {
        refused: false,
        drops: &|part| match part.signature.as_deref() {
            None => false,
            Some("") => refuses_empty,
            Some(signature) => is_wrapped(signature),
        },
    };
    if let Some(stripped) = strip_signatures(provider, &body, model, filter) {
        body = stripped.body;
        warnings.extend(stripped.warnings);
    }
    expectations.check_json("request.json", &body)?;
    check_warnings(&warnings, expectations);
    Ok(())
}

fn check_warnings(warnings: &[Warning], expectations: &mut Expectations) {
    let line = |warning: &Warning| format!("{}: {}\n", warning.field, warning.what);
    let text: String = warnings.iter().map(line).collect();
    if !text.is_empty() {
        expectations.check_text("warnings.txt", &text);
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
