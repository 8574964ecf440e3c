//! Trouble, told to a person: what happened, what was tried, what to do; and to scripts, by the exit code.

use crate::output;
use gatekeeper_std::settings::SettingsError;
use gatekeeper_ureq::{Error, ErrorKind};
use std::io;
use std::process::ExitCode;

/// Why the command ends, for scripts. The order is that of urgency: what comes first is to be cured first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Usage or configuration.
    Usage = 2,
    /// The server refused.
    Refused = 3,
    /// The network or a server is in trouble.
    Network = 4,
    /// The API refused the call.
    Api = 5,
}

/// The command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Option<Exit>,
    what: Option<String>,
    tried: Option<String>,
    hint: Option<String>,
}

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit: Some(exit), what: Some(what.into()), tried: None, hint: None }
    }

    /// What was asked for makes no sense.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Everything has been said already.
    pub(crate) fn told(exit: Exit) -> Self {
        Self { exit: Some(exit), what: None, tried: None, hint: None }
    }

    pub(crate) fn tried(mut self, tried: impl Into<String>) -> Self {
        self.tried = Some(tried.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What happened, and what to do about it.
    pub(crate) fn what_and_hint(&self) -> (&str, Option<&str>) {
        (self.what.as_deref().unwrap_or_default(), self.hint.as_deref())
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Says it on the error output.
    pub(crate) fn report(self) -> ExitCode {
        let style = output::Style::of_stderr();
        let lines = [
            ("error", self.what.as_deref(), style.red()),
            ("tried", self.tried.as_deref(), style.bold()),
            ("hint", self.hint.as_deref(), style.bold()),
        ];
        for (label, text, paint) in lines {
            if let Some(text) = text {
                output::complain(&format!("{}: {text}", paint.on(label)));
            }
        }
        self.exit.map_or(ExitCode::SUCCESS, ExitCode::from)
    }
}

impl Exit {
    /// What an error of a token source or an API client means to a script.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Configuration | ErrorKind::Secret => Self::Usage,
            ErrorKind::Refused => Self::Refused,
            _ => Self::Network,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<SettingsError> for Failure {
    fn from(e: SettingsError) -> Self {
        Self { hint: e.advice().map(str::to_owned), ..Self::usage(e.to_string()) }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self { hint: e.advice().map(str::to_owned), ..Self::new(Exit::of(e.kind()), e.to_string()) }
    }
}

impl From<io::Error> for Failure {
    /// An error of the standard output.
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            // Whoever reads has read enough.
            return Self { exit: None, what: None, tried: None, hint: None };
        }
        Self::usage(format!("the output cannot be written: {e}"))
    }
}
