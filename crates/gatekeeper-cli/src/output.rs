//! The two outputs: locked, and coloured on a terminal only.

use std::env;
use std::io::{self, IsTerminal, Write};

/// Writes everything to the standard output.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes a line to the standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    print(format!("{text}\n").as_bytes())
}

/// Writes a line to the error output. If that cannot be written to, there is no other place to say so.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Overwrites the line of a terminal that the error output is on.
pub(crate) fn progress(text: &str) {
    drop(write!(io::stderr().lock(), "\r\x1b[K{text}"));
}

/// Whether and how to colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    on: bool,
}

/// A way to make text stand out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(&'static str);

impl Style {
    /// No colours.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { on: false };

    pub(crate) fn of_stdout() -> Self {
        Self { on: io::stdout().is_terminal() && wanted() }
    }

    pub(crate) fn of_stderr() -> Self {
        Self { on: io::stderr().is_terminal() && wanted() }
    }

    fn paint(self, code: &'static str) -> Paint {
        Paint(if self.on { code } else { "" })
    }

    pub(crate) fn bold(self) -> Paint {
        self.paint("\x1b[1m")
    }

    pub(crate) fn dim(self) -> Paint {
        self.paint("\x1b[2m")
    }

    pub(crate) fn red(self) -> Paint {
        self.paint("\x1b[1;31m")
    }

    pub(crate) fn green(self) -> Paint {
        self.paint("\x1b[32m")
    }

    pub(crate) fn yellow(self) -> Paint {
        self.paint("\x1b[33m")
    }
}

impl Paint {
    pub(crate) fn on(self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { format!("{}{text}\x1b[0m", self.0) }
    }
}

/// Colours can be declined by NO_COLOR (see no-color.org), and some terminals have none.
fn wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
