//! The API side: what a request carries, what an answer means, and the rules of the Gatekeeper Web SDK.

pub mod access;
pub mod answer;
pub mod config;
pub mod failure;
pub mod request;
pub mod sdk;
