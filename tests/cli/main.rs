//! The command line from outside: a process, its output and its exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod environment;
mod settings;
mod usage;
