//! Scripted authorization server and API on loopback, faults, clock and conformance suite for gatekeeper drivers.

pub mod vectors;
