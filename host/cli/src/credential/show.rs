//! Credentials on a terminal, from what the admin API tells. A field that a server of another
//! version does not tell is left empty.

use std::time::Duration;

use serde_json::Value;

use crate::terminal::{print, print_table};

/// All credentials, a line each.
pub(super) fn list(response: &Value) {
    let now = response["now_ms"].as_u64();
    let none = Vec::new();
    let credentials = response["credentials"].as_array().unwrap_or(&none);
    let row = |credential: &Value| {
        [
            text(&credential["id"]),
            text(&credential["provider"]),
            text(&credential["kind"]),
            state(credential, now),
            text(&credential["in_flight"]),
            text(&credential["priority"]),
            ago(&credential["last_used_ms"], now),
            from(credential),
        ]
    };
    let rows: Vec<_> = credentials.iter().map(row).collect();
    let heads = [
        "ID",
        "PROVIDER",
        "KIND",
        "STATE",
        "IN FLIGHT",
        "PRIORITY",
        "LAST USED",
        "FROM",
    ];
    print_table(heads, &rows);
}

/// Everything of one credential.
pub(super) fn details(response: &Value) {
    let now = response["now_ms"].as_u64();
    let credential = &response["credential"];
    let last_failure = &credential["last_failure"];
    let failed = last_failure["at_ms"].as_u64().map(|_| {
        let when = ago(&last_failure["at_ms"], now);
        format!("{when}: {}", text(&last_failure["message"]))
    });
    let facts = [
        ("id", text(&credential["id"])),
        ("label", text(&credential["label"])),
        ("provider", text(&credential["provider"])),
        ("kind", text(&credential["kind"])),
        ("account", text(&credential["account"])),
        ("index", text(&credential["index"])),
        ("from", from(credential)),
        ("state", state(credential, now)),
        ("priority", text(&credential["priority"])),
        ("weight", text(&credential["weight"])),
        ("prefix", text(&credential["prefix"])),
        ("proxy", text(&credential["proxy"])),
        ("secrets", listed(&credential["secrets"])),
        ("in flight", in_flight(credential)),
        ("token ends", until(&credential["expires_at_ms"], now)),
        ("refreshed", ago(&credential["refreshed_at_ms"], now)),
        ("next refresh", until(&credential["next_refresh_ms"], now)),
        ("last used", ago(&credential["last_used_ms"], now)),
        ("last success", ago(&credential["last_success_ms"], now)),
        ("last failure", failed.unwrap_or_default()),
    ];
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        print(&format!("  {name:<13} {fact}"));
    }
    models(credential, now);
}

fn models(credential: &Value, now: Option<u64>) {
    let none = Vec::new();
    let models = credential["models"].as_array().unwrap_or(&none);
    let row = |model: &Value| {
        [
            text(&model["model"]),
            health(&model["health"], now),
            text(&model["error_permille"]),
            text(&model["latency_ms"]),
        ]
    };
    print("");
    let rows: Vec<_> = models.iter().map(row).collect();
    print_table(["MODEL", "STATE", "FAILED OF 1000", "FIRST BYTE MS"], &rows);
}

/// That something was done.
pub(super) fn changed(response: &Value, what: &str) {
    let credential = &response["credential"];
    let now = response["now_ms"].as_u64();
    let id = text(&credential["id"]);
    print(&format!(
        "{id} is {what}; it is {} now",
        state(credential, now)
    ));
}

/// That a credential is gone.
pub(super) fn removed(response: &Value) {
    print(&format!("{} is removed", text(&response["removed"])));
}

/// How a credential stands, in a few words.
fn state(credential: &Value, now: Option<u64>) -> String {
    if credential["enabled"] == false {
        return "disabled".to_owned();
    }
    let account = &credential["health"];
    if account["state"] != "ready" {
        return health(account, now);
    }
    let none = Vec::new();
    let models = credential["models"].as_array().unwrap_or(&none);
    let unavailable: Vec<&Value> = models
        .iter()
        .map(|model| &model["health"])
        .filter(|health| health["state"] != "ready")
        .collect();
    match unavailable.as_slice() {
        [] => "ready".to_owned(),
        [one] if models.len() == 1 => health(one, now),
        _ => format!("{} of {} models cool", unavailable.len(), models.len()),
    }
}

/// How an account or a model stands, and why.
fn health(health: &Value, now: Option<u64>) -> String {
    let mut shown = text(&health["state"]);
    let until = until(&health["until_ms"], now);
    if !until.is_empty() {
        shown = format!("{shown}, ends {until}");
    }
    let kind = text(&health["cause"]["kind"]);
    if kind.is_empty() {
        shown
    } else {
        format!("{shown} ({kind})")
    }
}

fn from(credential: &Value) -> String {
    let origin = &credential["origin"];
    match origin["file"].as_str() {
        Some(file) => format!("file {file}"),
        None => text(&origin["kind"]),
    }
}

fn in_flight(credential: &Value) -> String {
    let now = text(&credential["in_flight"]);
    match credential["max_in_flight"].as_u64() {
        Some(most) => format!("{now} of at most {most}"),
        None => now,
    }
}

fn listed(values: &Value) -> String {
    let none = Vec::new();
    let values = values.as_array().unwrap_or(&none);
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A moment in the past, as the server's clock has it.
fn ago(moment: &Value, now: Option<u64>) -> String {
    let past = moment.as_u64().zip(now);
    let past = past.map(|(moment, now)| now.saturating_sub(moment));
    past.map(|past| format!("{} ago", span(past)))
        .unwrap_or_default()
}

/// A moment in the future.
fn until(moment: &Value, now: Option<u64>) -> String {
    match moment.as_u64().zip(now) {
        Some((moment, now)) if moment > now => format!("in {}", span(moment - now)),
        Some((moment, now)) => format!("{} ago", span(now - moment)),
        None => String::new(),
    }
}

/// A time in seconds, and of a day or more in minutes.
fn span(millis: u64) -> String {
    let seconds = millis.div_ceil(1000);
    let seconds = if seconds > DAY {
        seconds / 60 * 60
    } else {
        seconds
    };
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

/// Without what would move a terminal's cursor: some of it comes from providers.
fn clean(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
