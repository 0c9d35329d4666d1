//! Keys about calls: selection, retries, timeouts.

use std::time::Duration as Time;

use jackfield_credential::BudgetPolicy;
use jackfield_dispatch::snapshot::{RetryPolicy, Routing, Timeouts};

use crate::key::{DefaultKey, OptionalKey, Section, default, optional, section};
use crate::kinds::{
    AffinityPlaces, Duration, HeaderName, JsonPointer, Nested, Permille, SelectorName, Settings,
    Whole,
};

/// Selection of credentials.
pub(crate) mod routing {
    use super::*;

    section! {
        SECTION at "routing" {
            SELECTOR: DefaultKey<SelectorName> = default(
                "selector", SelectorName, |_| Routing::default().selector,
                "The selector plugin. `fillfirst` and `ff` mean `fill-first`.",
            );
            SETTINGS: DefaultKey<Settings> = default(
                "settings", Settings, |_| Routing::default().settings,
                "The selector receives it.",
            );
            AFFINITY: OptionalKey<AffinityPlaces> = optional(
                "affinity", AffinityPlaces(&affinity::SECTION), "seven places, [see below](#affinity)",
                "Items are `{ header: NAME }`, `{ body: /JSON/POINTER }` or `client-key`. They identify the \
                 session of a call, for selectors such as `sticky`. The first place with a value counts. An empty list switches affinity off.",
            );
            QUEUE_TIMEOUT: DefaultKey<Duration> = default(
                "queue-timeout", Duration { max: HOUR }, |_| Routing::default().queue_timeout,
                "How long a call waits for free capacity when every available credential has \
                 `max-in-flight` attempts. A request for a token count does not wait.",
            ).was("room-wait");
        }
    }
}

/// One place of `routing.affinity` that is a mapping.
pub(crate) mod affinity {
    use super::*;

    section! {
        SECTION at "routing.affinity[]" {
            HEADER: OptionalKey<HeaderName> = optional(
                "header", HeaderName, "none",
                "The header holds the session. The item has no `body` then.",
            );
            BODY: OptionalKey<JsonPointer> = optional(
                "body", JsonPointer, "none",
                "The value in the request body holds the session. The item has no `header` then.",
            );
        }
    }
}

/// Retries.
pub(crate) mod retry {
    use super::*;

    section! {
        SECTION at "retry" {
            ROUNDS: DefaultKey<Whole<u32>> = default(
                "rounds", Whole { min: 1, max: ROUNDS_MAX }, |_| RetryPolicy::default().rounds,
                "How often a call tries one credential at most. With `1` it waits for no cooldown.",
            );
            MAX_WAIT: DefaultKey<Duration> = default(
                "max-wait", Duration { max: HOUR }, |_| RetryPolicy::default().max_wait,
                "A call waits for the first cooldown to end, if that is within this time. All of its waits are no longer in all.",
            );
            MAX_CREDENTIALS: DefaultKey<Whole<u32>> = default(
                // More than a pool has; a larger number is a slip.
                "max-credentials", Whole { min: 0, max: 10_000 }, |_| RetryPolicy::default().max_credentials,
                "Maximum number of credentials in one round. `0` means all.",
            );
            BUDGET: OptionalKey<Nested> = optional(
                "budget", Nested(&budget::SECTION), "the defaults below",
                "It limits further attempts of calls at a provider that failed. This prevents a retry storm during an outage. It never limits the first attempt of a call at another provider, nor at another credential while the provider serves others.",
            );
        }
    }
}

/// The retry budget of each provider.
pub(crate) mod budget {
    use super::*;

    section! {
        SECTION at "retry.budget" {
            RATIO: DefaultKey<Permille> = default(
                // Ten further attempts for each call: more is no budget.
                "ratio", Permille { max: 10_000 }, |_| BudgetPolicy::default().ratio_permille,
                "Further attempts for each first attempt.",
            );
            PER_SECOND: DefaultKey<Whole<u32>> = default(
                // More than one process sends.
                "per-second", Whole { min: 0, max: 100_000 }, |_| BudgetPolicy::default().per_second,
                "Further attempts per second in addition to the ratio.",
            );
            BURST: DefaultKey<Whole<u32>> = default(
                "burst", Whole { min: 1, max: 1_000_000 }, |_| BudgetPolicy::default().burst,
                "Maximum of saved further attempts.",
            );
        }
    }
}

/// Timeouts.
pub(crate) mod timeouts {
    use super::*;

    section! {
        SECTION at "timeouts" {
            CONNECT: DefaultKey<Duration> = default(
                // A host that takes longer is down.
                "connect", Duration { max: Time::from_mins(5) }, |_| Timeouts::default().connect,
                "To open a connection to the provider, TLS included.",
            );
            FIRST_BYTE: DefaultKey<Duration> = default(
                // Models that reason long send their first byte late, but not later than this.
                "first-byte", Duration { max: HOUR }, |_| Timeouts::default().first_byte,
                "From the request to the first byte of the response. A response with content that is not \
                 streamed has until `total`, because most providers send nothing before it is complete.",
            );
            PER_TRY: DefaultKey<Duration> = default(
                "per-try", Duration { max: HOUR }, |_| Timeouts::default().per_try,
                "From a request for a stream to the head of its response, while another credential is \
                 available. After it that one is tried. A model whose heads usually take longer has twice \
                 its usual time. The last credential has `first-byte`.",
            );
            CLIENT_HEAD: DefaultKey<Duration> = default(
                "client-head", Duration { max: HOUR }, |_| Timeouts::default().client_head,
                "From the call for a stream to the head of the response that the client gets if there is no \
                 content yet. Keep-alives follow until there is. Other credentials may still be tried. An \
                 error after it is an event of the stream, not a status.",
            );
            IDLE: DefaultKey<Duration> = default(
                "idle", Duration { max: HOUR }, |_| Timeouts::default().idle,
                "Between two chunks of a response.",
            );
            TOTAL: DefaultKey<Duration> = default(
                // No call is served for longer than a day.
                "total", Duration { max: Time::from_hours(24) }, |_| Timeouts::default().total,
                "For a whole call with all attempts. It limits a stream up to its first content.",
            );
            CLIENT_STALL: DefaultKey<Duration> = default(
                "client-stall", Duration { max: HOUR }, |_| Timeouts::default().client_stall,
                "How long a client may take less than 1 KiB of what waits for it before its connection is closed, or leave one \
                 stream of a connection unread before its call ends.",
            );
            STREAM: OptionalKey<Duration> = optional(
                "stream", Duration { max: Time::from_hours(24) }, "no limit",
                "For a stream, from the request to the provider to its end.",
            );
        }
    }
}

/// More rounds would only hammer providers that are down.
pub(super) const ROUNDS_MAX: u32 = 20;

/// A client waits meanwhile; few wait longer than an hour.
const HOUR: Time = Time::from_hours(1);
