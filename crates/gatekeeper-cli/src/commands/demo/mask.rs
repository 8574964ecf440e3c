//! What goes over the wire, for people: what matters of it, with every secret masked.

use super::wire::{Exchange, Message};
use serde_json::{Map, Value};

/// Headers that say something about authorization.
const SHOWN: [&str; 4] = ["authorization", "x-api-key", "x-rator-brand-key", "www-authenticate"];

/// Parameters of a form, and members of an answer, that are secret.
const SECRET: [&str; 5] = ["client_secret", "password", "refresh_token", "access_token", "assertion"];

/// Lines of an exchange: `>` is what is sent, `<` what comes back.
pub(super) fn lines(exchange: &Exchange, secrets: &[&str]) -> Vec<String> {
    let Exchange { request, answer } = exchange;
    let mut lines = vec![format!("> {}", request.start.trim_end_matches(" HTTP/1.1"))];
    lines.extend(headers(request).map(|header| format!("> {header}")));
    if !request.body.is_empty() {
        lines.push(format!("> {}", form(&request.body)));
    }
    lines.push(format!("< {}", answer.start.trim_start_matches("HTTP/1.1 ")));
    lines.extend(headers(answer).map(|header| format!("< {header}")));
    if !answer.body.is_empty() {
        lines.push(format!("< {}", json(&answer.body)));
    }
    // Servers repeat tokens in explanations, so whatever is known to be secret is looked for everywhere.
    let tokens = tokens(answer).chain(bearer(request));
    let secrets: Vec<String> = secrets.iter().map(|&s| s.to_owned()).chain(tokens).filter(|s| !s.is_empty()).collect();
    lines.into_iter().map(|line| secrets.iter().fold(line, |line, secret| line.replace(secret, "****"))).collect()
}

fn headers(message: &Message) -> impl Iterator<Item = String> {
    SHOWN.iter().filter_map(|name| {
        let value = message.header(name)?;
        Some(match *name {
            "authorization" => format!("{name}: {} ****", value.split(' ').next().unwrap_or_default()),
            "x-api-key" => format!("{name}: ****"),
            _ => format!("{name}: {value}"),
        })
    })
}

fn form(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if SECRET.contains(&name) => format!("{name}=****"),
        _ => parameter.to_owned(),
    };
    text.split('&').map(parameter).collect::<Vec<_>>().join("&")
}

fn json(body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => {
            let masked = members.into_iter().map(|(name, value)| match value {
                Value::String(text) if SECRET.contains(&name.as_str()) => {
                    (name, Value::String(format!("**** ({} characters)", text.len())))
                }
                value => (name, value),
            });
            Value::Object(masked.collect::<Map<_, _>>()).to_string()
        }
        Ok(value) => value.to_string(),
        Err(_) => format!("[{} bytes]", body.len()),
    }
}

/// The tokens in an answer.
fn tokens(answer: &Message) -> impl Iterator<Item = String> {
    let members = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    members.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) if SECRET.contains(&name.as_str()) => Some(text),
        _ => None,
    })
}

fn bearer(request: &Message) -> Option<String> {
    request.header("authorization")?.strip_prefix("Bearer ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(start: &str, headers: &[(&str, &str)], body: &str) -> Message {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Message { start: start.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let request = message(
            "POST /token?brand_key=B HTTP/1.1",
            &[("authorization", "Basic c2VjcmV0"), ("x-api-key", "k3y"), ("user-agent", "x")],
            "grant_type=password&password=hunter2",
        );
        let answer = message(
            "HTTP/1.1 401 Unauthorized",
            &[("www-authenticate", "Bearer error_description=\"Invalid: t0ken, hunter3\"")],
            "{\"access_token\":\"t0ken\",\"n\":1}",
        );
        assert_eq!(
            lines(&Exchange { request, answer }, &["hunter3"]),
            [
                "> POST /token?brand_key=B",
                "> authorization: Basic ****",
                "> x-api-key: ****",
                "> grant_type=password&password=****",
                "< 401 Unauthorized",
                "< www-authenticate: Bearer error_description=\"Invalid: ****, ****\"",
                "< {\"access_token\":\"**** (5 characters)\",\"n\":1}",
            ]
        );
    }
}
