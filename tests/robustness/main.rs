//! What must never happen, whatever is done to a repository: wrong bytes, a panic, a write outside the target, a
//! repository that needs a hand.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod black_box;
mod bundle;
#[path = "../common/mod.rs"]
mod common;
mod damage;
mod faults;
mod forget;
mod full_disk;
mod gc;
mod hostile;
mod killed;
mod matrix;
mod model;
mod recover;
mod renew;
mod repack;
mod repair;
mod rewrite;
mod rot;
mod target;
