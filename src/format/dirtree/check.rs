//! The rules of directory entries and nodes: what a hostile repository must not get past.
use super::{DirChild, DirEntry, DirNode, EntryKind, Owner, Timestamp, Xattr};
use crate::format::DecodeError;
use crate::format::codec::{Reader, limit};
use crate::limits;

const ENTRY: &str = "directory entry";

/// Checks that `name` is one part of a path and nothing else: 1 to 255 bytes, not `.` or `..`, without `/` and NUL.
///
/// # Errors
/// The rule that it breaks.
pub fn check_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        [] => Err("a name is empty"),
        b"." | b".." => Err("a name is `.` or `..`"),
        _ if name.len() > limits::NAME_LEN_MAX => Err("a name has more than 255 bytes"),
        _ if name.contains(&b'/') => Err("a name contains `/`"),
        _ if name.contains(&0) => Err("a name contains NUL"),
        _ => Ok(()),
    }
}

fn ensure(holds: bool, why: &'static str) -> Result<(), DecodeError> {
    Reader::new(ENTRY, &[]).ensure(holds, why)
}

impl Timestamp {
    /// Checks that there are less than 10^9 nanoseconds.
    ///
    /// # Errors
    /// If there are more.
    pub fn check(&self) -> Result<(), DecodeError> {
        limit("number of nanoseconds of a time", self.nanos.into(), 999_999_999)
    }
}

impl Owner {
    fn check(&self) -> Result<(), DecodeError> {
        limit("length of a user's name", self.user.len() as u64, limits::NAME_LEN_MAX as u64)?;
        limit("length of a group's name", self.group.len() as u64, limits::NAME_LEN_MAX as u64)
    }
}

impl EntryKind {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::File { content, .. } => content.check(),
            Self::Symlink { target } => {
                limit("length of a link's target", target.len() as u64, limits::LINK_TARGET_LEN_MAX as u64)?;
                ensure(!target.is_empty() && !target.contains(&0), "a link's target is empty or contains NUL")
            }
            _ => Ok(()),
        }
    }
}

/// Bytes of all names and values.
pub(super) fn xattrs_len(xattrs: &[Xattr]) -> usize {
    xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum()
}

fn check_xattrs(xattrs: &[Xattr]) -> Result<(), DecodeError> {
    for Xattr { name, value } in xattrs {
        ensure(!name.is_empty() && !name.contains(&0), "an attribute's name is empty or contains NUL")?;
        limit("length of an attribute's name", name.len() as u64, limits::NAME_LEN_MAX as u64)?;
        limit("length of an attribute's value", value.len() as u64, limits::XATTR_VALUE_LEN_MAX as u64)?;
    }
    ensure(xattrs.is_sorted_by(|a, b| a.name < b.name), "its attributes are not sorted by name")?;
    let list = xattrs.iter().map(|xattr| xattr.name.len() + 1).sum::<usize>();
    limit("length of all attribute names", list as u64, limits::XATTR_LIST_LEN_MAX as u64)?;
    limit("length of all attributes", xattrs_len(xattrs) as u64, DirEntry::XATTRS_LEN_MAX as u64)
}

impl DirEntry {
    /// Checks the name and all metadata. Whoever records a file asks this first, so that it can name the file.
    ///
    /// # Errors
    /// The rule that it breaks. No such entry is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        check_name(&self.name).map_err(|why| DecodeError::Invalid { what: ENTRY, why })?;
        self.check_metadata()
    }

    /// Checks all but the name.
    pub(in crate::format) fn check_metadata(&self) -> Result<(), DecodeError> {
        self.kind.check()?;
        self.owner.check()?;
        self.mtime.check()?;
        check_xattrs(&self.xattrs)?;
        ensure(self.mode <= 0o7777, "its mode has bits beside the permissions")?;
        let linked_dir = self.hard_link != 0 && matches!(self.kind, EntryKind::Dir { .. });
        ensure(!linked_dir, "a directory has hard links")
    }
}

impl DirNode {
    /// Checks every entry or child, their order and their number.
    ///
    /// # Errors
    /// The rule that it breaks. No such node is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Leaf(entries) => check_leaf(entries),
            Self::Inner { level, children } => check_inner(*level, children),
        }
    }
}

fn check_leaf(entries: &[DirEntry]) -> Result<(), DecodeError> {
    let rule = Reader::new(super::WHAT, &[]);
    limit("number of entries", entries.len() as u64, DirNode::ENTRIES_MAX as u64)?;
    rule.ensure(!entries.is_empty(), "it has no entries")?;
    entries.iter().try_for_each(DirEntry::check)?;
    rule.ensure(entries.is_sorted_by(|a, b| a.name < b.name), "its names are not strictly ascending")?;
    let len = entries.iter().map(|entry| xattrs_len(&entry.xattrs)).sum::<usize>();
    limit("length of all attributes of a directory node", len as u64, DirNode::XATTRS_LEN_MAX as u64)
}

fn check_inner(level: u8, children: &[DirChild]) -> Result<(), DecodeError> {
    let rule = Reader::new(super::WHAT, &[]);
    rule.ensure(level > 0, "its level is 0")?;
    limit("level of a directory node", level.into(), limits::NODE_LEVEL_MAX.into())?;
    limit("number of children", children.len() as u64, DirNode::ENTRIES_MAX as u64)?;
    rule.ensure(!children.is_empty(), "it has no children")?;
    let mut entries = 0_u64;
    for child in children {
        check_name(&child.first).map_err(|why| rule.invalid(why))?;
        rule.ensure(child.entries > 0, "a child has no entries")?;
        entries =
            entries.checked_add(child.entries).ok_or_else(|| rule.invalid("it has over 2^64 entries"))?;
    }
    rule.ensure(children.is_sorted_by(|a, b| a.first < b.first), "its names are not strictly ascending")
}
