//! Tests that the real binary relays unknown members unchanged, in both directions.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::post;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::harness::Jackfield;

/// Whitespace, order, escapes, number formats, duplicate and unknown members must stay as they are.
const ODD_BODY: &str = "\"messages\" : [ {\"role\":\"user\",\"content\":\"h\\u00e9\"} ],\t\"x\" : 1.50e+02 ,\
    \"y\":[ ], \"nested\":{ \"model\" : \"mine\", \"a\":1,\"a\":2 } }\r\n";

const RESPONSE: &str = "{ \"choices\" : [ {\"index\":0, \"message\":{\"role\":\"assistant\",\
    \"content\":\"\\u0068i\"},\"finish_reason\":\"stop\" } ], \"z\":1e0, \"unknown\":{\"b\":1,\"b\":2} }  \n";

const EVENTS: &str = ": comment\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}], \"q\" :1.0}\r\n\
    id: 7\r\n\r\nevent: odd\ndata:  {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: [DONE]\n\n";

type Received = Arc<Mutex<Vec<Bytes>>>;

async fn respond(State(received): State<Received>, body: Bytes) -> axum::response::Response {
    let stream = body.windows(13).any(|window| window == b"\"stream\":true");
    received.lock().push(body);
    let (kind, text) = if stream {
        ("text/event-stream", EVENTS)
    } else {
        ("application/json", RESPONSE)
    };
    axum::response::Response::builder()
        .header("content-type", kind)
        .header("x-request-id", "kept")
        .header("x-from-provider", "withheld")
        .header("location", "http://127.0.0.1:1/")
        .body(Body::from(text))
        .unwrap()
}

#[tokio::test]
async fn passes_unknown_bytes_through() {
    let received = Received::default();
    let router = Router::new()
        .route("/v1/chat/completions", post(respond))
        .with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum_serve(listener, router).await });

    let config = format!(
        "providers:\n  - name: odd\n    executor: openai-compatible\n    base-url: http://{address}/v1\n    \
         credentials: [ {{ id: a, api-key: k }} ]\n    models: [ {{ name: real-name, alias: nick }} ]\n"
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    for (sent, expected_request, expected_response) in [
        (
            format!("{{ \"model\":\"real-name\",{ODD_BODY}"),
            format!("{{ \"model\":\"real-name\",{ODD_BODY}"),
            RESPONSE,
        ),
        (
            format!("{{ \"model\":  \"nick\" ,{ODD_BODY}"),
            format!("{{ \"model\":  \"real-name\" ,{ODD_BODY}"),
            RESPONSE,
        ),
        (
            format!("{{\"stream\":true,\"model\":\"real-name\",{ODD_BODY}"),
            format!("{{\"stream\":true,\"model\":\"real-name\",{ODD_BODY}"),
            EVENTS,
        ),
    ] {
        let url = jackfield.url("/v1/chat/completions");
        let response = jackfield.client.post(url).body(sent).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-request-id"], "kept");
        assert!(!response.headers().contains_key("x-from-provider"));
        assert!(!response.headers().contains_key("location"));
        assert!(response.headers().contains_key("x-jackfield-request-id"));
        assert_eq!(response.text().await.unwrap(), expected_response);
        assert_eq!(received.lock().pop().unwrap(), expected_request.as_bytes());
    }
    server.abort();
}

async fn axum_serve(listener: TcpListener, router: Router) {
    let forever = std::future::pending();
    jackfield_http::serve(listener, router, forever, std::time::Duration::ZERO).await;
}
