//! The Bespot Gatekeeper API: default credentials, and the calls that only it has.
//!
//! - `POST /api/s2s/verify/`, server to server: answers
//!   `{"verified", "action", "application_package", "valid_for_millis"}`, the last one being the
//!   validity that was applied. `verified` is true if the ticket comes from `check` with the same
//!   action. The public documentation leaves this answer open, so it is the testkit's own.
//! - `POST /device/{application}/{version}/register`, from the browser: answers a bundle, a
//!   configuration and one check definition.
//! - `POST /device/{application}/{version}/check`: answers an action and a ticket for it; the
//!   action is `allow`, or `block` if a check says `not_ok`.

use std::time::Duration;

use serde_json::{Value, json};

use super::base;
use crate::answer::Answer;
use crate::api::error;
use crate::request::SeenRequest;
use crate::settings::{Challenge, Client, Settings, TokenErrors, TokenKind};

/// The id of the default client.
pub const CLIENT_ID: &str = "djc98u3jiedmi283eu928";
/// The secret of the default client.
pub const CLIENT_SECRET: &str = "abcdef01234567890";
/// The scope that the server knows.
pub const SCOPE: &str = "main_antifraud_resource_server/public";
/// The `x-api-key`.
pub const API_KEY: &str = "testkit-Zk3vQ9wLr7Yt2XbN5cMd8Hs1";

/// The longest validity of an action, which also stands in for 0 and for what is out of range.
const MAX_VALIDITY_MILLIS: i64 = 300_000;
/// What is out of range.
const VALIDITY_LIMIT_MILLIS: i64 = 3_000_000;

pub(super) fn settings() -> Settings {
    Settings {
        api_key: Some(API_KEY.to_owned()),
        scopes: vec![SCOPE.to_owned()],
        lifetime: Duration::from_secs(86_400),
        token_kind: TokenKind::Jwt,
        token_errors: TokenErrors::Cognito,
        challenge: Challenge::ApiGateway,
        cors_origins: vec!["*".to_owned()],
        ..base(Client::new(CLIENT_ID, CLIENT_SECRET))
    }
}

/// Answers a call that only this API has; `None`: there is none at that path.
pub(crate) fn call(path: &str, request: &SeenRequest) -> Option<Answer> {
    let parts: Vec<&str> = path.split('/').collect();
    let answer: fn(&Value) -> Result<Value, &'static str> = match parts[..] {
        ["", "api", "s2s", "verify", ""] => verify,
        ["", "device", app, version, "register"] if !app.is_empty() && !version.is_empty() => register,
        ["", "device", app, version, "check"] if !app.is_empty() && !version.is_empty() => {
            if request.header("x-deviceid").is_none_or(str::is_empty) {
                return Some(bad("the header X-DeviceId is missing"));
            }
            check
        }
        _ => return None,
    };
    if request.method != "POST" {
        return Some(Answer::new(405).header("Allow", "POST, OPTIONS"));
    }
    let body = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(_) => return Some(bad("the body is no JSON")),
    };
    Some(match answer(&body) {
        Ok(value) => Answer::json(200, value.to_string()),
        Err(why) => bad(why),
    })
}

fn bad(why: &str) -> Answer {
    Answer::json(400, error("invalid-request", why))
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn verify(body: &Value) -> Result<Value, &'static str> {
    let ticket = text(body, "ticket").ok_or("ticket is required")?;
    let action = text(body, "action").ok_or("action is required")?;
    let asked = body
        .get("valid_for_at_most_millis")
        .and_then(Value::as_i64)
        .filter(|millis| *millis >= 0)
        .ok_or("valid_for_at_most_millis is required")?;
    let package = text(body, "application_package").ok_or("application_package is required")?;
    let valid_for = match asked {
        0 => MAX_VALIDITY_MILLIS,
        n if n > VALIDITY_LIMIT_MILLIS => MAX_VALIDITY_MILLIS,
        n => n,
    };
    Ok(json!({
        "verified": ticket == ticket_for(action),
        "action": action,
        "application_package": package,
        "valid_for_millis": valid_for,
    }))
}

fn register(body: &Value) -> Result<Value, &'static str> {
    body.get("device_params").filter(|params| params.is_array()).ok_or("device_params is required")?;
    Ok(json!({
        "application_bundle": "com.example.testkit",
        "configuration": {
            "periodic_interval": "60000",
            "checks": [{"check_type": "webdriver", "enabled": true}],
        },
    }))
}

fn check(body: &Value) -> Result<Value, &'static str> {
    let checks = body.get("checks").and_then(Value::as_array).ok_or("checks is required")?;
    let failed = checks.iter().any(|check| check["status"] == "not_ok");
    let action = if failed { "block" } else { "allow" };
    Ok(json!({"action": action, "ticket": ticket_for(action)}))
}

fn ticket_for(action: &str) -> String {
    format!("testkit-ticket-{action}")
}
