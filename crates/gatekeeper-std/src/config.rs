//! What a token source needs to know, checked when it is built.

use crate::secret::{SecretError, SecretSource, SecretString, fingerprint};
use gatekeeper_proto::{
    BasicEncoding, BrandKey, BrandKeyPlace, ClientAuth, Deviations, Endpoint, Grant, InvalidValue, Policy, Profile,
    Scope, Secret, Shape, TokenRequest,
};
use std::fmt;

/// Everything that decides what a token request says, owned and checked. Made by [`Config::builder`].
#[derive(Clone)]
pub struct Config {
    profile: Profile,
    policy: Policy,
    token_url: String,
    plain_http: bool,
    client: Client,
    grant: GrantConfig,
    scope: Option<String>,
    audience: Option<String>,
    resources: Vec<String>,
    parameters: Vec<(String, String)>,
    brand_key: Option<(String, String, BrandKeyPlace)>,
    refresh_token: Option<SecretSource>,
}

/// How the client proves who it is.
#[derive(Clone, Debug)]
pub enum Client {
    /// `Authorization: Basic`, with the profile's encoding unless another is given.
    Basic {
        /// The client id.
        id: String,
        /// The client secret.
        secret: SecretSource,
        /// What happens to both before they are joined.
        encoding: Option<BasicEncoding>,
    },
    /// `client_id` and `client_secret` in the form.
    Post {
        /// The client id.
        id: String,
        /// The client secret.
        secret: SecretSource,
    },
    /// A public client: its id in the form and no secret.
    Public {
        /// The client id.
        id: String,
    },
    /// Nothing at all.
    None,
}

/// What the token is asked for with.
#[derive(Clone, Debug)]
pub enum GrantConfig {
    /// `client_credentials`
    ClientCredentials {
        /// The Rator operator on whose behalf.
        operator: Option<String>,
    },
    /// `password`. RFC 9700 section 2.4 forbids it to new systems; Rator has no other way for an end user.
    Password {
        /// The end user's name.
        username: String,
        /// The end user's password.
        password: SecretSource,
    },
    /// `operator_password` of the Rator REST API.
    OperatorPassword {
        /// The operator's name.
        username: String,
        /// The operator's password.
        password: SecretSource,
    },
    /// `refresh_token`, for programs that were given one and nothing else.
    RefreshToken(SecretSource),
    /// An extension grant by its name; its parameters are the extra parameters.
    Extension {
        /// The value of `grant_type`.
        grant_type: String,
        /// User name and password, if the grant takes them.
        user: Option<(String, SecretSource)>,
    },
}

/// Makes a [`Config`]. Every value is checked by [`build`](Self::build).
#[derive(Clone)]
#[must_use]
pub struct ConfigBuilder {
    config: Config,
    base_url: Option<String>,
    brand_key: Option<String>,
    brand_key_name: Option<String>,
    brand_key_place: Option<BrandKeyPlace>,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something that is needed is not there.
    Missing(&'static str),
    /// A value that may not be sent.
    Invalid(InvalidValue),
    /// A secret that cannot be read.
    Secret(SecretError),
}

/// The secrets of one request, read for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    client: SecretString,
    user: SecretString,
}

impl Config {
    /// A configuration for this system, with its defaults.
    pub fn builder(profile: Profile) -> ConfigBuilder {
        ConfigBuilder {
            config: Self {
                policy: Policy::for_profile(&profile),
                profile,
                token_url: String::new(),
                plain_http: false,
                client: Client::None,
                grant: GrantConfig::ClientCredentials { operator: None },
                scope: None,
                audience: None,
                resources: Vec::new(),
                parameters: Vec::new(),
                brand_key: None,
                refresh_token: None,
            },
            base_url: None,
            brand_key: None,
            brand_key_name: None,
            brand_key_place: None,
        }
    }

    /// The system's profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// When tokens are asked for.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The token endpoint.
    pub fn token_url(&self) -> &str {
        &self.token_url
    }

    /// The brand key, which API requests carry in a header.
    pub fn brand_key(&self) -> Option<&str> {
        self.brand_key.as_ref().map(|(_, value, _)| value.as_str())
    }

    /// Whether `http` to hosts other than this machine was explicitly allowed.
    pub fn allows_plain_http(&self) -> bool {
        self.plain_http
    }

    /// The `Basic` encoding in use and whether id or secret read differently under the other one; `None` if `Basic` is
    /// not in use or the secret cannot be read.
    pub fn encoding_matters(&self) -> Option<(BasicEncoding, bool)> {
        let secrets = self.read_secrets().ok()?;
        self.client_auth(&secrets).ok()?.encoding_matters()
    }

    /// A text that is the same for two configurations exactly if they ask for the same token with the same secrets:
    /// endpoint, client, way to authenticate, grant, scope as a set, audience, resources, extra parameters, brand key and
    /// profile. It holds no secret and is of use in this process only.
    pub fn identity(&self) -> String {
        let mut scope: Vec<&str> = self.scope.as_deref().unwrap_or_default().split(' ').collect();
        scope.sort_unstable();
        scope.dedup();
        let mut resources = self.resources.clone();
        resources.sort_unstable();
        let mut parameters = self.parameters.clone();
        parameters.sort_unstable();
        let client = match &self.client {
            Client::Basic { id, encoding, .. } => format!("basic {encoding:?} {id:?}"),
            Client::Post { id, .. } => format!("post {id:?}"),
            Client::Public { id } => format!("public {id:?}"),
            Client::None => "none".to_owned(),
        };
        let user = match &self.grant {
            GrantConfig::ClientCredentials { operator } => operator.as_ref(),
            GrantConfig::Password { username, .. } | GrantConfig::OperatorPassword { username, .. } => Some(username),
            GrantConfig::Extension { user, .. } => user.as_ref().map(|(name, _)| name),
            GrantConfig::RefreshToken(_) => None,
        };
        let grant_type = match &self.grant {
            GrantConfig::ClientCredentials { .. } => "client_credentials",
            GrantConfig::Password { .. } => "password",
            GrantConfig::OperatorPassword { .. } => "operator_password",
            GrantConfig::RefreshToken(_) => "refresh_token",
            GrantConfig::Extension { grant_type, .. } => grant_type,
        };
        // A secret counts by where it comes from or by its hash: a caller with another secret must not be given the
        // token that this one has brought.
        let secrets = [self.client.secret(), self.grant.secret(), self.refresh_token.as_ref()];
        let secrets = secrets.map(|source| source.map(SecretSource::identity));
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name, fingerprint(value))).collect();
        let (url, audience, brand_key) = (&self.token_url, &self.audience, &self.brand_key);
        format!(
            "{url:?} {client} {grant_type:?} {user:?} {secrets:?} {scope:?} {audience:?} {resources:?} {parameters:?} \
             {brand_key:?} {:?}",
            self.profile
        )
    }

    /// Reads the secrets and lends the whole request to `f`, with the refresh token for its grant if there is one.
    pub(crate) fn with_request<R>(
        &self,
        secrets: &Secrets,
        refresh_token: Option<&SecretString>,
        f: impl FnOnce(&TokenRequest<'_>) -> R,
    ) -> Result<R, InvalidValue> {
        let endpoint = if self.plain_http {
            Endpoint::dangerously_allow_plain_http(&self.token_url)?
        } else {
            Endpoint::parse(&self.token_url)?
        };
        let user = Secret::new(secrets.user.expose());
        let grant = match &self.grant {
            GrantConfig::ClientCredentials { operator: None } => Grant::client_credentials(),
            GrantConfig::ClientCredentials { operator: Some(operator) } => Grant::client_credentials_for(operator)?,
            GrantConfig::Password { username, .. } => Grant::password(username, user)?,
            GrantConfig::OperatorPassword { username, .. } => Grant::operator_password(username, user)?,
            GrantConfig::RefreshToken(_) => Grant::refresh_token(user)?,
            GrantConfig::Extension { grant_type, user: None } => Grant::extension(grant_type)?,
            GrantConfig::Extension { grant_type, user: Some((name, _)) } => {
                Grant::extension_for(grant_type, name, user)?
            }
        };
        let resources: Vec<&str> = self.resources.iter().map(String::as_str).collect();
        let parameters: Vec<(&str, &str)> = self.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut request = TokenRequest::new(endpoint, self.client_auth(secrets)?, grant)?
            .resources(&resources)?
            .parameters(&parameters)?;
        if let Some(scope) = &self.scope {
            request = request.scope(Scope::parse(scope)?);
        }
        if let Some(audience) = &self.audience {
            request = request.audience(audience)?;
        }
        if let Some((name, value, place)) = &self.brand_key {
            request = request.brand_key(BrandKey::new(name, value, *place)?)?;
        }
        if let Some(refresh_token) = refresh_token {
            request = request.renewal(refresh_token.as_secret())?;
        }
        Ok(f(&request))
    }

    fn client_auth<'a>(&'a self, secrets: &'a Secrets) -> Result<ClientAuth<'a>, InvalidValue> {
        let secret = secrets.client.as_secret();
        match &self.client {
            Client::Basic { id, encoding, .. } => ClientAuth::basic(id, secret, encoding.unwrap_or(self.profile.basic)),
            Client::Post { id, .. } => ClientAuth::post(id, secret),
            Client::Public { id } => ClientAuth::public(id),
            Client::None => Ok(ClientAuth::none()),
        }
    }

    pub(crate) fn read_secrets(&self) -> Result<Secrets, SecretError> {
        let read = |source: Option<&SecretSource>| source.map_or(Ok(SecretString::default()), SecretSource::read);
        Ok(Secrets { client: read(self.client.secret())?, user: read(self.grant.secret())? })
    }

    /// Whether reading the secrets again could bring others.
    pub(crate) fn secrets_can_change(&self) -> bool {
        [self.client.secret(), self.grant.secret()].into_iter().flatten().any(SecretSource::can_change)
    }

    pub(crate) fn first_refresh_token(&self) -> Result<Option<SecretString>, SecretError> {
        self.refresh_token.as_ref().map(SecretSource::read).transpose()
    }
}

impl Client {
    fn secret(&self) -> Option<&SecretSource> {
        match self {
            Self::Basic { secret, .. } | Self::Post { secret, .. } => Some(secret),
            Self::Public { .. } | Self::None => None,
        }
    }
}

impl GrantConfig {
    fn secret(&self) -> Option<&SecretSource> {
        match self {
            Self::Password { password, .. } | Self::OperatorPassword { password, .. } => Some(password),
            Self::RefreshToken(token) => Some(token),
            Self::Extension { user, .. } => user.as_ref().map(|(_, password)| password),
            Self::ClientCredentials { .. } => None,
        }
    }
}

impl ConfigBuilder {
    /// The token endpoint, whole.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.config.token_url = url.into();
        self
    }

    /// The authorization server's base URL; the profile's path is put behind it.
    pub fn auth_server_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// `Basic` client authentication with the profile's encoding.
    pub fn client(self, id: impl Into<String>, secret: impl Into<SecretSource>) -> Self {
        self.client_auth(Client::Basic { id: id.into(), secret: secret.into(), encoding: None })
    }

    /// Any client authentication.
    pub fn client_auth(mut self, client: Client) -> Self {
        self.config.client = client;
        self
    }

    /// What the token is asked for with; client credentials unless something else is said.
    pub fn grant(mut self, grant: GrantConfig) -> Self {
        self.config.grant = grant;
        self
    }

    /// The scope to ask for: names separated by single spaces.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.config.scope = Some(scope.into());
        self
    }

    /// The `audience` parameter.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audience = Some(audience.into());
        self
    }

    /// One more `resource` parameter (RFC 8707).
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.config.resources.push(resource.into());
        self
    }

    /// One more parameter of the caller's own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.parameters.push((name.into(), value.into()));
        self
    }

    /// The Rator brand key, with the profile's name and place for it.
    pub fn brand_key(mut self, key: impl Into<String>) -> Self {
        self.brand_key = Some(key.into());
        self
    }

    /// Another name for the brand key's parameter, such as `brandKey`.
    pub fn brand_key_name(mut self, name: impl Into<String>) -> Self {
        self.brand_key_name = Some(name.into());
        self
    }

    /// Another place for the brand key.
    pub fn brand_key_place(mut self, place: BrandKeyPlace) -> Self {
        self.brand_key_place = Some(place);
        self
    }

    /// A refresh token to begin with, before the grant is used.
    pub fn refresh_token(mut self, token: impl Into<SecretSource>) -> Self {
        self.config.refresh_token = Some(token.into());
        self
    }

    /// Another policy than the profile's.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Another token shape than the profile's.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.config.profile.shape = shape;
        self
    }

    /// Other deviations to refuse than the profile's.
    pub fn fatal_deviations(mut self, fatal: Deviations) -> Self {
        self.config.profile.fatal = fatal;
        self
    }

    /// Lets `http` to hosts other than this machine through: everyone on the path can read secrets and tokens then.
    pub fn dangerously_allow_plain_http(mut self) -> Self {
        self.config.plain_http = true;
        self
    }

    /// Checks everything that can be checked without the network, secrets included, and makes the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field.
    pub fn build(self) -> Result<Config, ConfigError> {
        let mut config = self.config;
        if let Some(base) = self.base_url {
            if config.token_url.is_empty() {
                config.token_url = format!("{}{}", base.trim_end_matches('/'), config.profile.token_path);
            }
        }
        if config.token_url.is_empty() {
            return Err(ConfigError::Missing("token URL"));
        }
        if let Some(value) = self.brand_key {
            let (name, place) = config.profile.brand_key.unwrap_or(("brand_key", BrandKeyPlace::Query));
            let name = self.brand_key_name.unwrap_or_else(|| name.to_owned());
            config.brand_key = Some((name, value, self.brand_key_place.unwrap_or(place)));
        } else if config.profile.brand_key.is_some_and(|(name, _)| !names_parameter(&config.token_url, name)) {
            return Err(ConfigError::Missing("brand key"));
        }
        let secrets = config.read_secrets()?;
        let refresh_token = config.first_refresh_token()?;
        config.with_request(&secrets, refresh_token.as_ref(), |_| ())?;
        Ok(config)
    }
}

/// Whether the URL's own query carries a parameter of this name.
fn names_parameter(url: &str, name: &str) -> bool {
    url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p.split('=').next() == Some(name)))
}

impl From<InvalidValue> for ConfigError {
    fn from(e: InvalidValue) -> Self {
        Self::Invalid(e)
    }
}

impl From<SecretError> for ConfigError {
    fn from(e: SecretError) -> Self {
        Self::Secret(e)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "the {what} is missing"),
            Self::Invalid(e) => e.fmt(f),
            Self::Secret(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("profile", &self.profile.name)
            .field("token_url", &self.token_url.split('?').next())
            .field("client", &self.client)
            .field("grant", &self.grant)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
