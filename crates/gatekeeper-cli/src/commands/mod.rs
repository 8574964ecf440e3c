//! What the command does, a file for each subcommand.

pub(crate) mod call;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod soak;
pub(crate) mod token;
