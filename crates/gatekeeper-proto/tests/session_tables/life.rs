//! Getting, using and renewing a token while all goes well, or nearly.

use crate::script::{Do::*, See::*, plain, run, t, transient};
use gatekeeper_proto::{Due, Granted, Output, Policy, Profile, Session, Settled, Wait::*};
use std::time::Duration;

#[test]
fn cold_start() {
    run(
        plain(),
        &[
            (t(0), Due, Now),
            (t(0), Poll, Fetch(1)),
            (t(0), Poll, Waits(30_000, InFlight)),
            (t(0), Due, At(30_000)),
            (t(250), Grant(1, 7, 100_000), Current),
            // The lifetime counts from the request, not from the answer.
            (t(250), Due, At(80_000)),
            (t(250), Poll, Use(1, 7)),
            (t(79_999), Poll, Use(1, 7)),
            (t(79_999), Due, At(80_000)),
        ],
    );
}

#[test]
fn renewal() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Due, Now),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(80_000), Poll, Use(1, 7)),
            (t(80_000), Due, At(110_000)),
            (t(80_400), Grant(2, 8, 100_000), Current),
            (t(80_400), Poll, Use(2, 8)),
            (t(80_400), Due, At(160_000)),
            (t(160_000), Poll, Renew(2, 8, 3)),
        ],
    );
}

#[test]
fn nobody_asks_until_the_token_has_expired() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(90_000), Due, Now),
            (t(90_000), Poll, Fetch(2)),
            (t(90_000), Poll, Waits(120_000, InFlight)),
        ],
    );
}

#[test]
fn an_expired_token_is_not_used_to_the_millisecond() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(89_999), Poll, Use(1, 7)),
            (t(90_000), Poll, Waits(110_000, InFlight)),
            (t(90_001), Grant(2, 8, 100_000), Current),
            (t(90_001), Poll, Use(2, 8)),
        ],
    );
}

#[test]
fn tokens_of_three_seconds() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(40), Grant(1, 7, 3_000), Current),
            (t(2_399), Poll, Use(1, 7)),
            (t(2_400), Poll, Renew(1, 7, 2)),
            (t(2_440), Grant(2, 8, 3_000), Current),
            (t(4_800), Poll, Renew(2, 8, 3)),
            // Less than a second is left, and attempts are a second apart.
            (t(4_850), Fail(3, transient()), Failed(5_850)),
            (t(5_099), Poll, Use(2, 8)),
            (t(5_100), Poll, Waits(5_850, Backoff)),
            (t(5_850), Poll, Fetch(4)),
            (t(5_900), Grant(4, 9, 3_000), Current),
            (t(5_900), Due, At(8_250)),
        ],
    );
}

#[test]
fn a_token_shorter_than_the_distance_of_attempts() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 500), Current),
            (t(449), Poll, Use(1, 7)),
            (t(450), Poll, Waits(1_000, MinInterval)),
            (t(450), Due, At(1_000)),
            (t(1_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn unknown_lifetime() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantUnknown(1, 7), Current),
            (t(0), Due, At(480_000)),
            (t(539_999), Poll, Renew(1, 7, 2)),
            (t(540_000), Poll, Waits(569_999, InFlight)),
        ],
    );
}

#[test]
fn endless_lifetime_is_not_believed() {
    let week = 7 * 24 * 3_600_000;
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, u64::MAX), Current),
            (t(0), Due, At(week / 5 * 4)),
            (t(week - 60_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn expired_on_arrival() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            // The one who fetched it may use it once; nobody else sees it.
            (t(100), Grant(1, 7, 0), Spent(7)),
            (t(100), Poll, Waits(1_100, NoProgress)),
            (t(1_100), Poll, Fetch(2)),
            // Five seconds, and the answer took six.
            (t(7_100), Grant(2, 8, 5_000), Spent(8)),
            (t(7_100), Poll, Waits(8_100, NoProgress)),
            (t(8_100), Poll, Fetch(3)),
            (t(8_200), Grant(3, 9, 100_000), Current),
        ],
    );
    let mut patient = plain();
    patient.max_backoff = Duration::from_secs(60);
    run(
        patient,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 0), Spent(7)),
            (t(0), Due, At(1_000)),
            (t(10_000), Poll, Fetch(2)),
            (t(10_000), Grant(2, 8, 0), Spent(8)),
            (t(10_000), Due, AtWithin(11_000..=12_000)),
            (t(20_000), Poll, Fetch(3)),
            (t(20_000), Grant(3, 9, 0), Spent(9)),
            (t(20_000), Due, AtWithin(22_000..=24_000)),
        ],
    );
}

/// Spring answers with the same token until that has expired, `expires_in` counting down to 0.
#[test]
fn a_server_that_repeats_its_token() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(80_200), Grant(2, 7, 20_000), Unchanged),
            // It has been found out: from now on there is no asking before the end.
            (t(80_200), Due, At(98_000)),
            (t(97_999), Poll, Use(1, 7)),
            (t(98_000), Poll, Fetch(3)),
            (t(98_100), Grant(3, 7, 2_000), Unchanged),
            (t(98_100), Poll, Use(1, 7)),
            (t(99_799), Poll, Use(1, 7)),
            (t(99_800), Poll, Fetch(4)),
            (t(99_900), Grant(4, 7, 0), Spent(7)),
            (t(99_900), Poll, Waits(100_900, NoProgress)),
            (t(100_900), Poll, Fetch(5)),
            (t(101_000), Grant(5, 8, 100_000), Current),
            (t(101_000), Poll, Use(2, 8)),
            (t(101_000), Due, At(190_900)),
            (t(190_900), Poll, Fetch(6)),
        ],
    );
}

#[test]
fn a_server_that_is_known_to_repeat() {
    let mut policy = plain();
    policy.renew_late = Policy::for_profile(&Profile::RATOR).renew_late;
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(0), Due, At(90_000)),
            (t(89_999), Poll, Use(1, 7)),
            (t(90_000), Poll, Fetch(2)),
            (t(90_000), Grant(2, 7, 10_000), Unchanged),
            (t(90_000), Due, At(99_000)),
        ],
    );
}

#[test]
fn renewal_with_a_refresh_token_is_early_even_where_tokens_repeat() {
    let mut policy = plain();
    policy.renew_late = true;
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(0), Due, At(80_000)),
            (t(80_000), Poll, RenewByRefreshToken(1, 7, 2)),
            // No new refresh token in the answer keeps the old one.
            (t(80_000), Grant(2, 8, 100_000), Current),
            (t(160_000), Poll, RenewByRefreshToken(2, 8, 3)),
        ],
    );
}

#[test]
fn nobody_uses_a_token_that_its_renewal_may_end() {
    let policy = || {
        let mut policy = plain();
        policy.renewal_hold = Duration::from_secs(1);
        policy
    };
    run(
        policy(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(80_000), Due, Now),
            (t(80_000), Poll, FetchByRefreshToken(2)),
            (t(80_000), Poll, Waits(81_000, InFlight)),
            (t(80_400), Grant(2, 8, 100_000), Current),
            (t(80_400), Poll, Use(2, 8)),
            // An answer that takes long does not keep a valid token from anybody.
            (t(160_000), Poll, FetchByRefreshToken(3)),
            (t(160_999), Poll, Waits(161_000, InFlight)),
            (t(161_000), Poll, Use(2, 8)),
            (t(161_000), Due, At(190_000)),
            (t(169_999), Poll, Use(2, 8)),
            (t(170_000), Poll, Waits(190_000, InFlight)),
        ],
    );
    run(
        policy(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(80_000), Poll, FetchByRefreshToken(2)),
            // Nor does one that failed.
            (t(80_100), Fail(2, transient()), FailedWithin(81_100..=81_100)),
            (t(80_100), Poll, Use(1, 7)),
        ],
    );
    run(
        policy(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            // Without a refresh token, nothing that is done ends the old token.
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(80_000), Poll, Use(1, 7)),
        ],
    );
}

#[test]
fn a_refresh_token_from_elsewhere() {
    run(plain(), &[(t(0), OfferRefreshToken, Nothing), (t(0), Poll, FetchByRefreshToken(1))]);
    run(plain(), &[(t(0), OfferRefreshToken, Nothing), (t(0), Forget, Nothing), (t(0), Poll, Fetch(1))]);
}

#[test]
fn forgetting() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(500), Forget, Nothing),
            (t(500), Poll, Waits(1_000, MinInterval)),
            (t(1_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn a_token_from_elsewhere() {
    run(
        plain(),
        &[
            (t(50_000), Adopt(7, 100_000, 0), Current),
            (t(50_000), Due, At(80_000)),
            (t(50_000), Poll, Use(1, 7)),
            (t(60_000), Adopt(8, 100_000, 60_000), Current),
            (t(60_000), Poll, Use(2, 8)),
            (t(140_000), Poll, Renew(2, 8, 1)),
        ],
    );
}

#[test]
fn jitter_only_ever_makes_a_renewal_earlier() {
    let mut seen = Vec::new();
    for seed in 0..1000 {
        let mut session = Session::new(Policy::default(), seed);
        let Output::Fetch(ticket) = session.poll(t(0)) else { panic!("a cold session fetches") };
        let life = Some(Duration::from_secs(1000));
        assert!(matches!(session.settle(ticket, t(0), Ok(Granted::new(1, life))), Settled::Current));
        let Due::At(at) = session.due(t(0)) else { panic!("a token of 1000 s is not renewed at once") };
        seen.push(at.as_millis());
    }
    seen.sort_unstable();
    assert!(*seen.first().unwrap() >= 800_000 && *seen.last().unwrap() <= 850_000, "{seen:?}");
    // They are spread over the whole range: no tenth of it holds more than twice its share.
    for tenth in 0..10 {
        let range = 800_000 + tenth * 5_000..800_000 + (tenth + 1) * 5_000;
        let count = seen.iter().filter(|at| range.contains(*at)).count();
        assert!((30..=200).contains(&count), "{count} of 1000 in {range:?}");
    }
}
