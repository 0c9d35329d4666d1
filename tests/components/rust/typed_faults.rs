//! A typed executor that does what its model names: it returns events out of order, or plans what a common form has no
//! place for. With another model it reads small parts of the conversation, or the turns (`turns`).

use jackfield_plugin::executor::{
    Descriptor, Executor, Failure, Frame, HttpRequest, Payload, Plan, Response, SecretPlace, Target,
};
use jackfield_plugin::typed::{
    COMMON, Delta, Event, TypedConverter, TypedOutput, TypedReply, TypedResponse, conversation,
};

struct TypedFaults;

impl Executor for TypedFaults {
    fn describe() -> Descriptor {
        Descriptor::new("1", COMMON)
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let url = match &target.credential {
            Some(credential) => format!("{}/generate", credential.base_url),
            None => "http://no-credential.invalid".to_owned(),
        };
        let turns = match target.model.as_str() {
            "turns" => conversation::turns(0, 9).len(),
            _ => 0,
        };
        let (system, count) = (conversation::system(), conversation::turn_count());
        let text = format!("{system} {count} {turns}");
        // Debug quotes a text without control characters as JSON does.
        let body = format!(r#"{{"model":"acme-1","messages":[{{"who":"user","text":{text:?}}}]}}"#);
        let (request, response) = match target.model.as_str() {
            "original" => (HttpRequest::post(url), Response::Whole),
            "relay" => (HttpRequest::post_json(url, "{}"), Response::Relay),
            _ => (
                HttpRequest::post_json(url, body),
                Response::Frames("lines".to_owned()),
            ),
        };
        let mut plan = request
            .secret("api-key", SecretPlace::Bearer)
            .into_plan(response);
        plan.state = target.model.into_bytes();
        Ok(plan)
    }
}

impl TypedReply for TypedFaults {
    type EventConverter = Faults;
}

struct Faults {
    model: Vec<u8>,
}

impl TypedConverter for Faults {
    fn begin(_target: Target, state: Vec<u8>) -> Self {
        Self { model: state }
    }

    fn push(&mut self, _frames: Vec<Frame>, last: bool) -> Result<TypedOutput, Failure> {
        let mut response = TypedResponse::default();
        if !last {
            return Ok(response.take());
        }
        response.text("hello");
        match self.model.as_slice() {
            b"not-begun" => response.add(Event::Delta(Delta {
                index: 9,
                kind: "text".to_owned(),
                data: Payload::Text("a".to_owned()),
                options: Vec::new(),
            })),
            b"no-finish" => {}
            b"after-failed" => {
                response.fail(Failure::invalid_request("it failed"));
                response.finish("stop");
            }
            _ => response.finish("stop"),
        }
        Ok(response.take())
    }
}

jackfield_plugin::export_executor!(TypedFaults, typed_reply);
