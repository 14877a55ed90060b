//! `warp check`: what is whole passes, what is damaged is told, by the name of the file and of every path that it touches.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside_others;
#[path = "../common/mod.rs"]
mod common;
mod library;
mod oracle;
mod repair;
mod scale;
mod whole_program;
