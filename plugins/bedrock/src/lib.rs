//! Executor for Amazon Bedrock.
//!
//! Its dialect is Anthropic's. Claude's models get it by `InvokeModel`, whose responses the host relays or the plugin
//! unpacks from Amazon's event stream. All other models get the Converse API, to which the plugin translates.

mod claude;
mod converse;
mod errors;
mod settings;

use jackfield_plugin::encode::path_segment;
use jackfield_plugin::executor::{
    Converter, Credential, Descriptor, Executor, Failure, Frame, HttpHead, HttpRequest, Judge,
    Output, Payload, Plan, Reply, Response, Scope, SecretPlace, Target,
};

use crate::claude::ClaudeStream;
use crate::converse::{ConverseStream, ConverseWhole};
use crate::settings::Settings;

struct Bedrock;

impl Executor for Bedrock {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "anthropic-messages").operation("http-request")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let credential = target.require_credential()?;
        let settings = Settings::read()?;
        match target.operation.as_str() {
            "generate" => {}
            "http-request" => {
                let request = target.raw_request()?;
                return Ok(authorize(request, credential, &settings)?.relay());
            }
            other => return Err(Failure::unsupported_operation(other)),
        }
        let api = settings.api_of(&target.model);
        let request = HttpRequest::post(url(&target, credential, api)?);
        let (mut request, response) = match (api, target.stream) {
            (Api::Invoke, false) => (claude::with_body(request, &settings), Response::Relay),
            (Api::Invoke, true) => (
                claude::with_body(request, &settings),
                Response::Frames("aws-event-stream".to_owned()),
            ),
            (Api::Converse, false) => (converse::with_body(request, &target)?, Response::Whole),
            (Api::Converse, true) => (
                converse::with_body(request, &target)?,
                Response::Frames("aws-event-stream".to_owned()),
            ),
        };
        request = authorize(request, credential, &settings)?;
        let mut plan = request.into_plan(response);
        plan.state = vec![api as u8];
        Ok(plan)
    }
}

impl Judge for Bedrock {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        Some(errors::classify(&head, body.as_bytes()))
    }
}

impl Reply for Bedrock {
    type Converter = BedrockReply;
}

/// The API of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    /// `InvokeModel` with the body of Claude's own API.
    Invoke = 0,
    /// `Converse`.
    Converse = 1,
}

/// Returns the URL of an operation (Amazon Bedrock API reference, runtime).
fn url(target: &Target, credential: &Credential, api: Api) -> Result<String, Failure> {
    let model = &target.model;
    let Some(segment) = path_segment(model) else {
        return Err(Failure::invalid_request(format!(
            "{model:?} is not a valid model name"
        )));
    };
    let operation = match (api, target.stream) {
        (Api::Invoke, false) => "invoke",
        (Api::Invoke, true) => "invoke-with-response-stream",
        (Api::Converse, false) => "converse",
        (Api::Converse, true) => "converse-stream",
    };
    Ok(format!(
        "{}/model/{segment}/{operation}",
        credential.base_url
    ))
}

/// Adds the API key as bearer token, or signs with the access key (Amazon Bedrock user guide, API keys; the service's
/// name for signatures is `bedrock`).
fn authorize(
    request: HttpRequest,
    credential: &Credential,
    settings: &Settings,
) -> Result<HttpRequest, Failure> {
    if credential.has_secret("api-key") {
        return Ok(request.secret("api-key", SecretPlace::Bearer));
    }
    if !credential.has_secret("secret-access-key") {
        return Err(Failure::new(
            Scope::CREDENTIAL,
            "authentication",
            "the credential needs the secret `api-key`, or `access-key-id` and `secret-access-key`",
        ));
    }
    let region = settings.region(credential)?;
    let place = SecretPlace::aws_sigv4(&region, "bedrock");
    Ok(request.secret("secret-access-key", place))
}

/// The reply to a request of one of the APIs.
enum BedrockReply {
    Claude(ClaudeStream),
    Stream(Box<ConverseStream>),
    Whole(ConverseWhole),
}

impl Converter for BedrockReply {
    fn begin(target: Target, state: Vec<u8>) -> Self {
        let is_converse = state.first() == Some(&(Api::Converse as u8));
        match (is_converse, target.stream) {
            (false, _) => Self::Claude(ClaudeStream),
            (true, true) => Self::Stream(Box::new(ConverseStream::new(target.model))),
            (true, false) => Self::Whole(ConverseWhole::new(target.model)),
        }
    }

    fn head(&mut self, head: HttpHead) -> Result<(), Failure> {
        let id = head.headers.iter().find(|it| it.name == REQUEST_ID);
        let id = id.and_then(|header| String::from_utf8(header.value.clone()).ok());
        match (self, id) {
            (Self::Stream(stream), Some(id)) => stream.set_id(id),
            (Self::Whole(whole), Some(id)) => whole.set_id(id),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
        match self {
            Self::Claude(stream) => stream.push(frames),
            Self::Stream(stream) => stream.push(frames, last),
            Self::Whole(whole) => whole.push(frames),
        }
    }
}

/// The header with the request's id (AWS general reference, common response headers).
const REQUEST_ID: &str = "x-amzn-requestid";

jackfield_plugin::export_executor!(Bedrock, judge, reply);
