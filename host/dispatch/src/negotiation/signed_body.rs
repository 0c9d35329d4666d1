//! Signatures in the body that an executor gets.

use std::sync::Arc;

use super::NegotiatedCall;
use crate::call::Operation;
use crate::large_body;
use crate::signatures::{
    CleanedBody, RefusedPart, clean_body, may_need_cleaning, without_signatures,
};

impl NegotiatedCall {
    /// Removes the signatures that the provider would refuse, so far as that is known.
    pub(crate) async fn without_foreign_signatures(self) -> Self {
        if !self.may_have_signatures()
            || !may_need_cleaning(self.body(), &self.model, &self.recorder)
        {
            return self;
        }
        let cleaned = self.rewrite(|call| clean_body(call.body(), &call.model, &call.recorder));
        match cleaned.await {
            Some(cleaned) => self.with_body(cleaned),
            None => self,
        }
    }

    /// Removes all signatures, after the provider refused the body. Returns what was removed as well. `None` if the
    /// body has none.
    pub(crate) async fn without_signatures(self) -> Option<(Self, Vec<RefusedPart>)> {
        if !self.may_have_signatures() {
            return None;
        }
        let unsigned =
            self.rewrite(|call| without_signatures(call.body(), &call.model, &call.recorder));
        let unsigned = unsigned.await?;
        Some((self.with_body(unsigned.cleaned), unsigned.dropped))
    }

    /// Records that the provider refused parts of the body.
    pub(crate) fn note_refused(&self, parts: &[RefusedPart]) {
        let memory = &self.recorder.memory;
        memory.note_refused(parts, self.recorder.origin);
    }

    fn may_have_signatures(&self) -> bool {
        match self.call.operation {
            Operation::CountTokens | Operation::Generate => true,
            Operation::Embed(_) => false,
        }
    }

    /// The same call with another body. Its warnings are added to those of the present one.
    fn with_body(mut self, cleaned: CleanedBody) -> Self {
        let mut warnings = self.warnings().to_vec();
        let added = cleaned.warnings.into_iter();
        let added = added.filter(|warning| !warnings.iter().any(|it| it.field == warning.field));
        let added: Vec<_> = added.collect();
        warnings.extend(added);
        let body = cleaned.body;
        self.cleaned = Some(Arc::new(CleanedBody { body, warnings }));
        self
    }

    /// Rewrites the body, on the blocking pool if it is large.
    async fn rewrite<T: Send + 'static>(&self, rewrite: fn(&Self) -> Option<T>) -> Option<T> {
        if !large_body::is_large(self.body().len()) {
            return rewrite(self);
        }
        let call = self.clone();
        large_body::work_on(self.body().len(), move || rewrite(&call))
            .await
            .flatten()
    }
}
