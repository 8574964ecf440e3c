//! What one server knows and how it behaves when nothing is wrong.

use std::fmt;
use std::time::Duration;

use crate::systems::System;

/// Everything about a server that a test can choose, before it starts
/// ([`Builder::with`](crate::Builder::with)) and while it runs
/// ([`Server::change`](crate::Server::change)).
///
/// [`System::settings`] gives each system's defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// What stands before every path, for instance `/appcontext`; empty or with a leading and
    /// without a trailing slash.
    pub context_path: String,

    /// The clients that may ask for tokens.
    pub clients: Vec<Client>,
    /// How `Authorization: Basic` is read at the token endpoint; `None`: not accepted.
    pub basic: Option<BasicEncoding>,
    /// Whether `client_id` and `client_secret` are accepted in the form (RFC 6749, section 2.3.1).
    pub client_auth_in_body: bool,
    /// The `grant_type` values that the server knows.
    pub grants: Vec<String>,
    /// End users, for grant `password`.
    pub users: Vec<User>,
    /// Operators, for grant `operator_password`.
    pub operators: Vec<User>,
    /// Whether `client_credentials` needs the parameter `operator` naming one of the operators.
    pub operator_required: bool,
    /// The brand key that token requests must carry, if any.
    pub brand_key: Option<BrandKey>,
    /// The header in which API calls must carry the brand key's value, if any.
    pub brand_header: Option<String>,
    /// The `x-api-key` that API calls must carry, if any.
    pub api_key: Option<String>,

    /// The scopes that the server knows. None: it does not look at scopes.
    pub scopes: Vec<String>,
    /// What is done about a scope that the server does not know.
    pub unknown_scope: UnknownScope,
    /// Whether a successful answer has a member `scope`.
    pub scope_in_answer: bool,

    /// How long access tokens live.
    pub lifetime: Duration,
    /// What successful answers say about it.
    pub expires_in: ExpiresIn,
    /// What access tokens look like.
    pub token_kind: TokenKind,
    /// The member `token_type` of successful answers; `None`: left out.
    pub token_type: Option<String>,
    /// Whether the same token is handed out again as long as it is valid, with the seconds that
    /// remain, as Spring Security OAuth2 does; in the last second it says 0.
    pub same_token: bool,

    /// Whether there are refresh tokens, and what using one does to it.
    pub refresh: Refresh,
    /// The grants whose answers carry a refresh token.
    pub refresh_grants: Vec<String>,
    /// How long refresh tokens live.
    pub refresh_lifetime: Duration,
    /// Whether a refresh ends the access token that came with the refresh token.
    pub refresh_revokes_access: bool,

    /// The shape of errors of the token endpoint.
    pub token_errors: TokenErrors,
    /// The `WWW-Authenticate` of the API's 401.
    pub challenge: Challenge,
    /// What the API says when the API key is missing or wrong.
    pub api_key_error: ApiKeyError,
    /// The origins that browsers may call from; `*` for every one, none for no CORS at all.
    pub cors_origins: Vec<String>,

    /// How far the `Date` header is ahead of the server's wall clock (behind, if negative).
    pub date_skew_seconds: i64,
    /// Whether there is a `Date` header.
    pub send_date: bool,
    /// How many requests [`Server::seen`](crate::Server::seen) keeps, the latest ones.
    pub seen_limit: usize,
}

/// A client of the token endpoint.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Its id.
    pub id: String,
    /// The secrets that are accepted: more than one during a rotation, none for a public client,
    /// which sends its `client_id` alone.
    pub secrets: Vec<String>,
    /// The grants it may use; `None`: all that the server knows. Any other is
    /// `unauthorized_client`.
    pub grants: Option<Vec<String>>,
}

impl Client {
    /// A client with one secret that may use every grant.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secrets: vec![secret.into()], grants: None }
    }
}

/// An end user or an operator.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl User {
    /// A user with that name and password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }
}

/// A brand key, which Rator's token endpoint wants with every request.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrandKey {
    /// The parameter's name: `brand_key` or `brandKey`, by version.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it is looked for.
    pub place: Place,
}

impl BrandKey {
    /// A brand key.
    pub fn new(name: impl Into<String>, value: impl Into<String>, place: Place) -> Self {
        Self { name: name.into(), value: value.into(), place }
    }
}

/// Where a parameter is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// In the query of the URL only.
    Query,
    /// In the form only.
    Form,
    /// In both.
    Either,
}

/// How id and secret stand in `Authorization: Basic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// As they are (RFC 7617).
    Raw,
    /// Form-urlencoded each, then joined (RFC 6749, section 2.3.1). What does not decode is
    /// refused.
    Form,
    /// Either way is accepted.
    Either,
}

/// What is done about a scope that the server does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownScope {
    /// `invalid_scope`.
    Refuse,
    /// It is dropped; the token has the others.
    Drop,
}

/// The member `expires_in` of a successful answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ExpiresIn {
    /// The whole seconds that remain, as a number. 0 in the last second of a token's life.
    Remaining,
    /// The whole seconds that remain, as a string.
    RemainingString,
    /// The seconds that remain with their fraction.
    RemainingFloat,
    /// This number.
    Number(i64),
    /// This text as a string.
    Text(String),
    /// This JSON, written as it is: `1e400`, `[60]`, `18446744073709551616`.
    Raw(String),
    /// `null`.
    Null,
    /// No such member.
    Absent,
}

/// What access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// Three base64url parts with the header and the claims of an AWS Cognito access token
    /// (`sub`, `token_use`, `scope`, `auth_time`, `iss`, `exp`, `iat`, `version`, `jti`,
    /// `client_id`). The signature has the size of an RS256 one and verifies under no key.
    Jwt,
    /// 88 characters of base64 with `+`, `/` and a final `=`.
    Opaque,
    /// A random UUID.
    Uuid,
}

/// What using a refresh token does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refresh {
    /// There are none.
    None,
    /// It stays valid and the answer repeats it.
    Reuse,
    /// It stays valid and the answer does not name it.
    ReuseSilently,
    /// It is used up, and the answer has a new one. Using an old one again is `invalid_grant`.
    Rotate,
    /// As `Rotate`; using an old one again also revokes every token that came of the same
    /// first grant (RFC 9700, section 4.14.2).
    RotateWithReuseDetection,
}

/// The shape of errors of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenErrors {
    /// AWS Cognito: status 400 for everything, `{"error": ...}` alone, no challenge; 405 without a
    /// body for a wrong method or content type.
    Cognito,
    /// The Gatekeeper API's proxy: `{"error_code": "invalid-client", "description": ...}`.
    GatekeeperProxy,
    /// RFC 6749, section 5.2, with 401 and a challenge for `invalid_client`.
    Rfc6749,
    /// Spring Security OAuth2 2.x.
    Spring,
}

/// The `WWW-Authenticate` of the API's 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Challenge {
    /// RFC 6750, section 3.
    Rfc6750,
    /// Amazon API Gateway: parameters separated by spaces instead of commas.
    ApiGateway,
    /// Spring Security OAuth2 2.x. The description repeats the token, as that server does.
    Spring,
    /// As `Spring`, with quotation marks inside the quoted description, which Spring does not
    /// escape: the header is malformed.
    SpringRawQuotes,
    /// No such header.
    None,
}

/// What the API says when the API key is missing or wrong: status 403 and a JSON `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// A message that mentions the API key.
    Named,
    /// As `Named`, with status 401.
    NamedUnauthorized,
    /// Amazon API Gateway's `{"message":"Forbidden"}`, which does not tell the reason.
    ApiGateway,
}

impl Settings {
    pub(crate) fn token_path(&self, system: System) -> String {
        format!("{}{}", self.context_path, system.token_path())
    }

    /// The context path in the form that the other code relies on.
    pub(crate) fn tidy(&mut self) {
        let path = self.context_path.trim_matches('/');
        self.context_path = match path {
            "" => String::new(),
            path => format!("/{path}"),
        };
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("context_path", &self.context_path)
            .field("clients", &self.clients)
            .field("basic", &self.basic)
            .field("grants", &self.grants)
            .field("brand_key", &self.brand_key)
            .field("scopes", &self.scopes)
            .field("lifetime", &self.lifetime)
            .field("expires_in", &self.expires_in)
            .field("token_kind", &self.token_kind)
            .field("same_token", &self.same_token)
            .field("refresh", &self.refresh)
            .field("token_errors", &self.token_errors)
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("secrets", &self.secrets.len())
            .field("grants", &self.grants)
            .finish()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for BrandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrandKey").field("name", &self.name).field("place", &self.place).finish_non_exhaustive()
    }
}
