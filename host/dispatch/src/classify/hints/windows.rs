//! Reads the windows of subscriptions from headers: how much of a plan is used, and when it comes back.
//! Pure.
//!
//! | headers | source |
//! |---|---|
//! | `anthropic-ratelimit-unified-{status,reset,representative-claim}`, `anthropic-ratelimit-unified-{5h,7d,..}-{status,utilization,reset}` | Claude subscriptions: lidge-jun/opencodex#3809, manaflow-ai/subrouter#24, router-for-me/CLIProxyAPI#5915 |
//! | `x-codex-{primary,secondary}-{used-percent,window-minutes,reset-after-seconds,reset-at}`, `x-codex-active-limit` | ChatGPT subscriptions: openai/codex (rate_limits.rs), icebear0828/codex-proxy#65 |

use std::time::Duration;

use http::HeaderMap;
use jackfield_credential::{Quota, Scope, Timestamp};

use super::{number, reset_time, seconds, text};

/// A window that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpentWindow {
    /// The credential, or the model for windows that only some models have.
    pub(crate) scope: Scope,
    /// When the last of the windows ends: a credential needs all of them.
    pub(crate) resets_at: Option<Timestamp>,
}

/// Returns the windows for which a request was rejected. Only for a response with the status 429: others
/// also report windows that are used up, and were paid for from extra credit.
pub(crate) fn spent(headers: &HeaderMap, now: Timestamp) -> Option<SpentWindow> {
    anthropic_spent(headers, now).or_else(|| codex_spent(headers, now))
}

/// Returns what is left of each window.
pub(super) fn quotas(headers: &HeaderMap, now: Timestamp) -> impl Iterator<Item = Quota> {
    let anthropic = UTILIZATIONS.iter().filter_map(move |[used, reset]| {
        let reset = text(headers, reset);
        Some(Quota {
            left_permille: Some(left_permille(number(headers, used)?)),
            resets_at: reset.and_then(|reset| reset_time(reset, now)),
        })
    });
    // Most responses are of other providers.
    let family = headers
        .contains_key("x-codex-primary-used-percent")
        .then_some("codex");
    let codex = family
        .into_iter()
        .flat_map(move |family| codex_windows(headers, family, now));
    let codex = codex.map(|window| Quota {
        left_permille: Some(left_permille(window.used)),
        resets_at: window.resets_at,
    });
    anthropic.chain(codex)
}

/// The part that is left, of a used part where 1 is all. More than all is possible.
fn left_permille(used: f64) -> u16 {
    let left = ((1.0 - used) * 1_000.0).clamp(0.0, 1_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let left = left.round() as u16;
    left
}

/// The windows of the account, as a used part and its reset.
const UTILIZATIONS: [[&str; 2]; 2] = [
    [
        "anthropic-ratelimit-unified-5h-utilization",
        "anthropic-ratelimit-unified-5h-reset",
    ],
    [
        "anthropic-ratelimit-unified-7d-utilization",
        "anthropic-ratelimit-unified-7d-reset",
    ],
];

const UNIFIED: &str = "anthropic-ratelimit-unified-";

/// The windows of the whole account. Others, such as `7d_oi` (with extra usage) or `7d_opus`, belong to
/// some models: router-for-me/CLIProxyAPI#5915 and #5920.
const ACCOUNT_WINDOWS: [&str; 2] = ["5h", "7d"];

/// Names of the account's windows in `representative-claim`.
const ACCOUNT_CLAIMS: [&str; 2] = ["five_hour", "seven_day"];

fn anthropic_spent(headers: &HeaderMap, now: Timestamp) -> Option<SpentWindow> {
    let is_rejected = |name: &str| {
        let status = text(headers, name);
        status.is_some_and(|status| status.eq_ignore_ascii_case("rejected"))
    };
    let resets_at = |window: &str| {
        let reset = text(headers, &format!("{UNIFIED}{window}-reset"));
        reset.and_then(|reset| reset_time(reset, now))
    };
    let overall_reset = || {
        let reset = text(headers, "anthropic-ratelimit-unified-reset");
        reset.and_then(|reset| reset_time(reset, now))
    };
    let names = headers.keys().map(http::HeaderName::as_str);
    let rejected: Vec<&str> = names
        .filter(|name| is_rejected(name))
        .filter_map(|name| name.strip_prefix(UNIFIED)?.strip_suffix("-status"))
        .filter(|window| *window != "overage")
        .collect();
    let (of_account, of_model): (Vec<&str>, Vec<&str>) = rejected
        .into_iter()
        .partition(|window| ACCOUNT_WINDOWS.contains(window));
    let (scope, windows) = match (of_account.is_empty(), of_model.is_empty()) {
        (false, _) => (Scope::Credential, of_account),
        (true, false) => (Scope::Model, of_model),
        (true, true) if is_rejected("anthropic-ratelimit-unified-status") => {
            let claim = text(headers, "anthropic-ratelimit-unified-representative-claim");
            let of_model = claim.is_some_and(|claim| !ACCOUNT_CLAIMS.contains(&claim));
            let scope = if of_model {
                Scope::Model
            } else {
                Scope::Credential
            };
            (scope, Vec::new())
        }
        (true, true) => return out_of_credits(headers),
    };
    let last = windows.into_iter().filter_map(resets_at).max();
    Some(SpentWindow {
        scope,
        resets_at: last.or_else(overall_reset),
    })
}

/// An account without credit for extra usage. Such a response has no other header of a window
/// (tombii/better-ccflare#261), and this one is in other responses too.
fn out_of_credits(headers: &HeaderMap) -> Option<SpentWindow> {
    let reason = text(
        headers,
        "anthropic-ratelimit-unified-overage-disabled-reason",
    )?;
    let is_bare = !headers.contains_key("anthropic-ratelimit-unified-status")
        && !headers.contains_key("retry-after");
    (is_bare && reason == "out_of_credits").then_some(SpentWindow {
        scope: Scope::Credential,
        resets_at: None,
    })
}

/// A window of a ChatGPT plan.
struct CodexWindow {
    /// The used part: 1 is all.
    used: f64,
    resets_at: Option<Timestamp>,
}

fn codex_spent(headers: &HeaderMap, now: Timestamp) -> Option<SpentWindow> {
    let limit = text(headers, "x-codex-active-limit").unwrap_or_default();
    let limit = limit.to_ascii_lowercase().replace('_', "-");
    // A plan has further limits for some models: `codex_bengalfox` for the fast one.
    let of_model = limit.starts_with("codex-");
    let family = if of_model { &*limit } else { "codex" };
    let spent: Vec<CodexWindow> = codex_windows(headers, family, now)
        .filter(|window| window.used >= 1.0)
        .collect();
    if spent.is_empty() {
        return None;
    }
    Some(SpentWindow {
        scope: if of_model {
            Scope::Model
        } else {
            Scope::Credential
        },
        resets_at: spent.iter().filter_map(|window| window.resets_at).max(),
    })
}

/// The windows of one limit. A window of no minutes does not exist.
fn codex_windows(
    headers: &HeaderMap,
    family: &str,
    now: Timestamp,
) -> impl Iterator<Item = CodexWindow> {
    ["primary", "secondary"]
        .into_iter()
        .filter_map(move |window| {
            let value = |name: &str| number(headers, &format!("x-{family}-{window}-{name}"));
            let used = value("used-percent")? / 100.0;
            if value("window-minutes") == Some(0.0) {
                return None;
            }
            let at = value("reset-at").and_then(seconds);
            let after = || Some(now + value("reset-after-seconds").and_then(seconds)?);
            Some(CodexWindow {
                used,
                resets_at: at
                    .filter(|at| *at > Duration::ZERO)
                    .map(|at| Timestamp::default() + at)
                    .or_else(after),
            })
        })
}
