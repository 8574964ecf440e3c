//! The real binary against test servers: every command, option, variable and exit code, and what it says.

mod call;
mod demo;
mod doctor;
mod inspect;
mod requests;
mod settings;
mod soak;
mod support;
mod token;
mod trouble;
