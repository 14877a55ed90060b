//! `warp check`: what is whole passes, what is damaged is told, by the name of the file and of every path that it touches.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside_others;
#[path = "../common/mod.rs"]
mod common;
mod library;
mod oracle;
#[path = "../robustness/program.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod program;
mod repair;
mod scale;
mod whole_program;
