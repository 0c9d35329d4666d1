//! A client's request in a provider's dialect, and the way back for its answer.

use bytes::Bytes;

use crate::embed::{self, EmbedRequest};
use crate::interlingua::{Effort, Malformed, Notes, Owed, Refusal, Request, Warning};
use crate::{Asked, Dialect, Thinking, Translator, anthropic_messages, gemini};

/// A client's request in a provider's dialect.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The body for the provider.
    pub body: Bytes,
    /// What of the request did not come through.
    pub warnings: Vec<Warning>,
    /// How many of these are for the provider's dialect, which has no words for it. The others are for
    /// the client's, which says what no other dialect can.
    pub unsaid: usize,
    from: Dialect,
    to: Dialect,
    back: Back,
}

/// What the answer needs to know of the request.
#[derive(Clone, Debug)]
enum Back {
    Content(Box<Owed>),
    Count,
    Vectors(Box<EmbedRequest>),
}

/// What is translated: a client's request, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// Its body.
    pub body: &'a [u8],
    /// What it asks for.
    pub asked: &'a Asked<'a>,
    /// The provider's name of the model, without a suffix that is told by `thinking`.
    pub model: &'a str,
    /// How hard the model is to think, whatever the body says; none leaves it to the body. Counts and
    /// vectors have nothing of it.
    pub thinking: Option<Thinking>,
    /// The call's id: what made-up ids are made of.
    pub id: &'a str,
    /// When it came, in seconds since the Unix epoch.
    pub created: u64,
}

impl Translated {
    /// Translates a request for content.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect.
    pub fn content(source: &Source<'_>, to: Dialect) -> Result<Self, Refusal> {
        let mut notes = Notes::default();
        let mut decoded = source
            .dialect
            .decode_request(source.body, source.asked, &mut notes)?;
        // Only the answer repeats it, and it may be most of a small request.
        let echo = std::mem::take(&mut decoded.echo);
        let owed = Owed {
            echo,
            ..Owed::new(&decoded, source.id, source.created)
        };
        source.model.clone_into(&mut decoded.model);
        if let Some(thinking) = source.thinking {
            decoded.reasoning = thinking.over(decoded.reasoning);
        }
        show_thoughts(source.dialect, &mut decoded);
        let known = notes.warnings().len();
        let body = to.encode_request(&decoded, &mut notes)?;
        Ok(Self {
            body: body.into(),
            unsaid: notes.warnings().len() - known,
            warnings: notes.into_warnings(),
            from: source.dialect,
            to,
            back: Back::Content(Box::new(owed)),
        })
    }

    /// Translates a request for a count of tokens.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that this one counts nothing.
    pub fn count(source: &Source<'_>, to: Dialect) -> Result<Self, Refusal> {
        let mut notes = Notes::default();
        let mut decoded = source
            .dialect
            .decode_request(source.body, source.asked, &mut notes)?;
        source.model.clone_into(&mut decoded.model);
        let body = match to {
            Dialect::AnthropicMessages => {
                anthropic_messages::encode_count_request(&decoded, &mut notes)?
            }
            Dialect::Gemini => gemini::encode_count_request(&decoded, &mut notes)?,
            Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiResponses => {
                return Err(Refusal::new("", "the provider's dialect counts no tokens"));
            }
        };
        Ok(Self {
            body: body.into(),
            unsaid: notes.warnings().len(),
            warnings: notes.into_warnings(),
            from: source.dialect,
            to,
            back: Back::Count,
        })
    }

    /// Translates a request for vectors.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that one of the two has no vectors.
    pub fn vectors(source: &Source<'_>, to: Dialect) -> Result<Self, Refusal> {
        let mut notes = Notes::default();
        let (body, asked) = (source.body, source.asked);
        let mut decoded = match source.dialect {
            Dialect::Gemini => embed::gemini::decode_request(body, asked, &mut notes)?,
            Dialect::OpenaiChat => embed::openai::decode_request(body, asked, &mut notes)?,
            _ => return Err(Refusal::new("", NO_VECTORS)),
        };
        source.model.clone_into(&mut decoded.model);
        let body = match to {
            Dialect::Gemini => embed::gemini::encode_request(&decoded, &mut notes)?,
            Dialect::OpenaiChat => embed::openai::encode_request(&decoded, &mut notes),
            _ => return Err(Refusal::new("", NO_VECTORS)),
        };
        Ok(Self {
            body: body.into(),
            unsaid: notes.warnings().len(),
            warnings: notes.into_warnings(),
            from: source.dialect,
            to,
            back: Back::Vectors(Box::new(decoded)),
        })
    }

    /// A provider's whole answer, as the client is owed it.
    ///
    /// # Errors
    /// If it is no such answer.
    pub fn answer(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        match &self.back {
            Back::Content(owed) => {
                let answer = self.to.decode_answer(body)?;
                Ok(self.from.encode_answer(&answer, owed))
            }
            Back::Count => {
                let count = self.to.decode_count(body);
                let count = count.ok_or(Malformed("it is no count of tokens"))?;
                Ok(self.from.encode_count(count))
            }
            Back::Vectors(asked) => {
                let answer = match self.to {
                    Dialect::Gemini => embed::gemini::decode_answer(body)?,
                    _ => embed::openai::decode_answer(body)?,
                };
                Ok(match self.from {
                    Dialect::Gemini => embed::gemini::encode_answer(&answer, asked),
                    _ => embed::openai::encode_answer(&answer, asked),
                })
            }
        }
    }

    /// Turns a stream of the provider's into the client's; none where nothing is streamed.
    #[must_use]
    pub fn translator(&self) -> Option<Translator> {
        match &self.back {
            Back::Content(owed) => {
                let owed = owed.as_ref().clone();
                Some(Translator::new(self.to, self.from, owed))
            }
            Back::Count | Back::Vectors(_) => None,
        }
    }
}

/// Chats have no word for whether thoughts are to be shown: whoever asks for them gets them, as the
/// providers that have thoughts in their chats do (DeepSeek, vLLM, OpenRouter).
fn show_thoughts(from: Dialect, request: &mut Request) {
    if from == Dialect::OpenaiChat
        && let Some(reasoning) = &mut request.reasoning
        && reasoning.effort != Some(Effort::None)
    {
        reasoning.shown.get_or_insert(true);
    }
}

const NO_VECTORS: &str = "the provider's dialect has no vectors of texts";
