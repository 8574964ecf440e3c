//! The JSON reader against `serde_json`, and the cases in which it is meant to differ.

use gatekeeper_proto::wire::json::{Error, ErrorKind, MAX_DEPTH, Object, Value};
use proptest::prelude::*;

#[derive(Debug, PartialEq)]
enum Read {
    Array,
    Bool(bool),
    Null,
    Number(String),
    Object,
    String(String),
}

fn read(text: &[u8]) -> Result<Vec<(String, Read)>, Error> {
    let mut text = text.to_vec();
    let mut object = Object::open(&mut text)?;
    let mut members = Vec::new();
    while let Some((name, value)) = object.next()? {
        let value = match value {
            Value::Array(_) => Read::Array,
            Value::Bool(b) => Read::Bool(b),
            Value::Null => Read::Null,
            Value::Number(n) => Read::Number(n.as_str().to_owned()),
            Value::Object(_) => Read::Object,
            Value::String(s) => Read::String(s.as_str().to_owned()),
        };
        members.push((String::from_utf8(name.to_vec()).expect("UTF-8"), value));
    }
    Ok(members)
}

/// Ours accepts only what serde_json accepts, with the same members.
fn check(text: &[u8]) {
    let Ok(ours) = read(text) else { return };
    // Ranges of numbers are not the grammar's business; serde_json refuses 1e999 as a value.
    let theirs: serde_json::Map<String, serde_json::Value> = match serde_json::from_slice(text) {
        Ok(map) => map,
        Err(e) if e.to_string().starts_with("number out of range") => return,
        Err(e) => panic!("we accept what serde_json refuses: {e}: {:?}", String::from_utf8_lossy(text)),
    };
    for (name, value) in &ours {
        if ours.iter().filter(|(n, _)| n == name).count() > 1 {
            continue;
        }
        let same = match (value, &theirs[name]) {
            (Read::Array, t) => t.is_array(),
            (Read::Bool(b), t) => t.as_bool() == Some(*b),
            (Read::Null, t) => t.is_null(),
            (Read::Number(n), t) => n.parse::<f64>().ok() == t.as_f64(),
            (Read::Object, t) => t.is_object(),
            (Read::String(s), t) => t.as_str() == Some(s),
        };
        assert!(same, "{name}: {value:?} against {:?}", theirs[name]);
    }
    assert!(theirs.len() <= ours.len());
}

#[test]
fn members_in_order() {
    let text = br#" { "a" : "x\/\u00e9\ud83d\udd11\n" , "b":-1.5e+3,"c":[1,{"d":[]},"]"],"e":{},"f":null,"g":true,"\u0068":false } "#;
    let want = [
        ("a", Read::String("x/é🔑\n".into())),
        ("b", Read::Number("-1.5e+3".into())),
        ("c", Read::Array),
        ("e", Read::Object),
        ("f", Read::Null),
        ("g", Read::Bool(true)),
        ("h", Read::Bool(false)),
    ];
    assert_eq!(read(text).unwrap(), want.map(|(n, v)| (n.to_owned(), v)));
    check(text);
}

#[test]
fn what_is_refused_where_and_why() {
    for (text, kind, offset) in [
        ("", ErrorKind::UnexpectedEnd, 0),
        ("  ", ErrorKind::UnexpectedEnd, 2),
        ("null", ErrorKind::NotAnObject, 0),
        ("[]", ErrorKind::NotAnObject, 0),
        ("\u{feff}{}", ErrorKind::NotAnObject, 0),
        ("{", ErrorKind::UnexpectedEnd, 1),
        ("{\"", ErrorKind::UnexpectedEnd, 2),
        ("{}}", ErrorKind::TrailingData, 2),
        ("{\"a\":1,}", ErrorKind::UnexpectedByte, 7),
        ("{,}", ErrorKind::UnexpectedByte, 1),
        ("{'a':1}", ErrorKind::UnexpectedByte, 1),
        ("{\"a\" 1}", ErrorKind::UnexpectedByte, 5),
        ("{\"a\":01}", ErrorKind::UnexpectedByte, 6),
        ("{\"a\":+1}", ErrorKind::UnexpectedByte, 5),
        ("{\"a\":1.}", ErrorKind::UnexpectedByte, 7),
        ("{\"a\":.5}", ErrorKind::UnexpectedByte, 5),
        ("{\"a\":1e}", ErrorKind::UnexpectedByte, 7),
        ("{\"a\":NaN}", ErrorKind::UnexpectedByte, 5),
        ("{\"a\":nul}", ErrorKind::UnexpectedByte, 8),
        ("{\"a\":\"\n\"}", ErrorKind::ControlCharacter, 6),
        ("{\"a\":\"\\x\"}", ErrorKind::InvalidEscape, 6),
        ("{\"a\":\"\\ud800\"}", ErrorKind::InvalidEscape, 6),
        ("{\"a\":\"\\udc00\\ud800\"}", ErrorKind::InvalidEscape, 6),
        ("{\"a\":[\"\\ud800\"]}", ErrorKind::InvalidEscape, 7),
        ("{\"a\":[1,]}", ErrorKind::UnexpectedByte, 8),
        ("{\"a\":[1 2]}", ErrorKind::UnexpectedByte, 8),
        ("{\"a\":[1}}", ErrorKind::UnexpectedByte, 7),
        ("{\"a\":{\"b\"}}", ErrorKind::UnexpectedByte, 9),
        ("{\"a\":{\"b\":1,}}", ErrorKind::UnexpectedByte, 12),
        ("{\"a\":{1:1}}", ErrorKind::UnexpectedByte, 6),
    ] {
        assert_eq!(read(text.as_bytes()), Err(Error { kind, offset }), "{text}");
        check(text.as_bytes());
    }
    for (text, offset) in [(&b"{\"a\":\"\xff\"}"[..], 6), (b"{\"a\":[\"\xc3\"]}", 7), (b"{\"\xed\xa0\x80\":1}", 2)] {
        assert_eq!(read(text), Err(Error { kind: ErrorKind::InvalidUtf8, offset }), "{text:?}");
    }
}

#[test]
fn every_prefix_of_an_object_ends_too_early() {
    let text = r#"{"a":"x\u00e9","b":[1,{"c":null}],"d":-0.5e1}"#;
    for n in 0..text.len() {
        let error = read(&text.as_bytes()[..n]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnexpectedEnd, "{}", &text[..n]);
        assert!(error.offset <= n);
    }
}

#[test]
fn depth_is_bounded_exactly() {
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(read(nested(MAX_DEPTH as usize).as_bytes()).is_ok());
    let error = read(nested(MAX_DEPTH as usize + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooDeep);
    assert_eq!(read(nested(100_000).as_bytes()).unwrap_err().kind, ErrorKind::TooDeep);
    // Alternating, so that each level's own kind has to be remembered.
    let text = format!("{{\"a\":{}1{}}}", "[{\"k\":".repeat(30), "}]".repeat(30));
    assert!(read(text.as_bytes()).is_ok());
    check(text.as_bytes());
}

#[test]
fn arrays_of_strings_join() {
    for (array, want) in [
        (r#"["read","write"]"#, Some("read write")),
        (r#"[ "r\u0065ad" , "w" ]"#, Some("read w")),
        (r#"[]"#, Some("")),
        (r#"["a b"]"#, None),
        (r#"["a",""]"#, None),
        (r#"["a",1]"#, None),
        (r#"[["a"]]"#, None),
        (r#"["\u0020"]"#, None),
    ] {
        let mut text = format!("{{\"scope\":{array}}}").into_bytes();
        let mut object = Object::open(&mut text).unwrap();
        let Some((_, Value::Array(array_value))) = object.next().unwrap() else { panic!("no array") };
        assert_eq!(array_value.join_strings(), want, "{array}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_serde_json_on_what_it_writes(map in proptest::collection::btree_map(".{0,40}", ".{0,200}", 0..6)) {
        let text = serde_json::to_vec(&map).unwrap();
        let ours = read(&text).unwrap();
        prop_assert_eq!(ours.len(), map.len());
        check(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_text(
        cuts in proptest::collection::vec((0usize..200, proptest::sample::select(&b"\"\\{}[],:0-.eutn \x00\xff"[..])), 0..4),
    ) {
        let mut text = br#"{"access_token":"a\u0062c","expires_in":-3.5e2,"x":[{"y":[true,null]},"\ud83d\udd11"],"z":{}}"#.to_vec();
        for (at, byte) in cuts {
            let at = at % text.len();
            text[at] = byte;
        }
        check(&text);
    }

    #[test]
    fn never_panics_and_agrees_on_noise(text in proptest::collection::vec(proptest::sample::select(&b"\"\\{}[],:019-+.eEutfn /b\n\xc3\xa9"[..]), 0..60)) {
        let mut object = b"{".to_vec();
        object.extend(text);
        check(&object);
    }
}
