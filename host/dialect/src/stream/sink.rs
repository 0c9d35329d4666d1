//! The two sinks of a reader.

use std::borrow::Cow;

use super::Text;
use super::calls::CallCheck;
use super::halves::Halves;
use crate::ir::{Delta, Event, FinishReason, Malformed, PartStart};
use crate::{EventClass, ProviderError, Usage};

/// What the host knows of a stream so far.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The class of the event that is being read.
    pub(crate) class: EventClass,
    /// Whether there was any content.
    pub(crate) has_content: bool,
    /// Whether the provider sent a finish reason.
    pub(crate) is_finished: bool,
    /// Whether the stream came to the end that the dialect demands.
    pub(crate) is_done: bool,
    /// Whether nothing more is read: the stream is done, or failed.
    pub(crate) is_over: bool,
    /// The usage, as last reported.
    pub(crate) usage: Option<Usage>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            class: EventClass::Preamble,
            has_content: false,
            is_finished: false,
            is_done: false,
            is_over: false,
            usage: None,
        }
    }
}

impl Progress {
    pub(crate) fn content(&mut self) {
        self.has_content = true;
        // An error or an end in the same event matters more than its content.
        if self.class == EventClass::Preamble {
            self.class = EventClass::Content;
        }
    }
}

/// Takes the pieces of a stream, in the order of [`Event`]s. The closures that build events run only if
/// the sink keeps events.
pub(crate) trait Sink {
    /// What is known so far.
    fn progress(&mut self) -> &mut Progress;

    /// Takes an event that is not content by itself: the response or an empty part begins, a part ends.
    fn event(&mut self, event: impl FnOnce() -> Event);

    /// Takes a piece of a text; an empty one is ignored.
    fn delta(&mut self, text: Text<'_>, delta: impl FnOnce(String) -> Delta);

    /// Takes a piece whose events are known only when it is decoded, which `build` does. `is_content` says
    /// whether it holds a part of the response, as far as that can be seen without decoding it.
    ///
    /// # Errors
    /// As `build`.
    fn decode(
        &mut self,
        is_content: bool,
        build: impl FnOnce(&mut Vec<Event>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed>;

    /// Returns a text that is needed later to build an event; empty if no event will be built.
    fn keep(&self, text: impl FnOnce() -> String) -> String;

    /// Takes a part of the response that the common form does not have: of a kind that is unknown here,
    /// or of a tool that the provider runs itself.
    fn untranslatable(&mut self);

    /// Takes a tool call without a name.
    ///
    /// # Errors
    /// If the call would have to be translated.
    fn unnamed_call(&mut self) -> Result<(), Malformed>;

    /// Returns the text of an event so that every text in it can be decoded.
    fn readable<'t>(&mut self, text: &'t str) -> Cow<'t, str>;

    /// Whether a finish reason for a call that the provider lost is an error.
    fn fails_on_lost_call(&mut self) -> bool;

    /// Whether OpenAI's `[DONE]` may end a stream whose dialect has another end: some providers send it
    /// in all dialects.
    fn accepts_foreign_end(&self) -> bool;

    /// Takes an event that is content.
    fn content(&mut self, event: impl FnOnce() -> Event) {
        self.progress().content();
        self.event(event);
    }

    /// Takes the beginning of a part that is still empty. It is no content: what follows may be an error.
    fn empty_part(&mut self, start: PartStart) {
        self.event(|| Event::PartStart(start));
    }

    /// Takes the usage so far.
    fn usage(&mut self, usage: Usage) {
        self.progress().usage = Some(usage);
        self.event(|| Event::Usage(usage));
    }

    /// Takes the finish reason that the provider sent. It is content: even an empty response is complete
    /// with it.
    fn finish(&mut self, reason: impl FnOnce() -> FinishReason) {
        self.progress().is_finished = true;
        self.content(|| Event::Finish(reason()));
    }

    /// Notes that the provider sent its finish reason, whose event follows at the end: more parts may come
    /// before it. The reason is content, as in [`Self::finish`].
    fn finish_seen(&mut self) {
        let progress = self.progress();
        progress.is_finished = true;
        progress.content();
    }

    /// Takes the end of the stream.
    fn done(&mut self) {
        let progress = self.progress();
        progress.class = EventClass::Done;
        progress.is_done = true;
        progress.is_over = true;
        self.event(|| Event::Done);
    }

    /// Takes an error that the provider reports. Nothing follows it.
    fn error(&mut self, error: ProviderError) {
        let progress = self.progress();
        progress.class = EventClass::Error(error.clone());
        progress.is_over = true;
        self.event(|| Event::Error(error));
    }
}

/// Keeps nothing but the progress.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(super) progress: Progress,
}

impl Sink for Watch {
    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn event(&mut self, _event: impl FnOnce() -> Event) {}

    fn delta(&mut self, text: Text<'_>, _delta: impl FnOnce(String) -> Delta) {
        if !text.is_empty() {
            self.progress.content();
        }
    }

    fn decode(
        &mut self,
        is_content: bool,
        _build: impl FnOnce(&mut Vec<Event>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if is_content {
            self.progress.content();
        }
        Ok(())
    }

    fn keep(&self, _text: impl FnOnce() -> String) -> String {
        String::new()
    }

    fn untranslatable(&mut self) {
        // The client gets it, and may know it. The kinds of parts grow: to hold back one that a list
        // does not know would hold back the whole response.
        self.progress.content();
    }

    fn unnamed_call(&mut self) -> Result<(), Malformed> {
        // The client gets what its own provider sent.
        self.progress.content();
        Ok(())
    }

    fn readable<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        // No text is decoded.
        Cow::Borrowed(text)
    }

    fn fails_on_lost_call(&mut self) -> bool {
        // After content the client gets the reason, and knows it.
        !self.progress.has_content
    }

    fn accepts_foreign_end(&self) -> bool {
        // The client would get the event too, and not understand it.
        false
    }
}

/// Keeps the events of the common form as well.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(super) progress: Progress,
    pub(super) events: Vec<Event>,
    halves: Halves,
    calls: CallCheck,
}

impl Events {
    /// Completes the events from `known` on, which were read from one event.
    /// Returns the error if the response ends in the middle of a call.
    pub(super) fn complete(&mut self, known: usize) -> Option<ProviderError> {
        self.halves.join(&mut self.events, known);
        let error = self.calls.check(&mut self.events, known)?;
        self.progress.is_over = true;
        Some(error)
    }

    /// Returns the events.
    pub(crate) fn into_events(self) -> Vec<Event> {
        self.events
    }
}

impl Sink for Events {
    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn event(&mut self, event: impl FnOnce() -> Event) {
        self.events.push(event());
    }

    fn delta(&mut self, text: Text<'_>, delta: impl FnOnce(String) -> Delta) {
        let text = text.decode();
        if !text.is_empty() {
            self.content(|| Event::Delta(delta(text.into_owned())));
        }
    }

    fn decode(
        &mut self,
        _is_content: bool,
        build: impl FnOnce(&mut Vec<Event>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        // The client gets nothing of a piece without events, so the stream may still fail over.
        let known = self.events.len();
        let result = build(&mut self.events);
        if self.events[known..].iter().any(Event::is_content) {
            self.progress.content();
        }
        result
    }

    fn keep(&self, text: impl FnOnce() -> String) -> String {
        text()
    }

    fn untranslatable(&mut self) {
        // The client gets nothing of it, so the stream may still fail over.
    }

    fn unnamed_call(&mut self) -> Result<(), Malformed> {
        // No client can act on a call that names no tool.
        Err(Malformed::UNNAMED_CALL)
    }

    fn readable<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.halves.mark(text)
    }

    fn fails_on_lost_call(&mut self) -> bool {
        // No other dialect has a word for it: the response would seem complete.
        true
    }

    fn accepts_foreign_end(&self) -> bool {
        // The client gets the end of its own dialect.
        true
    }
}
