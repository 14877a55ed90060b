//! Groups: a repository that lies at six members, of which any four bring it back, whatever the other two do.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod bad_members;
mod cuts;
mod history;
mod hosts;
#[path = "../sync/world.rs"]
#[allow(dead_code, reason = "another program uses the rest")]
mod hosts_world;
mod program;
mod repairs;
mod servers;
#[path = "../serve/world.rs"]
#[allow(dead_code, reason = "another program uses the rest")]
mod servers_world;
mod world;
