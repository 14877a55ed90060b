//! `archive`: a commit as a tar archive.

mod header;
mod sparse;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::CommitId;
use crate::limits::KIB;
use crate::observe::{Observer, Phase};
use crate::repo::Repository;

use super::cat::write_content;
use super::selection::{Selection, Selector, Wanted};
use super::walk::{Step, Walk, is_dir};
use super::{OpsError, convert};
use header::{BLOCK, Member};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArchiveOutcome {
    /// Regular files, each of several names counted once.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else, further names of files too.
    pub others: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Sockets, which have no place in an archive.
    pub skipped: u64,
}

/// Writes what `selection` means of a commit to `out`, as a tar archive in POSIX.1-2001 (pax) format.
///
/// Every name begins with `prefix`; one that ends with a slash is a directory with the metadata of the commit's root.
/// Directories above what is selected come along. Modes, owners, times to the nanosecond, hard links, holes (in GNU's
/// sparse format 1.0) and extended attributes (`SCHILY.xattr.*`) are kept. The same commit always gives the same bytes.
///
/// # Errors
/// [`OpsError::Usage`] for patterns that are none; [`OpsError::Output`]; [`OpsError::Cancelled`]; when the repository
/// cannot be read. What was written by then is no whole archive.
pub fn archive(
    repo: &Repository,
    commit: CommitId,
    selection: &Selection,
    prefix: &[u8],
    out: &mut dyn Write,
    observer: &dyn Observer,
) -> Result<ArchiveOutcome, OpsError> {
    let selector = selection.compile()?;
    let commit = repo.version(commit)?.commit;
    let known = selection.is_everything().then_some(commit.stats);
    observer.phase(Phase::Restore, known.map(|stats| stats.files), known.map(|stats| stats.bytes));
    let mut writer = Writer {
        chunks: repo.chunks(),
        prefix,
        out: BufWriter::with_capacity(256 * KIB, out),
        observer,
        above: Vec::new(),
        links: HashMap::new(),
        done: ArchiveOutcome::default(),
    };
    writer.tree(commit.root, &selector)?;
    let end = writer.out.write_all(&[0; 2 * BLOCK]).and_then(|()| writer.out.flush());
    end.map_err(output)?;
    Ok(writer.done)
}

struct Writer<'a> {
    chunks: &'a ChunkStore,
    prefix: &'a [u8],
    out: BufWriter<&'a mut dyn Write>,
    observer: &'a dyn Observer,
    /// Directories that the walk is in.
    above: Vec<Above>,
    /// First member of each hard-link group: its name, and what it is.
    links: HashMap<u64, (Vec<u8>, EntryKind)>,
    done: ArchiveOutcome,
}

/// A directory that the walk is in.
struct Above {
    path: Vec<u8>,
    entry: DirEntry,
    written: bool,
}

impl Writer<'_> {
    fn tree(&mut self, root: DirEntry, selector: &Selector) -> Result<(), OpsError> {
        let mut walk = Walk::new(self.chunks, b"");
        let mut step = Some(Step::Entry(root));
        while let Some(now) = step {
            match now {
                Step::Entry(entry) => self.entry(entry, &mut walk, selector)?,
                Step::Leave => drop(self.above.pop()),
            }
            step = walk.next();
        }
        Ok(())
    }

    fn entry(&mut self, entry: DirEntry, walk: &mut Walk<'_>, selector: &Selector) -> Result<(), OpsError> {
        if self.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        let wanted = selector.wanted(walk.path(), is_dir(&entry));
        if wanted == Wanted::No {
            return Ok(());
        }
        if is_dir(&entry) {
            walk.enter(&entry)?;
            self.above.push(Above { path: walk.path().to_vec(), entry, written: false });
            return if wanted == Wanted::Yes { self.write_above() } else { Ok(()) };
        }
        if wanted == Wanted::Yes {
            self.write_above()?;
            self.write_other(walk.path(), &entry)?;
        }
        Ok(())
    }

    /// Writes the directories that the walk is in and that have not been written.
    fn write_above(&mut self) -> Result<(), OpsError> {
        for above in self.above.iter_mut().filter(|above| !above.written) {
            above.written = true;
            let mut name = [self.prefix, &above.path].concat();
            if name.is_empty() || (above.path.is_empty() && !name.ends_with(b"/")) {
                continue;
            }
            if !name.ends_with(b"/") {
                name.push(b'/');
            }
            header::write(&mut self.out, &name, &above.entry, Member::Dir).map_err(output)?;
            self.done.dirs += 1;
        }
        Ok(())
    }

    fn write_other(&mut self, path: &[u8], entry: &DirEntry) -> Result<(), OpsError> {
        let name = [self.prefix, path].concat();
        let shown = Path::new(OsStr::from_bytes(path));
        self.observer.file(shown);
        if let Some((first, kind)) = self.links.get(&entry.hard_link)
            && *kind == entry.kind
        {
            header::write(&mut self.out, &name, entry, Member::HardLink(first)).map_err(output)?;
            self.done.others += 1;
            self.observer.advance(1, convert::size(entry));
            return Ok(());
        }
        let member = match &entry.kind {
            EntryKind::File { content, sparse } => return self.write_file(name, entry, content, *sparse),
            EntryKind::Symlink { target } => Member::Symlink(target),
            EntryKind::Fifo => Member::Fifo,
            EntryKind::CharDevice { major, minor } => Member::CharDevice(*major, *minor),
            EntryKind::BlockDevice { major, minor } => Member::BlockDevice(*major, *minor),
            EntryKind::Socket => {
                self.done.skipped += 1;
                let text = format!("{}: a socket has no place in an archive", shown.display());
                self.observer.notice(&text);
                return Ok(());
            }
            EntryKind::Dir { .. } => unreachable!("directories are written by write_above"),
        };
        header::write(&mut self.out, &name, entry, member).map_err(output)?;
        self.done.others += 1;
        self.remember(name, entry);
        Ok(())
    }

    fn write_file(
        &mut self,
        name: Vec<u8>,
        entry: &DirEntry,
        content: &ContentRoot,
        sparse: bool,
    ) -> Result<(), OpsError> {
        let size = convert::size(entry);
        let map = if sparse { sparse::map(self.chunks, content)? } else { None };
        let written = match map {
            Some(map) => {
                let member = Member::Sparse { stored: map.stored(), real: size };
                header::write(&mut self.out, &name, entry, member).map_err(output)?;
                map.write(self.chunks, content, &mut self.out, self.observer)?
            }
            None => {
                header::write(&mut self.out, &name, entry, Member::File(size)).map_err(output)?;
                write_content(self.chunks, content, &mut self.out, self.observer)?
            }
        };
        self.out.write_all(header::padding(written)).map_err(output)?;
        self.done.files += 1;
        self.done.bytes += size;
        self.observer.advance(1, 0);
        self.remember(name, entry);
        Ok(())
    }

    fn remember(&mut self, name: Vec<u8>, entry: &DirEntry) {
        if entry.hard_link != 0 {
            self.links.entry(entry.hard_link).or_insert_with(|| (name, entry.kind.clone()));
        }
    }
}

fn output(source: std::io::Error) -> OpsError {
    OpsError::Output { source }
}
