//! A provider's whole answer, as every client gets it.

use jackfield_dialect::{Dialect, Translator, Verdict};

use crate::order::Order;
use crate::{bound, owed};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    if let Verdict::Complete {
        finish_reason: Some(word),
        ..
    } = dialect.read_answer(data)
    {
        let most = jackfield_dialect::ProviderError::WORD_BYTES_MAX;
        assert!(word.len() <= most, "a word of {} bytes", word.len());
    }
    let Ok(answer) = dialect.decode_answer(data) else {
        return;
    };
    let mut order = Order::default();
    for event in answer.events() {
        order.take(&event);
    }
    assert!(order.done(), "an answer that does not end");
    let owed = owed(data);
    for to in Dialect::ALL {
        let written = to.encode_answer(&answer, &owed);
        bound::hold("an answer", data.len(), written.len());
        let again = to.decode_answer(&written);
        let shown = String::from_utf8_lossy(&written);
        assert!(again.is_ok(), "{to}: {again:?}\n{shown}");
        let mut translator = Translator::new(dialect, to, owed.clone());
        let mut frames = Vec::new();
        translator.whole(&answer, &mut frames);
        let written = frames.iter().map(|frame| frame.data.len()).sum();
        bound::hold("a streamed answer", data.len(), written);
    }
}
