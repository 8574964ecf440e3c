//! Settings by name: what programs take from their options, from the environment and from a TOML file, laid over each
//! other and turned into a [`Config`](crate::Config) and an [`ApiConfig`](crate::ApiConfig).
//!
//! A name is the same everywhere: the setting `token_url` is the option `--token-url`, the variable
//! `GATEKEEPER_TOKEN_URL` and the key `token_url`.
//!
//! # The file
//!
//! ```toml
//! # At the top: settings for every profile of this file.
//! timeout = "10s"
//! profile = "staging"                      # the one to use if nothing else is said
//!
//! [profiles.staging]
//! profile = "gatekeeper"                   # the system: gatekeeper, oauth-v2, rator or generic
//! auth_server_url = "https://auth.staging.example.com"
//! client_id = "djc98u3jiedmi283eu928"
//! client_secret_file = "staging.secret"    # beside this file; or client_secret_env = "STAGING_SECRET"
//! scope = "main_antifraud_resource_server/public"
//! api_url = "https://api.staging.example.com"
//! api_key_env = "STAGING_API_KEY"
//!
//! [profiles.brand]
//! profile = "rator"
//! auth_server_url = "https://rator.example.com/appcontext"
//! client_id = "portal"
//! client_secret_file = "portal.secret"
//! brand_key = "DEMO"
//! brand_key_name = "brandKey"
//! param = { channel = "web" }
//! ```
//!
//! A profile's own settings go before those at the top. Relative paths begin at the file's directory. A key that is no
//! setting is an error. A secret itself (`client_secret`, `password`, `refresh_token`, `api_key`) may stand in the file
//! only if nobody but its owner can read it.

mod convert;
mod file;
mod values;

pub use self::file::SettingsFile;
pub use self::values::{ClientAuthMethod, HumanDuration, Parameters, Texts};

use self::values::FromText;
use crate::secret::SecretString;
use gatekeeper_proto::{BasicEncoding, BrandKeyPlace};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

/// Makes the struct from groups of fields. Of the fields of one group, one layer gives at most one, and it hides all of
/// them in the layers below: an option `--auth-server-url` goes before a `token_url` in a file.
macro_rules! settings {
    ($( $( $(#[doc = $doc:literal])+ $name:ident: $type:ty )|+ ; )+) => {
        /// Settings that may or may not be given. See the [module's documentation](self) for their names elsewhere.
        #[derive(Clone, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct Settings {
            $($( $(#[doc = $doc])+ pub $name: Option<$type>, )+)+
            /// The named profiles of a file, which only its top level can have.
            profiles: BTreeMap<String, Settings>,
        }

        impl Settings {
            /// The names of all settings.
            pub const NAMES: &'static [&'static str] = &[$($( stringify!($name), )+)+];

            /// These settings, and from `lower` what is not set here.
            #[must_use]
            pub fn over(mut self, lower: Self) -> Self {
                $( if ![$( self.$name.is_some() ),+].contains(&true) {
                    $( self.$name = lower.$name; )+
                } )+
                self
            }

            fn check_groups(&self, name_of: impl Fn(&str) -> String) -> Result<(), SettingsError> {
                $( let given = [$( (self.$name.is_some(), stringify!($name)) ),+];
                only_one(&given, &name_of)?; )+
                Ok(())
            }

            fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
                let mut settings = Self::default();
                $($( settings.$name = variable(stringify!($name), &get)?; )+)+
                Ok(settings)
            }
        }
    };
}

settings! {
    /// The system: one of the four built-in names, or one that the file gives to a group of settings.
    profile: String;
    /// The token endpoint, whole.
    token_url: String
    | /// The authorization server's base URL, to which the profile's path is added.
    auth_server_url: String;
    /// `client_id`
    client_id: String;
    /// The client secret itself. In the environment or a private file only.
    client_secret: SecretString
    | /// The file that holds the client secret; `-` is standard input.
    client_secret_file: PathBuf
    | /// The environment variable that holds the client secret.
    client_secret_env: String;
    /// How the client authenticates.
    client_auth: ClientAuthMethod;
    /// How `Basic` authentication encodes id and secret.
    basic: BasicEncoding;
    /// The grant, by its name or URI.
    grant: String;
    /// The Rator operator on whose behalf client credentials are used.
    operator: String;
    /// The user of a password grant.
    username: String;
    /// The user's password itself. In the environment or a private file only.
    password: SecretString
    | /// The file that holds the password; `-` is standard input.
    password_file: PathBuf
    | /// The environment variable that holds the password.
    password_env: String;
    /// The refresh token itself. In the environment or a private file only.
    refresh_token: SecretString
    | /// The file that holds the refresh token; `-` is standard input.
    refresh_token_file: PathBuf
    | /// The environment variable that holds the refresh token.
    refresh_token_env: String;
    /// The scope to ask for.
    scope: String;
    /// `audience`
    audience: String;
    /// `resource` parameters (RFC 8707).
    resource: Texts;
    /// Extra parameters.
    param: Parameters;
    /// The Rator brand key.
    brand_key: String;
    /// The name of the brand key's parameter.
    brand_key_name: String;
    /// Where the brand key goes in a token request.
    brand_key_in: BrandKeyPlace;
    /// The API's base URL.
    api_url: String;
    /// The API key itself. In the environment or a private file only.
    api_key: SecretString
    | /// The file that holds the API key; `-` is standard input.
    api_key_file: PathBuf
    | /// The environment variable that holds the API key.
    api_key_env: String;
    /// PEM certificates to trust instead of the usual ones.
    ca_file: PathBuf;
    /// How long a command or a call may take in all.
    timeout: HumanDuration;
    /// How long trouble that may pass is waited out before it is reported.
    retry_for: HumanDuration;
    /// Whether `http` to other machines is let through, which shows secrets and tokens to everyone on the path.
    insecure_http: bool;
}

/// A setting that cannot be used, or one that is missing: the [`fmt::Display`] text says which and where.
#[derive(Clone, Debug)]
pub struct SettingsError {
    message: String,
    advice: Option<String>,
}

impl Settings {
    /// The settings that are given as environment variables: `GATEKEEPER_` and the name in capitals. A variable that is
    /// empty counts as not given, unless it is to hold a secret.
    ///
    /// Lists (`GATEKEEPER_RESOURCE`) are separated by white space; extra parameters (`GATEKEEPER_PARAM`) stand on a line
    /// each.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the variable.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::of_variables(|name| env::var_os(name))
    }

    fn of_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let mut settings = Self::from_variables(get)?;
        settings.check_groups(variable_name)?;
        // By reference, so that each token request reads the variable again and errors can name it.
        for secret in settings.secrets() {
            if secret.value.take().is_some() {
                *secret.env = Some(variable_name(secret.name));
            }
        }
        Ok(settings)
    }

    /// Checks that options which exclude each other were not both given. The environment and files are checked when
    /// they are read.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names two options.
    pub fn check_options(&self) -> Result<(), SettingsError> {
        self.check_groups(option_name)
    }

    /// Whether there is an API key, by value or by reference.
    pub fn has_api_key(&self) -> bool {
        self.api_key.is_some() || self.api_key_file.is_some() || self.api_key_env.is_some()
    }

    /// Whether there is a refresh token to begin with, by value or by reference.
    pub fn has_refresh_token(&self) -> bool {
        self.refresh_token.is_some() || self.refresh_token_file.is_some() || self.refresh_token_env.is_some()
    }

    /// Reads the secrets that can be read only once, and keeps them: the one whose file is `-`, from `stdin`, and those
    /// whose file is a pipe. `other` names what else of the program reads standard input.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if two want standard input, if a secret cannot be read, or if there is nothing in it.
    pub fn read_streams(
        &mut self,
        other: Option<&str>,
        stdin: impl FnOnce() -> io::Result<String>,
    ) -> Result<(), SettingsError> {
        let dash = Path::new("-");
        let mut readers: Vec<String> = other.map(str::to_owned).into_iter().collect();
        let secrets = self.secrets();
        let dashes = secrets.iter().filter(|secret| secret.file.as_deref() == Some(dash));
        readers.extend(dashes.map(|secret| option_name(&format!("{}_file", secret.name))));
        if let [one, another, ..] = readers.as_slice() {
            let message = format!("{one} and {another} both read standard input, and only one can");
            return Err(SettingsError::new(message).advise("give one of them another way, by a file or a variable"));
        }
        let mut stdin = Some(stdin);
        for secret in secrets {
            let Some(path) = secret.file.as_deref().filter(|path| is_stream(path)) else { continue };
            let what = secret.name.replace('_', " ");
            let (read, place) = match stdin.take_if(|_| path == dash) {
                Some(stdin) => (stdin(), "standard input".to_owned()),
                None => (fs::read_to_string(path), format!("the file {}", path.display())),
            };
            let text = read.map(SecretString::new);
            let text = text.map_err(|e| SettingsError::new(format!("the {what}: {place} cannot be read: {e}")))?;
            if text.expose().trim().is_empty() {
                let error = SettingsError::new(format!("the {what}: {place} is empty"));
                return Err(error.advise("pipe the secret in, for example: printf %s \"$SECRET\" | gatekeeper ..."));
            }
            *secret.file = None;
            *secret.value = Some(text);
        }
        Ok(())
    }

    fn secrets(&mut self) -> [Secret<'_>; 4] {
        macro_rules! secret {
            ($value:ident, $file:ident, $env:ident) => {
                Secret { name: stringify!($value), value: &mut self.$value, file: &mut self.$file, env: &mut self.$env }
            };
        }
        [
            secret!(client_secret, client_secret_file, client_secret_env),
            secret!(password, password_file, password_env),
            secret!(refresh_token, refresh_token_file, refresh_token_env),
            secret!(api_key, api_key_file, api_key_env),
        ]
    }
}

/// The three ways to give one secret.
struct Secret<'s> {
    name: &'static str,
    value: &'s mut Option<SecretString>,
    file: &'s mut Option<PathBuf>,
    env: &'s mut Option<String>,
}

fn variable<T: FromText>(name: &str, get: impl Fn(&str) -> Option<OsString>) -> Result<Option<T>, SettingsError> {
    let name = variable_name(name);
    let Some(text) = get(&name) else { return Ok(None) };
    let text = text.into_string().map_err(|_| SettingsError::new(format!("{name} is not UTF-8")))?;
    if text.is_empty() && !T::SECRET {
        return Ok(None);
    }
    if text.trim().is_empty() && T::SECRET {
        return Err(SettingsError::new(format!("the environment variable {name} is empty")));
    }
    T::from_text(&text).map(Some).map_err(|e| SettingsError::new(format!("{name}: {e}")))
}

fn only_one(given: &[(bool, &str)], name_of: impl Fn(&str) -> String) -> Result<(), SettingsError> {
    let mut names = given.iter().filter(|(given, _)| *given).map(|(_, name)| name_of(name));
    match (names.next(), names.next()) {
        (Some(one), Some(other)) => {
            Err(SettingsError::new(format!("{one} and {other} are both given, and only one can be")))
        }
        _ => Ok(()),
    }
}

/// Whether a file is standard input, or one that gives what it holds only once.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn variable_name(name: &str) -> String {
    format!("GATEKEEPER_{}", name.to_ascii_uppercase())
}

fn option_name(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

impl SettingsError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }

    #[must_use]
    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What to do about it, if there is anything to say beside the error itself.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("profile", &self.profile)
            .field("client_id", &self.client_id)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        Settings::of_variables(get)
    }

    #[test]
    fn variables_have_the_names_of_options() {
        let s = of(&[
            ("GATEKEEPER_TOKEN_URL", "https://h/t"),
            ("GATEKEEPER_CLIENT_SECRET", "s"),
            ("GATEKEEPER_CLIENT_AUTH", "post"),
            ("GATEKEEPER_BASIC", "form"),
            ("GATEKEEPER_RESOURCE", "https://a/ https://b/"),
            ("GATEKEEPER_PARAM", "a=b=c\nd=\n"),
            ("GATEKEEPER_BRAND_KEY_IN", "form"),
            ("GATEKEEPER_TIMEOUT", "1500ms"),
            ("GATEKEEPER_INSECURE_HTTP", "yes"),
            ("GATEKEEPER_SCOPE", ""),
        ])
        .unwrap();
        assert_eq!(s.token_url.as_deref(), Some("https://h/t"));
        assert_eq!((s.client_secret, s.client_secret_env.as_deref()), (None, Some("GATEKEEPER_CLIENT_SECRET")));
        assert_eq!((s.client_auth, s.basic), (Some(ClientAuthMethod::Post), Some(BasicEncoding::Form)));
        assert_eq!(s.resource.unwrap().0, ["https://a/", "https://b/"]);
        assert_eq!(s.param.unwrap().0, [("a".to_owned(), "b=c".to_owned()), ("d".to_owned(), String::new())]);
        assert_eq!((s.brand_key_in, s.insecure_http), (Some(BrandKeyPlace::Form), Some(true)));
        assert_eq!(s.timeout.unwrap().0.as_millis(), 1500);
        assert_eq!(s.scope, None);
    }

    #[test]
    fn bad_variables_are_named() {
        for (name, value, want) in [
            ("GATEKEEPER_TIMEOUT", "5x", "GATEKEEPER_TIMEOUT: `5x` is no time: write 5s, 500ms or 2m"),
            ("GATEKEEPER_CLIENT_SECRET", "", "the environment variable GATEKEEPER_CLIENT_SECRET is empty"),
            ("GATEKEEPER_BASIC", "cooked", "GATEKEEPER_BASIC: unknown variant `cooked`, expected one of"),
            ("GATEKEEPER_INSECURE_HTTP", "maybe", "GATEKEEPER_INSECURE_HTTP: `maybe` is neither true nor false"),
            ("GATEKEEPER_PARAM", "novalue", "GATEKEEPER_PARAM: a parameter is written NAME=VALUE"),
        ] {
            let error = of(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
        let both = [("GATEKEEPER_PASSWORD", "a"), ("GATEKEEPER_PASSWORD_FILE", "b")];
        let want = "GATEKEEPER_PASSWORD and GATEKEEPER_PASSWORD_FILE are both given, and only one can be";
        assert_eq!(of(&both).unwrap_err().to_string(), want);
    }

    #[test]
    fn a_layer_hides_the_whole_group_below() {
        let above = of(&[("GATEKEEPER_AUTH_SERVER_URL", "https://above"), ("GATEKEEPER_API_KEY_FILE", "k")]).unwrap();
        let below = of(&[
            ("GATEKEEPER_TOKEN_URL", "https://below/token"),
            ("GATEKEEPER_API_KEY", "k"),
            ("GATEKEEPER_SCOPE", "below"),
        ])
        .unwrap();
        let s = above.over(below);
        assert_eq!((s.auth_server_url.as_deref(), s.token_url), (Some("https://above"), None));
        assert_eq!((s.api_key_env, s.scope.as_deref()), (None, Some("below")));
    }

    #[test]
    fn standard_input_is_for_one() {
        let dash = |settings: &mut Settings| settings.client_secret_file = Some("-".into());
        let mut s = Settings::default();
        s.read_streams(None, || panic!("nobody wants it")).unwrap();
        dash(&mut s);
        s.read_streams(None, || Ok("secret".to_owned())).unwrap();
        assert_eq!((s.client_secret.as_ref().unwrap().expose(), &s.client_secret_file), ("secret", &None));
        dash(&mut s);
        s.api_key_file = Some("-".into());
        let error = s.read_streams(None, || Ok(String::new())).unwrap_err().to_string();
        assert_eq!(error, "--client-secret-file and --api-key-file both read standard input, and only one can");
        s.api_key_file = None;
        let error = s.read_streams(Some("--data"), || Ok(String::new())).unwrap_err().to_string();
        assert_eq!(error, "--data and --client-secret-file both read standard input, and only one can");
        let error = s.read_streams(None, || Ok("\n".to_owned())).unwrap_err().to_string();
        assert_eq!(error, "the client secret: standard input is empty");
    }
}
