//! The log's format. Values in the log come from clients, providers and plugins. Their control characters are
//! escaped, so that a line feed in a value cannot begin a line that looks like one of ours.

use std::borrow::Cow;
use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

/// Writes the log to standard error from now on.
pub(crate) fn start(levels: Targets) {
    let colors = std::io::stderr().is_terminal();
    let format = format(std::io::stderr, colors);
    tracing_subscriber::registry()
        .with(format.with_filter(levels))
        .init();
}

fn format<W>(writer: W, colors: bool) -> impl Layer<Registry>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // All values are formatted as `Debug`; for the message and for `%` that is the text itself.
    let fields = debug_fn(|writer, field, value| {
        let value = format!("{value:?}");
        let value = escape_controls(&value);
        match field.name() {
            "message" => writer.write_str(&value),
            name => write!(writer, "{name}={value}"),
        }
    });
    layer()
        .with_ansi(colors)
        .with_writer(writer)
        .fmt_fields(fields.delimited(" "))
}

/// A text without control characters: they are escaped as in Rust, `\n` or `\u{1b}`. So are the characters that
/// reverse the direction of what follows on a terminal (Unicode Standard Annex 9, section 2).
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    let is_harmful = |char: char| {
        char.is_control()
            || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_harmful(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_value_begins_a_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        let format = format(move || writer.clone(), false);
        let subscriber = tracing_subscriber::registry().with(format);
        let forged = "x\n2026-01-01T00:00:00Z  INFO forged\r\u{1b}[2J\u{85}\u{2028}\u{202e}";
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", model = forged);
            let _entered = span.enter();
            tracing::info!(shown = %forged, quoted = ?forged, plain = forged, "{forged}");
        });
        let written = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = String::from_utf8_lossy(&written);
        assert_eq!(written.matches("forged").count(), 5, "{written}");
        let (end, others) = written.as_bytes().split_last().unwrap();
        assert_eq!(*end, b'\n');
        let others = String::from_utf8_lossy(others);
        assert!(!others.contains(|char: char| char.is_control()), "{others}");
        assert!(!others.contains('\u{202e}'), "{others}");
    }

    #[test]
    fn other_texts_stay() {
        for text in ["", "plain", "Füße 👣 \"quoted\" \\n"] {
            assert_eq!(escape_controls(text), text);
        }
        assert_eq!(escape_controls("a\tb\u{7f}"), "a\\tb\\u{7f}");
    }
}
