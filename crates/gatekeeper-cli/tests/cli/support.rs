//! Runs the command, and looks at what came of it.

use gatekeeper_testkit::{Server, System};
use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// More than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A command line, with nothing of this machine's environment but where programs are.
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
    /// What must not be shown when something goes wrong.
    secrets: HashSet<String>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

pub(crate) fn gatekeeper(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatekeeper"));
    command.args(arguments).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    Run { command, stdin: Vec::new(), secrets: HashSet::new() }
}

/// A command line for this server: what it needs to know stands in the environment.
pub(crate) fn against(server: &Server, arguments: &[&str]) -> Run {
    let mut run = gatekeeper(arguments)
        .env("GATEKEEPER_PROFILE", server.system().name())
        .env("GATEKEEPER_TOKEN_URL", &server.token_url())
        .env("GATEKEEPER_CLIENT_ID", &server.client_id())
        .secret("GATEKEEPER_CLIENT_SECRET", &server.client_secret());
    if let Some(key) = server.api_key() {
        run = run.secret("GATEKEEPER_API_KEY", &key);
    }
    if let Some(brand) = server.brand_key() {
        run = run.env("GATEKEEPER_BRAND_KEY", &brand.value);
    }
    run
}

pub(crate) fn start(system: System) -> Server {
    Server::start(system).expect("a server")
}

impl Run {
    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// A variable whose value must not be shown.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(value.to_owned());
        self.env(name, value)
    }

    /// A value that must not be shown.
    pub(crate) fn hiding(mut self, secret: &str) -> Self {
        self.secrets.insert(secret.to_owned());
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it, with its standard output going nowhere any more.
    pub(crate) fn with_nobody_reading(mut self) -> Outcome {
        let mut child = self.spawn();
        drop(child.stdout.take());
        self.end(child)
    }

    pub(crate) fn run(mut self) -> Outcome {
        let child = self.spawn();
        self.end(child)
    }

    fn spawn(&mut self) -> std::process::Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().expect("the command to start")
    }

    fn end(self, mut child: std::process::Child) -> Outcome {
        let begin = Instant::now();
        let mut stdin = child.stdin.take().expect("its input");
        let bytes = self.stdin;
        // From another thread: the command may write before it has read all of it, or end without reading.
        let writer = thread::spawn(move || drop(stdin.write_all(&bytes)));
        let output = child.wait_with_output().expect("the command to end");
        let took = begin.elapsed();
        writer.join().expect("its input");
        assert!(took < LONG, "it took {took:?}");
        let outcome = Outcome {
            code: output.status.code().expect("an exit code"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            took,
        };
        outcome.check(&self.secrets);
        outcome
    }
}

impl Outcome {
    /// What holds for every run.
    fn check(&self, secrets: &HashSet<String>) {
        let Self { code, stderr, .. } = self;
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert!(matches!(code, 0 | 2 | 3 | 4 | 5), "exit code {code}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
        assert!(
            !stderr.contains("\u{1b}[") && !stdout.contains("\u{1b}["),
            "colour although nobody is there to see it"
        );
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            assert!(!stderr.contains(secret), "a secret is shown: {stderr}");
            assert!(!stdout.contains(secret), "a secret is shown: {stdout}");
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8")
    }

    /// Asserts that it went well and complained of nothing; its output.
    #[track_caller]
    pub(crate) fn fine(&self) -> &str {
        assert!(self.code == 0 && self.stderr.is_empty(), "exit {}: {}{}", self.code, self.stderr, self.text());
        self.text()
    }

    /// Asserts that it failed with that exit code, and explained it in at most three lines that hold these texts.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, texts: &[&str]) -> &Self {
        let stderr = &self.stderr;
        assert_eq!(self.code, code, "{stderr}");
        let kinds: Vec<_> = stderr.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
        let orders: [&[&str]; 4] = [&["error"], &["error", "hint"], &["error", "tried"], &["error", "tried", "hint"]];
        assert!(orders.contains(&kinds.as_slice()), "{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
        }
        self
    }
}

/// A directory of files that goes away.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("gatekeeper-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    /// Writes a file; its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file");
        path.into_os_string().into_string().expect("UTF-8")
    }

    /// As `write`, and nobody else may read it.
    #[cfg(unix)]
    pub(crate) fn write_private(&self, name: &str, content: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
