//! `jackfield credential`: looks at and changes the credentials of a running server, through its
//! admin API.

mod add;
mod show;

use clap::{Args, Subcommand};
use jackfield_http::AdminClientError;
use serde_json::Value;

use crate::config::Environment;
use crate::credential::add::New;
use crate::remote::Server;
use crate::terminal::say;

/// What to do with which server, and how to show it.
#[derive(Args)]
pub(crate) struct CredentialArguments {
    #[command(flatten)]
    server: Server,
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
    Add(Box<New>),
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
    let (answer, shown): (Result<Value, AdminClientError>, Shown) = match &arguments.command {
        CredentialCommand::List => (client.get(&[CREDENTIALS]).await, Shown::All),
        CredentialCommand::Show { id } => (client.get(&[CREDENTIALS, id]).await, Shown::Whole),
        CredentialCommand::Add(new) => {
            let body = new.body(environment, std::io::stdin().lock())?;
            let answer = client.post(&[CREDENTIALS], Some(&body)).await;
            (answer, Shown::Done("added"))
        }
        CredentialCommand::Remove { id } => {
            (client.delete(&[CREDENTIALS, id]).await, Shown::Removed)
        }
        CredentialCommand::Enable { id } => {
            let answer = client.post(&[CREDENTIALS, id, "enable"], None).await;
            (answer, Shown::Done("enabled"))
        }
        CredentialCommand::Disable { id } => {
            let answer = client.post(&[CREDENTIALS, id, "disable"], None).await;
            (answer, Shown::Done("disabled"))
        }
        CredentialCommand::Reset { id } => {
            let answer = client.post(&[CREDENTIALS, id, "reset"], None).await;
            (answer, Shown::Done("reset"))
        }
        CredentialCommand::Refresh { id } => {
            let answer = client.post(&[CREDENTIALS, id, "refresh"], None).await;
            (answer, Shown::Done("refreshed"))
        }
    };
    let answer = answer.map_err(|error| error.to_string())?;
    if arguments.json {
        say(&format!("{answer:#}"));
        return Ok(());
    }
    match shown {
        Shown::All => show::all(&answer),
        Shown::Whole => show::whole(&answer),
        Shown::Done(what) => show::done(&answer, what),
        Shown::Removed => show::removed(&answer),
    }
    Ok(())
}

/// How an answer is put to people.
enum Shown {
    All,
    Whole,
    Done(&'static str),
    Removed,
}

const CREDENTIALS: &str = "credentials";
