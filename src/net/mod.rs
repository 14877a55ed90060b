//! The network: a repository at the other end as a store.

mod remote;

pub use remote::RemoteStore;
