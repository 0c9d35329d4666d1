//! Embeddings: translates requests and responses of both APIs to the other API.

use jackfield_dialect::embed::{EmbedRequest, EmbedResponse, Encoding};
use jackfield_dialect::ir::TranslationReport;
use jackfield_dialect::{Dialect, Embeddings};

use crate::{request_head, bound};

/// Decodes the input as a request and as a response of each API, and checks the translations.
pub fn check(data: &[u8]) {
    let request_head = request_head(data);
    let mut report = TranslationReport::default();
    let requests = [
        openai().decode_request(data, &request_head, &mut report),
        gemini().decode_request(data, &request_head, &mut report),
    ];
    for request in requests.into_iter().flatten() {
        check_request(data, &request);
    }
    let responses = [openai().decode_response(data), gemini().decode_response(data)];
    for response in responses.into_iter().flatten() {
        check_response(data, &response);
    }
}

fn check_request(data: &[u8], request: &EmbedRequest) {
    let request_head = request_head(data);
    let mut report = TranslationReport::default();
    assert!(!request.texts.is_empty(), "the request has no text");
    let written = openai().encode_request(request, &mut report);
    let written = written.expect("OpenAI can express every request");
    bound::hold("request", data.len(), written.len());
    let again = openai().decode_request(&written, &request_head, &mut report);
    let again = again.expect("encoder output can be decoded");
    assert_eq!(again.texts, request.texts);
    assert_eq!(again.dimensions, request.dimensions);
    let Ok(written) = gemini().encode_request(request, &mut report) else {
        return;
    };
    bound::hold("request", data.len(), written.len());
    let again = gemini().decode_request(&written, &request_head, &mut report);
    let again = again.expect("encoder output can be decoded");
    assert_eq!(again.texts, request.texts);
    assert_eq!(again.dimensions, request.dimensions);
    assert_eq!(again.title, request.title);
}

fn check_response(data: &[u8], response: &EmbedResponse) {
    for encoding in [Encoding::Base64, Encoding::Float] {
        let request = EmbedRequest {
            encoding,
            list: true,
            ..EmbedRequest::default()
        };
        let written = openai().encode_response(response, &request);
        bound::hold("response", data.len(), written.len());
        let again = openai().decode_response(&written).expect("encoder output can be decoded");
        assert_eq!(again.vectors, response.vectors);
        let written = gemini().encode_response(response, &request);
        bound::hold("response", data.len(), written.len());
        let again = gemini().decode_response(&written).expect("encoder output can be decoded");
        assert_eq!(&again, response);
    }
}

fn openai() -> &'static dyn Embeddings {
    Dialect::OpenaiChat.codec().embeddings().expect("OpenAI has embeddings")
}

fn gemini() -> &'static dyn Embeddings {
    Dialect::Gemini.codec().embeddings().expect("Gemini has embeddings")
}
