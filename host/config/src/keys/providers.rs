//! Keys of providers and their credentials.

use std::time::Duration as Time;

use jackfield_credential::CredentialKind;

use super::calls::ROUNDS_MAX;
use super::login;
use super::models::{self, PRIORITIES, WEIGHTS};
use crate::discovery::ModelDiscovery;
use crate::key::{
    DefaultKey, OptionalKey, RequiredKey, Section, default, optional, required, section,
};
use crate::kinds::{
    BaseUrl, Choice, Duration, Flag, HeaderPatternKind, Limit, Line, List, ListOf, ListOrWord,
    MapOf, Name, Nested, Origin, Prefix, ProxyUrl, Secret, Settings, Text, Timestamp, TraitsKind,
    Whole,
};

/// One provider.
pub(crate) mod provider {
    use super::*;

    section! {
        SECTION at "providers[]" {
            NAME: RequiredKey<Name> = required("name", Name, "Unique.");
            EXECUTOR: RequiredKey<Name> = required(
                "executor", Name,
                "The plugin that speaks to this provider.",
            );
            BASE_URL: OptionalKey<BaseUrl> = optional(
                "base-url", BaseUrl,
                "the API's own URL for the executors `openai`, `anthropic`, `gemini`; otherwise required",
                "The API, as the provider's own SDK uses it. A slash at its end is removed.",
            );
            GRANTS: OptionalKey<List<Origin>> = optional(
                "grants", List(Origin), "none",
                "Origins. The executor may send requests to them too, for example to a token endpoint. The \
                 executor must declare the same host, or the grant has no effect.",
            );
            CLIENT_HEADERS: OptionalKey<List<HeaderPatternKind>> = optional(
                "allowed-client-headers", List(HeaderPatternKind), "the built-in list",
                "Headers of clients that the executor may read, or pass on, beyond the [built-in list](api.md#request-headers-for-the-provider). \
                 Headers with keys and cookies, and those of connections, bodies and proxies, never leave.",
            );
            SETTINGS: DefaultKey<Settings> = default(
                "settings", Settings, |_| "{}".into(),
                "The executor receives it. The plugin can read it: write no secret here. \
                 [plugins/README.md](../../plugins/README.md#which-executor) lists the settings of the \
                 built-in executors.",
            );
            TRAITS: OptionalKey<TraitsKind> = optional(
                "traits", TraitsKind { server: true }, "those of the built-in rows",
                "What the API takes, for requests that Jackfield translates. `server` names the kind of server if its \
                 base URL does not show it. `jackfield config check --explain` prints all traits.",
            );
            MAX_IN_FLIGHT: OptionalKey<Limit> = optional(
                "max-in-flight", Limit { max: IN_FLIGHT_MAX }, "no limit",
                "Limit of concurrent attempts over all credentials of the provider.",
            );
            DISABLE_COOLING: OptionalKey<Flag> = optional(
                "disable-cooling", Flag, "value of `disable-cooling`",
                "For its credentials.",
            );
            REFRESH: OptionalKey<Nested> = optional(
                "refresh", Nested(&refresh::SECTION), "the executor decides",
                "When the tokens of its credentials are refreshed. An executor that evaluates credentials \
                 itself overrides it.",
            );
            LOGIN: OptionalKey<Nested> = optional(
                "login", Nested(&login::SECTION), "no logins",
                "How its accounts log in by OAuth 2.0; see [howto/login.md](howto/login.md). `jackfield login` begins a \
                 login. Jackfield refreshes these tokens itself.",
            );
            CREDENTIALS: OptionalKey<ListOf> = optional(
                "credentials", ListOf(&credential::SECTION), "required without `credential-files` and `login`",
                "Its accounts and API keys.",
            );
            MODELS: OptionalKey<ListOrWord> = optional(
                "models", ListOrWord { items: &models::provider_model::SECTION, word: "discover" },
                "required without `discover`",
                "The models that its credentials serve. `discover`: those that the provider lists.",
            );
            DISCOVER: OptionalKey<Nested> = optional(
                "discover", Nested(&discover::SECTION), "`{}` with `models: discover`, otherwise no discovery",
                "Beside the models above, its credentials serve those that the provider lists. The executor must plan \
                 the operation `list-models`. See [howto/discovery.md](howto/discovery.md).",
            );
        }
    }
}

/// Which of the models that the provider lists are served.
pub(crate) mod discover {
    use super::*;

    section! {
        SECTION at "providers[].discover" {
            INCLUDE: OptionalKey<List<Line>> = optional(
                "include", List(Line), "all",
                "Patterns of names, such as `gpt-*`; case does not count. A model is served if one of them matches.",
            );
            EXCLUDE: OptionalKey<List<Line>> = optional(
                "exclude", List(Line), "none",
                "Patterns of names. A model that one of them matches is not served.",
            );
            INTERVAL: DefaultKey<Duration> = default(
                "interval", Duration { max: Time::from_hours(24 * 30) }, |_| ModelDiscovery::default().interval,
                "How often the provider is asked for its list: at least every minute.",
            );
        }
    }
}

/// When tokens are refreshed.
pub(crate) mod refresh {
    use super::*;

    section! {
        SECTION at "providers[].refresh" {
            LEAD: OptionalKey<Duration> = optional(
                "lead", Duration { max: YEAR }, "the executor's own (5 minutes for the built-in executors)",
                "How long before its end a token is refreshed: at most half of its life, if the provider \
                reported it.",
            );
            INTERVAL: OptionalKey<Duration> = optional(
                "interval", Duration { max: YEAR }, "none: the end of the token decides",
                "How often tokens are refreshed. It overrides `lead`. A token whose life is shorter is refreshed \
                when half of it has passed.",
            );
        }
    }
}

/// One credential, under a provider.
pub(crate) mod credential {
    use super::*;

    section! {
        SECTION at "credentials[]" {
            ID: RequiredKey<Name> = required(
                "id", Name,
                "Unique in the whole file. Logs and the admin API show it.",
            );
            LABEL: OptionalKey<Line> = optional("label", Line, "none", "A description for people.");
            KIND: OptionalKey<Choice<CredentialKind>> = optional(
                "kind",
                Choice(&[("api-key", CredentialKind::ApiKey), ("oauth", CredentialKind::Oauth)]),
                "`oauth` if there is an `access-token` or a `refresh-token`, otherwise `api-key`",
                "Only tokens of `oauth` credentials are refreshed.",
            );
            API_KEY: OptionalKey<Secret> = optional(
                "api-key", Secret { min: 1, key_file: false }, "none",
                "Short form of `secrets: { api-key: .. }`.",
            );
            SECRETS: OptionalKey<MapOf<Secret>> = optional(
                "secrets", MapOf { values: Secret { min: 1, key_file: true }, rule: "Mapping of secrets." }, "none",
                "The names are those that the executor uses: `access-token`, `refresh-token`, `client-id`, \
                 `client-secret`, .. A credential needs at least one secret, here or as `api-key`.",
            );
            EXPIRES_AT: OptionalKey<Timestamp> = optional(
                "expires-at", Timestamp, "unknown",
                "End of the access token.",
            );
            PREFIX: OptionalKey<Prefix> = optional(
                "prefix", Prefix, "none",
                "Each model gets one more name: `PREFIX/NAME`.",
            );
            MODELS: OptionalKey<ListOf> = optional(
                "models", ListOf(&models::model::SECTION), "models of the provider",
                "It replaces the list of the provider.",
            );
            PRIORITY: DefaultKey<Whole<i32>> = default(
                "priority", PRIORITIES, |_| 0,
                "Credentials of a lower priority are used only if no credential of a higher one is available.",
            );
            WEIGHT: DefaultKey<Whole<u32>> = default(
                "weight", WEIGHTS, |_| 1,
                "Share among credentials of the same priority, for selectors that use weights.",
            );
            MAX_IN_FLIGHT: OptionalKey<Limit> = optional(
                "max-in-flight", Limit { max: IN_FLIGHT_MAX }, "no limit",
                "Limit of concurrent attempts with this credential.",
            );
            ROUNDS: OptionalKey<Whole<u32>> = optional(
                "rounds", Whole { min: 1, max: ROUNDS_MAX }, "`retry.rounds`",
                "How often a call tries this credential at most.",
            );
            DISABLE_COOLING: OptionalKey<Flag> = optional(
                "disable-cooling", Flag, "value of the provider",
                "For this credential. The most specific value counts.",
            );
            PROXY_URL: OptionalKey<ProxyUrl> = optional(
                "proxy-url", ProxyUrl, "no proxy",
                "The proxy for its connections. It may contain a user and a password.",
            );
            ATTRIBUTES: OptionalKey<MapOf<Text>> = optional(
                "attributes", MapOf { values: Text, rule: "Mapping of text." }, "`{}`",
                "Executors and selectors can read it, such as `organization` and `project` of `openai`. An \
                 attribute `header:NAME` sets the header `NAME` on calls with this credential. Write no secret \
                 here.",
            );
            DISABLED: DefaultKey<Flag> = default(
                "disabled", Flag, |_| false,
                "`true` takes the credential out of use.",
            );
        }
    }
}

/// The key that a credential of the admin API has beside those of a credential in the file.
pub(crate) static PROVIDER: RequiredKey<Name> =
    required("provider", Name, "The provider of the credential.");

/// One credential of the admin API.
pub(crate) static NEW_CREDENTIAL: Section = Section {
    path: "",
    keys: &[&PROVIDER],
    extends: Some(&credential::SECTION),
};

/// More attempts than one process has sockets for.
const IN_FLIGHT_MAX: u32 = 100_000;

/// No token in use is known to live longer than a year, here of 365.25 days.
const YEAR: Time = Time::from_secs(31_557_600);
