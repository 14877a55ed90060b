//! Entries of a tree as `ls -l` prints them.

use warp::format::dirtree::{DirEntry, EntryKind, Owner};

use super::{escape, time};

/// What an entry is, in restic's words.
pub(crate) fn kind_name(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::File { .. } => "file",
        EntryKind::Dir { .. } => "dir",
        EntryKind::Symlink { .. } => "symlink",
        EntryKind::Fifo => "fifo",
        EntryKind::Socket => "socket",
        EntryKind::CharDevice { .. } => "chardev",
        EntryKind::BlockDevice { .. } => "dev",
    }
}

fn kind_letter(kind: &EntryKind) -> char {
    match kind {
        EntryKind::File { .. } => '-',
        EntryKind::Dir { .. } => 'd',
        EntryKind::Symlink { .. } => 'l',
        EntryKind::Fifo => 'p',
        EntryKind::Socket => 's',
        EntryKind::CharDevice { .. } => 'c',
        EntryKind::BlockDevice { .. } => 'b',
    }
}

/// `-rwsr-xr-t`.
pub(crate) fn permissions(entry: &DirEntry) -> String {
    let mut out = String::with_capacity(10);
    out.push(kind_letter(&entry.kind));
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (entry.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// A whole line of `ls -l`, without its end. `shown` is the escaped name.
pub(crate) fn long(entry: &DirEntry, size: u64, shown: &str) -> String {
    let (user, group) = owner(&entry.owner);
    let size = match entry.kind {
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            format!("{major}, {minor}")
        }
        _ => size.to_string(),
    };
    let target = match &entry.kind {
        EntryKind::Symlink { target } => format!(" -> {}", escape::name(target)),
        _ => String::new(),
    };
    let (permissions, mtime) = (permissions(entry), time::short(entry.mtime));
    format!("{permissions} {user:<8} {group:<8} {size:>12} {mtime} {shown}{target}")
}

fn owner(owner: &Owner) -> (String, String) {
    let shown =
        |name: &[u8], id: u32| if name.is_empty() { id.to_string() } else { escape::name(name).into_owned() };
    (shown(&owner.user, owner.uid), shown(&owner.group, owner.gid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::format::node::ContentRoot;

    fn file(mode: u32) -> DirEntry {
        DirEntry {
            name: b"f".to_vec(),
            kind: EntryKind::File { content: ContentRoot::Empty, sparse: false },
            mode,
            owner: Owner { uid: 1000, gid: 100, user: b"ann".to_vec(), group: Vec::new() },
            mtime: Default::default(),
            xattrs: Vec::new(),
            hard_link: 0,
        }
    }

    #[test]
    fn permissions_show_the_special_bits() {
        let shown = [0o644, 0o4755, 0o2644, 0o1777].map(|mode| permissions(&file(mode)));
        assert_eq!(shown, ["-rw-r--r--", "-rwsr-xr-x", "-rw-r-Sr--", "-rwxrwxrwt"]);
    }

    #[test]
    fn an_owner_without_a_name_is_shown_by_number() {
        let line = long(&file(0o600), 12, "f");
        assert!(line.starts_with("-rw------- ann      100                12 "), "{line}");
    }
}
