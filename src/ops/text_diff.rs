//! The lines in which one file differs.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use similar::TextDiff;
use similar::udiff::UnifiedHunkHeader;

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::ObjectKind;
use crate::limits::TEXT_DIFF_LEN_MAX;
use crate::repo::Repository;
use crate::worktree::{MetaPolicy, RelPath, SourceFile, Target, WorktreeError, stat_path};

use super::diff::Change;
use super::previous::ContentReader;
use super::{OpsError, convert};

/// Lines around a difference.
const CONTEXT: usize = 3;
/// A NUL among so many first bytes says that a file is no text.
const SNIFF_LEN: usize = 8000;
/// After this the differences that are found are still right, but may be longer than they need be.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is compared of one side.
enum Text {
    /// It has no text: it is not there, or neither a file nor a link.
    None,
    Lines(Vec<u8>),
    /// Too large to be compared line by line.
    Large,
}

/// Writes the lines in which a changed file or link target differs, as a unified diff: `--- a/PATH`, `+++ b/PATH`
/// (`/dev/null` for a side without it) and hunks with three lines of context. For files with a NUL in the first 8000
/// bytes, or above [`TEXT_DIFF_LEN_MAX`], one line says that they differ. Nothing, if no content differs.
///
/// `live_root` is the root of the live tree where the new side is live; no symbolic link below it is followed. `name`
/// makes a path with `a/` or `b/` in front fit for the output.
///
/// # Errors
/// When the content cannot be read, or the output not written.
pub fn text_diff(
    repo: &Repository,
    change: &Change,
    live_root: Option<&Path>,
    name: &dyn Fn(&[u8]) -> String,
    out: &mut dyn Write,
) -> Result<(), OpsError> {
    let (old, new) = (change.old.as_ref(), change.new.as_ref());
    if same_content(old, new) {
        return Ok(());
    }
    let old_text = stored(repo, old)?;
    let new_text = match (live_root, new) {
        (Some(root), Some(entry)) => live(root, &change.path, entry)?,
        (_, new) => stored(repo, new)?,
    };
    let side = |prefix: &str, path: &[u8], text: &Text| match text {
        Text::None => "/dev/null".to_owned(),
        _ => name(&[prefix.as_bytes(), path].concat()),
    };
    let old_name = side("a/", change.old_path.as_ref().unwrap_or(&change.path), &old_text);
    let new_name = side("b/", &change.path, &new_text);
    let written = match (&old_text, &new_text) {
        (Text::None, Text::None) => Ok(()),
        (old, new) if is_binary(old) || is_binary(new) => {
            writeln!(out, "Binary files {old_name} and {new_name} differ")
        }
        (old, new) => write_hunks(out, lines(old), lines(new), (&old_name, &new_name)),
    };
    written.map_err(|source| OpsError::Output { source })
}

/// Whether neither side needs to be read.
fn same_content(old: Option<&DirEntry>, new: Option<&DirEntry>) -> bool {
    match (old.map(|entry| &entry.kind), new.map(|entry| &entry.kind)) {
        (Some(EntryKind::File { content: a, .. }), Some(EntryKind::File { content: b, .. })) => a == b,
        (a, b) => a == b,
    }
}

fn stored(repo: &Repository, entry: Option<&DirEntry>) -> Result<Text, OpsError> {
    let Some(entry) = entry else { return Ok(Text::None) };
    match &entry.kind {
        EntryKind::Symlink { target } => Ok(Text::Lines(target.clone())),
        EntryKind::File { .. } if convert::size(entry) > TEXT_DIFF_LEN_MAX => Ok(Text::Large),
        EntryKind::File { content, .. } => {
            let mut bytes = Vec::new();
            let mut reader = ContentReader::new(repo.chunks(), content, ObjectKind::Chunk)?;
            reader.read_to_end(&mut bytes).map_err(unwrap_error)?;
            Ok(Text::Lines(bytes))
        }
        _ => Ok(Text::None),
    }
}

/// What a [`ContentReader`] says failed.
fn unwrap_error(error: io::Error) -> OpsError {
    error.downcast().unwrap_or_else(|source| OpsError::Output { source })
}

fn live(root: &Path, path: &[u8], entry: &DirEntry) -> Result<Text, OpsError> {
    match &entry.kind {
        EntryKind::Symlink { target } => Ok(Text::Lines(target.clone())),
        EntryKind::File { .. } => {
            stat_path(root)?;
            let below = Target::open(root, MetaPolicy::safe())?;
            let path = RelPath::new(path.split(|&byte| byte == b'/'))?;
            Ok(read_live(below.read_file(&path)?)?)
        }
        _ => Ok(Text::None),
    }
}

fn read_live(mut file: SourceFile) -> Result<Text, WorktreeError> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Text::Lines(bytes)),
            len => bytes.extend_from_slice(&buffer[..len]),
        }
        if bytes.len() as u64 > TEXT_DIFF_LEN_MAX {
            return Ok(Text::Large);
        }
    }
}

fn is_binary(text: &Text) -> bool {
    match text {
        Text::None => false,
        Text::Lines(bytes) => bytes[..bytes.len().min(SNIFF_LEN)].contains(&0),
        Text::Large => true,
    }
}

/// Lines with their ends; only a newline ends one.
fn lines(text: &Text) -> Vec<&[u8]> {
    match text {
        Text::Lines(bytes) => bytes.split_inclusive(|&byte| byte == b'\n').collect(),
        Text::None | Text::Large => Vec::new(),
    }
}

fn write_hunks(
    out: &mut dyn Write,
    old: Vec<&[u8]>,
    new: Vec<&[u8]>,
    (old_name, new_name): (&str, &str),
) -> io::Result<()> {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_slices(&old, &new);
    let hunks = diff.grouped_ops(CONTEXT);
    if !hunks.is_empty() {
        writeln!(out, "--- {old_name}\n+++ {new_name}")?;
    }
    for ops in hunks {
        writeln!(out, "{}", UnifiedHunkHeader::new(&ops))?;
        for change in ops.iter().flat_map(|op| diff.iter_changes(op)) {
            write!(out, "{}", change.tag())?;
            out.write_all(change.value())?;
            if !change.value().ends_with(b"\n") {
                out.write_all(b"\n\\ No newline at end of file\n")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::diff::testkit::{Kit, options};
    use super::super::{DiffOptions, Side};
    use super::*;
    use crate::id::CommitId;

    fn text(kit: &Kit, change: &Change, live: bool) -> String {
        let root = kit.root();
        let mut out = Vec::new();
        let name = |path: &[u8]| String::from_utf8_lossy(path).escape_debug().to_string();
        text_diff(&kit.repo, change, live.then_some(&*root), &name, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The text of all changes since `one`, of the live files and of a commit of them, which is the same.
    fn all(kit: &Kit, one: CommitId) -> String {
        let options = DiffOptions { renames: true, ..options(2) };
        let live = kit.diff(&Side::Commit(one), &kit.live(one), &options);
        let live: Vec<String> = live.iter().map(|change| text(kit, change, true)).collect();
        let two = kit.commit();
        let stored = kit.diff(&Side::Commit(one), &Side::Commit(two), &options);
        let stored: Vec<String> = stored.iter().map(|change| text(kit, change, false)).collect();
        assert_eq!(live, stored);
        stored.concat()
    }

    #[test]
    fn text_differs_line_by_line_as_in_git() {
        let kit = Kit::new();
        let numbers: String = (1..=20).map(|number| format!("{number}\n")).collect();
        kit.write("a", &numbers);
        kit.write("b gone", "one\ntwo\n");
        kit.write("c", "no end");
        kit.write("d", "a\rb\rc\n");
        kit.write("e renamed", "the same\n");
        symlink("here", kit.root().join("link")).unwrap();
        kit.write("type", "was a file\n");
        let one = kit.commit();
        kit.write("a", numbers.replace("3\n4\n", "3\nnew\n4\n").replace("18\n", ""));
        fs::remove_file(kit.root().join("b gone")).unwrap();
        kit.write("b\nnew", "added\n");
        kit.write("c", "with end\n");
        kit.write("d", "a\rB\rc\n");
        fs::rename(kit.root().join("e renamed"), kit.root().join("f")).unwrap();
        fs::remove_file(kit.root().join("link")).unwrap();
        symlink("there", kit.root().join("link")).unwrap();
        fs::remove_file(kit.root().join("type")).unwrap();
        symlink("target", kit.root().join("type")).unwrap();
        kit.write("empty", "");
        insta::assert_snapshot!(all(&kit, one).replace('\r', "<CR>"), @r"
        --- a/a
        +++ b/a
        @@ -1,6 +1,7 @@
         1
         2
         3
        +new
         4
         5
         6
        @@ -15,6 +16,5 @@
         15
         16
         17
        -18
         19
         20
        --- /dev/null
        +++ b/b\nnew
        @@ -0,0 +1 @@
        +added
        --- a/b gone
        +++ /dev/null
        @@ -1,2 +0,0 @@
        -one
        -two
        --- a/c
        +++ b/c
        @@ -1 +1 @@
        -no end
        \ No newline at end of file
        +with end
        --- a/d
        +++ b/d
        @@ -1 +1 @@
        -a<CR>b<CR>c
        +a<CR>B<CR>c
        --- a/link
        +++ b/link
        @@ -1 +1 @@
        -here
        \ No newline at end of file
        +there
        \ No newline at end of file
        --- a/type
        +++ b/type
        @@ -1 +1 @@
        -was a file
        +target
        \ No newline at end of file
        ");
    }

    #[test]
    fn what_is_no_text_or_too_large_only_differs() {
        let kit = Kit::new();
        kit.write("late nul", [&[b'x'; SNIFF_LEN][..], b"\0\n"].concat());
        kit.write("nul", b"a\0b");
        let large = fs::File::create(kit.root().join("large")).unwrap();
        large.set_len(TEXT_DIFF_LEN_MAX + 1).unwrap();
        let one = kit.commit();
        kit.write("late nul", [&[b'x'; SNIFF_LEN][..], b"\0\nmore\n"].concat());
        fs::remove_file(kit.root().join("nul")).unwrap();
        large.set_len(5).unwrap();
        kit.write("new nul", b"\0");
        let text = all(&kit, one);
        let binary: Vec<&str> = text.lines().filter(|line| line.starts_with("Binary")).collect();
        let expected = [
            "Binary files a/large and b/large differ",
            "Binary files /dev/null and b/new nul differ",
            "Binary files a/nul and /dev/null differ",
        ];
        assert_eq!(binary, expected);
        assert!(text.ends_with("+more\n") || text.contains("\n+more\n"), "{text}");
    }

    #[test]
    fn a_link_in_the_way_of_a_live_file_is_not_followed() {
        let kit = Kit::new();
        kit.write("dir/file", "old\n");
        let one = kit.commit();
        kit.write("dir/file", "new\n");
        let changes = kit.diff(&Side::Commit(one), &kit.live(one), &options(1));
        let change = changes.iter().find(|change| change.path == b"dir/file").unwrap();
        assert!(text(&kit, change, true).contains("+new"));
        fs::rename(kit.root().join("dir"), kit.root().join("elsewhere")).unwrap();
        symlink("elsewhere", kit.root().join("dir")).unwrap();
        let root = kit.root();
        let name = |_: &[u8]| String::new();
        let read = text_diff(&kit.repo, change, Some(&root), &name, &mut Vec::new());
        assert!(matches!(read, Err(OpsError::Files { .. })), "{read:?}");
    }
}
