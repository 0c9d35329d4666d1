//! Asks a provider for its list of models. The executor plans the request, as for calls. No selection, no retry, no
//! effect on health.

use bytes::Bytes;
use jackfield_credential::CredentialId;
use jackfield_dialect::MODEL_BYTES_MAX;

use crate::call::ClientResponse;
use crate::dispatcher::Dispatcher;
use crate::error::CallError;
use crate::limits::{DISCOVERED_MODELS_MAX, MODEL_LIST_TIMEOUT};
use crate::port::Rejection;
use crate::raw_response::whole_body;
use crate::request::{self, Bounds, Forwardable, Planner, Recipient};

/// The operation in the plugin contract.
const OPERATION: &str = "list-models";

impl Dispatcher {
    /// Returns the names of the models that a provider lists for one of its credentials, in its order.
    ///
    /// # Errors
    /// Why there is no list, in a text without secrets: the executor does not plan `list-models`, there was no response
    /// within [`MODEL_LIST_TIMEOUT`], or it is no list of at most [`DISCOVERED_MODELS_MAX`] models.
    pub async fn list_models(&self, id: &CredentialId) -> Result<Vec<String>, String> {
        let listed = tokio::time::timeout(MODEL_LIST_TIMEOUT, self.read_model_list(id)).await;
        listed.unwrap_or_else(|_| {
            let seconds = MODEL_LIST_TIMEOUT.as_secs();
            Err(format!("no complete response within {seconds} s"))
        })
    }

    async fn read_model_list(&self, id: &CredentialId) -> Result<Vec<String>, String> {
        let text = |error: CallError| error.to_string();
        let access = self.auth().refreshed_access(id).await;
        let access = access.ok_or_else(|| text(CallError::CredentialNotFound(id.to_string())))?;
        let snapshot = self.snapshot();
        let provider = &access.credential().provider;
        let planner = Planner::find(&snapshot, provider, OPERATION).map_err(text)?;
        let dialect = planner.dialect();
        let dialect = dialect.ok_or("an executor of the common form cannot list models")?;
        let context = planner.context(access.credential(), self.clock().now());
        let body = Bytes::new();
        let plan = planner.executor.prepare(&context, &body).await;
        let plan = plan.map_err(|rejection| match rejection {
            Rejection::Refused(refusal) => refusal.failure.message,
            Rejection::Fault(fault) => fault.to_string(),
        })?;
        let bounds = Bounds {
            provider: planner.provider,
            hosts: &planner.executor.descriptor().hosts,
            body: &body,
            account: &access,
            client: Forwardable::default(),
            recipient: Recipient::Api,
            connect: snapshot.timeouts.connect,
            now: self.clock().now(),
        };
        let built = request::build_request(&plan, &bounds);
        let built = built.map_err(|error| {
            let plugin = planner.executor.plugin();
            format!("the plan of the plugin {plugin}: {error}")
        })?;
        let sent = self.send_http_request(built.request, self.deadline()).await;
        let ClientResponse { status, body, .. } = sent.map_err(text)?;
        if !status.is_success() {
            return Err(format!(
                "the provider responded with status {}",
                status.as_u16()
            ));
        }
        let body = whole_body(body).await.map_err(text)?;
        let models = dialect.codec().decode_model_list(&body);
        let models = models.map_err(|error| error.to_string())?;
        if models.len() > DISCOVERED_MODELS_MAX {
            return Err(format!(
                "the provider lists {} models, and at most {DISCOVERED_MODELS_MAX} are supported",
                models.len()
            ));
        }
        // As names in a configuration: what is not one line cannot be shown.
        let is_name = |name: &String| {
            (1..=MODEL_BYTES_MAX).contains(&name.len())
                && name.trim() == name
                && !name.contains(char::is_control)
        };
        Ok(models.into_iter().filter(is_name).collect())
    }
}
