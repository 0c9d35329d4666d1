//! Finds the model that a client means. A name that no provider serves ends here: a provider never sees it.

use std::sync::Arc;

use jackfield_auth::AuthManager;
use jackfield_credential::{NameMatch, split_suffix};
use jackfield_dialect::Thinking;

use crate::snapshot::Snapshot;
use crate::unknown_model::UnknownModel;

/// Returns the name in the spelling of the configuration. Case counts only where two names differ by
/// nothing else. A suffix without a meaning is part of the name.
///
/// # Errors
/// When neither a credential nor a fallback has the name.
pub(crate) fn resolve(
    requested: &Arc<str>,
    auth: &AuthManager,
    snapshot: &Snapshot,
) -> Result<Arc<str>, UnknownModel> {
    let base = base_of(requested);
    match auth.match_name(requested, base) {
        NameMatch::Exact => return Ok(Arc::clone(requested)),
        NameMatch::OtherCase(found) => return Ok(respelled(requested, base, &found)),
        NameMatch::None => {}
    }
    let fallbacks = &snapshot.routing.fallbacks;
    if fallbacks.contains_key(requested) || fallbacks.contains_key(base) {
        return Ok(Arc::clone(requested));
    }
    let mut same = fallbacks.keys().filter(|name| {
        let bare = name.eq_ignore_ascii_case(base);
        bare || name.eq_ignore_ascii_case(requested)
    });
    if let (Some(found), None) = (same.next(), same.next()) {
        return Ok(respelled(requested, base, found));
    }
    let names = auth.names();
    let names = names.iter().map(|served| &served.name);
    let names = names.chain(fallbacks.keys());
    Err(UnknownModel {
        similar: similar(requested, names),
        model: requested.as_ref().to_owned(),
    })
}

/// Returns the name without its suffix, if the suffix has a meaning.
fn base_of(name: &str) -> &str {
    match split_suffix(name) {
        (base, Some(suffix)) if Thinking::parse(suffix).is_some() => base,
        _ => name,
    }
}

/// Returns the spelling of the configuration, with the client's suffix if the found name has none of it.
fn respelled(requested: &str, base: &str, found: &Arc<str>) -> Arc<str> {
    match requested.get(base.len()..) {
        Some(suffix) if !suffix.is_empty() && found.len() == base.len() => {
            Arc::from(format!("{found}{suffix}"))
        }
        _ => Arc::clone(found),
    }
}

/// Returns the name with the fewest differences, if they are few. The name without its suffixes is the
/// first choice.
fn similar<'a>(requested: &str, names: impl Iterator<Item = &'a Arc<str>>) -> Option<Arc<str>> {
    if requested.len() > NAME_BYTES_MAX {
        return None;
    }
    let wanted = requested.to_lowercase();
    let mut bare = wanted.as_str();
    while let (base, Some(_)) = split_suffix(bare) {
        bare = base;
    }
    let distance = |name: &Arc<str>| {
        let known = name.to_lowercase();
        if known == bare {
            return Some(0);
        }
        let allowed = (wanted.len() / 3).min(DISTANCE_MAX);
        let distance = strsim::osa_distance(&wanted, &known);
        (distance <= allowed).then_some(distance)
    };
    names
        .filter(|name| {
            name.len().abs_diff(requested.len()) <= DISTANCE_MAX || name.eq_ignore_ascii_case(bare)
        })
        .take(COMPARED_MAX)
        .filter_map(|name| Some((distance(name)?, name)))
        .min()
        .map(|(_, name)| Arc::clone(name))
}

/// Longest name that is compared with others, in bytes: the work grows with its square.
const NAME_BYTES_MAX: usize = 128;

/// Most differences of names that are similar.
const DISTANCE_MAX: usize = 6;

/// Names that are compared: a few milliseconds of work.
const COMPARED_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn similar_to(requested: &str) -> Option<String> {
        let names = [
            "claude-sonnet-4",
            "claude-opus-4",
            "gpt-4o",
            "gpt-4o-mini",
            "m",
        ];
        let names = names.map(Arc::from);
        similar(requested, names.iter()).map(|name| name.to_string())
    }

    #[test]
    fn suggests_the_nearest_name() {
        for (requested, expected) in [
            ("claude-sonet-4", Some("claude-sonnet-4")),
            ("Claude-Opus-4.0", Some("claude-opus-4")),
            ("gpt-4o-mimi", Some("gpt-4o-mini")),
            ("gpt4o", Some("gpt-4o")),
            ("m()", Some("m")),
            ("m(typo)", Some("m")),
            ("gpt-4o(hihg)", Some("gpt-4o")),
            ("m(high)(typo)", Some("m")),
            ("llama-3", None),
            ("n", None),
            ("", None),
        ] {
            assert_eq!(similar_to(requested).as_deref(), expected, "{requested}");
        }
        assert_eq!(similar_to(&"m".repeat(NAME_BYTES_MAX + 1)), None);
    }

    #[test]
    fn keeps_the_suffix_of_the_client() {
        let found = Arc::from("Model");
        assert_eq!(&*respelled("model(High)", "model", &found), "Model(High)");
        assert_eq!(&*respelled("model", "model", &found), "Model");
        let found = Arc::from("Model(high)");
        let respelled = respelled("model(HIGH)", "model", &found);
        assert_eq!(&*respelled, "Model(high)");
    }
}
