//! `gatekeeper call`

use crate::args::CallArgs;
use crate::connect::{Connection, no_answer, shown};
use crate::output;
use crate::report::{Exit, Failure, Result};
use crate::request::Request;
use gatekeeper_ureq::proto::wire::challenge::Challenges;
use gatekeeper_ureq::{ApiFailure, ApiResponse, Token};
use std::io::{self, IsTerminal};
use std::time::Instant;

pub(crate) fn run(args: &CallArgs) -> Result {
    let stdin = args.request.reads_stdin().then_some("--data");
    let connection = Connection::new(args.options.settings(stdin)?)?;
    let (client, url) = connection.api(&args.url)?;
    let request = Request::new(client, &args.method, url, &args.request)?;
    let token = connection.token()?;

    let begin = Instant::now();
    let send = |token: &Token| {
        let sent = request.send(token, connection.left());
        sent.map_err(|e| no_answer(e, &request.method, &request.url, begin.elapsed()))
    };
    let mut response = send(&token)?;
    let mut tried = None;
    if response.failure().is_some_and(ApiFailure::wants_new_token) {
        match connection.source.token_after(token.generation(), connection.left()) {
            Ok(token) => {
                response = send(&token)?;
                tried = Some("the call was repeated once, with a new token".to_owned());
            }
            Err(e) => tried = Some(format!("a new token was asked for, and did not come: {e}")),
        }
    }
    let printed = print(&response, args.include);
    let Some(failure) = response.failure() else { return printed };
    // That nobody reads the body is no reason to hide that it was a refusal.
    let mut what = format!(
        "{}: the API answered {} to {} {}",
        failure.name(),
        response.status,
        request.method,
        shown(&request.url)
    );
    if let Some(code) = challenge_code(&response) {
        what += &format!(" ({code})");
    }
    let mut told = Failure::new(Exit::Api, what);
    if let Some(tried) = tried {
        told = told.tried(tried);
    }
    Err(match advice(&connection, failure, &response) {
        Some(advice) => told.hint(advice),
        None => told,
    })
}

/// The body as it came, so that it can be piped into a file. On a terminal, the line is ended.
fn print(response: &ApiResponse, include: bool) -> Result {
    let mut out = Vec::with_capacity(response.body.len());
    if include {
        out.extend(format!("HTTP/1.1 {}\r\n", response.status).bytes());
        for (name, value) in &response.headers {
            out.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        out.extend(b"\r\n");
    }
    out.extend(&response.body);
    if io::stdout().is_terminal() && !response.body.is_empty() && !response.body.ends_with(b"\n") {
        out.push(b'\n');
    }
    Ok(output::print(&out)?)
}

/// The error code that a challenge carries (RFC 6750 section 3.1), if it looks like one: it is the peer's text.
fn challenge_code(response: &ApiResponse) -> Option<String> {
    let lines = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let mut challenges = lines.flat_map(|(_, line)| Challenges::new(line)).flatten();
    let code: Vec<u8> = challenges.find_map(|challenge| challenge.parameter("error"))?.bytes().take(40).collect();
    let plain = code.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
    String::from_utf8(code).ok().filter(|code| plain && !code.is_empty())
}

/// What to do about an API's refusal.
pub(crate) fn advice(connection: &Connection, failure: ApiFailure, response: &ApiResponse) -> Option<String> {
    let has_key = connection.settings.has_api_key();
    let text = match (failure, response.status) {
        (ApiFailure::AuthenticationFailed, _) => {
            "the API does not accept this server's tokens, or not this client's: check that URL and token URL belong \
             together, the scope and the audience; `gatekeeper inspect` shows what the token says"
        }
        (ApiFailure::AuthorizationFailed, _) if !has_key => {
            "the token is good but does not allow this, so a new one will not either: check the client's permissions and \
             --scope; no API key was sent, and some APIs answer this if it is missing (--api-key-file)"
        }
        (ApiFailure::AuthorizationFailed, _) => {
            "the token is good but does not allow this, so a new one will not either: check the client's permissions and \
             --scope, and the API key"
        }
        (ApiFailure::InvalidApiKey, _) if has_key => "check the API key (--api-key-file, GATEKEEPER_API_KEY)",
        (ApiFailure::InvalidApiKey, _) => "give the API key by --api-key-file or GATEKEEPER_API_KEY",
        (ApiFailure::ServerError, _) => "the API is in trouble: try again later",
        (_, 300..=399) => {
            let location = response.header("location").map(String::from_utf8_lossy).unwrap_or_default();
            let place: String = shown(&location).chars().filter(|c| c.is_ascii_graphic()).take(200).collect();
            return Some(format!("redirects are not followed with credentials; this one leads to {place}"));
        }
        (_, 404 | 410) => "check the URL",
        (_, 405) => "check the method",
        (_, 429) => "too many calls: try again later",
        (_, 400..=499) => "check the request; the body says more",
        _ => return None,
    };
    Some(text.to_owned())
}
