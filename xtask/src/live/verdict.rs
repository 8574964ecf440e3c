//! Judges what a run of the command printed and how it ended.

use std::process::Output;

use serde_json::Value;

use super::scenarios::{Expect, SOAK_RATE, SOAK_SECONDS};
use super::servers::Facts;
use super::template::fill;
use crate::Result;
use crate::cmd::tail;

/// Fails with what is wrong if `output` is not what the scenario expects. A fact to keep for later scenarios is added
/// to `facts`.
pub(crate) fn judge(expect: &Expect, output: &Output, facts: &mut Facts) -> Result {
    let stdout = std::str::from_utf8(&output.stdout).map_err(|_| "the output is not UTF-8")?;
    let stderr = std::str::from_utf8(&output.stderr).map_err(|_| "the error output is not UTF-8")?;
    no_secret(stdout, facts).map_err(|name| format!("the output shows {name}"))?;
    no_secret(stderr, facts).map_err(|name| format!("the error output shows {name}"))?;

    let expected = if let Expect::Exit(code) = expect { *code } else { 0 };
    if output.status.code() != Some(expected) {
        let complaint = tail(stderr, 12);
        return Err(format!("{}, expected exit code {expected}\n{complaint}", output.status).into());
    }
    match expect {
        Expect::Token => token(stdout).map(drop),
        Expect::Jwt => jwt(stdout),
        Expect::Json(members, kept) => {
            let object = json(stdout)?;
            for &member in *members {
                if object[member].is_null() {
                    return Err(format!("the output has no `{member}`").into());
                }
            }
            if let Some(member) = kept {
                let value = object[*member].as_str().ok_or_else(|| format!("`{member}` is no string"))?;
                facts.insert(member.to_uppercase(), value.to_owned());
            }
            Ok(())
        }
        Expect::Says(template) => {
            let wanted = fill(template, facts)?;
            if stdout.contains(&wanted) { Ok(()) } else { Err(format!("the output lacks `{wanted}`").into()) }
        }
        Expect::Exit(_) if stderr.trim().is_empty() => Err("it failed without a word".into()),
        Expect::Exit(_) => Ok(()),
        Expect::Soak => soak(&json(stdout)?, facts),
    }
}

/// Fails with the name of the secret that `text` shows. An access token is no secret of this kind: it is printed on
/// demand.
fn no_secret(text: &str, facts: &Facts) -> std::result::Result<(), String> {
    let secret = |name: &str| name.ends_with("SECRET") || matches!(name, "PASSWORD" | "API_KEY" | "WRONG");
    match facts.iter().find(|(name, value)| secret(name) && text.contains(value.as_str())) {
        Some((name, _)) => Err(name.clone()),
        None => Ok(()),
    }
}

fn token(stdout: &str) -> Result<&str> {
    let line = stdout.strip_suffix('\n').ok_or("the output does not end its line")?;
    if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(line)
    } else {
        Err("the output is not one token on one line".into())
    }
}

fn jwt(stdout: &str) -> Result {
    let parts: Vec<&str> = token(stdout)?.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| !part.is_empty()) {
        Ok(())
    } else {
        Err(format!("the token has {} parts", parts.len()).into())
    }
}

fn json(stdout: &str) -> Result<Value> {
    serde_json::from_str(stdout).map_err(|error| format!("the output is no JSON: {error}").into())
}

fn soak(report: &Value, facts: &Facts) -> Result {
    let number =
        |name: &str| report[name].as_u64().ok_or_else(|| format!("the report has no number `{name}`: {report}"));
    let [calls, ok, unauthorized, requests] =
        [number("calls")?, number("ok")?, number("unauthorized")?, number("token_requests")?];
    let lifetime: f64 = facts.get("SHORT_SECONDS").ok_or("the server states no SHORT_SECONDS")?.parse()?;
    let most = most_requests(lifetime);
    let least = u64::from(SOAK_SECONDS * SOAK_RATE / 2);

    let wrong = if calls < least {
        // A loaded machine may fall behind the rate, but with too few calls the run shows nothing.
        format!("only {calls} calls, at least {least} are needed")
    } else if unauthorized != 0 {
        format!("{unauthorized} unauthorized calls")
    } else if ok != calls || !none(&report["errors"]) {
        format!("{ok} of {calls} calls went well")
    } else if requests > most {
        format!("{requests} token requests, lifetimes need at most {most}")
    } else if requests == 0 {
        "no token request, which cannot be".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("{wrong}: {report}").into())
}

/// The token requests a soak may make: a token is renewed after 0.7 of its life at the earliest; two more are allowed
/// for the start and for a boundary that falls into the end.
fn most_requests(lifetime: f64) -> u64 {
    (f64::from(SOAK_SECONDS) / (lifetime * 0.7)).ceil() as u64 + 2
}

/// Whether a count, or every count in a table of counts, is zero.
fn none(errors: &Value) -> bool {
    match errors {
        Value::Number(count) => count.as_u64() == Some(0),
        Value::Object(kinds) => kinds.values().all(none),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn facts() -> Facts {
        let known = [("CLIENT_ID", "gk"), ("CLIENT_SECRET", "s3cret"), ("SHORT_SECONDS", "3")];
        known.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    /// Judges a run; `None` if it passes.
    fn check(expect: Expect, code: i32, stdout: &str, stderr: &str) -> Option<String> {
        let status = ExitStatus::from_raw(code << 8);
        let output = Output { status, stdout: stdout.into(), stderr: stderr.into() };
        judge(&expect, &output, &mut facts()).err().map(|error| error.to_string())
    }

    #[test]
    fn tokens_stand_alone_on_their_line() {
        assert_eq!(check(Expect::Token, 0, "abc\n", "renewing"), None);
        assert_eq!(check(Expect::Jwt, 0, "a.b.c\n", ""), None);
        for stdout in ["", "\n", "abc", "a b\n", "a\nb\n", "\u{1b}[1ma\n"] {
            assert!(check(Expect::Token, 0, stdout, "").is_some(), "{stdout:?}");
        }
        for stdout in ["abc\n", "a.b\n", "a..c\n", "a.b.c.d\n"] {
            assert!(check(Expect::Jwt, 0, stdout, "").is_some(), "{stdout:?}");
        }
        assert!(check(Expect::Token, 4, "abc\n", "").is_some());
    }

    #[test]
    fn failures_have_their_code_and_say_why() {
        assert_eq!(check(Expect::Exit(3), 3, "", "refused"), None);
        assert!(check(Expect::Exit(3), 4, "", "refused").unwrap().contains("expected exit code 3"));
        assert!(check(Expect::Exit(3), 3, "", "\n").is_some());
        assert!(check(Expect::Exit(3), 0, "abc\n", "").is_some());
    }

    #[test]
    fn a_secret_in_either_output_fails_any_scenario() {
        assert!(check(Expect::Exit(3), 3, "", "no luck with s3cret").unwrap().contains("CLIENT_SECRET"));
        assert!(check(Expect::Says("gk"), 0, "gk s3cret", "").unwrap().contains("CLIENT_SECRET"));
    }

    #[test]
    fn members_are_present_and_kept() {
        let status = ExitStatus::from_raw(0);
        let output = Output { status, stdout: br#"{"a": 1, "refresh_token": "r"}"#.into(), stderr: vec![] };
        let mut facts = facts();
        judge(&Expect::Json(&["a"], Some("refresh_token")), &output, &mut facts).unwrap();
        assert_eq!(facts["REFRESH_TOKEN"], "r");
        assert!(judge(&Expect::Json(&["b"], None), &output, &mut facts).is_err());
    }

    #[test]
    fn output_is_searched_for_the_filled_template() {
        assert_eq!(check(Expect::Says("id={CLIENT_ID}"), 0, "x id=gk y", ""), None);
        assert!(check(Expect::Says("id={CLIENT_ID}"), 0, "x id= y", "").is_some());
    }

    #[test]
    fn a_soak_is_judged_by_every_count() {
        let good = json!({"calls": 400, "ok": 400, "unauthorized": 0, "token_requests": 10, "errors": {}});
        assert!(soak(&good, &facts()).is_ok());
        for (name, value) in [
            ("calls", json!(150)),
            ("ok", json!(399)),
            ("unauthorized", json!(1)),
            ("unauthorized", json!(null)),
            ("token_requests", json!(13)),
            ("token_requests", json!(0)),
            ("errors", json!({"io": 1})),
            ("errors", json!(null)),
        ] {
            let mut report = good.clone();
            report[name] = value;
            assert!(soak(&report, &facts()).is_err(), "{report}");
        }
        assert_eq!(most_requests(3.0), 12);
    }
}
