//! `jackfield credential`: shows and changes the credentials of a running server, through its admin
//! API.

mod add;
mod show;

use clap::{Args, Subcommand};
use jackfield_admin::types::CredentialResponse;
use jackfield_admin::{AdminClient, AdminRequest};
use jackfield_config::Environment;
use serde::de::DeserializeOwned;

use crate::admin_target::AdminTarget;
use crate::credential::add::NewCredentialOptions;
use crate::terminal::print;

/// Options and subcommand of `jackfield credential`.
#[derive(Args)]
pub(crate) struct CredentialArguments {
    #[command(flatten)]
    server: AdminTarget,
    /// Print the server's response as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CredentialCommand,
}

#[derive(Subcommand)]
enum CredentialCommand {
    /// List all credentials with their state.
    List,
    /// Show one credential with its models.
    Show {
        /// Id of the credential.
        id: String,
    },
    /// Add a credential, which the server saves. Secrets are never arguments.
    Add(Box<NewCredentialOptions>),
    /// Remove a credential that `add` created.
    Remove {
        /// Id of the credential.
        id: String,
    },
    /// Enable a credential.
    Enable {
        /// Id of the credential.
        id: String,
    },
    /// Disable a credential; attempts in progress end normally.
    Disable {
        /// Id of the credential.
        id: String,
    },
    /// Clear a credential's failures and cooldowns.
    Reset {
        /// Id of the credential.
        id: String,
    },
    /// Refresh a credential's tokens now.
    Refresh {
        /// Id of the credential.
        id: String,
    },
}

/// Runs the subcommand and prints the response.
pub(crate) async fn run(
    arguments: CredentialArguments,
    environment: &dyn Environment,
) -> Result<(), String> {
    let client = arguments.server.client(environment)?;
    let output = Output {
        client,
        json: arguments.json,
    };
    match &arguments.command {
        CredentialCommand::List => {
            let request = AdminRequest::list_credentials();
            output.of(&request, show::list).await
        }
        CredentialCommand::Show { id } => {
            let request = AdminRequest::show_credential(id);
            output.of(&request, show::details).await
        }
        CredentialCommand::Add(options) => {
            let new = options.credential(environment, std::io::stdin().lock())?;
            let request = AdminRequest::add_credential(&new).map_err(|error| error.to_string())?;
            output.change(&request, "added").await
        }
        CredentialCommand::Remove { id } => {
            let request = AdminRequest::remove_credential(id);
            output.of(&request, show::removed).await
        }
        CredentialCommand::Enable { id } => {
            let request = AdminRequest::enable_credential(id);
            output.change(&request, "enabled").await
        }
        CredentialCommand::Disable { id } => {
            let request = AdminRequest::disable_credential(id);
            output.change(&request, "disabled").await
        }
        CredentialCommand::Reset { id } => {
            let request = AdminRequest::reset_credential(id);
            output.change(&request, "reset").await
        }
        CredentialCommand::Refresh { id } => {
            let request = AdminRequest::refresh_credential(id);
            output.change(&request, "refreshed").await
        }
    }
}

/// Sends requests and prints their responses.
struct Output {
    client: AdminClient,
    json: bool,
}

impl Output {
    async fn of<R: DeserializeOwned>(
        &self,
        request: &AdminRequest<R>,
        show: impl FnOnce(&R),
    ) -> Result<(), String> {
        if self.json {
            let response = self.client.send_raw(request).await;
            let response = response.map_err(|error| error.to_string())?;
            print(&format!("{response:#}"));
        } else {
            let response = self.client.send(request).await;
            show(&response.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    async fn change(
        &self,
        request: &AdminRequest<CredentialResponse>,
        participle: &str,
    ) -> Result<(), String> {
        let show = |response: &CredentialResponse| show::changed(response, participle);
        self.of(request, show).await
    }
}
