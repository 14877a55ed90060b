//! Paths below a target, as a hostile repository may name them.

use std::fmt;
use std::path::Path;

use super::error::WorktreeError;
use super::sys;
use crate::limits::NAME_LEN_MAX;

/// A path below the root of a [`Target`](super::Target): names that each are 1 to 255 bytes, neither `.` nor `..`, and
/// without `/` and NUL. No names at all: the root itself. Ordered name by name, as the entries of a tree are.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath {
    /// The names, with `/` between them.
    joined: Vec<u8>,
}

impl RelPath {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of these names, from the root on.
    ///
    /// # Errors
    /// [`WorktreeError::InvalidName`] for the first name that no file can have.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Result<Self, WorktreeError> {
        let mut path = Self::root();
        for name in names {
            path.push(name.as_ref())?;
        }
        Ok(path)
    }

    /// The path of the entry `name` in the directory `self`.
    ///
    /// # Errors
    /// [`WorktreeError::InvalidName`] if no file can have that name.
    pub fn join(&self, name: &[u8]) -> Result<Self, WorktreeError> {
        let mut joined = Vec::with_capacity(self.joined.len() + 1 + name.len());
        joined.extend_from_slice(&self.joined);
        let mut path = Self { joined };
        path.push(name)?;
        Ok(path)
    }

    /// Appends a name.
    ///
    /// # Errors
    /// [`WorktreeError::InvalidName`] if no file can have that name; the path is as it was.
    pub fn push(&mut self, name: &[u8]) -> Result<(), WorktreeError> {
        check_name(name)?;
        if !self.joined.is_empty() {
            self.joined.push(b'/');
        }
        self.joined.extend_from_slice(name);
        Ok(())
    }

    /// Whether it is the root itself.
    pub fn is_root(&self) -> bool {
        self.joined.is_empty()
    }

    /// Its names, from the root on.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.joined.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// Its last name; `None` for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.split().map(|(_, name)| name)
    }

    /// The directory that it lies in; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        self.split().map(|(parent, _)| Self { joined: parent.to_vec() })
    }

    /// The names with `/` between them; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.joined
    }

    /// As a relative path of the file system; empty for the root.
    pub fn as_path(&self) -> &Path {
        sys::path(&self.joined)
    }

    /// The directory's path and the last name; `None` for the root.
    pub(super) fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        match self.joined.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => Some((&self.joined[..slash], &self.joined[slash + 1..])),
            None => Some((&[], &self.joined)),
        }
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_path())
    }
}

fn check_name(name: &[u8]) -> Result<(), WorktreeError> {
    let reason = match name {
        b"" => "it is empty",
        b"." | b".." => "it means a directory, not a file in it",
        _ if name.contains(&b'/') => "it holds a slash",
        _ if name.contains(&0) => "it holds a NUL",
        _ if name.len() > NAME_LEN_MAX => "it is too long",
        _ => return Ok(()),
    };
    Err(WorktreeError::InvalidName { name: name.to_vec(), reason })
}
