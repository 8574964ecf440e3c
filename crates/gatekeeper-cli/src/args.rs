//! What can be typed.

use crate::report::{Failure, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gatekeeper_std::settings::{ClientAuthMethod, HumanDuration, Parameters, Settings, SettingsFile, Texts};
use gatekeeper_ureq::{BasicEncoding, BrandKeyPlace};
use std::env;
use std::io::{self, Read};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Every option that says what to ask whom can also be set as an environment variable, GATEKEEPER_ and its name in \
capitals (--client-id as GATEKEEPER_CLIENT_ID), and in a TOML file (--config). Options go before variables, variables \
before the file.

Secrets are never arguments. GATEKEEPER_CLIENT_SECRET, GATEKEEPER_PASSWORD, GATEKEEPER_REFRESH_TOKEN and \
GATEKEEPER_API_KEY hold the secrets themselves; with _FILE at the end, as the options do, the name of a file.

Exit codes: 0 ok, 2 usage or configuration, 3 refused by the authorization server, 4 network or server trouble, \
5 the API refused the call.";

/// Get OAuth 2.0 access tokens, call APIs with them, and find out what is wrong when that fails.
#[derive(Debug, Parser)]
#[command(name = "gatekeeper", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get a token and print it
    Token(TokenArgs),
    /// Call an API with a token and print its answer
    Call(CallArgs),
    /// Show what a token says about itself, without sending it anywhere
    Inspect(InspectArgs),
    /// Check configuration, network, TLS, clock, credentials and API, one after the other
    Doctor(DoctorArgs),
    /// Keep calling an API at a fixed rate while tokens expire and are renewed, and report
    Soak(SoakArgs),
    /// Show all four systems at work against a test server inside this program
    Demo,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TokenArgs {
    /// What to print: the token alone, all that is known of it, or a header line
    #[arg(long, value_enum, default_value_t = TokenFormat::Token, value_name = "FORMAT")]
    pub(crate) format: TokenFormat,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenFormat {
    Token,
    Json,
    Header,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CallArgs {
    /// The HTTP method
    pub(crate) method: String,
    /// The URL; one that begins with a slash is below --api-url
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Print status and headers before the body
    #[arg(short, long)]
    pub(crate) include: bool,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What a call of an API says beside its URL.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// A header of your own; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// The body: the text itself, @FILE for a file's content, - for standard input; application/json unless a header
    /// says otherwise
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The token; - reads it from standard input
    #[arg(default_value = "-", hide_default_value = true)]
    pub(crate) token: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = InspectFormat::Text, value_name = "FORMAT")]
    pub(crate) format: InspectFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DoctorArgs {
    /// A URL of the API to try the token with, by GET; --api-url unless given
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SoakArgs {
    /// The URL to call; one that begins with a slash is below --api-url
    #[arg(long)]
    pub(crate) url: String,
    /// How long to go on
    #[arg(long = "for", value_name = "TIME", default_value = "15s")]
    pub(crate) length: HumanDuration,
    /// Calls a second
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = rate)]
    pub(crate) rate: f64,
    /// The HTTP method
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The options that say what to ask whom.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The system: gatekeeper, oauth-v2, rator or generic, or a profile of the file [default: gatekeeper]
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    profile: Option<String>,
    /// A TOML file with settings and named profiles
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    config: Option<PathBuf>,
    /// The token endpoint, whole
    #[arg(long, value_name = "URL", help_heading = "Server")]
    token_url: Option<String>,
    /// The authorization server's base URL; the profile's path is added to it
    #[arg(long, value_name = "URL", help_heading = "Server")]
    auth_server_url: Option<String>,
    /// The API's base URL
    #[arg(long, value_name = "URL", help_heading = "Server")]
    api_url: Option<String>,

    /// The client id
    #[arg(long, value_name = "ID", help_heading = "Credentials")]
    client_id: Option<String>,
    /// The file that holds the client secret; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    client_secret_file: Option<PathBuf>,
    /// How the client authenticates [default: basic]
    #[arg(long, value_name = "METHOD", value_parser = ["basic", "post", "none"], help_heading = "Credentials")]
    client_auth: Option<String>,
    /// How Basic authentication sends id and secret: as they are, or form-urlencoded [default: the profile's]
    #[arg(long, value_name = "ENCODING", value_parser = ["raw", "form"], help_heading = "Credentials")]
    basic: Option<String>,
    /// The user of a password grant
    #[arg(long, value_name = "NAME", help_heading = "Credentials")]
    username: Option<String>,
    /// The file that holds the user's password; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    password_file: Option<PathBuf>,
    /// The file that holds a refresh token; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    refresh_token_file: Option<PathBuf>,
    /// The file that holds the API key; - is standard input
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    api_key_file: Option<PathBuf>,

    /// The grant: client_credentials, password, operator_password, refresh_token, or another by its name or URI
    /// [default: client_credentials, or refresh_token if there is one]
    #[arg(long, value_name = "GRANT", help_heading = "Token request")]
    grant: Option<String>,
    /// The scope to ask for, names separated by spaces
    #[arg(long, help_heading = "Token request")]
    scope: Option<String>,
    /// The audience to ask for
    #[arg(long, help_heading = "Token request")]
    audience: Option<String>,
    /// A resource to ask for (RFC 8707); may be repeated
    #[arg(long, value_name = "URI", help_heading = "Token request")]
    resource: Vec<String>,
    /// A parameter of your own; may be repeated
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Token request")]
    param: Vec<Parameters>,
    /// The Rator operator on whose behalf client credentials are used
    #[arg(long, value_name = "NAME", help_heading = "Token request")]
    operator: Option<String>,
    /// The Rator brand key
    #[arg(long, value_name = "KEY", help_heading = "Token request")]
    brand_key: Option<String>,
    /// The name of the brand key's parameter [default: brand_key]
    #[arg(long, value_name = "NAME", help_heading = "Token request")]
    brand_key_name: Option<String>,
    /// Where the brand key goes [default: query]
    #[arg(long, value_name = "PLACE", value_parser = ["query", "form"], help_heading = "Token request")]
    brand_key_in: Option<String>,

    /// PEM certificates to trust instead of the usual ones
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    ca_file: Option<PathBuf>,
    /// How long the whole command may take; with soak, each call [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    timeout: Option<HumanDuration>,
    /// How long to retry when the token endpoint is in trouble [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    retry_for: Option<HumanDuration>,
    /// Allow http to other machines: everyone on the way can read secrets and tokens
    #[arg(long, help_heading = "Connection")]
    insecure_http: bool,
}

impl Options {
    /// All settings: options, variables and file together, with the secrets read that can be read only once. `stdin` names what
    /// else of the command reads standard input.
    pub(crate) fn settings(&self, stdin: Option<&str>) -> Result<Settings> {
        let options = self.given();
        options.check_options()?;
        let config = self.config.clone().or_else(|| env::var_os("GATEKEEPER_CONFIG").map(PathBuf::from));
        let file = config.filter(|path| !path.as_os_str().is_empty()).map(SettingsFile::read).transpose()?;
        let mut settings = options.over(Settings::from_env()?).with_file(file.as_ref())?;
        settings.read_streams(stdin, || {
            let mut text = String::new();
            // More than any secret is; what follows it is not for this program.
            io::stdin().lock().take(64 * 1024).read_to_string(&mut text)?;
            Ok(text)
        })?;
        Ok(settings)
    }

    fn given(&self) -> Settings {
        let mut settings = Settings::default();
        settings.profile.clone_from(&self.profile);
        settings.token_url.clone_from(&self.token_url);
        settings.auth_server_url.clone_from(&self.auth_server_url);
        settings.api_url.clone_from(&self.api_url);
        settings.client_id.clone_from(&self.client_id);
        settings.client_secret_file.clone_from(&self.client_secret_file);
        settings.client_auth = self.client_auth.as_deref().map(|method| match method {
            "post" => ClientAuthMethod::Post,
            "none" => ClientAuthMethod::None,
            _ => ClientAuthMethod::Basic,
        });
        settings.basic = self.basic.as_deref().map(|encoding| match encoding {
            "form" => BasicEncoding::Form,
            _ => BasicEncoding::Raw,
        });
        settings.username.clone_from(&self.username);
        settings.password_file.clone_from(&self.password_file);
        settings.refresh_token_file.clone_from(&self.refresh_token_file);
        settings.api_key_file.clone_from(&self.api_key_file);
        settings.grant.clone_from(&self.grant);
        settings.scope.clone_from(&self.scope);
        settings.audience.clone_from(&self.audience);
        settings.resource = Some(Texts(self.resource.clone())).filter(|texts| !texts.0.is_empty());
        let parameters: Vec<_> = self.param.iter().flat_map(|p| p.0.iter().cloned()).collect();
        settings.param = Some(Parameters(parameters)).filter(|p| !p.0.is_empty());
        settings.operator.clone_from(&self.operator);
        settings.brand_key.clone_from(&self.brand_key);
        settings.brand_key_name.clone_from(&self.brand_key_name);
        settings.brand_key_in = self.brand_key_in.as_deref().map(|place| match place {
            "form" => BrandKeyPlace::Form,
            _ => BrandKeyPlace::Query,
        });
        settings.ca_file.clone_from(&self.ca_file);
        settings.timeout = self.timeout;
        settings.retry_for = self.retry_for;
        settings.insecure_http = self.insecure_http.then_some(true);
        settings
    }
}

impl RequestArgs {
    /// Whether the body is read from standard input.
    pub(crate) fn reads_stdin(&self) -> bool {
        matches!(self.data.as_deref(), Some("-" | "@-"))
    }

    /// The body.
    pub(crate) fn body(&self) -> Result<Option<Vec<u8>>> {
        let Some(data) = &self.data else { return Ok(None) };
        if self.reads_stdin() {
            let mut body = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut body);
            read.map_err(|e| Failure::usage(format!("the body cannot be read from standard input: {e}")))?;
            return Ok(Some(body));
        }
        let Some(path) = data.strip_prefix('@') else { return Ok(Some(data.clone().into_bytes())) };
        let body = std::fs::read(path);
        body.map(Some).map_err(|e| Failure::usage(format!("the body's file {path} cannot be read: {e}")))
    }
}

fn header(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written NAME: VALUE")?;
    if name.eq_ignore_ascii_case("authorization") {
        return Err("this header is the one that gatekeeper adds".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=10_000.0).contains(rate));
    rate.ok_or_else(|| "a rate is a number of calls a second from 0.01 to 10000".to_owned())
}
