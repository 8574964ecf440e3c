//! The API side of a driver: the header set for one origin, and answers by their meaning.

use crate::config::ConfigError;
use crate::secret::SecretString;
use crate::token::Token;
use gatekeeper_proto::{ApiAccess, ApiFailure, Endpoint, Header, InvalidValue, Profile, Secret};
use std::fmt;

/// What requests to one API carry, owned and checked. Made by [`ApiConfig::builder`].
#[derive(Clone)]
pub struct ApiConfig {
    profile: Profile,
    url: String,
    plain_http: bool,
    api_key: Option<SecretString>,
    brand_key: Option<String>,
    device_id: Option<String>,
    user_id: Option<String>,
    location: Option<String>,
}

/// Makes an [`ApiConfig`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiConfigBuilder(ApiConfig);

/// A header of an API request.
#[derive(Clone)]
pub struct ApiHeader {
    /// The name.
    pub name: String,
    /// The value.
    pub value: SecretString,
    /// Whether the value must not be logged, cached or indexed.
    pub sensitive: bool,
}

/// An API's answer, whole. A status is no error: [`failure`](Self::failure) says what it means.
#[derive(Clone)]
pub struct ApiResponse {
    /// The status code.
    pub status: u16,
    /// Header names, lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl ApiConfig {
    /// What requests to the API at this URL's scheme, host and port carry.
    pub fn builder(profile: &Profile, url: impl Into<String>) -> ApiConfigBuilder {
        ApiConfigBuilder(Self {
            profile: *profile,
            url: url.into(),
            plain_http: false,
            api_key: None,
            brand_key: None,
            device_id: None,
            user_id: None,
            location: None,
        })
    }

    /// The URL that gives the origin.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers for a request to `url`: none at all if that is another origin.
    pub fn headers(&self, url: &str, token: &Token) -> Vec<ApiHeader> {
        let Ok(url) = Endpoint::parse_api(url, true) else { return Vec::new() };
        let Ok(access) = self.access() else { return Vec::new() };
        let headers = access.headers(&url, Secret::new(token.expose())).into_iter().flatten();
        headers.map(ApiHeader::of).collect()
    }

    /// What every request to the origin carries beside the token, for drivers that prepare it once.
    pub fn fixed_headers(&self) -> Vec<ApiHeader> {
        let Ok(access) = self.access() else { return Vec::new() };
        let headers = access.headers(access.origin(), Secret::new("")).into_iter().flatten();
        headers.filter(|h| !h.name.eq_ignore_ascii_case("authorization")).map(ApiHeader::of).collect()
    }

    /// Whether `url` is of the origin that the headers are for.
    pub fn is_origin_of(&self, url: &str) -> bool {
        match (Endpoint::parse_api(url, true), self.access()) {
            (Ok(url), Ok(access)) => access.origin().same_origin(&url),
            _ => false,
        }
    }

    fn access(&self) -> Result<ApiAccess<'_>, InvalidValue> {
        let mut access = ApiAccess::new(&self.profile, Endpoint::parse_api(&self.url, self.plain_http)?);
        if let Some(key) = &self.api_key {
            access = access.api_key(key.as_secret())?;
        }
        if let Some(key) = &self.brand_key {
            access = access.brand_key(key)?;
        }
        if let Some(id) = &self.device_id {
            access = access.device_id(id)?;
        }
        if let Some(id) = &self.user_id {
            access = access.user_id(id)?;
        }
        if let Some(location) = &self.location {
            access = access.device_location(location)?;
        }
        Ok(access)
    }
}

impl ApiHeader {
    fn of(header: Header<'_>) -> Self {
        Self {
            name: header.name.to_owned(),
            value: SecretString::new([header.prefix, header.value].concat()),
            sensitive: header.sensitive,
        }
    }
}

impl ApiConfigBuilder {
    /// The API key (`x-api-key`).
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.0.api_key = Some(key.into());
        self
    }

    /// The brand key (`X-RATOR-brand-key`).
    pub fn brand_key(mut self, key: impl Into<String>) -> Self {
        self.0.brand_key = Some(key.into());
        self
    }

    /// `X-DeviceId`
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.0.device_id = Some(id.into());
        self
    }

    /// `X-UserId`
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.0.user_id = Some(id.into());
        self
    }

    /// `x-devicelastlocation`
    pub fn device_location(mut self, location: impl Into<String>) -> Self {
        self.0.location = Some(location.into());
        self
    }

    /// Lets `http` to hosts other than this machine through: everyone on the path can read the token then.
    pub fn dangerously_allow_plain_http(mut self) -> Self {
        self.0.plain_http = true;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field.
    pub fn build(self) -> Result<ApiConfig, ConfigError> {
        self.0.access()?;
        Ok(self.0)
    }
}

impl ApiResponse {
    /// What the answer means in the words of the Gatekeeper Web SDK; `None` is success.
    pub fn failure(&self) -> Option<ApiFailure> {
        ApiFailure::of(self.status, &self.body)
    }

    /// The first header of this name, which is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("profile", &self.profile.name)
            .field("url", &self.url.split('?').next())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, if self.sensitive { "[redacted]" } else { self.value.expose() })
    }
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish_non_exhaustive()
    }
}
