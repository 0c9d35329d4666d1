//! The token endpoint, whose tokens live as long as their account says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{BoxFuture, RefreshError, RefreshJob, Refresher, TokenPatch};
use jackfield_credential::ProviderName;
use secrecy::SecretString;
use tokio::time::sleep;

use super::timeline::Fault;
use super::world::World;
use crate::stage::EPOCH;

/// The world as a token endpoint.
pub(super) struct TokenEndpoint(pub(super) Arc<World>);

impl Refresher for TokenEndpoint {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            let world = &self.0;
            let id = job.credential.id.to_string();
            sleep(Duration::from_millis(world.random(20..200))).await;
            let now = world.now();
            let failed = world.endpoint.at(now) != Fault::None;
            world.log(&format!("refresh of {id}, failed: {failed}"));
            let life = world.accounts[&id].life_ms;
            let Some(life) = life.filter(|_| !failed) else {
                return Err(RefreshError::Failed("503".to_owned().into()));
            };
            let mut state = world.lock();
            *state.refreshes.entry(id.clone()).or_default() += 1;
            let number = state.tokens[&id].0 + 1;
            state.tokens.insert(id.clone(), (number, now + life));
            Ok(TokenPatch {
                secrets: secrets(&id, number),
                expires_at: Some(EPOCH + Duration::from_millis(now + life)),
            })
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        Some(Duration::from_mins(5))
    }
}

/// Returns the secrets of an account by the executor's names for them.
pub(super) fn secrets(id: &str, number: u64) -> BTreeMap<String, SecretString> {
    BTreeMap::from([
        ("api-key".to_owned(), format!("sk-of-{id}-{number}").into()),
        (
            "refresh-token".to_owned(),
            format!("rt-of-{id}-{number}").into(),
        ),
    ])
}
