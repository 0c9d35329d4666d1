//! `jackfield credential`: looks at and changes the credentials of a running server, through its
//! admin API.

mod add;
mod show;

use clap::{Args, Subcommand};
use jackfield_config::Environment;
use jackfield_http::AdminClientError;
use serde_json::Value;

use crate::admin_target::AdminTarget;
use crate::credential::add::NewCredentialOptions;
use crate::terminal::print;

/// What to do with which server, and how to show it.
#[derive(Args)]
pub(crate) struct CredentialArguments {
    #[command(flatten)]
    server: AdminTarget,
    /// Show what the server answers, as it is.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CredentialCommand,
}

#[derive(Subcommand)]
enum CredentialCommand {
    /// List all credentials, and how they stand.
    List,
    /// Show one credential with its models.
    Show {
        /// The credential.
        id: String,
    },
    /// Add a credential, which the server keeps. Secrets never stand on the command line.
    Add(Box<NewCredentialOptions>),
    /// Remove a credential that was added.
    Remove {
        /// The credential.
        id: String,
    },
    /// Put a credential to use again.
    Enable {
        /// The credential.
        id: String,
    },
    /// Leave a credential out of use; calls under way end as they are.
    Disable {
        /// The credential.
        id: String,
    },
    /// Forget a credential's failures, so that it may be used at once.
    Reset {
        /// The credential.
        id: String,
    },
    /// Renew a credential's tokens now.
    Refresh {
        /// The credential.
        id: String,
    },
}

/// Does it, and shows what came of it.
pub(crate) async fn run(
    arguments: CredentialArguments,
    environment: &dyn Environment,
) -> Result<(), String> {
    let client = arguments.server.client(environment)?;
    let (response, shown): (Result<Value, AdminClientError>, Output) = match &arguments.command {
        CredentialCommand::List => (client.get(&[CREDENTIALS]).await, Output::List),
        CredentialCommand::Show { id } => (client.get(&[CREDENTIALS, id]).await, Output::Details),
        CredentialCommand::Add(new) => {
            let body = new.body(environment, std::io::stdin().lock())?;
            let response = client.post(&[CREDENTIALS], Some(&body)).await;
            (response, Output::Changed("added"))
        }
        CredentialCommand::Remove { id } => {
            (client.delete(&[CREDENTIALS, id]).await, Output::Removed)
        }
        CredentialCommand::Enable { id } => {
            let response = client.post(&[CREDENTIALS, id, "enable"], None).await;
            (response, Output::Changed("enabled"))
        }
        CredentialCommand::Disable { id } => {
            let response = client.post(&[CREDENTIALS, id, "disable"], None).await;
            (response, Output::Changed("disabled"))
        }
        CredentialCommand::Reset { id } => {
            let response = client.post(&[CREDENTIALS, id, "reset"], None).await;
            (response, Output::Changed("reset"))
        }
        CredentialCommand::Refresh { id } => {
            let response = client.post(&[CREDENTIALS, id, "refresh"], None).await;
            (response, Output::Changed("refreshed"))
        }
    };
    let response = response.map_err(|error| error.to_string())?;
    if arguments.json {
        print(&format!("{response:#}"));
        return Ok(());
    }
    match shown {
        Output::List => show::list(&response),
        Output::Details => show::details(&response),
        Output::Changed(what) => show::changed(&response, what),
        Output::Removed => show::removed(&response),
    }
    Ok(())
}

/// How an answer is put to people.
enum Output {
    List,
    Details,
    Changed(&'static str),
    Removed,
}

const CREDENTIALS: &str = "credentials";
