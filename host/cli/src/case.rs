//! `jackfield case record`: makes a case of the corpus (`tests/cases/wild`) out of a live call.

mod blank;
mod client_request;
mod folder;
mod recorder;
mod secrets;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures_util::StreamExt;
use jackfield_config::{Config, Provider};
use jackfield_credential::CredentialId;
use jackfield_dispatch::{Call, Clock, Dispatcher, Operation, ResponseBody, error_chain};
use jackfield_http::HttpUpstream;
use jackfield_runtime::Compiling;

use self::client_request::ClientRequest;
use self::recorder::Recorder;
use crate::terminal::print;
use crate::wire::{DataUse, Host};

/// The arguments of `case record`.
#[derive(Args)]
pub(crate) struct RecordArguments {
    /// The configuration with the provider. A server that uses the same data folder must not run.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The client's request: request line, headers, an empty line, body.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The folder of the new case. It must not exist.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The provider that serves the call, with its first credential; otherwise any that has the model.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Replace all texts, names of tools excepted, by letters of the same number.
    #[arg(long)]
    blank: bool,
}

impl RecordArguments {
    /// The file of the configuration.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }
}

/// Sends the request through the configured provider, and writes the folder.
///
/// # Errors
///
/// If the request cannot be read, no provider was called, or the folder cannot be written.
pub(crate) async fn record(arguments: RecordArguments, config: Config) -> Result<(), String> {
    if arguments.out.exists() {
        return Err(format!("{}: exists already", arguments.out.display()));
    }
    let request = ClientRequest::read(&arguments.request)?;
    let provider = arguments.provider.as_deref();
    let pinned = provider
        .map(|name| first_credential(&config, name))
        .transpose()?;
    let recorder = Arc::new(Recorder::new(HttpUpstream::new()));
    let upstream = Arc::<Recorder>::clone(&recorder);
    let config = Arc::new(config);
    let file = &arguments.config;
    let (data_use, compiling) = (DataUse::OneCall, Compiling::InPlace);
    let host = Host::with_upstream(config, file, upstream, data_use, compiling).await?;
    let failure = call(&host.dispatcher, &request, pinned).await.err();
    let exchange = recorder.last().ok_or_else(|| match &failure {
        Some(failure) => format!("no provider was called: {failure}"),
        None => "no provider was called".to_owned(),
    })?;
    let case = folder::RecordedCase {
        request: &request,
        exchange: &exchange,
        unix_ms: Clock::system().now().as_millis(),
        is_blank: arguments.blank,
    };
    case.write(&arguments.out)?;
    if let Some(failure) = failure {
        print(&format!("The call failed: {failure}"));
    }
    print(&next_steps(&arguments.out));
    Ok(())
}

async fn call(
    dispatcher: &Arc<Dispatcher>,
    request: &ClientRequest,
    pinned: Option<CredentialId>,
) -> Result<(), String> {
    let call = Call {
        id: Arc::from("case-record"),
        dialect: request.dialect,
        operation: Operation::Generate,
        model: Arc::from(request.model.as_str()),
        stream: request.framing,
        body: request.body.clone(),
        headers: dispatcher.forwarded_headers(request.dialect, &request.headers),
        beta: request.path.contains("beta=true"),
        principal: Arc::from("case-record"),
        network: None,
        affinity: None,
        pinned,
        deadline: dispatcher.deadline(),
    };
    let response = dispatcher
        .call(call)
        .await
        .map_err(|error| error_chain(&error))?;
    if let ResponseBody::Stream(mut stream) = response.body {
        // The recorder has the provider's bytes; the client's are not part of a case.
        while let Some(piece) = stream.next().await {
            piece.map_err(|error| error_chain(&error))?;
        }
    }
    Ok(())
}

fn first_credential(config: &Config, name: &str) -> Result<CredentialId, String> {
    let is_named = |provider: &&Provider| provider.name.as_str() == name;
    let provider = config.providers.iter().find(is_named);
    let provider = provider.ok_or_else(|| format!("the configuration has no provider {name}"))?;
    let credential = provider.credentials.first();
    let credential = credential.ok_or_else(|| format!("the provider {name} has no credential"))?;
    Ok(credential.credential.id.clone())
}

fn next_steps(folder: &Path) -> String {
    format!(
        "{}: recorded. Write `report` and `expected` in case.txt, look for what is private in the other \
         files, and run UPDATE_GOLDENS=1 cargo test -p jackfield-dialect --test corpus.",
        folder.display()
    )
}
