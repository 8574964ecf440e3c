//! Servers that fail, refuse, ration and change their minds, and callers that give up.

use crate::script::{Do::*, See::*, plain, refused, rejected, retry_after, run, run_on, t, transient};
use gatekeeper_proto::{Budget, ErrorCode, Failure, FailureKind, Session, Wait::*};
use std::time::Duration;

#[test]
fn renewal_failing_while_the_token_is_valid() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(80_100), Fail(2, transient()), Failed(81_100)),
            (t(80_100), Poll, Use(1, 7)),
            (t(80_100), Due, At(81_100)),
            (t(81_100), Poll, Renew(1, 7, 3)),
            (t(89_900), Fail(3, Failure::AMBIGUOUS), Failed(90_900)),
            (t(89_999), Poll, Use(1, 7)),
            (t(90_000), Poll, Waits(90_900, Backoff)),
            (t(90_900), Poll, Fetch(4)),
            (t(91_000), Grant(4, 8, 100_000), Current),
        ],
    );
}

/// Half of what is left, as far as the longest wait allows, and up to a quarter less.
#[test]
fn the_wait_while_the_token_is_valid() {
    let mut policy = plain();
    policy.max_backoff = Duration::from_secs(60);
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 1_000_000), Current),
            (t(800_000), Poll, Renew(1, 7, 2)),
            (t(800_000), Fail(2, transient()), FailedWithin(845_000..=860_000)),
            (t(900_000), Poll, Renew(1, 7, 3)),
            (t(900_000), Fail(3, transient()), FailedWithin(915_000..=920_000)),
            (t(938_000), Poll, Renew(1, 7, 4)),
            (t(938_000), Fail(4, transient()), Failed(939_000)),
        ],
    );
}

#[test]
fn waits_without_a_token_double() {
    let mut policy = plain();
    policy.max_backoff = Duration::from_secs(10);
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Fail(1, transient()), FailedWithin(1_000..=2_000)),
            (t(100_000), Poll, Fetch(2)),
            (t(100_000), Fail(2, transient()), FailedWithin(102_000..=104_000)),
            (t(200_000), Poll, Fetch(3)),
            (t(200_000), Fail(3, transient()), FailedWithin(204_000..=208_000)),
            (t(300_000), Poll, Fetch(4)),
            (t(300_000), Fail(4, transient()), FailedWithin(305_000..=310_000)),
            (t(300_000), Poll, WaitsWithin(305_000..=310_000, Backoff)),
            (t(400_000), Poll, Fetch(5)),
            (t(400_000), Fail(5, transient()), FailedWithin(405_000..=410_000)),
            // A success ends the series.
            (t(500_000), Poll, Fetch(6)),
            (t(500_000), Grant(6, 7, 1_000), Current),
            (t(600_000), Poll, Fetch(7)),
            (t(600_000), Fail(7, transient()), FailedWithin(601_000..=602_000)),
        ],
    );
}

#[test]
fn retry_after_holds_for_everyone() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(81_000), Fail(2, retry_after(30_000)), Failed(111_000)),
            (t(81_000), Due, At(111_000)),
            (t(85_000), Poll, Use(1, 7)),
            (t(90_000), Poll, Waits(111_000, RetryAfter)),
            (t(95_000), Invalidate(1), Nothing),
            (t(95_000), Poll, Waits(111_000, RetryAfter)),
            // New credentials do not change the server's mind about how often it wants to be asked.
            (t(95_000), Reset, Nothing),
            (t(95_000), Poll, Waits(111_000, RetryAfter)),
            (t(110_999), Poll, Waits(111_000, RetryAfter)),
            (t(111_000), Poll, Fetch(3)),
        ],
    );
}

#[test]
fn retry_after_is_capped_and_never_shortens_a_wait() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Fail(1, retry_after(u64::MAX)), Failed(3_600_000)),
            (t(3_599_999), Poll, Waits(3_600_000, RetryAfter)),
            (t(3_600_000), Poll, Fetch(2)),
            (t(3_600_100), Fail(2, retry_after(10)), Failed(3_601_100)),
            (t(3_600_100), Poll, Waits(3_601_100, Backoff)),
        ],
    );
}

#[test]
fn refusals_are_remembered_for_twice_as_long_each_time() {
    let refusal = || refused(ErrorCode::InvalidClient);
    let stopped = |until| Stopped(ErrorCode::InvalidClient, Some(until));
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(100), Fail(1, refusal()), Failed(60_100)),
            (t(100), Poll, stopped(60_100)),
            (t(100), Due, At(60_100)),
            (t(60_099), Poll, stopped(60_100)),
            (t(60_100), Poll, Fetch(2)),
            (t(60_100), Fail(2, refusal()), Failed(180_100)),
            (t(180_100), Poll, Fetch(3)),
            (t(180_100), Fail(3, refusal()), Failed(420_100)),
            (t(420_100), Poll, Fetch(4)),
            (t(420_100), Fail(4, refusal()), Failed(900_100)),
            (t(900_100), Poll, Fetch(5)),
            (t(900_100), Fail(5, refusal()), Failed(1_860_100)),
            (t(1_860_100), Poll, Fetch(6)),
            (t(1_860_100), Fail(6, refusal()), Failed(3_780_100)),
            (t(3_780_100), Poll, Fetch(7)),
            // An hour is the most.
            (t(3_780_100), Fail(7, refusal()), Failed(7_380_100)),
            (t(7_380_100), Poll, Fetch(8)),
            (t(7_380_100), Fail(8, refusal()), Failed(10_980_100)),
            // The client was enabled again, nobody had to restart anything, and the memory starts anew.
            (t(10_980_100), Poll, Fetch(9)),
            (t(10_980_100), Grant(9, 7, 1_000), Current),
            (t(11_000_000), Poll, Fetch(10)),
            (t(11_000_000), Fail(10, refusal()), Failed(11_060_000)),
        ],
    );
}

#[test]
fn a_refusal_does_not_hide_a_token_that_is_valid() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(80_000), Poll, Renew(1, 7, 2)),
            (t(80_000), Fail(2, refused(ErrorCode::UnauthorizedClient)), Failed(140_000)),
            (t(89_999), Poll, Use(1, 7)),
            (t(90_000), Poll, Stopped(ErrorCode::UnauthorizedClient, Some(140_000))),
        ],
    );
}

#[test]
fn a_refusal_that_is_remembered_until_reset() {
    let mut policy = plain();
    policy.refusal_memory = Duration::MAX;
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(100), Fail(1, refused(ErrorCode::InvalidScope)), Failed(u64::MAX)),
            (t(100), Poll, Stopped(ErrorCode::InvalidScope, None)),
            (t(100), Due, Never),
            (t(u64::MAX), Poll, Stopped(ErrorCode::InvalidScope, None)),
            (t(200), Reset, Nothing),
            (t(200), Poll, Waits(1_000, MinInterval)),
            (t(1_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn reset_during_an_attempt() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(50), Reset, Nothing),
            (t(50), Poll, Waits(30_000, InFlight)),
            // The old credentials were refused, which says nothing about the new ones.
            (t(100), Fail(1, refused(ErrorCode::InvalidClient)), Failed(1_100)),
            (t(100), Poll, Waits(1_100, Backoff)),
            (t(1_100), Poll, Fetch(2)),
            (t(1_150), Reset, Nothing),
            // A token is a token.
            (t(1_200), Grant(2, 7, 100_000), Current),
            (t(1_200), Reset, Nothing),
            (t(1_200), Poll, Use(1, 7)),
        ],
    );
}

#[test]
fn reset_ends_backoffs_and_keeps_the_distance_of_attempts() {
    let mut policy = plain();
    policy.max_backoff = Duration::from_secs(60);
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Fail(1, transient()), FailedWithin(1_000..=2_000)),
            (t(10_000), Poll, Fetch(2)),
            (t(10_000), Fail(2, transient()), FailedWithin(12_000..=14_000)),
            (t(10_100), Reset, Nothing),
            (t(10_100), Due, At(11_000)),
            (t(11_000), Poll, Fetch(3)),
            (t(11_000), Fail(3, transient()), FailedWithin(12_000..=13_000)),
        ],
    );
}

#[test]
fn a_storm_of_late_401s() {
    let storm = |at| (t(at), Invalidate(1), Nothing);
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(5_000), Poll, Use(1, 7)),
            storm(10_000),
            (t(10_000), Poll, Fetch(2)),
            storm(10_001),
            (t(10_001), Poll, Waits(40_000, InFlight)),
            (t(10_100), Grant(2, 8, 100_000), Current),
            storm(10_100),
            storm(10_101),
            storm(10_102),
            (t(10_102), Poll, Use(2, 8)),
            (t(10_102), Due, At(90_000)),
        ],
    );
}

#[test]
fn an_api_that_rejects_every_token() {
    let mut policy = plain();
    policy.max_backoff = Duration::from_secs(60);
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Grant(1, 7, 100_000), Current),
            (t(10), Poll, Use(1, 7)),
            (t(100), Invalidate(1), Nothing),
            (t(100), Due, At(1_000)),
            (t(1_000), Poll, Fetch(2)),
            (t(1_000), Grant(2, 8, 100_000), Current),
            (t(1_000), Poll, Use(2, 8)),
            (t(1_100), Invalidate(2), Nothing),
            (t(1_100), Poll, WaitsWithin(2_100..=3_100, Rejected)),
            (t(4_000), Poll, Fetch(3)),
            (t(4_000), Grant(3, 9, 100_000), Current),
            (t(4_000), Poll, Use(3, 9)),
            (t(4_000), Invalidate(3), Nothing),
            (t(4_000), Poll, WaitsWithin(6_000..=8_000, Rejected)),
            // One that lasted for longer than any wait is no link of the chain.
            (t(8_000), Poll, Fetch(4)),
            (t(8_000), Grant(4, 10, 100_000), Current),
            (t(8_000), Poll, Use(4, 10)),
            (t(68_000), Invalidate(4), Nothing),
            (t(68_000), Poll, Fetch(5)),
            // And one that did its service ends it.
            (t(68_000), Grant(5, 11, 100_000), Current),
            (t(68_000), Poll, Use(5, 11)),
            (t(68_100), Invalidate(5), Nothing),
            (t(80_000), Poll, Fetch(6)),
            (t(80_000), Grant(6, 12, 100_000), Current),
            (t(160_000), Poll, Renew(6, 12, 7)),
            (t(160_000), Grant(7, 13, 100_000), Current),
            (t(160_000), Poll, Use(7, 13)),
            (t(162_000), Invalidate(7), Nothing),
            (t(162_000), Poll, Fetch(8)),
        ],
    );
}

#[test]
fn an_abandoned_fetch() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(200), Abandon(1), Nothing),
            (t(200), Poll, Waits(1_000, MinInterval)),
            (t(1_000), Poll, Fetch(2)),
            (t(1_500), Grant(2, 7, 100_000), Current),
        ],
    );
}

#[test]
fn an_abandoned_renewal_may_have_used_up_the_refresh_token() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(80_000), Poll, RenewByRefreshToken(1, 7, 2)),
            (t(80_100), Abandon(2), Nothing),
            (t(80_100), Poll, Use(1, 7)),
            (t(80_100), Due, At(81_000)),
            (t(81_000), Poll, Renew(1, 7, 3)),
            // Abandoning the first grant takes nothing away.
            (t(81_100), OfferRefreshToken, Nothing),
            (t(81_100), Abandon(3), Nothing),
            (t(82_000), Poll, RenewByRefreshToken(1, 7, 4)),
        ],
    );
}

#[test]
fn an_ambiguous_failure_may_have_used_up_the_refresh_token() {
    run(
        plain(),
        &[
            (t(0), OfferRefreshToken, Nothing),
            (t(0), Poll, FetchByRefreshToken(1)),
            (t(100), Fail(1, transient()), Failed(1_100)),
            (t(1_100), Poll, FetchByRefreshToken(2)),
            (t(1_200), Fail(2, Failure::AMBIGUOUS), Failed(2_200)),
            (t(2_200), Poll, Fetch(3)),
        ],
    );
}

#[test]
fn a_rejected_refresh_token_falls_back_at_once() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), GrantWithRefreshToken(1, 7, 100_000), Current),
            (t(80_000), Poll, RenewByRefreshToken(1, 7, 2)),
            (t(80_100), Fail(2, rejected()), FallBack(3)),
            (t(80_100), Poll, Use(1, 7)),
            (t(80_100), Due, At(110_100)),
            (t(80_200), GrantWithRefreshToken(3, 8, 100_000), Current),
            (t(80_200), Poll, Use(2, 8)),
            (t(160_100), Poll, RenewByRefreshToken(2, 8, 4)),
            // Unless the server wants to be left alone.
            (t(160_100), Fail(4, Failure { retry_after: Some(Duration::from_secs(5)), ..rejected() }), Failed(165_100)),
            (t(165_100), Poll, Renew(2, 8, 5)),
            // The first grant has nothing to fall back to.
            (t(165_200), Fail(5, rejected()), Failed(225_200)),
            (t(170_100), Poll, Stopped(ErrorCode::InvalidGrant, Some(225_200))),
        ],
    );
}

#[test]
fn a_lost_ticket_heals_at_its_deadline() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Lose(1), Nothing),
            (t(29_999), Poll, Waits(30_000, InFlight)),
            (t(30_000), Due, Now),
            (t(30_000), Poll, Fetch(2)),
            (t(30_100), Grant(2, 7, 100_000), Current),
        ],
    );
}

#[test]
fn late_answers_of_old_tickets_change_nothing() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(30_000), Poll, Fetch(2)),
            (t(60_000), Poll, Fetch(3)),
            (t(90_000), Poll, Fetch(4)),
            (t(90_001), Grant(1, 6, 100_000), Stale),
            (t(90_002), Fail(2, refused(ErrorCode::InvalidClient)), Stale),
            (t(90_003), Abandon(3), Nothing),
            (t(90_004), Poll, Waits(120_000, InFlight)),
            // Late, and nobody was faster.
            (t(500_000), Grant(4, 7, 1_000_000), Current),
            (t(500_000), Poll, Use(1, 7)),
        ],
    );
}

#[test]
fn a_lost_renewal_may_have_used_up_the_refresh_token() {
    run(
        plain(),
        &[
            (t(0), OfferRefreshToken, Nothing),
            (t(0), Poll, FetchByRefreshToken(1)),
            (t(0), Lose(1), Nothing),
            (t(30_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn a_store_of_tokens_does_not_hold_back_the_session() {
    let mut session = Session::new(plain(), 1);
    // Somebody looks into a store before every use, and it goes on holding what has expired.
    let looks: Vec<_> = (0..50).map(|i| (t(200_000 + i * 100), Adopt(7, 100_000, 0), Spent(7))).collect();
    run_on(&mut session, &looks);
    run_on(&mut session, &[(t(205_000), Poll, Fetch(1)), (t(205_000), Grant(1, 8, 100_000), Current)]);
    // Seeing the current token there again is no news about the server either.
    let looks: Vec<_> = (0..50).map(|i| (t(205_000 + i * 100), Adopt(8, 100_000, 205_000), Unchanged)).collect();
    run_on(&mut session, &looks);
    run_on(&mut session, &[(t(210_000), Due, At(285_000)), (t(285_000), Poll, Renew(1, 8, 1))]);
}

#[test]
fn a_budget() {
    let mut policy = plain();
    policy.budget = Some(Budget { requests: 2, window: Duration::from_secs(600) });
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Fail(1, transient()), Failed(1_000)),
            (t(5_000), Poll, Fetch(2)),
            (t(5_000), Grant(2, 7, 100_000), Current),
            (t(5_000), Due, At(600_000)),
            // A valid token goes on being used past its renewal.
            (t(90_000), Poll, Use(1, 7)),
            (t(95_000), Poll, Waits(600_000, Budget)),
            (t(95_000), Reset, Nothing),
            (t(95_000), Poll, Waits(600_000, Budget)),
            (t(600_000), Poll, Fetch(3)),
            (t(600_000), Fail(3, transient()), Failed(601_000)),
            (t(601_000), Poll, Fetch(4)),
            (t(601_000), Fail(4, refused(ErrorCode::InvalidGrant)), Failed(661_000)),
            // Whoever shows when the server is asked again shows the truth.
            (t(601_000), Poll, Stopped(ErrorCode::InvalidGrant, Some(1_200_000))),
            (t(601_000), Due, At(1_200_000)),
        ],
    );
}

#[test]
fn a_refusal_with_retry_after() {
    let kind = FailureKind::Refused(ErrorCode::Unauthorized);
    let refusal = Failure { kind, retry_after: Some(Duration::from_secs(90)) };
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Fail(1, refusal), Failed(90_000)),
            (t(0), Poll, Stopped(ErrorCode::Unauthorized, Some(90_000))),
            // New credentials end the refusal. The wait that the server asked for goes on.
            (t(10_000), Reset, Nothing),
            (t(10_000), Poll, Waits(90_000, RetryAfter)),
            (t(90_000), Poll, Fetch(2)),
        ],
    );
}

#[test]
fn falling_back_counts_against_the_budget() {
    let mut policy = plain();
    policy.budget = Some(Budget { requests: 1, window: Duration::from_secs(10) });
    run(
        policy,
        &[
            (t(0), OfferRefreshToken, Nothing),
            (t(0), Poll, FetchByRefreshToken(1)),
            (t(100), Fail(1, rejected()), Failed(1_100)),
            (t(100), Poll, Waits(10_000, Budget)),
            (t(10_000), OfferRefreshToken, Nothing),
            (t(10_000), Poll, FetchByRefreshToken(2)),
            // The window has ended, so there is room for one request, in a window that begins with it.
            (t(22_000), Fail(2, rejected()), FallBack(3)),
            (t(22_000), Fail(3, transient()), Failed(23_000)),
            (t(23_000), Poll, Waits(32_000, Budget)),
        ],
    );
}

#[test]
fn an_attempt_with_old_credentials_that_is_lost_is_no_failure_of_the_new_ones() {
    let mut policy = plain();
    policy.max_backoff = Duration::from_secs(60);
    run(
        policy,
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Reset, Nothing),
            (t(0), Lose(1), Nothing),
            (t(30_000), Poll, Fetch(2)),
            (t(30_000), Fail(2, transient()), FailedWithin(31_000..=32_000)),
        ],
    );
}
