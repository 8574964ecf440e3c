//! `gatekeeper inspect`: what a token says about itself. Nothing is verified, and nothing is sent anywhere.

use crate::args::{InspectArgs, InspectFormat};
use crate::output::{self, Style};
use crate::report::{Failure, Result};
use crate::time::{human, utc};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekeeper_ureq::{Clock, SecretString, Shape, SystemClock};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

/// What can be seen of a token.
#[derive(Serialize)]
struct Seen {
    shape: Kind,
    /// In bytes.
    length: usize,
    /// The Web SDK's name for what is wrong with the shape.
    sdk_error: Option<&'static str>,
    /// Nobody has checked the signature, and this command cannot.
    verified: bool,
    header: Option<Map<String, Value>>,
    claims: Option<Map<String, Value>>,
    issued_at: Option<u64>,
    expires_at: Option<u64>,
    /// Whole seconds from now by this machine's clock; negative if it has expired.
    expires_in: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Jwt,
    UnsignedJwt,
    Jwe,
    ThreeParts,
    Opaque,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Jwt => "JWT: three base64url parts with JSON in them",
            Self::UnsignedJwt => "a JWT without a signature: its third part is empty",
            Self::Jwe => "JWE: five base64url parts, encrypted, so its claims cannot be read",
            Self::ThreeParts => "three parts like a JWT, but there is no JSON in them",
            Self::Opaque => "opaque: no JWT, and only its server knows what it means",
        }
    }
}

pub(crate) fn run(args: &InspectArgs) -> Result {
    let text = if args.token == "-" { from_stdin()? } else { SecretString::new(args.token.as_str()) };
    let seen = look(bare(text.expose())).ok_or_else(|| {
        Failure::usage("InvalidAccessToken: there is no token to inspect")
            .hint("give it as the argument, or pipe it in: gatekeeper token ... | gatekeeper inspect -")
    })?;
    match args.format {
        InspectFormat::Text => output::print(show(&seen, Style::of_stdout()).as_bytes())?,
        InspectFormat::Json => {
            let json = serde_json::to_string_pretty(&seen);
            output::line(&json.map_err(|e| Failure::usage(format!("the claims cannot be written as JSON: {e}")))?)?;
        }
    }
    Ok(())
}

fn from_stdin() -> Result<SecretString> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        output::complain("Paste the token, and end with Enter and Ctrl-D.");
    }
    let mut text = String::new();
    let read = stdin.by_ref().take(1 << 20).read_to_string(&mut text);
    read.map_err(|e| Failure::usage(format!("the token cannot be read from standard input: {e}")))?;
    Ok(SecretString::new(text))
}

/// The token without what `--format header` puts before it, and without white space around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let rest = text.get(..14).filter(|name| name.eq_ignore_ascii_case("authorization:")).and_then(|_| text.get(14..));
    let text = rest.unwrap_or(text).trim_start();
    let rest = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")).and_then(|_| text.get(7..));
    rest.unwrap_or(text).trim_start()
}

fn look(token: &str) -> Option<Seen> {
    if token.is_empty() {
        return None;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let object = |at: usize| parts.get(at).and_then(|part| object(part));
    let (header, claims) = (object(0), object(1));
    let shape = match parts.len() {
        3 if header.is_some() && claims.is_some() && parts.iter().all(|part| is_base64url(part)) => {
            if parts.last().is_some_and(|part| part.is_empty()) { Kind::UnsignedJwt } else { Kind::Jwt }
        }
        3 if parts.iter().all(|part| !part.is_empty()) => Kind::ThreeParts,
        // The encrypted key may be empty (RFC 7518 section 4.5).
        5 if header.is_some() && parts.iter().all(|part| is_base64url(part)) => Kind::Jwe,
        _ => Kind::Opaque,
    };
    let has_claims = matches!(shape, Kind::Jwt | Kind::UnsignedJwt);
    let claims = claims.filter(|_| has_claims);
    let (issued_at, expires_at) = (seconds(claims.as_ref(), "iat"), seconds(claims.as_ref(), "exp"));
    let now = SystemClock.now().wall.map(|now| now.as_secs());
    let left = |at: u64| Some(i64::try_from(at).unwrap_or(i64::MAX).saturating_sub(i64::try_from(now?).ok()?));
    Some(Seen {
        shape,
        length: token.len(),
        sdk_error: Shape::ThreeParts.check(token).err().map(|_| "InvalidAccessTokenFormat"),
        verified: false,
        header: header.filter(|_| has_claims || shape == Kind::Jwe),
        claims,
        issued_at,
        expires_at,
        expires_in: expires_at.and_then(left),
    })
}

/// A `NumericDate` (RFC 7519 section 2) in whole seconds.
fn seconds(claims: Option<&Map<String, Value>>, name: &str) -> Option<u64> {
    let value = claims?.get(name)?;
    value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

fn is_base64url(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn show(seen: &Seen, style: Style) -> String {
    let bold = |text: &str| style.bold().on(text);
    let mut lines = vec![
        ("shape", seen.shape.text().to_owned()),
        ("length", format!("{} bytes", seen.length)),
        ("Web SDK", seen.sdk_error.unwrap_or("accepts the shape (three parts, none of them empty)").to_owned()),
    ];
    lines.extend(seen.issued_at.map(|at| ("issued", utc(at))));
    if let (Some(at), Some(left)) = (seen.expires_at, seen.expires_in) {
        let time = human(Duration::from_secs(left.unsigned_abs()));
        let how = if left > 0 { format!("in {time}") } else { style.yellow().on(&format!("{time} ago")) };
        lines.push(("expires", format!("{} ({how}, by this machine's clock)", utc(at))));
    }
    let mut text: String =
        lines.iter().map(|(name, value)| format!("{} {value}\n", bold(&format!("{name:<10}")))).collect();
    let warning = style.yellow().on("UNVERIFIED: nobody has checked the signature");
    for (title, members) in [("header", &seen.header), ("claims", &seen.claims)] {
        let Some(members) = members else { continue };
        text += &format!("\n{} ({warning})\n", bold(title));
        let width = members.keys().map(|name| name.chars().count()).max().unwrap_or(0).min(30);
        for (name, value) in members {
            text += &format!("  {:<width$}  {}\n", plain(name), plain(&value.to_string()));
        }
    }
    text
}

/// Text that cannot do anything to a terminal.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn shapes_are_told_apart() {
        let jwe = format!("{}..aXY.Y2lwaGVy.dGFn", URL_SAFE_NO_PAD.encode("{\"alg\":\"dir\"}"));
        for (token, want, sdk) in [
            (token("{}", "{\"exp\":1}", "c2ln"), Kind::Jwt, true),
            (token("{}", "{\"exp\":1}", ""), Kind::UnsignedJwt, false),
            (token("{}", "1", "c2ln"), Kind::ThreeParts, true),
            (jwe, Kind::Jwe, false),
            ("a.b.c".to_owned(), Kind::ThreeParts, true),
            ("a.b".to_owned(), Kind::Opaque, false),
            ("NgXCXRKc+/Mz0Yjw=".to_owned(), Kind::Opaque, false),
        ] {
            let seen = look(&token).unwrap();
            assert!(seen.shape == want && seen.sdk_error.is_none() == sdk, "{token}");
            assert_eq!(seen.claims.is_some(), matches!(want, Kind::Jwt | Kind::UnsignedJwt), "{token}");
        }
        assert!(look("").is_none());
    }

    #[test]
    fn a_header_line_is_a_token_too() {
        for text in ["abc", " abc\n", "Bearer abc", "authorization: bearer  abc\r\n", "Authorization: Bearer abc"] {
            assert_eq!(bare(text), "abc");
        }
        assert_eq!(bare("Bearer"), "Bearer");
        assert_eq!(bare("\u{e4}\u{e4}\u{e4}\u{e4}"), "\u{e4}\u{e4}\u{e4}\u{e4}");
    }

    #[test]
    fn claims_cannot_write_to_the_terminal() {
        let seen =
            look(&token("{}", "{\"a\\u001b[31m\":\"b\\u001b[31m\\u009b\",\"exp\":1e300,\"iat\":-5}", "c2ln")).unwrap();
        assert!(!show(&seen, Style::NONE).chars().any(|c| c.is_control() && c != '\n'));
        assert_eq!((seen.expires_at, seen.issued_at), (Some(u64::MAX), None));
    }
}
