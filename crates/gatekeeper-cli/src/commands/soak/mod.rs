//! `gatekeeper soak`: calls on a schedule while tokens expire and are renewed behind them.

mod load;

use crate::args::SoakArgs;
use crate::connect::Connection;
use crate::output::{self, Style};
use crate::report::{Exit, Failure, Result};
use crate::request::Request;
use load::{Load, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many calls can be accounted for.
const MAX_CALLS: f64 = 1e7;

#[derive(Serialize)]
struct Report {
    /// Calls made, repetitions after a 401 not counted.
    calls: u64,
    ok: u64,
    /// Answers 401, those included that a new token has cured.
    unauthorized: u64,
    token_requests: u32,
    /// Calls that failed in the end, by kind.
    errors: BTreeMap<String, u64>,
    latency_ms: Latency,
    /// Calls that began more than a tenth of a second after their time, because earlier ones took too long.
    late: u64,
    /// Calls that could not begin before the end.
    missed: u64,
    seconds: f64,
    rate: f64,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

pub(crate) fn run(args: &SoakArgs) -> Result {
    if args.length.0.is_zero() {
        return Err(Failure::usage("--for: a soak of no time at all calls nothing"));
    }
    if args.length.0.as_secs_f64() * args.rate > MAX_CALLS {
        return Err(Failure::usage(format!("--for and --rate make more than {MAX_CALLS} calls")));
    }
    let stdin = args.request.reads_stdin().then_some("--data");
    let connection = Connection::new(args.options.settings(stdin)?)?;
    let (client, url) = connection.api(&args.url)?;
    let request = Request::new(client, &args.method, url, &args.request)?;
    // Whoever cannot have a token at all learns it now, and not from every call.
    connection.token()?;
    let renewal = connection.source.renew_in_background();
    let renewal = renewal.map_err(|e| Failure::new(Exit::Network, format!("no thread for renewal: {e}")))?;

    let load = Load { request, timeout: connection.timeout, length: args.length.0, rate: args.rate };
    let (tally, took) = load.run()?;
    drop(renewal);

    let worst = tally.worst;
    let report = Report::new(tally, took, args.rate, connection.journal.requests());
    if args.json {
        let json = serde_json::to_string_pretty(&report);
        output::line(&json.map_err(|e| Failure::usage(format!("the report cannot be written as JSON: {e}")))?)?;
    } else {
        output::print(report.text().as_bytes())?;
    }
    report.judge(worst)
}

impl Report {
    fn new(tally: Tally, took: Duration, rate: f64, token_requests: u32) -> Self {
        Self {
            calls: tally.calls,
            ok: tally.ok,
            unauthorized: tally.unauthorized,
            token_requests,
            errors: tally.errors,
            latency_ms: Latency::of(tally.micros),
            late: tally.late,
            missed: tally.missed,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            rate,
        }
    }

    fn judge(&self, worst: Option<Exit>) -> Result {
        let failed: u64 = self.errors.values().sum();
        let mut trouble = Vec::new();
        if failed > 0 {
            trouble.push(format!("{failed} of {} calls failed ({})", self.calls, self.kinds()));
        }
        if self.unauthorized > 0 {
            trouble.push(format!("unauthorized answers (401): {}", self.unauthorized));
        }
        if self.missed > 0 {
            trouble.push(format!("calls that could not begin because earlier ones took too long: {}", self.missed));
        }
        if trouble.is_empty() {
            return Ok(());
        }
        // Calls that were refused say more than calls that were not made.
        let exit = worst.unwrap_or(if self.unauthorized > 0 { Exit::Api } else { Exit::Network });
        Err(Failure::new(exit, trouble.join("; ")))
    }

    fn kinds(&self) -> String {
        let kinds = self.errors.iter().map(|(kind, count)| format!("{kind} {count}"));
        kinds.collect::<Vec<_>>().join(", ")
    }

    fn text(&self) -> String {
        let style = Style::of_stdout();
        let Latency { p50, p90, p99, max } = self.latency_ms;
        let errors = if self.errors.is_empty() { "none".to_owned() } else { self.kinds() };
        let lines = [
            ("calls", format!("{} in {} s, {} a second wanted", self.calls, self.seconds, self.rate)),
            ("ok", self.ok.to_string()),
            ("unauthorized", self.unauthorized.to_string()),
            ("token requests", self.token_requests.to_string()),
            ("errors", errors),
            ("latency", format!("p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, max {max} ms")),
            ("late", self.late.to_string()),
            ("missed", self.missed.to_string()),
        ];
        lines.iter().map(|(name, value)| format!("{} {value}\n", style.bold().on(&format!("{name:<15}")))).collect()
    }
}

impl Latency {
    /// Percentiles by nearest rank; zero if nothing was called.
    fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| {
            let rank = (micros.len() * percent).div_ceil(100).saturating_sub(1);
            let latency = micros.get(rank).copied().unwrap_or_default();
            (f64::from(latency) / 100.0).round() / 10.0
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let of = |millis: &[u32]| Latency::of(millis.iter().map(|ms| ms * 1000).collect());
        let l = of(&(1..=200).rev().collect::<Vec<_>>());
        assert_eq!((l.p50, l.p90, l.p99, l.max), (100.0, 180.0, 198.0, 200.0));
        let l = of(&[7]);
        assert_eq!((l.p50, l.max), (7.0, 7.0));
        assert_eq!(of(&[]).max, 0.0);
    }
}
