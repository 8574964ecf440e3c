//! Blocking gatekeeper driver over ureq
