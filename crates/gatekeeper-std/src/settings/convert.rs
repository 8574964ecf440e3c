//! From settings to what a token source and an API client are made of.

use super::file::built_in;
use super::{ClientAuthMethod, Settings, SettingsError};
use crate::api::ApiConfig;
use crate::config::{Client, Config, ConfigBuilder, ConfigError, GrantConfig};
use crate::secret::{SecretSource, SecretString};
use gatekeeper_proto::{Field, InvalidValue, Policy, Problem, Profile};
use std::fs;

/// A grant by the names that need no parameters of the caller's own.
const CLIENT_CREDENTIALS: &str = "client_credentials";
const PASSWORD: &str = "password";
const OPERATOR_PASSWORD: &str = "operator_password";
const REFRESH_TOKEN: &str = "refresh_token";

impl Settings {
    /// The system that the settings are for; `gatekeeper` unless they say otherwise.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if it is none of the built-in ones. Call [`with_file`](Self::with_file) first.
    pub fn system(&self) -> Result<Profile, SettingsError> {
        let Some(name) = &self.profile else { return Ok(Profile::GATEKEEPER) };
        Profile::named(name).ok_or_else(|| {
            SettingsError::new(format!("there is no profile `{name}`"))
                .advise(format!("the profiles are {}", built_in()))
        })
    }

    /// What a token source needs to know. Everything that can be is checked, and every secret has been read once.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what is missing or wrong, and how it is given.
    pub fn config(&self) -> Result<Config, SettingsError> {
        let profile = self.system()?;
        let mut policy = Policy::for_profile(&profile);
        if let Some(timeout) = self.timeout {
            if timeout.0.is_zero() {
                return Err(SettingsError::new("a timeout of no time at all leaves no time for a request")
                    .advise(check("timeout")));
            }
            policy.attempt_timeout = timeout.0;
        }
        let mut builder = Config::builder(profile).policy(policy);
        builder = match (&self.token_url, &self.auth_server_url) {
            (Some(url), _) => builder.token_url(url),
            (None, Some(url)) => builder.auth_server_url(url),
            (None, None) => {
                let advice =
                    format!("{}; or give the server's base URL by {}", give("token_url"), option("auth_server_url"));
                return Err(SettingsError::new("the token URL is missing").advise(advice));
            }
        };
        builder = builder.client_auth(self.client()?);
        builder = self.grant(builder)?;
        if let Some(scope) = &self.scope {
            builder = builder.scope(scope);
        }
        if let Some(audience) = &self.audience {
            builder = builder.audience(audience);
        }
        for resource in self.resource.iter().flat_map(|texts| &texts.0) {
            builder = builder.resource(resource);
        }
        for (name, value) in self.param.iter().flat_map(|parameters| &parameters.0) {
            builder = builder.parameter(name, value);
        }
        if let Some(key) = &self.brand_key {
            builder = builder.brand_key(key);
        }
        if let Some(name) = &self.brand_key_name {
            builder = builder.brand_key_name(name);
        }
        if let Some(place) = self.brand_key_in {
            builder = builder.brand_key_place(place);
        }
        if self.insecure_http == Some(true) {
            builder = builder.dangerously_allow_plain_http();
        }
        builder.build().map_err(SettingsError::from)
    }

    /// What calls of the API at this URL's scheme, host and port carry.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names what is wrong, and how it is given.
    pub fn api_config(&self, url: &str) -> Result<ApiConfig, SettingsError> {
        let mut builder = ApiConfig::builder(&self.system()?, url);
        if let Some(key) = self.api_key()? {
            builder = builder.api_key(key);
        }
        if let Some(key) = &self.brand_key {
            builder = builder.brand_key(key);
        }
        if self.insecure_http == Some(true) {
            builder = builder.dangerously_allow_plain_http();
        }
        builder.build().map_err(SettingsError::from)
    }

    /// The text of the certificates to trust instead of the usual ones.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if the file cannot be read.
    pub fn ca_pem(&self) -> Result<Option<Vec<u8>>, SettingsError> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let text = fs::read(path).map_err(|e| {
            SettingsError::new(format!("the CA file {} cannot be read: {e}", path.display())).advise(check("ca_file"))
        })?;
        Ok(Some(text))
    }

    fn client(&self) -> Result<Client, SettingsError> {
        let method = self.client_auth.unwrap_or(ClientAuthMethod::Basic);
        let id = match (&self.client_id, method) {
            (Some(id), _) => id.clone(),
            (None, ClientAuthMethod::None) => return Ok(Client::None),
            (None, _) => return Err(missing("client id", "client_id")),
        };
        if method == ClientAuthMethod::None {
            return Ok(Client::Public { id });
        }
        let Some(secret) = self.secret("client_secret")? else {
            let error = missing_secret("client secret", "client_secret");
            let advice =
                format!("{}; a public client has none: --client-auth none", error.advice().unwrap_or_default());
            return Err(error.advise(advice));
        };
        Ok(match method {
            ClientAuthMethod::Post => Client::Post { id, secret },
            _ => Client::Basic { id, secret, encoding: self.basic },
        })
    }

    fn grant(&self, builder: ConfigBuilder) -> Result<ConfigBuilder, SettingsError> {
        let refresh_token = self.secret("refresh_token")?;
        let grant = match (self.grant.as_deref(), &refresh_token, &self.username) {
            (Some(grant), ..) => grant,
            // Without a grant to fall back to: a token for somebody else would be worse than none.
            (None, Some(_), None) => REFRESH_TOKEN,
            (None, _, Some(_)) => {
                return Err(SettingsError::new("a user name is given, but no grant that uses one").advise(format!(
                    "add --grant password, or --grant operator_password for an operator ({})",
                    variable("grant")
                )));
            }
            (None, None, None) => CLIENT_CREDENTIALS,
        };
        let user = || {
            let username = self.username.clone().ok_or_else(|| missing("user name", "username"))?;
            let password = self.secret("password")?.ok_or_else(|| missing_secret("password", "password"))?;
            Ok::<_, SettingsError>((username, password))
        };
        let grant = match grant {
            CLIENT_CREDENTIALS => GrantConfig::ClientCredentials { operator: self.operator.clone() },
            PASSWORD => user().map(|(username, password)| GrantConfig::Password { username, password })?,
            OPERATOR_PASSWORD => {
                user().map(|(username, password)| GrantConfig::OperatorPassword { username, password })?
            }
            REFRESH_TOKEN => {
                let token = refresh_token.ok_or_else(|| missing_secret("refresh token", "refresh_token"))?;
                return Ok(builder.grant(GrantConfig::RefreshToken(token)));
            }
            grant_type => GrantConfig::Extension {
                grant_type: grant_type.to_owned(),
                user: if self.username.is_some() { Some(user()?) } else { None },
            },
        };
        let builder = builder.grant(grant);
        Ok(match refresh_token {
            Some(token) => builder.refresh_token(token),
            None => builder,
        })
    }

    fn api_key(&self) -> Result<Option<SecretString>, SettingsError> {
        let Some(source) = self.secret("api_key")? else { return Ok(None) };
        source.read().map(Some).map_err(|e| SettingsError::new(format!("the API key: {e}")))
    }

    /// Where a secret comes from, after reading it once: what cannot be read is better reported now and by its name.
    fn secret(&self, name: &str) -> Result<Option<SecretSource>, SettingsError> {
        let (value, file, env) = match name {
            "client_secret" => (&self.client_secret, &self.client_secret_file, &self.client_secret_env),
            "password" => (&self.password, &self.password_file, &self.password_env),
            "refresh_token" => (&self.refresh_token, &self.refresh_token_file, &self.refresh_token_env),
            _ => (&self.api_key, &self.api_key_file, &self.api_key_env),
        };
        let source = match (value, file, env) {
            (Some(value), ..) => SecretSource::value(value.clone()),
            (_, Some(path), _) => SecretSource::file(path),
            (_, _, Some(name)) => SecretSource::env(name),
            _ => return Ok(None),
        };
        let what = name.replace('_', " ");
        match source.read() {
            Ok(text) if text.expose().trim().is_empty() => {
                Err(SettingsError::new(format!("the {what} is empty")).advise(check_secret(name)))
            }
            Ok(_) => Ok(Some(source)),
            Err(e) => Err(SettingsError::new(format!("the {what}: {e}")).advise(check_secret(name))),
        }
    }
}

impl From<ConfigError> for SettingsError {
    fn from(e: ConfigError) -> Self {
        match e {
            ConfigError::Missing("brand key") => missing("brand key", "brand_key"),
            ConfigError::Invalid(e) => e.into(),
            e => Self::new(e.to_string()),
        }
    }
}

impl From<InvalidValue> for SettingsError {
    fn from(e: InvalidValue) -> Self {
        let error = Self::new(e.to_string());
        let Some(name) = setting_of(e.field) else { return error };
        match e.problem {
            Problem::TrailingNewline if is_secret(name) => error.advise(format!(
                "write it without one: printf %s \"$SECRET\" > FILE, or take it off: tr -d '\\n' < FILE | gatekeeper ... \
                 --{}-file -",
                name.replace('_', "-")
            )),
            Problem::PlainHttp => error.advise("--insecure-http lets it through, for test set-ups only"),
            Problem::ColonInRawBasicId => error.advise("--basic form, or --client-auth post"),
            _ if is_secret(name) => error.advise(check_secret(name)),
            _ => error.advise(check(name)),
        }
    }
}

/// The setting that a checked value comes from.
fn setting_of(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::ApiKey => "api_key",
        Field::ApiUrl => "api_url",
        Field::Audience => "audience",
        Field::BrandKey => "brand_key",
        Field::BrandKeyName => "brand_key_name",
        Field::ClientId => "client_id",
        Field::ClientSecret => "client_secret",
        Field::GrantType => "grant",
        Field::Operator => "operator",
        Field::ParameterName | Field::ParameterValue => "param",
        Field::Password => "password",
        Field::RefreshToken => "refresh_token",
        Field::Resource => "resource",
        Field::Scope => "scope",
        Field::TokenUrl => "token_url",
        Field::Username => "username",
        _ => return None,
    })
}

fn is_secret(name: &str) -> bool {
    matches!(name, "client_secret" | "password" | "refresh_token" | "api_key")
}

fn missing(what: &str, name: &str) -> SettingsError {
    SettingsError::new(format!("the {what} is missing")).advise(give(name))
}

fn missing_secret(what: &str, name: &str) -> SettingsError {
    SettingsError::new(format!("the {what} is missing")).advise(format!("give it by {}", secret_ways(name)))
}

fn give(name: &str) -> String {
    format!("give it by {}", ways(name))
}

fn check(name: &str) -> String {
    format!("check {}", ways(name))
}

fn check_secret(name: &str) -> String {
    format!("check {}", secret_ways(name))
}

/// How a setting is given.
fn ways(name: &str) -> String {
    format!("{}, {} or {name} in a settings file", option(name), variable(name))
}

fn secret_ways(name: &str) -> String {
    format!("{}-file, {} or {name}_file in a settings file", option(name), variable(name))
}

fn option(name: &str) -> String {
    super::option_name(name)
}

fn variable(name: &str) -> String {
    super::variable_name(name)
}
