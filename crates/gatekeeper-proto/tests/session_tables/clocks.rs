//! Two clocks, either of which may stop, jump or be missing.

use crate::script::{Do::*, See::*, plain, run, t, transient, w};
use gatekeeper_proto::Wait::*;

const YEAR: u64 = 365 * 24 * 3_600_000;
/// Some day in 2026.
const WALL: u64 = 1_790_000_000_000;

#[test]
fn suspend_stops_the_monotonic_clock() {
    run(
        plain(),
        &[
            (w(0, WALL), Poll, Fetch(1)),
            (w(0, WALL), Grant(1, 7, 100_000), Current),
            (w(10_000, WALL + 10_000), Poll, Use(1, 7)),
            // The machine sleeps for an hour.
            (w(10_000, WALL + 3_610_000), Due, Now),
            (w(10_000, WALL + 3_610_000), Poll, Fetch(2)),
            (w(10_100, WALL + 3_610_100), Grant(2, 8, 100_000), Current),
            (w(10_100, WALL + 3_610_100), Poll, Use(2, 8)),
        ],
    );
}

#[test]
fn a_wall_clock_ahead_of_the_other_decides() {
    run(
        plain(),
        &[
            (w(0, WALL), Poll, Fetch(1)),
            (w(0, WALL), Grant(1, 7, 100_000), Current),
            (w(0, WALL + 30_000), Due, At(50_000)),
            (w(1_000, WALL + 79_999), Poll, Use(1, 7)),
            (w(1_000, WALL + 80_000), Poll, Renew(1, 7, 2)),
            (w(1_000, WALL + 89_999), Poll, Use(1, 7)),
            (w(1_000, WALL + 90_000), Poll, Waits(31_000, InFlight)),
        ],
    );
}

#[test]
fn a_wall_clock_that_goes_back_prolongs_nothing() {
    run(
        plain(),
        &[
            (w(0, WALL), Poll, Fetch(1)),
            (w(0, WALL), Grant(1, 7, 100_000), Current),
            (w(79_999, WALL - YEAR), Poll, Use(1, 7)),
            (w(79_999, WALL - YEAR), Due, At(80_000)),
            (w(80_000, WALL - YEAR), Poll, Renew(1, 7, 2)),
            (w(90_000, 0), Poll, Waits(110_000, InFlight)),
        ],
    );
}

#[test]
fn a_device_whose_clock_is_set_late() {
    run(
        plain(),
        &[
            (w(0, 0), Poll, Fetch(1)),
            (w(100, 100), Grant(1, 7, 100_000), Current),
            // The time comes from the network: by it the token is half a century old, which costs one request.
            (w(5_000, WALL), Poll, Fetch(2)),
            (w(5_100, WALL + 100), Grant(2, 8, 100_000), Current),
            (w(5_100, WALL + 100), Due, At(85_000)),
        ],
    );
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(100), Grant(1, 7, 100_000), Current),
            // Without a wall clock there was no wall deadline.
            (w(5_000, WALL), Poll, Use(1, 7)),
            (w(5_000, WALL), Due, At(80_000)),
            (w(80_000, WALL + 75_000), Poll, Renew(1, 7, 2)),
        ],
    );
}

#[test]
fn a_wall_clock_that_disappears() {
    run(
        plain(),
        &[
            (w(0, WALL), Poll, Fetch(1)),
            (w(0, WALL), Grant(1, 7, 100_000), Current),
            (w(5_000, WALL + 85_000), Poll, Renew(1, 7, 2)),
            (t(5_000), Poll, Use(1, 7)),
            (t(89_999), Poll, Renew(1, 7, 3)),
            (t(90_000), Poll, Waits(119_999, InFlight)),
        ],
    );
}

#[test]
fn a_monotonic_clock_that_goes_back() {
    run(
        plain(),
        &[
            (t(100_000), Poll, Fetch(1)),
            (t(100_500), Fail(1, transient()), Failed(101_500)),
            (t(0), Poll, Waits(101_500, Backoff)),
            (t(0), Due, At(101_500)),
            (t(101_500), Poll, Fetch(2)),
            (t(50), Grant(2, 7, 10_000), Current),
            (t(50), Poll, Use(1, 7)),
            (t(50), Due, At(109_500)),
        ],
    );
}

#[test]
fn the_end_of_time() {
    let end = u64::MAX;
    run(
        plain(),
        &[
            (t(end - 1), Poll, Fetch(1)),
            (t(end - 1), Due, Never),
            (t(end), Due, Never),
            (t(end), Poll, Waits(end, MinInterval)),
            (t(end), Grant(1, 7, 100_000), Spent(7)),
            (t(end), Poll, Waits(end, MinInterval)),
            (t(end), Due, Never),
        ],
    );
    run(
        plain(),
        &[
            (w(0, end), Poll, Fetch(1)),
            (w(0, end), Grant(1, 7, 100_000), Spent(7)),
            (w(1_000, end), Poll, Fetch(2)),
            (w(1_000, 0), Grant(2, 7, 100_000), Current),
            (w(80_999, 0), Poll, Use(1, 7)),
        ],
    );
}

/// A step forward that makes renewal due, and is taken back while the attempt is under way and lost.
#[test]
fn a_wall_clock_that_comes_back_during_an_attempt() {
    run(
        plain(),
        &[
            (w(0, WALL), Poll, Fetch(1)),
            (w(0, WALL), Grant(1, 7, 100_000), Current),
            (w(1_000, WALL + 85_000), Poll, Renew(1, 7, 2)),
            (w(1_100, WALL + 1_100), Poll, Use(1, 7)),
            (w(1_100, WALL + 1_100), Due, At(80_000)),
            (w(31_000, WALL + 31_000), Due, At(80_000)),
            (w(80_000, WALL + 80_000), Poll, Renew(1, 7, 3)),
        ],
    );
}

/// A token that arrives from elsewhere while an attempt is under way, which is then lost.
#[test]
fn a_token_from_elsewhere_during_an_attempt() {
    run(
        plain(),
        &[
            (t(0), Poll, Fetch(1)),
            (t(0), Lose(1), Nothing),
            (t(1_000), Adopt(7, 100_000, 1_000), Current),
            (t(1_000), Poll, Use(1, 7)),
            (t(1_000), Due, At(81_000)),
            (t(30_000), Due, At(81_000)),
            (t(30_000), Poll, Use(1, 7)),
            (t(81_000), Poll, Renew(1, 7, 2)),
        ],
    );
}
