//! The formats on the wire, each in a file of its own. Nothing here knows OAuth.

pub mod challenge;
pub mod chunked;
pub mod http1;
pub mod json;
pub mod retry_after;

pub(crate) mod basic;
pub(crate) mod form;
