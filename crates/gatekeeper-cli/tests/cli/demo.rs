//! `demo`: what a newcomer sees first.

use crate::support::gatekeeper;
use gatekeeper_testkit::systems;
use std::time::Duration;

#[test]
fn all_four_systems() {
    // A proxy that is not there is not asked: nothing leaves this machine.
    let outcome = gatekeeper(&["demo"])
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .secret("X1", systems::gatekeeper::CLIENT_SECRET)
        .secret("X2", systems::gatekeeper::API_KEY)
        .secret("X3", systems::oauth_v2::CLIENT_SECRET)
        .secret("X4", systems::rator::CLIENT_SECRET)
        .secret("X5", systems::rator::PASSWORD)
        .secret("X6", systems::generic::CLIENT_SECRET)
        .run();
    let text = outcome.fine();
    assert!(outcome.took < Duration::from_secs(30), "{:?}", outcome.took);
    for (part, count) in [
        ("\n* A token, and a call with it\n", 4),
        ("\n* The server revokes the token", 4),
        ("\n* A mistake, explained: ", 4),
        ("\n    < 401 Unauthorized\n", 5),
        ("\n    error: ", 4),
        ("\n    hint: ", 4),
        ("grant_type=refresh_token&refresh_token=****", 2),
        ("x-api-key: ****", 5),
        ("authorization: Basic ****", 20),
        ("FAILED", 0),
    ] {
        assert_eq!(text.matches(part).count(), count, "{part:?} in {text}");
    }
    assert!(text.ends_with(" s).\n") && text.contains("\nok All four got a token"), "{text}");
}

#[test]
fn nobody_watches() {
    let outcome = gatekeeper(&["demo"]).with_nobody_reading();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.took < Duration::from_secs(5), "it ends early: {:?}", outcome.took);
}
