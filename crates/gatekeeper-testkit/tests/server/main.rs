//! The scripted server, seen through sockets.

#![allow(clippy::unwrap_used, reason = "the helpers are part of the tests, where a failure is a panic")]

mod api;
mod control;
mod endings;
mod faults;
mod framing;
mod support;
mod systems;
mod tls;
mod tokens;
