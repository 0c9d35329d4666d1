//! Embeddings: requests and answers of both APIs, told in the other.

use jackfield_dialect::embed::{EmbedAnswer, EmbedRequest, Encoding, gemini, openai};
use jackfield_dialect::interlingua::Notes;

use crate::{asked, bound};

/// Reads the input as all that it may be.
pub fn check(data: &[u8]) {
    let asked = asked(data);
    let mut notes = Notes::default();
    let requests = [
        openai::decode_request(data, &asked, &mut notes),
        gemini::decode_request(data, &asked, &mut notes),
    ];
    for request in requests.into_iter().flatten() {
        request_told(data, &request);
    }
    let answers = [openai::decode_answer(data), gemini::decode_answer(data)];
    for answer in answers.into_iter().flatten() {
        answer_told(data, &answer);
    }
}

fn request_told(data: &[u8], request: &EmbedRequest) {
    let asked = asked(data);
    let mut notes = Notes::default();
    assert!(!request.texts.is_empty(), "nothing to embed");
    let written = openai::encode_request(request, &mut notes);
    bound::hold("a request", data.len(), written.len());
    let again = openai::decode_request(&written, &asked, &mut notes);
    let again = again.expect("what is written can be read");
    assert_eq!(again.texts, request.texts);
    assert_eq!(again.dimensions, request.dimensions);
    let Ok(written) = gemini::encode_request(request, &mut notes) else {
        return;
    };
    bound::hold("a request", data.len(), written.len());
    let again = gemini::decode_request(&written, &asked, &mut notes);
    let again = again.expect("what is written can be read");
    assert_eq!(again.texts, request.texts);
    assert_eq!(again.dimensions, request.dimensions);
    assert_eq!(again.title, request.title);
}

fn answer_told(data: &[u8], answer: &EmbedAnswer) {
    for encoding in [Encoding::Base64, Encoding::Float] {
        let request = EmbedRequest {
            encoding,
            list: true,
            ..EmbedRequest::default()
        };
        let written = openai::encode_answer(answer, &request);
        bound::hold("an answer", data.len(), written.len());
        let again = openai::decode_answer(&written).expect("what is written can be read");
        assert_eq!(again.vectors, answer.vectors);
        let written = gemini::encode_answer(answer, &request);
        bound::hold("an answer", data.len(), written.len());
        let again = gemini::decode_answer(&written).expect("what is written can be read");
        assert_eq!(&again, answer);
    }
}
