//! Between what a file system says and what a tree records.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::chonkers::TreeRoot;
use crate::format::dirtree::{DirEntry, EntryKind, Owner, Timestamp, Xattr};
use crate::format::node::ContentRoot;
use crate::worktree::{self, FileType, OwnerNames, RestoreMeta, Stat};

pub(super) fn time(time: worktree::Timestamp) -> Timestamp {
    Timestamp { secs: time.secs, nanos: time.nanos }
}

pub(super) fn live_time(time: Timestamp) -> worktree::Timestamp {
    worktree::Timestamp { secs: time.secs, nanos: time.nanos }
}

pub(super) fn xattrs(xattrs: Vec<worktree::Xattr>) -> Vec<Xattr> {
    xattrs.into_iter().map(|xattr| Xattr { name: xattr.name, value: xattr.value }).collect()
}

pub(super) fn owner(names: &OwnerNames, stat: &Stat) -> Owner {
    Owner { uid: stat.uid, gid: stat.gid, user: names.user(stat.uid), group: names.group(stat.gid) }
}

/// An entry with everything that its status says; it has no content yet and no extended attributes.
pub(super) fn entry(names: &OwnerNames, name: &OsStr, stat: &Stat, target: Vec<u8>) -> DirEntry {
    let kind = match stat.file_type {
        FileType::Regular => EntryKind::File { content: ContentRoot::Empty, sparse: stat.is_sparse() },
        FileType::Dir => EntryKind::Dir { node: None },
        FileType::Symlink => EntryKind::Symlink { target },
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        FileType::CharDevice { major, minor } => EntryKind::CharDevice { major, minor },
        FileType::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
    };
    DirEntry {
        name: name.as_bytes().to_vec(),
        kind,
        mode: stat.mode,
        owner: owner(names, stat),
        mtime: time(stat.mtime),
        xattrs: Vec::new(),
        hard_link: 0,
    }
}

/// Adds what must be read of anything but a regular file and a directory: a link's target, extended attributes.
pub(super) fn read_special(
    entry: &mut DirEntry,
    path: &Path,
    file_type: FileType,
) -> Result<(), worktree::WorktreeError> {
    if let EntryKind::Symlink { target } = &mut entry.kind {
        *target = worktree::read_link(path)?;
    }
    entry.xattrs = xattrs(worktree::read_xattrs(path, file_type)?);
    Ok(())
}

/// The hard-link group whose first name stands at `path` below the commit's root.
pub(super) fn link_group(path: &[u8]) -> u64 {
    let hash = blake3::hash(path);
    let (first, _) = hash.as_bytes().split_first_chunk::<8>().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first).max(1)
}

/// Path of `name` in the directory `rel`, whose own path is empty at the root.
pub(super) fn join(rel: &[u8], name: &[u8]) -> Vec<u8> {
    if rel.is_empty() { name.to_vec() } else { [rel, b"/", name].concat() }
}

/// What a restored file gets beside its content.
pub(super) fn restore_meta(entry: &DirEntry) -> RestoreMeta {
    let xattrs = entry.xattrs.iter();
    RestoreMeta {
        mode: entry.mode,
        uid: entry.owner.uid,
        gid: entry.owner.gid,
        user: entry.owner.user.clone(),
        group: entry.owner.group.clone(),
        mtime: live_time(entry.mtime),
        xattrs: xattrs
            .map(|xattr| worktree::Xattr { name: xattr.name.clone(), value: xattr.value.clone() })
            .collect(),
    }
}

pub(super) fn content_root(root: TreeRoot) -> ContentRoot {
    match root {
        TreeRoot::Empty => ContentRoot::Empty,
        TreeRoot::Tree { level, id, len, repeat } => ContentRoot::Tree { level, id, len, repeat },
    }
}

pub(super) fn tree_root(root: &ContentRoot) -> TreeRoot {
    match *root {
        ContentRoot::Empty => TreeRoot::Empty,
        ContentRoot::Tree { level, id, len, repeat } => TreeRoot::Tree { level, id, len, repeat },
    }
}

/// Length of a file's content; 0 for everything else.
pub(super) fn size(entry: &DirEntry) -> u64 {
    match &entry.kind {
        EntryKind::File { content, .. } => content.total_len().unwrap_or(u64::MAX),
        _ => 0,
    }
}

/// Whether the status is what the entry records: all but content, names of owners and extended attributes.
pub(super) fn same_meta(entry: &DirEntry, stat: &Stat) -> bool {
    let same_kind = match (&entry.kind, stat.file_type) {
        (EntryKind::File { .. }, FileType::Regular) => size(entry) == stat.size,
        (EntryKind::Dir { .. }, FileType::Dir)
        | (EntryKind::Symlink { .. }, FileType::Symlink)
        | (EntryKind::Fifo, FileType::Fifo)
        | (EntryKind::Socket, FileType::Socket) => true,
        (EntryKind::CharDevice { major, minor }, FileType::CharDevice { major: a, minor: b })
        | (EntryKind::BlockDevice { major, minor }, FileType::BlockDevice { major: a, minor: b }) => {
            (*major, *minor) == (a, b)
        }
        _ => false,
    };
    same_kind
        && entry.mode == stat.mode
        && (entry.owner.uid, entry.owner.gid) == (stat.uid, stat.gid)
        && entry.mtime == time(stat.mtime)
}
