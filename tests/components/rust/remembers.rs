//! Plans that depend on what the guest reads, by the model: see the match below. The header `x-read` has what it
//! read, `x-settings` the settings; the secret is the one that the credential has.

use std::sync::Mutex;
use std::time::Instant;

use jackfield_plugin::executor::{
    Body, Descriptor, Executor, Failure, Patch, Plan, SecretPlace, Target, call, client,
    client_body,
};
use jackfield_plugin::settings_json;
use jackfield_test_components::request;

struct Remembers;

/// The first header that this instance has read.
static FIRST_HEADER: Mutex<String> = Mutex::new(String::new());

impl Executor for Remembers {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let read = match target.model.as_str() {
            "two-headers" => [client::header("x-a"), client::header("x-b")]
                .concat()
                .join(","),
            "global" => keep(client::header("x-a").join(",")),
            "client" => client::member("name").unwrap_or_default(),
            "session" => format!("{:?}", client::session()),
            "pointer" => client_body::at("/user").unwrap_or_default(),
            "body" => client_body::text().unwrap_or_default(),
            "time" => call::now_ms().to_string(),
            "wasi-clock" => format!("{:?}", Instant::now().elapsed()),
            "large" => "x".repeat(20_000),
            "refuses" => return Err(Failure::invalid_request("it refuses")),
            _ => String::new(),
        };
        let credential = target.require_credential()?;
        let mut request = request(&target)
            .header("x-read", read.as_bytes())
            .header("x-settings", settings_json().as_bytes())
            .header(
                "x-region",
                credential
                    .attribute("region")
                    .unwrap_or_default()
                    .as_bytes(),
            )
            .forward_headers(&["user-agent", "x-stainless-*"]);
        request.secrets.clear();
        if target.model == "patch" {
            let temperature = Patch::Replace(("/temperature".to_owned(), "1".to_owned()));
            request.body = Body::Patched(vec![temperature]);
        }
        Ok(request
            .secret(credential.secret_name(), SecretPlace::Bearer)
            .relay())
    }
}

fn keep(header: String) -> String {
    let Ok(mut first) = FIRST_HEADER.lock() else {
        return String::new();
    };
    if first.is_empty() {
        *first = header;
    }
    first.clone()
}

jackfield_plugin::export_executor!(Remembers);
