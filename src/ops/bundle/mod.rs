//! `bundle`: a range of history in one file.
//!
//! Making one copies what the range reaches and its prerequisites do not into packs with new names. Bringing one in takes these
//! packs as they are, after they were healed and every block of them was opened, and makes sure that all which the new commits reach
//! is there, before the log takes them.

mod content;
mod create;
mod file;
mod output;
mod packs;
mod refs;
mod source;
#[cfg(test)]
mod tests;
mod unbundle;
mod verify;

pub(super) use content::Lineage;
pub use create::{BundleOutcome, BundleRequest, create_bundle};
pub use file::{BundleFault, BundleHeads, bundle_config, bundle_heads, bundle_is_encrypted, is_bundle};
pub use refs::{RefNews, RefOutcome};
pub use unbundle::{UnbundleOutcome, UnbundleRequest, unbundle};
pub use verify::{BundleReport, BundledPack, verify_bundle};
