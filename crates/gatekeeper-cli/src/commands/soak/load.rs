//! Calls at a fixed rate from a few threads, and what became of them.

use crate::output;
use crate::report::{Exit, Failure, Result};
use crate::request::Request;
use gatekeeper_ureq::{ApiFailure, ApiResponse, Error, ErrorKind, Token};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is called, and how often.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) request: Request,
    /// For each call.
    pub(super) timeout: Duration,
    pub(super) length: Duration,
    /// Calls a second.
    pub(super) rate: f64,
}

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) ok: u64,
    pub(super) unauthorized: u64,
    pub(super) late: u64,
    pub(super) missed: u64,
    pub(super) errors: BTreeMap<String, u64>,
    /// How long each call took, in microseconds.
    pub(super) micros: Vec<u32>,
    /// The most urgent of the errors.
    pub(super) worst: Option<Exit>,
}

/// What all threads share.
#[derive(Debug)]
struct Schedule {
    begin: Instant,
    total: u64,
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
}

/// How far behind its time a call may begin without being counted as late.
const LATE: Duration = Duration::from_millis(100);

/// So many threads that a call may take a second before it delays another, and no more than a machine likes to have.
const THREADS: (usize, usize) = (4, 64);

impl Load {
    /// Makes the calls, and says what became of them and how long it took.
    pub(super) fn run(&self) -> Result<(Tally, Duration)> {
        let total = (self.length.as_secs_f64() * self.rate).round().max(1.0) as u64;
        let schedule = Schedule {
            begin: Instant::now(),
            total,
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        let threads = (self.rate.ceil() as usize).clamp(THREADS.0, THREADS.1);
        let tally = thread::scope(|scope| {
            let schedule = &schedule;
            let work = || thread::Builder::new().name("soak".into()).spawn_scoped(scope, move || self.work(schedule));
            let workers: io::Result<Vec<_>> = (0..threads).map(|_| work()).collect();
            let workers = workers.map_err(|e| {
                schedule.next.store(total, Ordering::Relaxed);
                Failure::new(Exit::Network, format!("no thread for the calls: {e}"))
            })?;
            schedule.tell(|| workers.iter().all(|worker| worker.is_finished()));
            let mut tally = Tally::default();
            for worker in workers {
                tally.add(worker.join().unwrap_or_default());
            }
            Ok(tally)
        });
        tally.map(|tally: Tally| (tally, schedule.begin.elapsed()))
    }

    fn work(&self, schedule: &Schedule) -> Tally {
        let mut tally = Tally::default();
        loop {
            let number = schedule.next.fetch_add(1, Ordering::Relaxed);
            if number >= schedule.total {
                return tally;
            }
            let time = schedule.begin + Duration::from_secs_f64(number as f64 / self.rate);
            thread::sleep(time.saturating_duration_since(Instant::now()));
            if schedule.begin.elapsed() >= self.length + LATE {
                tally.missed += 1;
                continue;
            }
            tally.late += u64::from(time.elapsed() > LATE);
            tally.calls += 1;
            let begin = Instant::now();
            let failed = self.call(&mut tally);
            tally.micros.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
            schedule.done.fetch_add(1, Ordering::Relaxed);
            match failed {
                None => tally.ok += 1,
                Some((kind, exit)) => {
                    schedule.failed.fetch_add(1, Ordering::Relaxed);
                    *tally.errors.entry(kind).or_default() += 1;
                    tally.worst = Some(tally.worst.map_or(exit, |worst| worst.min(exit)));
                }
            }
        }
    }

    /// One call with everything that belongs to it; how it failed, if it did. The recovery from a 401 is made step by
    /// step here, so that every 401 is seen and counted.
    fn call(&self, tally: &mut Tally) -> Option<(String, Exit)> {
        let deadline = Instant::now() + self.timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let source = self.request.client.source();
        let token = match source.token_within(left()) {
            Ok(token) => token,
            Err(e) => return Some(no_token(&e)),
        };
        let failure = match self.send(&token, left(), tally) {
            Ok(response) => response.failure()?,
            Err(e) => return Some(no_answer(&e)),
        };
        if !failure.wants_new_token() {
            return Some(refused(failure));
        }
        // That no other token is to be had is the lesser news: the call was refused.
        let Ok(token) = source.token_after(token.generation(), left()) else { return Some(refused(failure)) };
        match self.send(&token, left(), tally) {
            Ok(response) => response.failure().map(refused),
            Err(e) => Some(no_answer(&e)),
        }
    }

    fn send(&self, token: &Token, limit: Duration, tally: &mut Tally) -> std::result::Result<ApiResponse, Error> {
        let response = self.request.send(token, limit)?;
        tally.unauthorized += u64::from(response.status == 401);
        Ok(response)
    }
}

impl Schedule {
    /// Shows on a terminal how far it is, until it is over.
    fn tell(&self, over: impl Fn() -> bool) {
        if !io::stderr().is_terminal() {
            return;
        }
        while !over() {
            let (done, failed) = (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
            let seconds = self.begin.elapsed().as_secs();
            output::progress(&format!("{seconds} s: {done} of {} calls, {failed} failed", self.total));
            thread::sleep(Duration::from_millis(200));
        }
        output::progress("");
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.ok += other.ok;
        self.unauthorized += other.unauthorized;
        self.late += other.late;
        self.missed += other.missed;
        self.micros.extend(other.micros);
        self.worst = [self.worst, other.worst].into_iter().flatten().min();
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}

fn refused(failure: ApiFailure) -> (String, Exit) {
    (failure.name().to_owned(), Exit::Api)
}

fn no_token(error: &Error) -> (String, Exit) {
    (format!("token_{}", kind(error.kind())), Exit::of(error.kind()))
}

fn no_answer(error: &Error) -> (String, Exit) {
    (kind(error.kind()).to_owned(), Exit::of(error.kind()))
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Configuration => "configuration",
        ErrorKind::Network => "network",
        ErrorKind::Refused => "refused",
        ErrorKind::Secret => "secret",
        ErrorKind::Server => "server",
        ErrorKind::TimedOut => "timed_out",
        ErrorKind::Tls => "tls",
        ErrorKind::Waiting => "waiting",
        _ => "other",
    }
}
