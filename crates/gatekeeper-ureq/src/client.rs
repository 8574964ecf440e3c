//! Calls to an API with a source's token.

use crate::source::TokenSource;
use gatekeeper_std::proto::{ApiFailure, InvalidValue};
use gatekeeper_std::{ApiConfig, ApiResponse, Error, ErrorKind, Token};
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::SendBody;
use ureq::http::{HeaderName, HeaderValue, Method, Request};

/// Calls an API with the header set of its system: token, API key, brand key, identities.
///
/// They are added to requests for the configured origin only. When the API answers `AuthenticationFailed` (401), the
/// token is renewed and the call repeated once, if its body can be sent again; every other answer comes back as itself.
/// Redirects are not followed. Cloning it is cheap.
///
/// ```no_run
/// use gatekeeper_ureq::{ApiClient, ApiConfig, Profile, TokenSource};
///
/// # fn call(source: TokenSource) -> Result<(), Box<dyn std::error::Error>> {
/// let api = ApiConfig::builder(&Profile::GATEKEEPER, "https://api.example.com").api_key("my-key").build()?;
/// let client = ApiClient::new(source, api);
/// let response = client.request("GET", "/api/whoami").send()?;
/// match response.failure() {
///     None => println!("{} bytes", response.body.len()),
///     Some(failure) => println!("{failure}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ApiClient {
    source: TokenSource,
    api: Arc<ApiConfig>,
    timeout: Duration,
    body_limit: u64,
}

/// One call, to be sent.
#[must_use]
pub struct ApiCall<'c> {
    client: &'c ApiClient,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: CallBody,
    timeout: Duration,
    credentials: Credentials,
}

#[derive(Clone)]
enum Credentials {
    /// The source's token, and another one if the API rejects it.
    Source,
    /// This token alone.
    Token(Token),
    /// None at all.
    Withheld,
}

enum CallBody {
    Bytes(Vec<u8>),
    Reader(Box<dyn Read + Send>),
}

impl ApiClient {
    /// Calls the API that `api` describes with the tokens of `source`, 30 s a call, answers of at most 64 MiB.
    pub fn new(source: TokenSource, api: ApiConfig) -> Self {
        Self { source, api: Arc::new(api), timeout: Duration::from_secs(30), body_limit: 64 << 20 }
    }

    /// Gives every call so long in all, waiting for a token included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads at most so many bytes of an answer; a longer one is an error.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The source of the tokens.
    pub fn source(&self) -> &TokenSource {
        &self.source
    }

    /// A call. A `url` that begins with a slash is below the API's own URL.
    pub fn request(&self, method: impl Into<String>, url: impl Into<String>) -> ApiCall<'_> {
        let url = url.into();
        let url = if url.starts_with('/') { [self.api.url().trim_end_matches('/'), &url].concat() } else { url };
        ApiCall {
            client: self,
            method: method.into(),
            url,
            headers: Vec::new(),
            body: CallBody::Bytes(Vec::new()),
            timeout: self.timeout,
            credentials: Credentials::Source,
        }
    }
}

impl ApiCall<'_> {
    /// Adds a header. One that the header set also has keeps the caller's value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body, which can be sent again.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = CallBody::Bytes(bytes.into());
        self
    }

    /// A body that is read while it is sent, and so can be sent only once: the call is not repeated after a 401.
    pub fn body_reader(mut self, reader: impl Read + Send + 'static) -> Self {
        self.body = CallBody::Reader(Box::new(reader));
        self
    }

    /// Gives this call so long in all.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends this token, whatever the source has by now, and does not repeat the call: for programs that treat a
    /// rejected token (see [`TokenSource::token_after`]) in a way of their own.
    pub fn with_token(mut self, token: &Token) -> Self {
        self.credentials = Credentials::Token(token.clone());
        self
    }

    /// Sends neither a token nor an API key, and does not ask for a token: for calls that are open to everyone.
    pub fn without_credentials(mut self) -> Self {
        self.credentials = Credentials::Withheld;
        self
    }

    /// Makes the call. A status is no error; see [`ApiResponse::failure`].
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no token, or no answer.
    pub fn send(self) -> Result<ApiResponse, Error> {
        let deadline = Instant::now() + self.timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let client = self.client;
        let ours = client.api.is_origin_of(&self.url);
        let own_authorization = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        match self.credentials.clone() {
            _ if !ours || own_authorization => return self.transmit(None, left()),
            Credentials::Withheld => return self.transmit(None, left()),
            Credentials::Token(token) => return self.transmit(Some(&token), left()),
            Credentials::Source => {}
        }
        let token = client.source.token_within(left())?;
        let again = self.repeated();
        let response = self.transmit(Some(&token), left())?;
        let Some(again) = again.filter(|_| response.failure().is_some_and(ApiFailure::wants_new_token)) else {
            return Ok(response);
        };
        match client.source.token_after(token.generation(), left()) {
            Ok(token) => again.transmit(Some(&token), left()),
            // The API's own answer says more than why there is no other token.
            Err(_) => Ok(response),
        }
    }

    /// The same call once more, if its body can be sent again.
    fn repeated(&self) -> Option<Self> {
        let CallBody::Bytes(bytes) = &self.body else { return None };
        Some(Self {
            client: self.client,
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: CallBody::Bytes(bytes.clone()),
            timeout: self.timeout,
            credentials: self.credentials.clone(),
        })
    }

    fn transmit(self, token: Option<&Token>, limit: Duration) -> Result<ApiResponse, Error> {
        let configuration = |what: &str| Error::new(ErrorKind::Configuration, what);
        let method =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| configuration("the method is no HTTP method"))?;
        let mut request = Request::builder().method(method).uri(&self.url);
        let headers = request.headers_mut().ok_or_else(|| configuration("the API URL is no URL"))?;
        for (name, value) in &self.headers {
            gatekeeper_std::proto::Header::check(name, value).map_err(|e: InvalidValue| Error::from(e))?;
            headers.append(header_name(name)?, header_value(value)?);
        }
        for header in token.into_iter().flat_map(|token| self.client.api.headers(&self.url, token)) {
            let name = header_name(&header.name)?;
            if !headers.contains_key(&name) {
                let mut value = header_value(header.value.expose())?;
                value.set_sensitive(header.sensitive);
                headers.insert(name, value);
            }
        }
        let transport = self.client.source.transport();
        let limits = (limit, self.client.body_limit);
        let no_request = |_| configuration("the request cannot be made");
        let answer = match self.body {
            CallBody::Bytes(bytes) if bytes.is_empty() => {
                transport.call(request.body(()).map_err(no_request)?, limits.0, limits.1)
            }
            CallBody::Bytes(bytes) => transport.call(request.body(bytes).map_err(no_request)?, limits.0, limits.1),
            CallBody::Reader(reader) => {
                let body = SendBody::from_owned_reader(reader);
                transport.call(request.body(body).map_err(no_request)?, limits.0, limits.1)
            }
        }?;
        Ok(ApiResponse { status: answer.status, headers: answer.headers, body: answer.body })
    }
}

fn header_name(name: &str) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Error::new(ErrorKind::Configuration, "a header name is no token"))
}

fn header_value(value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(value)
        .map_err(|_| Error::new(ErrorKind::Configuration, "a header value has characters no header has"))
}

impl fmt::Debug for ApiCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiCall")
            .field("method", &self.method)
            .field("url", &self.url.split('?').next())
            .finish_non_exhaustive()
    }
}
