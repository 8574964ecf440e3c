//! What all threads of one server share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::answer::Answer;
use crate::clock::TestClock;
use crate::log::Log;
use crate::script::Script;
use crate::settings::Settings;
use crate::systems::System;
use crate::token_errors;
use crate::tokens::Tokens;

pub(crate) struct State {
    pub(crate) system: System,
    pub(crate) clock: TestClock,
    pub(crate) script: Script,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
    settings: RwLock<Arc<Settings>>,
    changing: Mutex<()>,
    tokens: Mutex<Tokens>,
}

impl State {
    pub(crate) fn new(system: System, settings: Settings, clock: TestClock) -> Self {
        Self {
            system,
            clock,
            script: Script::default(),
            log: Log::default(),
            stop: Stop::default(),
            settings: RwLock::new(Arc::new(settings)),
            changing: Mutex::default(),
            tokens: Mutex::new(Tokens::new()),
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Settings) -> R) -> R {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // The caller's code runs on a copy, for it may ask the server for what it needs.
        let mut settings = Settings::clone(&self.settings());
        let result = change(&mut settings);
        settings.tidy();
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        result
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The system's answer to trouble of its own.
    pub(crate) fn failure(&self, status: u16, path: &str) -> Answer {
        let shape = self.settings().token_errors;
        token_errors::failure(shape, status, path, self.clock.unix_millis())
    }
}

/// Tells every thread that the server ends.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(crate) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, or wakes early because the server ends; says whether it does.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) =
            self.changed.wait_timeout_while(stopped, time, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}
