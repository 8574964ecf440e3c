//! The APIs: who is let in, and the calls that every system has.

use std::sync::Arc;

use crate::answer::{Answer, JsonObject, json_string};
use crate::log::is_preflight;
use crate::request::SeenRequest;
use crate::settings::{ApiKeyError, Challenge, Settings};
use crate::state::State;
use crate::systems::{System, gatekeeper};
use crate::tokens::{Grant, Judged};

/// Who makes a call.
pub(crate) struct Caller {
    grant: Arc<Grant>,
    remaining_millis: u64,
}

/// Carries out an API call.
pub(crate) fn handle(state: &State, settings: &Settings, request: &SeenRequest) -> Answer {
    if is_preflight(request) {
        return preflight(settings, request);
    }
    let answer = match admit(state, settings, request) {
        Ok(caller) => route(state, settings, request, &caller),
        Err(refusal) => refusal,
    };
    with_cors(settings, request, answer)
}

fn admit(state: &State, settings: &Settings, request: &SeenRequest) -> Result<Caller, Answer> {
    if let Some(key) = &settings.api_key {
        if request.header("x-api-key") != Some(key) {
            return Err(wrong_api_key(settings.api_key_error));
        }
    }
    let Some(token) = request.bearer() else {
        return Err(unauthorized(settings.challenge, None, false));
    };
    let judged = state.tokens().judge(state.clock.now_millis(), token);
    let caller = match judged {
        Judged::Valid { grant, remaining_millis } => Caller { grant, remaining_millis },
        Judged::Expired => return Err(unauthorized(settings.challenge, Some(token), true)),
        Judged::Invalid => return Err(unauthorized(settings.challenge, Some(token), false)),
    };
    if let (Some(name), Some(brand)) = (&settings.brand_header, &settings.brand_key) {
        if request.header(name) != Some(&brand.value) {
            let why = format!("the header {name} is missing or wrong");
            return Err(Answer::json(400, error("bad_request", &why)));
        }
    }
    Ok(caller)
}

fn route(state: &State, settings: &Settings, request: &SeenRequest, caller: &Caller) -> Answer {
    let path = request.path();
    let Some(path) = path.strip_prefix(settings.context_path.as_str()) else {
        return not_found();
    };
    match path {
        "/api/whoami" => whoami(state, caller),
        "/api/echo" => echo(request),
        "/api/admin" => forbidden(settings.challenge),
        _ if state.system == System::Gatekeeper => gatekeeper::call(path, request).unwrap_or_else(not_found),
        _ => not_found(),
    }
}

fn whoami(state: &State, caller: &Caller) -> Answer {
    let grant = &caller.grant;
    let username = match &grant.username {
        Some(name) => json_string(name),
        None => "null".to_owned(),
    };
    let body = JsonObject::new()
        .string("system", state.system.name())
        .string("client_id", &grant.client_id)
        .string("grant_type", &grant.grant_type)
        .raw("username", &username)
        .string("scope", &grant.scopes.join(" "))
        .raw("expires_in_millis", &caller.remaining_millis.to_string())
        .end();
    Answer::json(200, body)
}

/// Names of header fields only: values would be a way for secrets to get into a test's output.
fn echo(request: &SeenRequest) -> Answer {
    let names: Vec<String> = request.headers.iter().map(|(name, _)| json_string(&name.to_ascii_lowercase())).collect();
    let body = JsonObject::new()
        .string("method", &request.method)
        .string("path", request.path())
        .raw("headers", &format!("[{}]", names.join(",")))
        .raw("body_len", &request.body.len().to_string())
        .end();
    Answer::json(200, body)
}

fn not_found() -> Answer {
    Answer::json(404, error("not_found", "there is no such resource"))
}

pub(crate) fn error(code: &str, message: &str) -> String {
    JsonObject::new().string("error", code).string("message", message).end()
}

fn wrong_api_key(shape: ApiKeyError) -> Answer {
    let named = r#"{"message":"The API key is missing or not valid"}"#;
    match shape {
        ApiKeyError::Named => Answer::json(403, named),
        ApiKeyError::NamedUnauthorized => Answer::json(401, named),
        ApiKeyError::ApiGateway => {
            Answer::json(403, r#"{"message":"Forbidden"}"#).header("x-amzn-ErrorType", "ForbiddenException")
        }
    }
}

/// The answer to a call without a token or with one that is no longer valid, or never was.
pub(crate) fn unauthorized(challenge: Challenge, token: Option<&str>, expired: bool) -> Answer {
    let value = match (challenge, token) {
        (Challenge::None, _) => None,
        // RFC 6750, section 3.1: no error code where no authentication was sent.
        (Challenge::Rfc6750, None) => Some("Bearer realm=\"api\"".to_owned()),
        (Challenge::Rfc6750, Some(_)) => {
            Some(format!("Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{}\"", why(expired)))
        }
        (Challenge::ApiGateway, None) => Some("Bearer".to_owned()),
        (Challenge::ApiGateway, Some(_)) => {
            Some(format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{}\"", why(expired)))
        }
        (Challenge::Spring | Challenge::SpringRawQuotes, None) => Some(
            "Bearer realm=\"oauth2-resource\", error=\"unauthorized\", \
             error_description=\"Full authentication is required to access this resource\""
                .to_owned(),
        ),
        (Challenge::Spring, Some(token)) => Some(format!(
            "Bearer realm=\"oauth2-resource\", error=\"invalid_token\", \
             error_description=\"{}: {token}\"",
            spring_why(expired)
        )),
        (Challenge::SpringRawQuotes, Some(token)) => Some(format!(
            "Bearer realm=\"oauth2-resource\", error=\"invalid_token\", \
             error_description=\"{}: \"{token}\"\"",
            spring_why(expired)
        )),
    };
    let body = match (challenge, token) {
        (Challenge::ApiGateway | Challenge::None, _) => r#"{"message":"Unauthorized"}"#.to_owned(),
        (Challenge::Spring | Challenge::SpringRawQuotes, Some(token)) => JsonObject::new()
            .string("error", "invalid_token")
            .string("error_description", &format!("{}: {token}", spring_why(expired)))
            .end(),
        (_, None) => error("unauthorized", "a token is needed"),
        (Challenge::Rfc6750, Some(_)) => error("invalid_token", why(expired)),
    };
    let answer = Answer::json(401, body);
    match value {
        Some(value) => answer.header("WWW-Authenticate", value),
        None => answer,
    }
}

fn why(expired: bool) -> &'static str {
    if expired { "the token has expired" } else { "the token is not valid" }
}

fn spring_why(expired: bool) -> &'static str {
    if expired { "Access token expired" } else { "Invalid access token" }
}

fn forbidden(challenge: Challenge) -> Answer {
    let body = error("insufficient_scope", "insufficient permission for this resource");
    let answer = Answer::json(403, body);
    match challenge {
        Challenge::Rfc6750 => {
            answer.header("WWW-Authenticate", "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"admin\"")
        }
        _ => answer,
    }
}

/// The headers that the Gatekeeper Web SDK sends and that a preflight must allow.
const ALLOWED_HEADERS: &str = "authorization, content-type, x-api-key, x-deviceid, x-userid, x-devicelastlocation";

fn preflight(settings: &Settings, request: &SeenRequest) -> Answer {
    let Some(origin) = allowed_origin(settings, request) else {
        return Answer::new(403);
    };
    Answer::new(204)
        .header("Access-Control-Allow-Origin", origin)
        .header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
        .header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
        .header("Access-Control-Max-Age", "600")
        .header("Vary", "Origin")
}

pub(crate) fn with_cors(settings: &Settings, request: &SeenRequest, answer: Answer) -> Answer {
    match allowed_origin(settings, request) {
        Some(origin) => answer.header("Access-Control-Allow-Origin", origin).header("Vary", "Origin"),
        None => answer,
    }
}

fn allowed_origin<'a>(settings: &Settings, request: &'a SeenRequest) -> Option<&'a str> {
    let origin = request.header("origin")?;
    settings.cors_origins.iter().any(|allowed| allowed == "*" || allowed == origin).then_some(origin)
}
