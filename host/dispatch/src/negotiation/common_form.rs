//! A call for an executor that speaks no dialect: it gets the request in the common form.

use std::sync::Arc;

use jackfield_dialect::ir::{Request, TranslationError, Warning};
use jackfield_dialect::json::count_values;
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Thinking, TranslatedRequest, TranslationInput};

use super::translation_cache::{TOO_MANY_VALUES, request_head};
use super::{NegotiatedCall, NegotiationError};
use crate::large_body;
use crate::limits::TRANSLATED_VALUES_MAX;

/// What a call in the common form has beside the client's body.
#[derive(Clone)]
pub(super) struct CommonCall {
    /// The thinking that the model's suffix requests.
    thinking: Option<Thinking>,
    /// `None` before it was read.
    conversation: Option<Arc<Conversation>>,
}

/// A request in the common form.
struct Conversation {
    request: Arc<Request>,
    /// Writes the response.
    translation: TranslatedRequest,
    /// What of the client's request the form does not have, and which signatures were dropped.
    warnings: Vec<Warning>,
}

impl CommonCall {
    pub(super) fn new(thinking: Option<Thinking>) -> Self {
        Self {
            thinking,
            conversation: None,
        }
    }

    pub(super) fn request(&self) -> Option<&Arc<Request>> {
        self.conversation.as_ref().map(|it| &it.request)
    }

    pub(super) fn translation(&self) -> Option<&TranslatedRequest> {
        self.conversation.as_ref().map(|it| &it.translation)
    }

    pub(super) fn warnings(&self) -> &[Warning] {
        self.conversation.as_ref().map_or(&[], |it| &it.warnings)
    }
}

impl NegotiatedCall {
    /// Reads the request in the common form, if the executor gets that; on the blocking pool if it is large.
    /// Signatures of other providers must have been removed.
    ///
    /// # Errors
    /// When the client's request is invalid.
    pub(crate) async fn with_conversation(mut self) -> Result<Self, NegotiationError> {
        let Some(thinking) = self.common.as_ref().map(|common| common.thinking) else {
            return Ok(self);
        };
        let bytes = self.body().len();
        let conversation = if large_body::is_large(bytes) {
            let call = self.clone();
            let read = large_body::work_on(bytes, move || {
                if count_values(call.body(), TRANSLATED_VALUES_MAX) > TRANSLATED_VALUES_MAX {
                    return Err(TranslationError::new("", TOO_MANY_VALUES));
                }
                call.read_conversation(thinking)
            });
            let failed = || {
                Err(TranslationError::new(
                    "",
                    "the host failed to read the request",
                ))
            };
            read.await.unwrap_or_else(failed)
        } else {
            self.read_conversation(thinking)
        };
        let conversation = conversation.map_err(NegotiationError::Untranslatable)?;
        self.common = Some(CommonCall {
            thinking,
            conversation: Some(Arc::new(conversation)),
        });
        Ok(self)
    }

    fn read_conversation(
        &self,
        thinking: Option<Thinking>,
    ) -> Result<Conversation, TranslationError> {
        let (request, translation) = TranslatedRequest::read_common(&TranslationInput {
            dialect: self.call.dialect,
            body: self.body(),
            head: &request_head(&self.call),
            model: &self.model,
            // The executor itself decides what of the request its provider takes.
            traits: &Traits::everything(),
            thinking,
            id: &self.call.id,
            created: self.created,
        })?;
        let mut warnings = translation.warnings.clone();
        let cleaned = self.cleaned.iter().flat_map(|cleaned| &cleaned.warnings);
        warnings.extend(cleaned.cloned());
        Ok(Conversation {
            request: Arc::new(request),
            translation,
            warnings,
        })
    }
}
