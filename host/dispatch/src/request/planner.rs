//! Operations that belong to no client's call: `refresh`, `http-request` and `list-models`. Finds the executor that
//! plans one for a provider, and builds the context for it.

use std::sync::Arc;

use http::HeaderMap;
use jackfield_credential::{Credential, ProviderName, Timestamp};
use jackfield_dialect::Dialect;

use crate::client_digest::ClientDigest;
use crate::error::CallError;
use crate::plan::{COMMON_FORM, Context};
use crate::port::Executor;
use crate::snapshot::{Provider, Snapshot};

/// An executor that plans one operation for one provider.
pub(crate) struct Planner<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) executor: &'a Arc<dyn Executor>,
    operation: &'static str,
    dialect: &'static str,
}

impl<'a> Planner<'a> {
    /// The executor of this provider, if it plans this operation.
    ///
    /// # Errors
    /// The provider is not configured, its executor is not loaded, or the executor does not plan the
    /// operation or declares no dialect that the host knows.
    pub(crate) fn find(
        snapshot: &'a Snapshot,
        provider: &ProviderName,
        operation: &'static str,
    ) -> Result<Self, CallError> {
        let (provider, executor) = snapshot.serving(provider)?;
        let descriptor = executor.descriptor();
        if !descriptor.plans(operation) {
            return Err(CallError::NotSupported {
                executor: provider.executor.as_ref().to_owned(),
                operation,
            });
        }
        // The contract promises a dialect that the executor declared, of those that the contract
        // names. An executor without one cannot serve calls either.
        let mut dialects = descriptor.dialects.iter();
        let dialect = dialects.find_map(|name| match name.as_str() {
            COMMON_FORM => Some(COMMON_FORM),
            name => Dialect::parse(name).map(Dialect::name),
        });
        let dialect = dialect.ok_or_else(|| {
            CallError::Misconfigured(format!(
                "the executor `{}` declares no dialect that this host knows",
                provider.executor
            ))
        })?;
        Ok(Self {
            provider,
            executor,
            operation,
            dialect,
        })
    }

    /// The dialect of the operation's response; `None` for the common form.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        Dialect::parse(self.dialect)
    }

    /// The context of the operation for this credential. The contract has no optional members for the
    /// model, which neither operation has: the names are empty.
    pub(crate) fn context(&self, credential: &Arc<Credential>, now: Timestamp) -> Context {
        Context {
            operation: self.operation,
            dialect: self.dialect,
            model: Arc::default(),
            client_model: Arc::default(),
            stream: false,
            credential: Arc::clone(credential),
            settings: Arc::clone(&self.provider.settings),
            options: Vec::new(),
            attempt: 0,
            now_ms: now.as_millis(),
            headers: Arc::new(HeaderMap::new()),
            query: Vec::new(),
            principal: None,
            session: None,
            conversation: None,
            client: ClientDigest::HOST,
            call: None,
        }
    }
}
