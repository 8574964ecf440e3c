//! Runs one case through the public API and describes what came out in the schema's own words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatekeeper_proto::wire::challenge::Challenges;
use gatekeeper_proto::wire::http1::{Progress, Receiver, Version};
use gatekeeper_proto::wire::retry_after;
use gatekeeper_proto::{
    BasicEncoding, ClientAuth, Endpoint, Grant, Malformed, Reply, ReplyError, Rules, Scope, Secret, Shape,
    TokenRequest, TokenShapeError, UnixTime, read_reply,
};
use serde_json::{Map, Value, json};

/// The kinds of vector files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BasicAuth,
    Reply,
    HttpResponse,
    JwtShape,
    RetryAfter,
    Scope,
    WwwAuthenticate,
}

impl Kind {
    /// The kind of the file that this case stands in.
    pub(super) fn of(case: &Value) -> Option<Self> {
        let has = |name| case.get(name).is_some();
        Some(match () {
            () if has("client_id") => Self::BasicAuth,
            () if has("request_method") => Self::HttpResponse,
            () if has("token") => Self::JwtShape,
            () if has("values") => Self::WwwAuthenticate,
            () if has("op") => Self::Scope,
            () if has("status") => Self::Reply,
            () if has("value") => Self::RetryAfter,
            () => return None,
        })
    }
}

pub(super) fn of(kind: Kind, case: &Value) -> Value {
    match kind {
        Kind::BasicAuth => basic_auth(case),
        Kind::Reply => reply(case),
        Kind::HttpResponse => http_response(case),
        Kind::JwtShape => jwt_shape(case),
        Kind::RetryAfter => retry_after(case),
        Kind::Scope => scope(case),
        Kind::WwwAuthenticate => www_authenticate(case),
    }
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

/// The body that a client with these credentials and this scope sends, and its `Authorization` header.
fn request(client: ClientAuth<'_>, scope: Option<Scope<'_>>) -> (String, Option<String>) {
    let endpoint = Endpoint::parse("https://as.example/token").expect("a URL");
    let mut request = TokenRequest::new(endpoint, client, Grant::client_credentials()).expect("a request");
    if let Some(scope) = scope {
        request = request.scope(scope);
    }
    let mut buf = vec![0; 1];
    if let Err(small) = request.write_parts(&mut buf) {
        buf.resize(small.needed, 0);
    }
    let parts = request.write_parts(&mut buf).expect("exactly as much room as was asked for");
    let authorization = parts.headers().find(|(name, _)| *name == "authorization").map(|(_, v)| v.to_owned());
    (parts.body.to_owned(), authorization)
}

fn basic_auth(case: &Value) -> Value {
    let header =
        |encoding| match ClientAuth::basic(text(case, "client_id"), Secret::new(text(case, "client_secret")), encoding)
        {
            Ok(client) => json!({"ok": true, "header": request(client, None).1}),
            Err(_) => json!({"ok": false}),
        };
    json!({"raw": header(BasicEncoding::Raw), "form": header(BasicEncoding::FormPlus)})
}

fn reply(case: &Value) -> Value {
    let mut body = match case.get("body_b64") {
        Some(b64) => STANDARD.decode(b64.as_str().unwrap_or_default()).expect("base64"),
        None => text(case, "body").as_bytes().to_vec(),
    };
    let status = case["status"].as_u64().and_then(|s| u16::try_from(s).ok()).expect("a status");
    let mut reply = Reply::new(status, &mut body);
    if let Some(content_type) = case["content_type"].as_str() {
        reply = reply.header("Content-Type", content_type.as_bytes());
    }
    for pair in case["headers"].as_array().into_iter().flatten() {
        reply = reply.header(pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default().as_bytes());
    }
    let rules = Rules { now: case["now"].as_u64().map(UnixTime::from_secs), ..Rules::default() };
    let error = match read_reply(reply, &rules) {
        Ok(token) => {
            return json!({
                "kind": "ok",
                "status": status,
                "access_token": token.access_token.expose(),
                "token_type": token.token_type,
                "expires_in": token.expires_in,
                "refresh_token": token.refresh_token.map(Secret::expose),
                "scope": token.scope.map(|s| s.tokens().collect::<Vec<_>>()),
            });
        }
        Err(error) => error,
    };
    let mut out = Map::new();
    let kind = match &error {
        ReplyError::Refused(refused) => {
            out.insert("error".into(), refused.code_text.as_received().into());
            out.insert("error_description".into(), refused.description.map(|d| d.as_received()).into());
            out.insert("error_uri".into(), refused.uri.map(|u| u.as_received()).into());
            "oauth_error"
        }
        ReplyError::Status(_) => "http_error",
        ReplyError::UnsupportedTokenType => "unsupported_token_type",
        ReplyError::Malformed(Malformed::Body(_)) | ReplyError::Malformed(_) => "malformed",
        _ => "malformed",
    };
    out.insert("kind".into(), kind.into());
    out.insert("status".into(), status.into());
    out.insert("retryable".into(), error.is_retryable().into());
    out.insert("retry_after_s".into(), error.retry_after().map(|d| d.as_secs()).into());
    out.insert("rendered".into(), format!("{error}\u{1}{error:?}\u{1}{error:#?}").into());
    Value::Object(out)
}

fn jwt_shape(case: &Value) -> Value {
    match Shape::Base64Url.check(text(case, "token")) {
        Ok(()) => json!({"ok": true}),
        Err(TokenShapeError::InvalidAccessToken) => json!({"ok": false, "error": "InvalidAccessToken"}),
        Err(TokenShapeError::InvalidAccessTokenFormat) => json!({"ok": false, "error": "InvalidAccessTokenFormat"}),
    }
}

fn retry_after(case: &Value) -> Value {
    let now = case["now"].as_u64().map(UnixTime::from_secs);
    json!({"delay_s": retry_after::parse(text(case, "value").as_bytes(), now).map(|d| d.as_secs())})
}

fn scope(case: &Value) -> Value {
    let refused = json!({"ok": false});
    if text(case, "op") == "parse" {
        return match Scope::parse(text(case, "input")) {
            Ok(scope) => json!({"ok": true, "scopes": scope.tokens().collect::<Vec<_>>()}),
            Err(_) => refused,
        };
    }
    let tokens: Vec<&str> = case["input"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut buf = vec![0; tokens.iter().map(|t| t.len() + 1).sum()];
    let Ok(Ok(scope)) = Scope::join(&tokens, &mut buf) else { return refused };
    let (body, _) = request(ClientAuth::none(), Some(scope));
    let form_value = body.split('&').find_map(|pair| pair.strip_prefix("scope="));
    json!({"ok": true, "value": scope.as_str(), "form_value": form_value})
}

fn www_authenticate(case: &Value) -> Value {
    let mut challenges = Vec::new();
    for line in case["values"].as_array().into_iter().flatten() {
        for challenge in Challenges::new(&latin1(line.as_str().unwrap_or_default())) {
            let Ok(challenge) = challenge else { return json!({"ok": false}) };
            let mut params = Map::new();
            for (name, value) in challenge.parameters() {
                let value: String = value.bytes().map(char::from).collect();
                params.insert(name.to_ascii_lowercase(), value.into());
            }
            challenges.push(json!({
                "scheme": challenge.scheme().to_ascii_lowercase(),
                "token68": challenge.token68(),
                "params": params,
            }));
        }
    }
    json!({"ok": !challenges.is_empty(), "challenges": challenges})
}

/// Reads the response whole, byte by byte, and cut in two at every place; says so if the outcomes are not all one.
fn http_response(case: &Value) -> Value {
    let raw = latin1(text(case, "raw"));
    let eof = case["eof"].as_bool().unwrap_or_default();
    let head = text(case, "request_method") == "HEAD";
    let mut buf = vec![0; ROOM];
    let whole = receive(&mut buf, &[&raw], eof, head);
    let bytes: Vec<&[u8]> = raw.chunks(1).collect();
    let mut ways = vec![bytes];
    ways.extend((1..raw.len()).map(|at| vec![&raw[..at], &raw[at..]]));
    ways.extend((2..raw.len().min(8)).map(|size| raw.chunks(size).collect()));
    for pieces in ways {
        let other = receive(&mut buf, &pieces, eof, head);
        if other != whole {
            let cuts: Vec<usize> = pieces.iter().map(|p| p.len()).collect();
            return json!({"outcome": "depends on the cuts", "whole": whole, "pieces": cuts, "in_pieces": other});
        }
    }
    whole
}

/// Large enough that an announced length is waited for and not refused as too large.
const ROOM: usize = 16 << 20;

fn receive(buf: &mut [u8], pieces: &[&[u8]], eof: bool, head: bool) -> Value {
    let mut receiver = Receiver::new(head);
    let mut progress = Ok(Progress::NeedMore);
    for piece in pieces {
        let space = receiver.space(buf);
        if space.is_empty() {
            break;
        }
        space[..piece.len()].copy_from_slice(piece);
        progress = receiver.received(buf, piece.len());
    }
    if eof && progress.is_ok() {
        progress = receiver.closed();
    }
    match progress {
        Err(_) => json!({"outcome": "error"}),
        Ok(Progress::NeedMore) => json!({"outcome": "need_more"}),
        Ok(Progress::Complete) => {
            let (consumed, reusable) = (receiver.consumed(), receiver.is_reusable());
            let response = receiver.response(buf).expect("a complete response");
            let headers: Vec<Value> = response
                .headers
                .clone()
                .map(|(name, value)| json!([name.to_ascii_lowercase(), string(value)]))
                .collect();
            json!({
                "outcome": "complete",
                "status": response.status,
                "version": match response.version { Version::Http10 => "1.0", Version::Http11 => "1.1" },
                "headers": headers,
                "body": string(response.body),
                "consumed": consumed,
                "reusable": reusable,
            })
        }
    }
}

/// One byte a character, as the schema writes bytes; a character beyond that is written in UTF-8.
fn latin1(text: &str) -> Vec<u8> {
    let byte = |c: char| u8::try_from(u32::from(c));
    let bytes: Result<Vec<u8>, _> = text.chars().map(byte).collect();
    bytes.unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn string(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
