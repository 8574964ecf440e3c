//! Whether an outcome is one of those that a case lets through. Every member that the case names must match.

use super::outcome::Kind;
use serde_json::Value;

pub(super) fn case_matches(kind: Kind, case: &Value, actual: &Value) -> bool {
    let lenient = case["lenient"].as_bool().unwrap_or_default();
    let accepted = case["accept"].as_array().into_iter().flatten().filter(|_| lenient);
    if kind == Kind::BasicAuth {
        // The two encodings are judged apart, and an accepted outcome names only the one it is about.
        let all: Vec<&Value> = std::iter::once(&case["expect"]).chain(accepted).collect();
        return ["raw", "form"].into_iter().all(|encoding| {
            let mut wanted = all.iter().filter_map(|outcome| outcome.get(encoding)).peekable();
            wanted.peek().is_none() || wanted.any(|want| outcome_matches(kind, want, &actual[encoding]))
        });
    }
    std::iter::once(&case["expect"]).chain(accepted).any(|want| outcome_matches(kind, want, actual))
}

fn outcome_matches(kind: Kind, want: &Value, actual: &Value) -> bool {
    let Some(members) = want.as_object() else { return false };
    // The text of an error is never prescribed; the two names of the shape check and OAuth's codes are no texts.
    let error_is_text = kind == Kind::BasicAuth || kind == Kind::Scope;
    members
        .iter()
        .filter(|(name, _)| !(error_is_text && *name == "error"))
        .all(|(name, want)| member_matches(name, want, actual))
}

fn member_matches(name: &str, want: &Value, actual: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(member) = name.strip_suffix("_min") {
        return actual[member].as_u64().zip(want.as_u64()).is_some_and(|(a, w)| a >= w);
    }
    if let Some(member) = name.strip_suffix("_max") {
        return actual[member].as_u64().zip(want.as_u64()).is_some_and(|(a, w)| a <= w);
    }
    match name {
        "token_type" => text(&actual[name]).zip(text(want)).is_some_and(|(a, w)| a.eq_ignore_ascii_case(&w)),
        "scope" => set(&actual[name]) == set(want),
        "error_description_contains" => {
            text(&actual["error_description"]).zip(text(want)).is_some_and(|(a, w)| a.contains(&w))
        }
        "rendered_must_not_contain" => {
            let rendered = text(&actual["rendered"]).unwrap_or_default();
            want.as_array().into_iter().flatten().filter_map(Value::as_str).all(|w| !rendered.contains(w))
        }
        "headers" => {
            let mut have = actual[name].as_array().into_iter().flatten();
            want.as_array().into_iter().flatten().all(|pair| have.any(|h| h == pair))
        }
        "form_value" => {
            let decoded = |value: &Value| {
                let pairs = format!("v={}", value.as_str().unwrap_or_default());
                form_urlencoded::parse(pairs.as_bytes()).next().map(|(_, v)| v.into_owned())
            };
            decoded(&actual[name]) == decoded(want)
        }
        _ => actual.get(name).unwrap_or(&Value::Null) == want,
    }
}

fn set(value: &Value) -> Option<Vec<String>> {
    let mut items: Vec<String> = value.as_array()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    items.sort();
    items.dedup();
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The runner must be able to fail: every kind of wrong outcome is caught.
    #[test]
    fn wrong_outcomes_do_not_match() {
        for (kind, case, wrong) in [
            (
                Kind::Reply,
                json!({"expect": {"kind": "ok", "expires_in": null}}),
                json!({"kind": "ok", "expires_in": 1}),
            ),
            (Kind::Reply, json!({"expect": {"expires_in_min": 5}}), json!({"expires_in": 4})),
            (Kind::Reply, json!({"expect": {"expires_in_max": 0}}), json!({"expires_in": null})),
            (Kind::Reply, json!({"expect": {"scope": ["a", "b"]}}), json!({"scope": ["a"]})),
            (Kind::Reply, json!({"expect": {"scope": []}}), json!({"scope": null})),
            (Kind::Reply, json!({"expect": {"rendered_must_not_contain": ["\n"]}}), json!({"rendered": "a\nb"})),
            (Kind::Reply, json!({"expect": {"kind": "a"}, "accept": [{"kind": "b"}]}), json!({"kind": "b"})),
            (
                Kind::HttpResponse,
                json!({"expect": {"headers": [["a", "1"], ["b", "2"]]}}),
                json!({"headers": [["b", "2"], ["a", "1"]]}),
            ),
            (Kind::JwtShape, json!({"expect": {"ok": false, "error": "A"}}), json!({"ok": false, "error": "B"})),
            (
                Kind::Scope,
                json!({"expect": {"ok": true, "form_value": "a+b"}}),
                json!({"ok": true, "form_value": "a%2Bb"}),
            ),
            (
                Kind::BasicAuth,
                json!({"expect": {"raw": {"ok": true}, "form": {"ok": true}}, "lenient": true, "accept": [{"form": {"ok": false}}]}),
                json!({"raw": {"ok": false}, "form": {"ok": false}}),
            ),
        ] {
            assert!(!case_matches(kind, &case, &wrong), "{case} {wrong}");
        }
    }

    #[test]
    fn accepted_outcomes_match() {
        let case = json!({"expect": {"kind": "a"}, "lenient": true, "accept": [{"kind": "b"}]});
        assert!(case_matches(Kind::Reply, &case, &json!({"kind": "b", "more": 1})));
        let case = json!({"expect": {"ok": true, "form_value": "a+b"}});
        assert!(case_matches(Kind::Scope, &case, &json!({"ok": true, "form_value": "a%20b"})));
    }
}
