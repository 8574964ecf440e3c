//! One connection: requests in, answers and faults out.

use std::io::{self, Write};
use std::time::Duration;

use crate::answer::Answer;
use crate::clock::http_date;
use crate::encode::{self, Context, Encoded};
use crate::fault::{ConnectionFault, Ending, Fault, Says, Stop as FaultStop};
use crate::log::{InFlight, Outcome, is_preflight};
use crate::request::{ReadError, RequestReader, SeenRequest};
use crate::script::Endpoint;
use crate::settings::Settings;
use crate::socket::Wire;
use crate::state::State;
use crate::{api, token};

/// How often a thread behind a gate looks whether the server ends.
const GATE_TICK: Duration = Duration::from_millis(10);
/// How much of something endless is sent at a time, and the pause after it.
const ENDLESS_PIECE: usize = 16 * 1024;
const ENDLESS_PAUSE: Duration = Duration::from_millis(2);

/// What a connection does after a response.
enum Next {
    Continue,
    End(Ending),
    /// The connection has been dealt with, or failed.
    Gone,
}

/// Serves a connection until it ends. What remains to be done is to close the socket.
pub(crate) fn serve(state: &State, wire: &mut Wire, mut reader: RequestReader, fault: Option<&ConnectionFault>) {
    if let Some(ConnectionFault::Says(bytes)) = fault {
        let _ = wire.socket().write_all(bytes);
        wire.prepare(Ending::Abrupt);
        return;
    }
    let ended = match wire.handshake() {
        Ok(()) => converse(state, wire, &mut reader),
        Err(_) => {
            // The cut of a script is no refusal of the client's.
            if !wire.socket().is_spent() {
                state.log.count(|c| c.tls_failures += 1);
            }
            Ending::Abrupt
        }
    };
    match fault {
        Some(ConnectionFault::Stall { .. }) if wire.socket().is_spent() => wire.stall(),
        Some(ConnectionFault::Cut { ending, .. }) if wire.socket().is_spent() => {
            wire.prepare(*ending);
        }
        _ => wire.prepare(ended),
    }
}

fn converse(state: &State, wire: &mut Wire, reader: &mut RequestReader) -> Ending {
    loop {
        let next = match reader.read(wire) {
            Ok(request) => respond(state, wire, request),
            Err(ReadError::Closed) => return Ending::Close,
            Err(ReadError::Broken) => return Ending::Abrupt,
            Err(ReadError::Bad { status, why }) => {
                state.log.count(|c| c.bad_requests += 1);
                let answer = Answer::json(status, api::error("bad_request", why));
                let context = Context { keep_alive: false, is_head: false, date: None };
                let encoded = encode::answer(&answer, &Fault::none(), &context);
                deliver(state, wire, &encoded, &Fault::none(), None).unwrap_or(Next::Gone)
            }
        };
        match next {
            Next::Continue => {}
            Next::End(ending) => return ending,
            Next::Gone => return Ending::Abrupt,
        }
        if state.stop.is_stopped() {
            return Ending::Close;
        }
    }
}

fn respond(state: &State, wire: &mut Wire, mut request: SeenRequest) -> Next {
    let settings = state.settings();
    request.at_millis = state.clock.now_millis();
    request.endpoint =
        if request.path() == settings.token_path(state.system) { Endpoint::Token } else { Endpoint::Api };
    let is_token = request.endpoint == Endpoint::Token;
    let grant = if is_token { token::grant_type(&request) } else { None };
    let in_flight = is_token.then(|| state.log.in_flight());
    // A preflight is the browser's affair: the fault waits for the call that it is about.
    let fault = if is_preflight(&request) { None } else { state.script.take(request.endpoint) };
    if fault.is_some() {
        state.log.count(|c| c.faults += 1);
    }
    let fault = fault.unwrap_or_default();
    let seen = request.clone();
    let number = state.log.arrived(seen, grant.as_deref(), settings.seen_limit);

    if !hold(state, &fault) {
        return Next::Gone;
    }
    let encoded = answer(state, &request, number, &fault);
    deliver(state, wire, &encoded, &fault, in_flight).unwrap_or(Next::Gone)
}

/// Waits as the fault says; false if the server ends.
fn hold(state: &State, fault: &Fault) -> bool {
    if let Some(gate) = &fault.gate {
        while !gate.wait(GATE_TICK) {
            if state.stop.is_stopped() {
                return false;
            }
        }
    }
    fault.delay.is_none_or(|delay| !state.stop.sleep(delay))
}

fn answer(state: &State, request: &SeenRequest, number: u64, fault: &Fault) -> Encoded {
    // Read again, for a test may have changed them while the request was held back.
    let settings = state.settings();
    let context = Context {
        keep_alive: request.keeps_alive(),
        is_head: request.method == "HEAD",
        date: settings.send_date.then(|| date(state, &settings)),
    };
    let said = match &fault.says {
        Says::Truth => Some(match request.endpoint {
            Endpoint::Token => token::handle(state, &settings, request),
            Endpoint::Api => api::handle(state, &settings, request),
        }),
        Says::Status(status, after) => {
            let answer = state.failure(*status, request.path());
            Some(match after {
                Some(after) => answer.header("Retry-After", after.value(unix_seconds(state, &settings))),
                None => answer,
            })
        }
        Says::Unauthorized => Some(api::unauthorized(settings.challenge, request.bearer(), false)),
        Says::Answer(answer) => Some(answer.clone()),
        Says::Raw(_) | Says::Endless(_) => None,
    };
    let is_true = matches!(fault.says, Says::Truth);
    let said = match said {
        // A browser must be able to read the failures as well.
        Some(answer) if !is_true && request.endpoint == Endpoint::Api => {
            Some(api::with_cors(&settings, request, answer))
        }
        other => other,
    };

    let status = said.as_ref().map(Answer::status);
    let outcome = match (request.endpoint, status) {
        (Endpoint::Token, _) if !is_true => Outcome::Faulted,
        (Endpoint::Token, Some(200)) => Outcome::Issued,
        (Endpoint::Token, _) => Outcome::Refused,
        (Endpoint::Api, _) if is_preflight(request) => Outcome::Preflight,
        (Endpoint::Api, _) => Outcome::Api,
    };
    state.log.answered(number, outcome, status);
    match (&fault.says, said) {
        (Says::Raw(bytes), _) => encode::raw(bytes.clone()),
        (Says::Endless(what), _) => encode::endless(*what, &context),
        (_, said) => encode::answer(&said.unwrap_or_else(|| Answer::new(500)), fault, &context),
    }
}

/// The server's wall time as its `Date` header tells it.
fn unix_seconds(state: &State, settings: &Settings) -> u64 {
    (state.clock.unix_millis() / 1_000).saturating_add_signed(settings.date_skew_seconds)
}

fn date(state: &State, settings: &Settings) -> String {
    http_date(unix_seconds(state, settings))
}

fn deliver(
    state: &State,
    wire: &mut Wire,
    encoded: &Encoded,
    fault: &Fault,
    in_flight: Option<InFlight<'_>>,
) -> io::Result<Next> {
    let (limit, stop) = match fault.stop {
        Some((at, stop)) => (encoded.position(at), Some(stop)),
        None => (encoded.bytes.len(), None),
    };
    let bytes = &encoded.bytes[..limit];
    let (piece, pause) = fault.drip.unwrap_or((bytes.len().max(1), Duration::ZERO));
    let mut pieces = bytes.chunks(piece).peekable();
    // A client that has its whole answer may act before this thread runs again, and must not find
    // the request still in flight.
    let mut in_flight = in_flight;
    let stalls = matches!(stop, Some(FaultStop::Stall));
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() && encoded.forever.is_empty() && !stalls {
            in_flight = None;
        }
        wire.write_all(piece)?;
        wire.flush()?;
        if pieces.peek().is_some() && state.stop.sleep(pause) {
            return Ok(Next::Gone);
        }
    }
    match stop {
        Some(FaultStop::Cut(ending)) => return Ok(Next::End(ending)),
        Some(FaultStop::Stall) => {
            wire.stall();
            return Ok(Next::Gone);
        }
        None => {}
    }
    if !encoded.forever.is_empty() {
        return go_on_forever(state, wire, &encoded.forever, fault.drip);
    }
    drop(in_flight);
    if fault.half_close {
        wire.half_close();
        return Ok(Next::Gone);
    }
    Ok(if encoded.keep_alive { Next::Continue } else { Next::End(Ending::Close) })
}

/// Repeats the bytes until the client closes or the server ends.
fn go_on_forever(state: &State, wire: &mut Wire, unit: &[u8], drip: Option<(usize, Duration)>) -> io::Result<Next> {
    let (piece, pause) = drip.unwrap_or((ENDLESS_PIECE, ENDLESS_PAUSE));
    let mut endless = unit.iter().copied().cycle();
    loop {
        let bytes: Vec<u8> = endless.by_ref().take(piece).collect();
        wire.write_all(&bytes)?;
        wire.flush()?;
        if state.stop.sleep(pause) {
            return Ok(Next::Gone);
        }
    }
}
