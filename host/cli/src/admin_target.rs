//! Options that select the server for admin commands: its configuration, or its address and a token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use jackfield_admin::AdminClient;
use jackfield_config::{Config, Environment, ListenAddress};
use secrecy::SecretString;

/// The options that select the server.
#[derive(Args)]
pub(crate) struct AdminTarget {
    /// The server's configuration, whose `admin` section has the address and the token.
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["admin", "token_env"])]
    config: Option<PathBuf>,
    /// The address of the server's admin API, or `unix:` and the path of its socket.
    #[arg(long, global = true, value_name = "URL", default_value = ADDRESS)]
    admin: String,
    /// The environment variable that holds the admin token.
    #[arg(long, global = true, value_name = "NAME", default_value = TOKEN)]
    token_env: String,
}

impl AdminTarget {
    /// Returns a client of its admin API.
    pub(crate) fn client(&self, environment: &dyn Environment) -> Result<AdminClient, String> {
        let (address, token) = match &self.config {
            Some(file) => configured(file, environment)?,
            None => (self.admin.clone(), self.token(environment)?),
        };
        AdminClient::new(&address, token).map_err(|error| error.to_string())
    }

    fn token(&self, environment: &dyn Environment) -> Result<SecretString, String> {
        let name = &self.token_env;
        let token = environment.var(name).filter(|token| !token.is_empty());
        token.map(SecretString::from).ok_or_else(|| {
            format!(
                "the environment variable {name} is not set; put the admin token into it, or give \
                 the server's configuration with --config"
            )
        })
    }
}

/// Reads address and token from the configuration. The rest of it is not read, since its secrets may be
/// out of reach for the operator who runs the command.
fn configured(
    file: &Path,
    environment: &dyn Environment,
) -> Result<(String, SecretString), String> {
    let admin = Config::load_admin(file, environment).map_err(|errors| errors.to_string())?;
    let shown = file.display();
    let admin = admin.ok_or_else(|| {
        format!("{shown}: no `admin` section, so the server has no admin API; add one")
    })?;
    let address = match &admin.listen {
        ListenAddress::Unix(_) => admin.listen.to_string(),
        ListenAddress::Tcp(address) if address.port() == 0 => {
            return Err(format!(
                "{shown}: `admin.listen` has port 0, so the system selects it; give the address with --admin"
            ));
        }
        ListenAddress::Tcp(address) => format!("http://{}", reachable(*address)),
    };
    Ok((address, admin.token))
}

/// Returns an address to connect to: a server that listens on all interfaces listens on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Default address of the admin API.
const ADDRESS: &str = "http://127.0.0.1:8318";

/// Environment variable with the token, by default.
const TOKEN: &str = "JACKFIELD_ADMIN_TOKEN";
