//! A call of an API as it was typed, to be sent as often as need be.

use crate::args::RequestArgs;
use crate::report::Result;
use gatekeeper_ureq::{ApiClient, ApiResponse, Error, Token};
use std::time::Duration;

/// Everything of a call but its token.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) client: ApiClient,
    pub(crate) method: String,
    pub(crate) url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Reads the body, which may come from a file or standard input.
    pub(crate) fn new(client: ApiClient, method: &str, url: String, args: &RequestArgs) -> Result<Self> {
        let body = args.body()?;
        let mut headers = args.headers.clone();
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Ok(Self { client, method: method.to_owned(), url, headers, body })
    }

    /// Sends it once. Its caller decides what to do about a token that is rejected, and tells or counts it.
    pub(crate) fn send(&self, token: &Token, limit: Duration) -> std::result::Result<ApiResponse, Error> {
        let mut call = self.client.request(&self.method, &self.url).with_token(token).timeout(limit);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &self.body {
            call = call.body(body.as_slice());
        }
        call.send()
    }
}
