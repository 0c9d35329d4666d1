//! Prints credentials on a terminal.

use std::time::Duration;

use jackfield_admin::types::{
    Credential, CredentialList, CredentialResponse, EndpointHealth, Health, HealthState, Removed,
};

use crate::terminal::{print, print_table};

/// Prints a table with one line for each credential.
pub(super) fn list(response: &CredentialList) {
    let now_ms = response.now_ms;
    let row = |credential: &Credential| {
        [
            clean(&credential.id),
            clean(&credential.provider),
            clean(&credential.kind),
            state(credential, now_ms),
            credential.in_flight.to_string(),
            credential.priority.to_string(),
            ago(credential.last_used_ms, now_ms),
            from(credential),
        ]
    };
    let rows: Vec<_> = response.credentials.iter().map(row).collect();
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

/// Prints everything about one credential.
pub(super) fn details(response: &CredentialResponse) {
    let facts = facts(response);
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        print(&format!("  {name:<13} {fact}"));
    }
    print("");
    let row = |model: &jackfield_admin::types::Model| {
        [
            clean(&model.model),
            health(&model.health, response.now_ms),
            model.error_permille.to_string(),
            model.latency_ms.to_string(),
        ]
    };
    let endpoint_row = |endpoint: &EndpointHealth| {
        [
            format!("  {}", clean(&endpoint.endpoint)),
            health(&endpoint.health, response.now_ms),
            String::new(),
            String::new(),
        ]
    };
    let mut rows = Vec::new();
    for model in &response.credential.models {
        rows.push(row(model));
        rows.extend(model.endpoints.iter().map(endpoint_row));
    }
    print_table(["MODEL", "STATE", "FAILED OF 1000", "FIRST BYTE MS"], &rows);
}

/// Returns names and values; a value that is unknown is empty.
fn facts(response: &CredentialResponse) -> [(&'static str, String); 21] {
    let (credential, now_ms) = (&response.credential, response.now_ms);
    let optional = |text: &Option<String>| text.as_deref().map(clean).unwrap_or_default();
    let last_failure = credential.last_failure.as_ref().map(|failure| {
        let when = ago(Some(failure.at_ms), now_ms);
        format!("{when}: {}", clean(&failure.message))
    });
    let refresh_failure = credential.refresh.last_failure.as_ref().map(|failure| {
        let when = ago(Some(failure.at_ms), now_ms);
        let status = failure.status.map(|status| format!("status {status}: "));
        let status = status.unwrap_or_default();
        format!("{when}: {status}{}", clean(&failure.message))
    });
    [
        ("id", clean(&credential.id)),
        ("label", optional(&credential.label)),
        ("provider", clean(&credential.provider)),
        ("kind", clean(&credential.kind)),
        ("account", optional(&credential.account)),
        ("index", clean(&credential.index)),
        ("from", from(credential)),
        ("state", state(credential, now_ms)),
        ("priority", credential.priority.to_string()),
        ("weight", credential.weight.to_string()),
        ("prefix", optional(&credential.prefix)),
        ("proxy", optional(&credential.proxy)),
        ("in flight", in_flight(credential)),
        ("token ends", until(credential.expires_at_ms, now_ms)),
        ("refreshed", ago(credential.refresh.refreshed_at_ms, now_ms)),
        ("tokens", unsaved(credential).to_owned()),
        ("next refresh", until(credential.refresh.due_at_ms, now_ms)),
        ("refresh error", refresh_failure.unwrap_or_default()),
        ("last used", ago(credential.last_used_ms, now_ms)),
        ("last success", ago(credential.last_success_ms, now_ms)),
        ("last failure", last_failure.unwrap_or_default()),
    ]
}

/// Says that the tokens are only in the server's memory, if that is so.
fn unsaved(credential: &Credential) -> &'static str {
    if credential.refresh.unsaved {
        "not saved: a restart of the server now would lose them"
    } else {
        ""
    }
}

/// Prints that a change is done, and the state after it.
pub(super) fn changed(response: &CredentialResponse, participle: &str) {
    let id = clean(&response.credential.id);
    let state = state(&response.credential, response.now_ms);
    print(&format!("{id} is {participle}; it is {state} now"));
    let unsaved = unsaved(&response.credential);
    if !unsaved.is_empty() {
        print(&format!("Its tokens are {unsaved}"));
    }
}

/// Prints that a credential was removed.
pub(super) fn removed(response: &Removed) {
    print(&format!("{} is removed", clean(&response.removed)));
}

/// Returns the state of a credential in a few words.
fn state(credential: &Credential, now_ms: u64) -> String {
    if !credential.enabled {
        return "disabled".to_owned();
    }
    let revoked = match credential.looks_revoked {
        true => "the secret looks revoked: ",
        false => "",
    };
    if credential.health.state != HealthState::Ready {
        return format!("{revoked}{}", health(&credential.health, now_ms));
    }
    let models = &credential.models;
    let unavailable: Vec<&Health> = models
        .iter()
        .map(|model| &model.health)
        .filter(|health| health.state != HealthState::Ready)
        .collect();
    match unavailable.as_slice() {
        [] => "ready".to_owned(),
        [one] if models.len() == 1 => health(one, now_ms),
        _ => format!("{} of {} models cool", unavailable.len(), models.len()),
    }
}

/// Returns the state of a health, its end, and the kind of the failure.
fn health(health: &Health, now_ms: u64) -> String {
    let mut text = match health.state {
        HealthState::Ready => "ready",
        HealthState::Cooling => "cooling",
        HealthState::Probing => "probing",
        HealthState::Barred => "barred",
        HealthState::Unknown => "in an unknown state",
    }
    .to_owned();
    let Some(details) = &health.details else {
        return text;
    };
    if details.until_ms.is_some() {
        text = format!("{text}, ends {}", until(details.until_ms, now_ms));
    }
    match &details.cause {
        Some(cause) => format!("{text} ({})", clean(&cause.kind)),
        None => text,
    }
}

fn from(credential: &Credential) -> String {
    match &credential.origin.file {
        Some(file) => format!("file {}", clean(file)),
        None => clean(&credential.origin.kind),
    }
}

fn in_flight(credential: &Credential) -> String {
    let now = credential.in_flight;
    match credential.max_in_flight {
        Some(max) => format!("{now} of at most {max}"),
        None => now.to_string(),
    }
}

/// Describes a time in the past, by the server's clock: it may differ from the one here.
fn ago(at_ms: Option<u64>, now_ms: u64) -> String {
    at_ms
        .map(|at_ms| format!("{} ago", duration(now_ms.saturating_sub(at_ms))))
        .unwrap_or_default()
}

/// Describes a time in the future; it may have passed.
fn until(at_ms: Option<u64>, now_ms: u64) -> String {
    match at_ms {
        Some(at_ms) if at_ms > now_ms => format!("in {}", duration(at_ms - now_ms)),
        at_ms => ago(at_ms, now_ms),
    }
}

/// Shows seconds, and for more than a day only minutes.
fn duration(millis: u64) -> String {
    let seconds = millis.div_ceil(1000);
    let seconds = if seconds > DAY_SECONDS {
        seconds / 60 * 60
    } else {
        seconds
    };
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// Replaces control characters: some texts come from providers and could move the cursor.
fn clean(text: &str) -> String {
    // A provider's message may contain escape sequences, which would control the terminal.
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use jackfield_admin::types::{HealthDetails, Model, Refresh, RefreshFailure};

    use super::*;

    fn fact(response: &CredentialResponse, name: &str) -> String {
        let facts = facts(response);
        let found = facts.iter().find(|(found, _)| *found == name);
        found.map(|(_, fact)| fact.clone()).unwrap_or_default()
    }

    #[test]
    fn shows_last_and_next_refresh() {
        let mut response = CredentialResponse {
            now_ms: 100_000,
            ..CredentialResponse::default()
        };
        assert_eq!(fact(&response, "refreshed"), "");
        assert_eq!(fact(&response, "next refresh"), "");
        response.credential.refresh = Refresh {
            refreshed_at_ms: Some(40_000),
            due_at_ms: Some(130_000),
            ..Refresh::default()
        };
        assert_eq!(fact(&response, "refreshed"), "1m ago");
        assert_eq!(fact(&response, "tokens"), "");
        response.credential.refresh.unsaved = true;
        assert!(fact(&response, "tokens").contains("not saved"));
        assert_eq!(fact(&response, "next refresh"), "in 30s");
    }

    #[test]
    fn shows_why_a_refresh_failed() {
        let mut response = CredentialResponse {
            now_ms: 100_000,
            ..CredentialResponse::default()
        };
        assert_eq!(fact(&response, "refresh error"), "");
        let mut failure = RefreshFailure {
            at_ms: 40_000,
            status: Some(503),
            message: "temporarily_unavailable".to_owned(),
        };
        response.credential.refresh.last_failure = Some(failure.clone());
        assert_eq!(
            fact(&response, "refresh error"),
            "1m ago: status 503: temporarily_unavailable"
        );
        failure.status = None;
        response.credential.refresh.last_failure = Some(failure);
        assert_eq!(
            fact(&response, "refresh error"),
            "1m ago: temporarily_unavailable"
        );
    }

    #[test]
    fn state_counts_unavailable_models() {
        let ready = Health {
            state: HealthState::Ready,
            details: None,
        };
        let cooling = Health {
            state: HealthState::Cooling,
            details: Some(HealthDetails {
                until_ms: Some(3_000),
                next_trial_ms: None,
                strikes: 0,
                class: None,
                hint: false,
                cause: None,
            }),
        };
        let model = |health: &Health| Model {
            health: health.clone(),
            ..Model::default()
        };
        let mut credential = Credential {
            enabled: true,
            health: ready.clone(),
            models: vec![model(&cooling)],
            ..Credential::default()
        };
        assert_eq!(state(&credential, 1_000), "cooling, ends in 2s");
        credential.models.push(model(&ready));
        assert_eq!(state(&credential, 1_000), "1 of 2 models cool");
        credential.health = cooling;
        credential.looks_revoked = true;
        assert_eq!(
            state(&credential, 1_000),
            "the secret looks revoked: cooling, ends in 2s"
        );
        credential.enabled = false;
        assert_eq!(state(&credential, 1_000), "disabled");
    }

    #[test]
    fn replaces_control_characters() {
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a [2Jb ");
    }
}
