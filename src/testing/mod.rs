//! Test equipment: disks that fail, disks that lose power, trees of odd files, and an observer that remembers.
//!
//! Compiled for tests and with feature `testing` only. Everything random comes from a seed, so a failure can be
//! repeated.

mod compare;
pub mod explore;
mod fault_vfs;
mod forger;
pub mod fuzz;
mod recording;
mod rng;
mod sim_disk;
mod sim_net;
mod store_handler;
#[cfg(test)]
mod store_tests;
mod synth;
mod tree;
mod tree_edits;

pub use compare::{Facts, TreeSnapshot, assert_same_tree, differences, snapshot};
pub use fault_vfs::{Fault, FaultVfs};
pub use forger::{Forger, entry};
pub use recording::{Event, RecordingObserver};
pub use rng::Rng;
pub use sim_disk::{Cut, SimDisk};
pub use sim_net::{SimNet, SimNetConfig, SimTransport, Tamper};
pub use store_handler::StoreHandler;
pub use synth::many_chunks;
pub use tree::{Made, make_tree};
pub use tree_edits::edit_tree;
