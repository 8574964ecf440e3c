//! The access token request (RFC 6749 sections 4.3.2, 4.4.2 and 6), as parts or as HTTP/1.1.
#![allow(clippy::indexing_slicing, reason = "const fn have no slice::get; every index is below a length just checked")]

use super::client_auth::ClientAuth;
use super::endpoint::Endpoint;
use super::grant::{Grant, Kind};
use super::scope::Scope;
use crate::class::Class;
use crate::out::{BufferTooSmall, Writer, decimal};
use crate::secret::Secret;
use crate::value::{Field, InvalidValue, Problem, check_some_text, check_text};
use crate::wire::form::{self, Space};
use core::fmt;

/// Everything a token request says. The same request gives the same bytes on every platform.
///
/// ```
/// use gatekeeper_proto::{BasicEncoding, ClientAuth, Endpoint, Grant, Scope, Secret, TokenRequest};
///
/// let request = TokenRequest::new(
///     Endpoint::parse("https://auth.example.com/oauth2/token")?,
///     ClientAuth::basic("djc98u3jiedmi283eu928", Secret::new("abcdef01234567890"), BasicEncoding::Raw)?,
///     Grant::client_credentials(),
/// )?
/// .scope(Scope::parse("main_antifraud_resource_server/public")?);
///
/// let mut buf = [0; 512];
/// let parts = request.write_parts(&mut buf)?;
/// assert_eq!(parts.method, "POST");
/// assert_eq!(parts.url, "https://auth.example.com/oauth2/token");
/// assert_eq!(parts.body, "grant_type=client_credentials&scope=main_antifraud_resource_server%2Fpublic");
/// assert!(parts.headers().any(|(name, value)| name == "authorization"
///     && value == "Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4OmFiY2RlZjAxMjM0NTY3ODkw"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    endpoint: Endpoint<'a>,
    client: ClientAuth<'a>,
    grant: Grant<'a>,
    scope: Option<Scope<'a>>,
    audience: Option<&'a str>,
    resources: &'a [&'a str],
    parameters: &'a [(&'a str, &'a str)],
    brand_key: Option<BrandKey<'a>>,
}

/// The brand key of the Rator REST API, whose documentation differs by version about name and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BrandKey<'a> {
    name: &'a str,
    value: &'a str,
    place: BrandKeyPlace,
}

/// Where the brand key travels in a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum BrandKeyPlace {
    /// As a form parameter.
    Form,
    /// As a query parameter of the endpoint.
    Query,
}

/// A token request for an HTTP client of the driver's own.
///
/// The client must not follow redirects with it, must cap the body it reads and must set a deadline.
#[derive(Clone, Copy)]
pub struct Parts<'b> {
    /// Always `POST` (RFC 6749 section 3.2).
    pub method: &'static str,
    /// The absolute URL.
    pub url: &'b str,
    /// The form body. Its length is the `Content-Length`.
    pub body: &'b str,
    authorization: Option<&'b str>,
}

impl<'a> BrandKey<'a> {
    /// A brand key with the name of its parameter (`brand_key` or `brandKey`) and its place.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty value, a control character, or a name that needs encoding or is reserved.
    pub const fn new(name: &'a str, value: &'a str, place: BrandKeyPlace) -> Result<Self, InvalidValue> {
        let b = name.as_bytes();
        if b.is_empty() {
            return Err(InvalidValue::new(Field::BrandKeyName, Problem::Empty));
        }
        let mut i = 0;
        while i < b.len() {
            if !Class::FORM.has(b[i]) {
                return Err(InvalidValue::new(Field::BrandKeyName, Problem::IllegalCharacter));
            }
            i += 1;
        }
        if is_reserved(name) {
            return Err(InvalidValue::new(Field::BrandKeyName, Problem::Reserved));
        }
        match check_some_text(Field::BrandKey, value) {
            Ok(()) => Ok(Self { name, value, place }),
            Err(e) => Err(e),
        }
    }

    /// The key itself, which API requests carry as `X-RATOR-brand-key`.
    pub const fn value(&self) -> &'a str {
        self.value
    }
}

impl<'a> TokenRequest<'a> {
    /// A request with nothing but the grant's own parameters.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the endpoint's query carries a secret.
    pub const fn new(endpoint: Endpoint<'a>, client: ClientAuth<'a>, grant: Grant<'a>) -> Result<Self, InvalidValue> {
        let mut i = 0;
        while i < SECRETS.len() {
            if endpoint.query_names(SECRETS[i]) {
                return Err(InvalidValue::new(Field::TokenUrl, Problem::SecretInUrl));
            }
            i += 1;
        }
        Ok(Self {
            endpoint,
            client,
            grant,
            scope: None,
            audience: None,
            resources: &[],
            parameters: &[],
            brand_key: None,
        })
    }

    /// Asks for this scope (RFC 6749 section 3.3).
    #[must_use]
    pub const fn scope(mut self, scope: Scope<'a>) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Adds `audience`, which Auth0 and others want.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for an empty value or a control character.
    pub const fn audience(mut self, audience: &'a str) -> Result<Self, InvalidValue> {
        match check_some_text(Field::Audience, audience) {
            Ok(()) => {
                self.audience = Some(audience);
                Ok(self)
            }
            Err(e) => Err(e),
        }
    }

    /// Adds a `resource` parameter for each of these (RFC 8707 section 2), the one name that may be repeated.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for one that is no absolute URI or has a fragment.
    pub fn resources(mut self, resources: &'a [&'a str]) -> Result<Self, InvalidValue> {
        for resource in resources {
            check_some_text(Field::Resource, resource)?;
            let problem = match resource.split_once(':') {
                None => Some(Problem::NotAbsolute),
                Some((scheme, _)) if !is_scheme(scheme) => Some(Problem::NotAbsolute),
                Some(_) if resource.contains('#') => Some(Problem::Fragment),
                Some(_) => None,
            };
            if let Some(problem) = problem {
                return Err(InvalidValue::new(Field::Resource, problem));
            }
        }
        self.resources = resources;
        Ok(self)
    }

    /// Adds parameters of the caller's own. One without a value is left out, as RFC 6749 section 3.2 treats it as
    /// omitted.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] for a name that the request sets itself, a repeated name, or a control character.
    pub fn parameters(mut self, parameters: &'a [(&'a str, &'a str)]) -> Result<Self, InvalidValue> {
        for (i, (name, value)) in parameters.iter().enumerate() {
            check_some_text(Field::ParameterName, name)?;
            check_text(Field::ParameterValue, value)?;
            if is_reserved(name) || (*name == OPERATOR && self.grant.0.operator().is_some()) {
                return Err(InvalidValue::new(Field::ParameterName, Problem::Reserved));
            }
            if parameters.iter().take(i).any(|(other, _)| other == name) || self.endpoint.query_names(name) {
                return Err(InvalidValue::new(Field::ParameterName, Problem::Repeated));
            }
        }
        self.parameters = parameters;
        self.brand_key_once()
    }

    /// Adds the Rator brand key.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the endpoint's query or an extra parameter already has its name.
    pub fn brand_key(mut self, brand_key: BrandKey<'a>) -> Result<Self, InvalidValue> {
        self.brand_key = Some(brand_key);
        self.brand_key_once()
    }

    /// The same request with a refresh token for its grant, and without the scope: the token keeps the one it was
    /// granted with (RFC 6749 section 6).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the refresh token has characters no refresh token has.
    pub fn renewal(mut self, refresh_token: Secret<'a>) -> Result<Self, InvalidValue> {
        self.grant = Grant::refresh_token(refresh_token)?;
        self.scope = None;
        Ok(self)
    }

    /// Where the request goes.
    pub const fn endpoint(&self) -> &Endpoint<'a> {
        &self.endpoint
    }

    /// How the client authenticates.
    pub const fn client(&self) -> &ClientAuth<'a> {
        &self.client
    }

    /// What the token is asked for with.
    pub const fn grant(&self) -> &Grant<'a> {
        &self.grant
    }

    /// The scope that is asked for.
    pub const fn requested_scope(&self) -> Option<Scope<'a>> {
        self.scope
    }

    /// Whether `text` repeats a secret of this request, or its first eight characters.
    pub(crate) fn is_echoed_in(&self, text: &str) -> bool {
        let (username_password, refresh_token) = match self.grant.0 {
            Kind::Password { password, .. }
            | Kind::OperatorPassword { password, .. }
            | Kind::Extension { user: Some((_, password)), .. } => (Some(password), None),
            Kind::RefreshToken { refresh_token } => (None, Some(refresh_token)),
            Kind::ClientCredentials { .. } | Kind::Extension { user: None, .. } => (None, None),
        };
        let secrets = [self.client.secret(), username_password, refresh_token];
        let parameters = self.parameters.iter().map(|(_, value)| *value).filter(|value| value.len() >= 16);
        let mut all = secrets.into_iter().flatten().map(Secret::expose).chain(parameters);
        all.any(|secret| {
            let begin = secret.char_indices().nth(8).map_or(secret, |(end, _)| secret.split_at(end).0);
            begin.len() >= 4 && text.contains(begin)
        })
    }

    /// Writes the request's parts into `buf`, one after the other, and lends them from there.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact size that is needed.
    pub fn write_parts<'b>(&self, buf: &'b mut [u8]) -> Result<Parts<'b>, BufferTooSmall> {
        let mut out = Writer::new(buf);
        self.write_url(&mut out);
        let url_end = out.len();
        let authorized = self.client.write_header(&mut out);
        let header_end = out.len();
        self.write_body(&mut out);
        let end = out.finish()?;
        let text = |from: usize, to: usize| {
            // Every piece was copied from a `str` or is ASCII, so the text is whole.
            buf.get(from..to).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default()
        };
        Ok(Parts {
            method: "POST",
            url: text(0, url_end),
            body: text(header_end, end),
            authorization: authorized.then(|| text(url_end, header_end)),
        })
    }

    /// Writes the request as HTTP/1.1 (RFC 9112) into `buf` and returns its length.
    ///
    /// It asks for the connection to be closed after the answer and never uses chunked coding, which some token
    /// endpoints refuse (RFC 9112 section 6.3).
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact size that is needed.
    pub fn write_http1(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(buf);
        out.push(b"POST ");
        self.write_target(&mut out);
        out.push(b" HTTP/1.1\r\nhost: ");
        out.push_str(self.endpoint.authority());
        for (name, value) in FIXED_HEADERS {
            out.push(b"\r\n");
            out.push_str(name);
            out.push(b": ");
            out.push_str(value);
        }
        if self.client.secret().is_some() && self.client.parameters().1.is_none() {
            out.push(b"\r\nauthorization: ");
            self.client.write_header(&mut out);
        }
        out.push(b"\r\nconnection: close\r\ncontent-length: ");
        let digits_at = out.len();
        out.push(b"\r\n\r\n");
        let body_at = out.len();
        self.write_body(&mut out);
        let body_len = out.len().saturating_sub(body_at);
        out.insert(digits_at, decimal(body_len as u64, &mut [0; 20]));
        out.finish()
    }

    fn write_url(&self, out: &mut Writer<'_>) {
        out.push_str(self.endpoint.as_str());
        self.write_brand_query(out);
    }

    /// The request target in origin form (RFC 9112 section 3.2.1).
    fn write_target(&self, out: &mut Writer<'_>) {
        let path = self.endpoint.path();
        out.push_str(if path.is_empty() { "/" } else { path });
        if let Some(query) = self.endpoint.query() {
            out.push_byte(b'?');
            out.push_str(query);
        }
        self.write_brand_query(out);
    }

    fn write_brand_query(&self, out: &mut Writer<'_>) {
        if let Some(key) = self.brand_key.filter(|key| key.place == BrandKeyPlace::Query) {
            out.push_byte(match self.endpoint.query() {
                None => b'?',
                Some(_) => b'&',
            });
            out.push_str(key.name);
            out.push_byte(b'=');
            form::encode(key.value, Space::Percent, out);
        }
    }

    fn write_body(&self, out: &mut Writer<'_>) {
        out.push(b"grant_type=");
        form::encode(self.grant.grant_type(), Space::Plus, out);
        match self.grant.0 {
            Kind::ClientCredentials { operator: None } | Kind::Extension { user: None, .. } => {}
            Kind::ClientCredentials { operator: Some(operator) } => parameter(OPERATOR, operator, out),
            Kind::Password { username, password }
            | Kind::OperatorPassword { username, password }
            | Kind::Extension { user: Some((username, password)), .. } => {
                parameter("username", username, out);
                parameter("password", password.expose(), out);
            }
            Kind::RefreshToken { refresh_token } => parameter("refresh_token", refresh_token.expose(), out),
        }
        if let Some(scope) = self.scope {
            parameter("scope", scope.as_str(), out);
        }
        if let Some(audience) = self.audience {
            parameter("audience", audience, out);
        }
        for resource in self.resources {
            parameter("resource", resource, out);
        }
        for (name, value) in self.parameters.iter().filter(|(_, value)| !value.is_empty()) {
            parameter(name, value, out);
        }
        if let Some(key) = self.brand_key.filter(|key| key.place == BrandKeyPlace::Form) {
            parameter(key.name, key.value, out);
        }
        let (id, secret) = self.client.parameters();
        if let Some(id) = id {
            parameter("client_id", id, out);
        }
        if let Some(secret) = secret {
            parameter("client_secret", secret.expose(), out);
        }
    }

    fn brand_key_once(self) -> Result<Self, InvalidValue> {
        let Some(key) = self.brand_key else { return Ok(self) };
        if self.endpoint.query_names(key.name) || self.parameters.iter().any(|(name, _)| *name == key.name) {
            return Err(InvalidValue::new(Field::BrandKey, Problem::Repeated));
        }
        Ok(self)
    }
}

impl fmt::Debug for TokenRequest<'_> {
    /// Where the request goes and what for, without any value that could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("endpoint", &self.endpoint)
            .field("grant_type", &self.grant.grant_type())
            .field("scope", &self.scope.map(|s| s.as_str()))
            .finish_non_exhaustive()
    }
}

impl<'b> Parts<'b> {
    /// Header names (lower case) and values, without `Host` and `Content-Length`, which HTTP clients set themselves.
    ///
    /// `authorization` holds the client secret: mark it as sensitive where the client can.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b str)> + use<'b> {
        FIXED_HEADERS.into_iter().chain(self.authorization.map(|value| ("authorization", value)))
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<'a> Kind<'a> {
    fn operator(&self) -> Option<&'a str> {
        match self {
            Self::ClientCredentials { operator } => *operator,
            Self::Password { .. } | Self::OperatorPassword { .. } | Self::RefreshToken { .. } => None,
            Self::Extension { .. } => None,
        }
    }
}

fn parameter(name: &str, value: &str, out: &mut Writer<'_>) {
    out.push_byte(b'&');
    form::encode(name, Space::Plus, out);
    out.push_byte(b'=');
    form::encode(value, Space::Plus, out);
}

/// `scheme` of RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

const fn is_reserved(name: &str) -> bool {
    let mut i = 0;
    while i < RESERVED.len() {
        if same(RESERVED[i], name) {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

const OPERATOR: &str = "operator";

/// Names a request sets itself, so that no extra parameter can change what it means.
const RESERVED: [&str; 9] = [
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "refresh_token",
    "scope",
    "audience",
    "resource",
];

/// Parameters that must not stand in a URL (RFC 6749 section 2.3.1).
const SECRETS: [&str; 3] = ["client_secret", "password", "refresh_token"];

/// What every token request says beside its credentials. Without `accept`, some servers answer XML or a form; without
/// `user-agent`, common firewalls refuse the request.
const FIXED_HEADERS: [(&str, &str); 3] = [
    ("accept", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("user-agent", concat!("gatekeeper/", env!("CARGO_PKG_VERSION"))),
];
