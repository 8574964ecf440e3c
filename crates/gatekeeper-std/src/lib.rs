//! What gatekeeper drivers on an operating system share
