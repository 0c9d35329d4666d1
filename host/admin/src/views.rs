//! Converts what the auth manager reports to the types of the API.

use jackfield_auth::{
    AttemptEvent, CredentialView, Event, EventKind, Origin, RefreshEvent, RefreshView,
};
use jackfield_credential::{
    Availability, Cause, Health, HealthChange, HealthStatus, LaneStatus, LastFailure, ModelStatus,
    Outcome, QuotaState, Timestamp,
};

use crate::types;

pub(crate) fn credential(view: &CredentialView) -> types::Credential {
    let status = &view.status;
    let aggregate = &view.aggregate;
    types::Credential {
        id: status.id.to_string(),
        provider: status.provider.to_string(),
        label: status.label.as_deref().map(str::to_owned),
        prefix: status.prefix.as_deref().map(str::to_owned),
        kind: status.kind.label().to_owned(),
        index: view.index.clone(),
        account: view.account.clone(),
        proxy: view.proxy.clone(),
        origin: origin(&view.origin),
        enabled: status.enabled,
        priority: status.priority,
        weight: status.weight,
        in_flight: status.in_flight,
        max_in_flight: status.in_flight_max,
        disable_cooling: status.disable_cooling,
        health: health(&status.account),
        models: status.models.iter().map(model).collect(),
        metadata: view.metadata.clone(),
        created_at_ms: Some(view.created_at.as_millis()),
        expires_at_ms: millis(view.expires_at),
        last_used_ms: millis(status.last_used),
        last_success_ms: millis(status.last_success),
        last_failure: status.last_failure.as_ref().map(last_failure),
        refresh: refresh(&view.refresh),
        status: aggregate.status.label().to_owned(),
        status_message: aggregate
            .message
            .as_ref()
            .map(|cause| cause.message.to_string()),
        looks_revoked: status.looks_revoked(),
        unavailable: aggregate.unavailable,
        next_retry_ms: millis(aggregate.next_retry),
        quota: quota(&aggregate.quota),
    }
}

pub(crate) fn event(event: &Event) -> types::Event {
    let (mut result, mut refresh, mut change) = (None, None, None);
    match &event.kind {
        EventKind::Registered | EventKind::Updated | EventKind::Removed => {}
        EventKind::Attempt(attempt) => result = Some(attempt_result(attempt)),
        EventKind::Refresh(event) => refresh = Some(refresh_result(event)),
        EventKind::Health(changed) => change = Some(health_change(changed, event.at)),
    }
    types::Event {
        at_ms: event.at.as_millis(),
        credential: event.credential.to_string(),
        result,
        refresh,
        change,
    }
}

fn origin(origin: &Origin) -> types::Origin {
    types::Origin {
        kind: origin.label().to_owned(),
        file: match origin {
            Origin::File(name) => Some(name.to_string()),
            Origin::Config | Origin::Admin => None,
        },
    }
}

fn model(model: &ModelStatus) -> types::Model {
    types::Model {
        model: model.model.to_string(),
        health: health(model.worst()),
        endpoints: model.lanes.iter().map(endpoint).collect(),
        error_permille: model.error_permille,
        latency_ms: model.latency_ms,
        quota_left_permille: model.quota.left_permille,
        quota_resets_ms: millis(model.quota.resets_at),
    }
}

fn endpoint(lane: &LaneStatus) -> types::EndpointHealth {
    types::EndpointHealth {
        endpoint: lane.endpoint.label().to_owned(),
        health: health(&lane.health),
    }
}

fn refresh(state: &RefreshView) -> types::Refresh {
    types::Refresh {
        running: state.running,
        unsaved: state.is_unsaved,
        refreshed_at_ms: millis(state.refreshed_at),
        due_at_ms: millis(state.due_at),
        failures: state.failures,
        rejected: state.rejected.clone(),
        last_failure: state
            .last_failure
            .as_ref()
            .map(|last| types::RefreshFailure {
                at_ms: last.at.as_millis(),
                status: last.failure.status,
                message: last.failure.message.clone(),
            }),
    }
}

fn quota(quota: &QuotaState) -> types::Quota {
    types::Quota {
        exceeded: quota.exceeded,
        reason: quota.reason.as_deref().map(cause),
        next_recover_ms: millis(quota.next_recover_at),
        backoff_level: quota.backoff_level,
    }
}

fn health(status: &HealthStatus) -> types::Health {
    let availability = status.availability;
    let state = match availability {
        Availability::Ready => {
            return types::Health {
                state: types::HealthState::Ready,
                details: None,
            };
        }
        // The cooldown is over and one attempt may use the credential, so clients see `ready`.
        Availability::Probe => types::HealthState::Ready,
        Availability::Probing { .. } => types::HealthState::Probing,
        Availability::Cooling { .. } => types::HealthState::Cooling,
        Availability::Barred => types::HealthState::Barred,
    };
    types::Health {
        state,
        details: Some(types::HealthDetails {
            until_ms: millis(availability.until()),
            next_trial_ms: millis(status.trial_at),
            strikes: status.strikes,
            class: status.class.map(|class| class.label().to_owned()),
            hint: status.hint,
            cause: status.cause.as_deref().map(cause),
        }),
    }
}

fn cause(cause: &Cause) -> types::Cause {
    types::Cause {
        kind: cause.kind.to_string(),
        status: cause.status,
        message: cause.message.to_string(),
    }
}

fn last_failure(failure: &LastFailure) -> types::LastFailure {
    types::LastFailure {
        at_ms: failure.at.as_millis(),
        model: failure.model.to_string(),
        kind: failure.cause.kind.to_string(),
        status: failure.cause.status,
        message: failure.cause.message.to_string(),
    }
}

fn attempt_result(event: &AttemptEvent) -> types::AttemptResult {
    let mut failure = None;
    let outcome = match &event.outcome {
        Outcome::Success => types::AttemptOutcome::Success,
        Outcome::Cancelled => types::AttemptOutcome::Cancelled,
        Outcome::Inconclusive => types::AttemptOutcome::Inconclusive,
        Outcome::Failed(failed) => {
            failure = Some(types::AttemptFailure {
                scope: failed.scope.label().to_owned(),
                kind: failed.kind.to_string(),
                status: failed.status,
                message: failed.message.to_string(),
            });
            types::AttemptOutcome::Failed
        }
    };
    types::AttemptResult {
        provider: event.provider.to_string(),
        model: event.model.to_string(),
        endpoint: event.endpoint.label().to_owned(),
        outcome,
        failure,
    }
}

fn refresh_result(event: &RefreshEvent) -> types::RefreshResult {
    match event {
        RefreshEvent::Refreshed(expires_at) => types::RefreshResult::Refreshed {
            expires_at_ms: millis(*expires_at),
        },
        RefreshEvent::Failed(failure, retry_at) => types::RefreshResult::Failed {
            status: failure.status,
            message: failure.message.clone(),
            retry_at_ms: retry_at.as_millis(),
        },
        RefreshEvent::Rejected(failure) => types::RefreshResult::Rejected {
            status: failure.status,
            message: failure.message.clone(),
        },
    }
}

fn health_change(change: &HealthChange, at: Timestamp) -> types::HealthChange {
    // At the time of the event: when a slow reader gets it, a cooldown in it may be over.
    let of = |state: &Health| health(&HealthStatus::of(state, at));
    types::HealthChange {
        place: change.place.label().to_owned(),
        model: change.model.as_ref().map(ToString::to_string),
        endpoint: change.place.endpoint().map(|of| of.label().to_owned()),
        from: of(&change.from),
        to: of(&change.to),
    }
}

fn millis(at: Option<Timestamp>) -> Option<u64> {
    at.map(Timestamp::as_millis)
}

#[cfg(test)]
mod tests;
