//! The binary `jackfield`: the command line, and nothing else.

mod admin_credentials;
mod admin_plugins;
mod admin_target;
mod built_in;
mod case;
mod credential;
#[cfg(feature = "demo")]
mod demo;
mod explain;
mod log;
mod login;
mod missing_plugins;
mod model_lists;
mod plugin_policies;
mod plugins;
mod reload;
mod serve;
mod terminal;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jackfield_config::{Config, ProcessEnvironment, json_schema};
use tracing_subscriber::filter::Targets;

use crate::admin_target::AdminTarget;
use crate::case::RecordArguments;
use crate::credential::CredentialArguments;
use crate::login::LoginArguments;
use crate::missing_plugins::missing_plugins;
use crate::terminal::print;

/// A call makes a few hundred small allocations on changing threads. This allocator is fast at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An LLM API proxy whose providers and routing policies are WebAssembly components.
#[derive(Parser)]
#[command(name = "jackfield", version)]
struct Arguments {
    /// What to log: a level, or levels by module, such as `info,jackfield_runtime=debug`. Logs go
    /// to standard error.
    #[arg(long, global = true, value_name = "LEVELS")]
    log: Option<Targets>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or Ctrl-C.
    Serve {
        /// The configuration file; host/docs/configuration.md describes its keys.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Run a tour with a mock provider in this process, then serve.
    #[cfg(feature = "demo")]
    Demo {
        /// Exit after the tour, with 0 if all steps passed.
        #[arg(long)]
        exit: bool,
        /// The address to serve on.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8317")]
        listen: std::net::SocketAddr,
    },
    /// Check a configuration, print its schema, or reload a running server.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at and change the credentials of a running server.
    Credential(CredentialArguments),
    /// Log an account in by OAuth, on a running server; host/docs/howto/login.md describes it.
    Login(LoginArguments),
    /// Look at plugins; roll them back and unload them on a running server.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Make cases for the tests out of live calls.
    #[command(subcommand)]
    Case(CaseCommand),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every error in a configuration, with its position.
    Check {
        /// The configuration.
        file: PathBuf,
        /// Print what each provider takes for each model, and where that is from.
        #[arg(long)]
        explain: bool,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Reload the configuration of a running server, all of it or nothing.
    Reload(AdminTarget),
}

#[derive(Subcommand)]
enum CaseCommand {
    /// Record a call as a folder of `tests/cases/wild`, without secrets.
    Record(RecordArguments),
}

#[derive(Subcommand)]
enum PluginCommand {
    /// List the plugins that can serve, and the reason for each that cannot.
    List {
        /// The configuration with the plugin folder. Without it: the built-in plugins only.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Put an earlier version of a plugin in use again, on a running server.
    Rollback {
        /// Name of the plugin.
        name: String,
        /// The generation; `GET /admin/v1/plugins` lists those that are held. Without it: the previous one.
        #[arg(long, value_name = "GENERATION")]
        to: Option<u64>,
        #[command(flatten)]
        server: AdminTarget,
    },
    /// Take a plugin out of use whose file was removed, on a running server.
    Unload {
        /// Name of the plugin.
        name: String,
        #[command(flatten)]
        server: AdminTarget,
    },
}

fn main() -> ExitCode {
    // Not `parse`, which exits with 2 after a wrong command line.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors for clap.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    start_log(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("starting the async runtime: {error}")),
    };
    runtime.block_on(run(arguments.command))
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve { config } => match load(&config) {
            Ok(loaded) => ended(serve::serve(loaded, &config).await),
            Err(code) => code,
        },
        #[cfg(feature = "demo")]
        Command::Demo { exit, listen } => ended(demo::run(listen, exit).await),
        Command::Config(ConfigCommand::Check { file, explain }) => match load(&file) {
            Ok(config) => {
                for warning in &config.warnings {
                    terminal::eprint(&format!("warning: {warning}"));
                }
                let missing = missing_plugins(&config);
                if !missing.is_empty() {
                    for message in missing {
                        terminal::eprint(&format!("{}: {message}", file.display()));
                    }
                    return ExitCode::from(BAD_CONFIG);
                }
                print(&format!("{}: {}", file.display(), config_summary(&config)));
                if explain {
                    return ended(explain::explain(&config).await);
                }
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Command::Config(ConfigCommand::Schema) => {
            print(&format!("{:#}", json_schema()));
            ExitCode::SUCCESS
        }
        Command::Config(ConfigCommand::Reload(server)) => {
            ended(reload::request_reload(&server, &ProcessEnvironment).await)
        }
        Command::Case(CaseCommand::Record(arguments)) => match load(arguments.config()) {
            Ok(loaded) => ended(case::record(arguments, loaded).await),
            Err(code) => code,
        },
        Command::Credential(arguments) => {
            ended(credential::run(arguments, &ProcessEnvironment).await)
        }
        Command::Login(arguments) => ended(login::run(arguments, &ProcessEnvironment).await),
        Command::Plugin(PluginCommand::List { config }) => {
            let config = match config.map(|file| load(&file)).transpose() {
                Ok(config) => config,
                Err(code) => return code,
            };
            ended(plugins::list(config.as_ref()).await)
        }
        Command::Plugin(PluginCommand::Rollback { name, to, server }) => {
            ended(plugins::roll_back(&server, &name, to, &ProcessEnvironment).await)
        }
        Command::Plugin(PluginCommand::Unload { name, server }) => {
            ended(plugins::unload(&server, &name, &ProcessEnvironment).await)
        }
    }
}

fn load(file: &Path) -> Result<Config, ExitCode> {
    Config::load(file, &ProcessEnvironment).map_err(|errors| {
        terminal::eprint(&errors.to_string());
        ExitCode::from(BAD_CONFIG)
    })
}

fn config_summary(config: &Config) -> String {
    let credentials: usize = config
        .providers
        .iter()
        .map(|each| each.credentials.len())
        .sum();
    let models: usize = config.providers.iter().map(|each| each.models.len()).sum();
    let discovers = config.providers.iter().any(|each| each.discovery.is_some());
    let more = if discovers {
        " and those that providers list"
    } else {
        ""
    };
    format!(
        "valid: {} provider(s), {credentials} credential(s), {models} model(s){more}, {} client key(s)",
        config.providers.len(),
        config.client_keys.len()
    )
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &str) -> ExitCode {
    terminal::eprint(&format!("jackfield: {problem}"));
    ExitCode::FAILURE
}

fn start_log(arguments: &Arguments) {
    let default = match arguments.command {
        Command::Serve { .. } => tracing::Level::INFO,
        #[cfg(feature = "demo")]
        Command::Demo { .. } => tracing::Level::ERROR,
        Command::Case(_)
        | Command::Config(_)
        | Command::Credential(_)
        | Command::Login(_)
        | Command::Plugin(_) => tracing::Level::ERROR,
    };
    let levels = arguments
        .log
        .clone()
        .unwrap_or_else(|| Targets::new().with_default(default));
    log::start(levels);
}

/// The exit code for an invalid command line, as in BSD's sysexits.
const USAGE: u8 = 64;

/// The exit code for an invalid configuration, as in BSD's sysexits.
const BAD_CONFIG: u8 = 78;
