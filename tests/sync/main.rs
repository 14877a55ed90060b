//! Hosts and stores at the other end, over a simulated network: everything that a repository does to a store goes through frames, a host that
//! checks it, and connections that are cut.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod cuts;
mod liars;
mod many;
mod rights;
mod traffic;
mod world;
