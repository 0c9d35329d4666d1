//! Credentials as JSON: the shapes that `host/docs/admin-api.md` describes. Nothing here is secret.

use jackfield_auth::{
    AttemptEvent, CredentialView, Event, EventKind, Origin, RefreshEvent, RefreshView,
};
use jackfield_credential::{
    Availability, Cause, Health, HealthChange, HealthStatus, LastFailure, ModelStatus, Outcome,
    QuotaState, Timestamp,
};
use serde_json::{Value, json};

/// One credential.
pub(super) fn credential(view: &CredentialView) -> Value {
    let status = &view.status;
    let models: Vec<Value> = status.models.iter().map(model).collect();
    let mut shown = json!({
        "id": status.id.as_str(),
        "provider": status.provider.as_str(),
        "label": status.label.as_deref(),
        "prefix": status.prefix.as_deref(),
        "kind": status.kind.label(),
        "index": view.index,
        "account": view.account,
        "proxy": view.proxy,
        "origin": origin(&view.origin),
        "enabled": status.enabled,
        "priority": status.priority,
        "weight": status.weight,
        "in_flight": status.in_flight,
        "max_in_flight": status.in_flight_max,
        "disable_cooling": status.disable_cooling,
        "health": standing(&status.account),
        "models": models,
        "metadata": view.metadata,
        "created_at_ms": millis(Some(view.created_at)),
        "expires_at_ms": millis(view.expires_at),
        "last_used_ms": millis(status.last_used),
        "last_success_ms": millis(status.last_success),
        "last_failure": status.last_failure.as_ref().map(last_failure),
        "refresh": refresh_state(&view.refresh),
    });
    let aggregate = &view.aggregate;
    shown["status"] = aggregate.status.label().into();
    shown["status_message"] = aggregate
        .message
        .as_ref()
        .map(|cause| &*cause.message)
        .into();
    shown["unavailable"] = aggregate.unavailable.into();
    shown["next_retry_ms"] = millis(aggregate.next_retry).into();
    shown["quota"] = quota(&aggregate.quota);
    shown
}

/// Something that happened.
pub(super) fn event(event: &Event) -> Value {
    let mut shown = json!({
        "at_ms": event.at.as_millis(),
        "credential": event.credential.as_str(),
    });
    match &event.kind {
        EventKind::Registered | EventKind::Updated | EventKind::Removed => {}
        EventKind::Attempt(note) => shown["result"] = call_result(note),
        EventKind::Refresh(note) => shown["refresh"] = refresh_result(note),
        EventKind::Health(change) => shown["change"] = health_change(change, event.at),
    }
    shown
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::File(name) => json!({ "kind": origin.label(), "file": &**name }),
        Origin::Config | Origin::Admin => json!({ "kind": origin.label() }),
    }
}

fn model(model: &ModelStatus) -> Value {
    json!({
        "model": model.model.as_str(),
        "health": standing(&model.health),
        "error_permille": model.error_permille,
        "latency_ms": model.latency_ms,
        "quota_left_permille": model.quota.left_permille,
        "quota_resets_ms": millis(model.quota.resets_at),
    })
}

fn refresh_state(state: &RefreshView) -> Value {
    json!({
        "running": state.running,
        "refreshed_at_ms": millis(state.refreshed_at),
        "due_at_ms": millis(state.due_at),
        "failures": state.failures,
        "rejected": state.rejected,
    })
}

fn quota(quota: &QuotaState) -> Value {
    json!({
        "exceeded": quota.exceeded,
        "reason": quota.reason.as_deref().map(cause),
        "next_recover_ms": millis(quota.next_recover_at),
        "backoff_level": quota.backoff_level,
    })
}

fn standing(standing: &HealthStatus) -> Value {
    health(
        standing.availability,
        standing.strikes,
        standing.cause.as_deref(),
    )
}

fn health(availability: Availability, strikes: u32, of: Option<&Cause>) -> Value {
    let state = match availability {
        Availability::Ready => return json!({ "state": "ready" }),
        // A probe is due: one attempt may.
        Availability::Probe => "ready",
        Availability::Probing { .. } => "probing",
        Availability::Cooling { .. } => "cooling",
        Availability::Barred => "barred",
    };
    json!({
        "state": state,
        "until_ms": millis(availability.until()),
        "strikes": strikes,
        "cause": of.map(cause),
    })
}

fn cause(cause: &Cause) -> Value {
    json!({ "kind": &*cause.kind, "status": cause.status, "message": &*cause.message })
}

fn last_failure(failure: &LastFailure) -> Value {
    json!({
        "at_ms": failure.at.as_millis(),
        "model": failure.model.as_str(),
        "kind": &*failure.cause.kind,
        "status": failure.cause.status,
        "message": &*failure.cause.message,
    })
}

fn call_result(note: &AttemptEvent) -> Value {
    let mut shown = json!({
        "provider": note.provider.as_str(),
        "model": note.model.as_str(),
    });
    shown["outcome"] = match &note.outcome {
        Outcome::Success => "success",
        Outcome::Cancelled => "cancelled",
        Outcome::Inconclusive => "unjudged",
        Outcome::Failed(failure) => {
            shown["failure"] = json!({
                "scope": failure.scope.label(),
                "kind": &*failure.kind,
                "status": failure.status,
                "message": &*failure.message,
            });
            "failed"
        }
    }
    .into();
    shown
}

fn refresh_result(note: &RefreshEvent) -> Value {
    match note {
        RefreshEvent::Refreshed(expires_at) => {
            json!({ "outcome": "renewed", "expires_at_ms": millis(*expires_at) })
        }
        RefreshEvent::Failed(message, retry_at) => {
            json!({ "outcome": "failed", "message": message, "again_at_ms": retry_at.as_millis() })
        }
        RefreshEvent::Rejected(message) => json!({ "outcome": "rejected", "message": message }),
    }
}

fn health_change(change: &HealthChange, at: Timestamp) -> Value {
    let of = |state: &Health| {
        let cause = state.cause().map(|cause| &**cause);
        health(state.availability(at), state.strikes(), cause)
    };
    json!({
        "model": change.model.as_ref().map(|model| model.as_str()),
        "from": of(&change.from),
        "to": of(&change.to),
    })
}

fn millis(at: Option<Timestamp>) -> Option<u64> {
    at.map(Timestamp::as_millis)
}
