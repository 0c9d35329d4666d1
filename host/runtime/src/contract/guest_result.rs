//! What all versions of the contract have in common: the result of a guest's function, and the credential for
//! a decision about a refresh.

use jackfield_credential::Credential;
use jackfield_dispatch::plan::{Evaluation, Refusal};

use super::plan_parts::ContractError;

/// A function of a guest returned a failure, or what the contract does not allow.
#[derive(Debug)]
pub(crate) enum GuestError {
    /// A failure.
    Refused(Box<Refusal>),
    /// A value that the contract does not allow.
    Invalid(ContractError),
}

/// The result of a guest's function that may fail. The outer error is a trap.
pub(crate) type GuestResult<T> = wasmtime::Result<Result<T, GuestError>>;

/// Converts a guest's result.
pub(super) fn converted<T, F, U>(
    result: Result<T, F>,
    refusal: impl FnOnce(F) -> Refusal,
    value: impl FnOnce(T) -> Result<U, ContractError>,
) -> Result<U, GuestError> {
    match result {
        Ok(found) => value(found).map_err(GuestError::Invalid),
        Err(failure) => Err(GuestError::Refused(Box::new(refusal(failure)))),
    }
}

/// The credential for a decision about a refresh: the times of its tokens are attributes, which replace any
/// that the operator gave the same names.
pub(super) fn credential_of(evaluation: &Evaluation) -> Credential {
    let known = [
        (TOKEN_EXPIRES_AT, evaluation.expires_at),
        (TOKEN_REFRESHED_AT, evaluation.refreshed_at),
    ];
    let mut credential = Credential::clone(&evaluation.credential);
    for (name, at) in known {
        credential.attributes.remove(name);
        if let Some(at) = at {
            let value = at.as_millis().to_string();
            credential.attributes.insert(name.to_owned(), value);
        }
    }
    credential
}

/// Attributes that `due` in `wit/refresh.wit` promises.
const TOKEN_EXPIRES_AT: &str = "token-expires-at-ms";
const TOKEN_REFRESHED_AT: &str = "token-refreshed-at-ms";
