//! Translates a provider's whole response to every client's dialect.

use jackfield_dialect::{Dialect, Translator};

use crate::order::Order;
use crate::{bound, response_context};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    let _ = dialect.codec().check_body(data);
    let Ok(response) = dialect.codec().decode_response(data) else {
        return;
    };
    let mut order = Order::default();
    for event in response.events() {
        order.take(&event);
    }
    assert!(order.done(), "the events of the response do not end with `Done`");
    let response_context = response_context(data);
    for to in Dialect::ALL {
        let written = to.codec().encode_response(&response, &response_context);
        bound::hold("response", data.len(), written.len());
        let again = to.codec().decode_response(&written);
        let shown = String::from_utf8_lossy(&written);
        assert!(again.is_ok(), "{to}: {again:?}\n{shown}");
        let mut translator = Translator::new(dialect, to, response_context.clone());
        let mut frames = Vec::new();
        translator.translate_response(&response, &mut frames);
        let written = frames.iter().map(|frame| frame.data.len()).sum();
        bound::hold("streamed response", data.len(), written);
    }
}
