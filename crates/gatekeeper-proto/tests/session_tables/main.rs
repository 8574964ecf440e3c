//! The session as tables: at this time, do this, see that.
//!
//! Each table is computed from the documentation of `Policy` and `Session`, none from what the code printed. Unless a
//! table sets something else, renewal is at 80 % of the lifetime without jitter, a token is last used a tenth of its
//! lifetime (at most a minute) before its end, attempts time out after 30 s, and every wait is a second.

mod clocks;
mod failures;
mod life;
mod script;
