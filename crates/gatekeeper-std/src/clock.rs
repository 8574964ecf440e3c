//! Real clocks, and the seam where tests put their own.

use gatekeeper_proto::{Instant, Now, UnixTime};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Tells the time to a driver. The one implementation outside of tests is [`SystemClock`].
pub trait Clock: Send + Sync + 'static {
    /// One reading of both clocks.
    fn now(&self) -> Now;
}

/// The operating system's clocks.
///
/// Its monotonic clock may stand still while the machine is suspended; the wall clock goes on, and a token is expired
/// as soon as either says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        Now {
            instant: Instant::from_millis(as_millis(origin().elapsed())),
            wall: wall.map(|since| UnixTime::from_millis(as_millis(since))),
        }
    }
}

/// The monotonic clock's origin: the first time anybody asked. It is set back by an hour so that no program starts at
/// the very beginning of its clock.
fn origin() -> std::time::Instant {
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
    })
}

fn as_millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1000).saturating_add(u64::from(d.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go_forward() {
        let first = SystemClock.now();
        std::thread::sleep(Duration::from_millis(15));
        let second = SystemClock.now();
        assert!(second.instant.saturating_since(first.instant) >= Duration::from_millis(10));
        assert!(second.wall.unwrap() > first.wall.unwrap());
    }
}
