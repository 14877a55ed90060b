//! The command line from outside: a process, its output and its exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// These want a fixed clock and a cheap key derivation.
#[cfg(feature = "testing")]
mod backup;
#[cfg(feature = "testing")]
mod bench;
#[cfg(feature = "testing")]
mod chunker;
mod environment;
#[cfg(feature = "testing")]
mod example;
#[cfg(feature = "testing")]
mod forget;
#[cfg(feature = "testing")]
mod head;
#[cfg(feature = "testing")]
mod healing;
#[cfg(feature = "testing")]
mod hostile_names;
#[cfg(feature = "testing")]
mod keys;
#[cfg(feature = "testing")]
mod reproducible;
#[cfg(feature = "testing")]
mod rewrite;
#[cfg(feature = "testing")]
mod rotate;
#[cfg(feature = "testing")]
mod savings;
mod settings;
mod usage;
#[cfg(feature = "testing")]
mod verify;
