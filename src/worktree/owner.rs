//! Names of users and groups, and back.

use std::collections::HashMap;
use std::hash::Hash;
use std::os::unix::ffi::OsStrExt;
use std::sync::{PoisonError, RwLock};

use super::sys;

/// A map that asks once for every key, from any thread.
#[derive(Debug)]
struct Memo<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    fn get<Q>(&self, key: &Q, ask: impl FnOnce(&Q) -> V) -> V
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return known.clone();
        }
        let value = ask(key);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value.clone());
        value
    }
}

/// The names of this machine's users and groups, each asked for once.
#[derive(Debug, Default)]
pub struct OwnerNames {
    users: Memo<u32, Vec<u8>>,
    groups: Memo<u32, Vec<u8>>,
}

impl OwnerNames {
    /// A cache that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Name of the user; empty if this machine knows none.
    pub fn user(&self, uid: u32) -> Vec<u8> {
        self.users.get(&uid, |&uid| {
            uzers::get_user_by_uid(uid).map_or_else(Vec::new, |user| user.name().as_bytes().to_vec())
        })
    }

    /// Name of the group; empty if this machine knows none.
    pub fn group(&self, gid: u32) -> Vec<u8> {
        self.groups.get(&gid, |&gid| {
            uzers::get_group_by_gid(gid).map_or_else(Vec::new, |group| group.name().as_bytes().to_vec())
        })
    }
}

/// The ids of this machine's users and groups by name, each asked for once.
#[derive(Debug, Default)]
pub struct OwnerIds {
    by_user: Memo<Vec<u8>, Option<u32>>,
    by_group: Memo<Vec<u8>, Option<u32>>,
}

impl OwnerIds {
    /// A cache that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Id of the user of that name, if this machine has one.
    pub fn user(&self, name: &[u8]) -> Option<u32> {
        self.by_user.get(name, |name| lookup(name, |name| Some(uzers::get_user_by_name(name)?.uid())))
    }

    /// Id of the group of that name, if this machine has one.
    pub fn group(&self, name: &[u8]) -> Option<u32> {
        self.by_group.get(name, |name| lookup(name, |name| Some(uzers::get_group_by_name(name)?.gid())))
    }
}

/// A name that is empty or holds a NUL (a hostile repository's) is nobody's.
fn lookup(name: &[u8], ask: impl FnOnce(&std::ffi::OsStr) -> Option<u32>) -> Option<u32> {
    if name.is_empty() || name.contains(&0) { None } else { ask(sys::path(name).as_os_str()) }
}
