//! Keys of models, routes, fallbacks and aliases.

use jackfield_dispatch::Condition;

use crate::key::{
    DefaultKey, OptionalKey, RequiredKey, Section, default, optional, required, section,
};
use crate::kinds::{Choice, Flag, Line, List, ListOf, Name, TraitsKind, Whole};

/// One model of a provider or of a credential.
pub(crate) mod model {
    use super::*;

    section! {
        SECTION at "models[]" {
            NAME: RequiredKey<Line> = required("name", Line, "The provider's own name of the model.");
            ALIAS: OptionalKey<Line> = optional(
                "alias", Line, "none",
                "One more name for clients. Names and aliases of one list must differ by more than upper and \
                 lower case. Two providers may have the same name: then both serve it.",
            );
        }
    }
}

/// One model of a provider.
pub(crate) mod provider_model {
    use super::*;

    /// What the model takes.
    pub(crate) static TRAITS: OptionalKey<TraitsKind> = optional(
        "traits",
        TraitsKind { server: false },
        "those of the provider",
        "What the API takes for this model.",
    );

    pub(crate) static SECTION: Section = Section {
        path: "providers[].models[]",
        keys: &[&TRAITS],
        extends: Some(&model::SECTION),
    };
}

/// One name with rules.
pub(crate) mod route {
    use super::*;

    section! {
        SECTION at "models[]" {
            NAME: RequiredKey<Line> = required("name", Line, "Unique. The name that clients use.");
            TARGETS: OptionalKey<ListOf> = optional(
                "targets", ListOf(&target::SECTION), "every credential that has the name",
                "Only these providers serve the name.",
            );
            FALLBACK: OptionalKey<ListOf> = optional(
                "fallback", ListOf(&fallback::SECTION), "none",
                "These models are tried in order if the name fails.",
            );
        }
    }
}

/// One provider that serves a name.
pub(crate) mod target {
    use super::*;

    section! {
        SECTION at "models[].targets[]" {
            PROVIDER: RequiredKey<Name> = required(
                "provider", Name,
                "A provider in this file. It may occur with several models: the calls of each of its credentials are \
                 spread over those with the highest `priority`, by `weight`, and go on to the others if they fail.",
            );
            MODEL: RequiredKey<Line> = required(
                "model", Line,
                "Name or alias of a model of this provider. A credential with `models` of its own serves it if \
                 its list has the model.",
            );
            PRIORITY: DefaultKey<Whole<i32>> = default(
                "priority", PRIORITIES, |_| 0,
                "Added to the priority of each credential.",
            );
            WEIGHT: DefaultKey<Whole<u32>> = default(
                "weight", WEIGHTS, |_| 1,
                "Multiplies the weight of each credential.",
            );
        }
    }
}

/// One model that replaces a name that fails.
pub(crate) mod fallback {
    use super::*;

    section! {
        SECTION at "models[].fallback[]" {
            MODEL: RequiredKey<Line> = required("model", Line, "A name that clients can use.");
            ON: OptionalKey<List<Choice<Condition>>> = optional(
                "on", List(Choice(&CONDITIONS)), "all four",
                "Conditions: `cooling` (every credential cools, or the provider reported a rate limit or a \
                 quota), `unavailable` (no credential is available for another reason, or none serves the \
                 model), `failed` (a provider, the connection or a plugin failed), `context-length` (the \
                 request is too long for the model).",
            );
        }
    }
}

/// One alias of an OAuth channel.
pub(crate) mod channel_alias {
    use super::*;

    section! {
        SECTION at "oauth-model-alias.CHANNEL[]" {
            NAME: RequiredKey<Line> = required(
                "name", Line,
                "A name that the credential serves. It may have a suffix: `model(high)`.",
            );
            ALIAS: RequiredKey<Line> = required(
                "alias", Line,
                "Unique without regard to case. The new name. It wins over a model of the same name.",
            );
            FORK: DefaultKey<Flag> = default(
                "fork", Flag, |_| false,
                "`true` keeps the old name beside the alias.",
            );
        }
    }
}

/// The conditions of a fallback.
pub(crate) static CONDITIONS: [(&str, Condition); 4] = [
    ("cooling", Condition::Cooling),
    ("unavailable", Condition::Unavailable),
    ("failed", Condition::Failed),
    ("context-length", Condition::ContextLength),
];

/// Priorities are few; this is wide enough for every numbering.
pub(super) const PRIORITIES: Whole<i32> = Whole {
    min: -1_000_000,
    max: 1_000_000,
};

/// Weights are summed as 64-bit numbers; a million to one is as uneven as anyone needs.
pub(super) const WEIGHTS: Whole<u32> = Whole {
    min: 1,
    max: 1_000_000,
};
