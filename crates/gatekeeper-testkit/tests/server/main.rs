//! The scripted server, seen through sockets.

#![allow(clippy::unwrap_used, reason = "the helpers are part of the tests, where a failure is a panic")]

mod support;
mod systems;
