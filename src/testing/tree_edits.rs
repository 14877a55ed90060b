//! Seeded changes of a tree, as days of work would make them.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Rng;
use super::tree::{set_mtime, some_content, walk};

/// Changes the tree at `root` `edits` times, as the seed decides, and says what was done.
///
/// Contents are rewritten in place, appended to, cut, shifted and replaced by renaming; files and folders are made, moved,
/// deleted and turned into other kinds; modes, times and links change. Anything below `root` can be hit.
///
/// # Errors
/// If the system refuses.
pub fn edit_tree(root: &Path, seed: u64, edits: usize) -> io::Result<Vec<String>> {
    let mut editor = Editor { root, rng: Rng::new(seed), seed, made: 0 };
    (0..edits).map(|_| editor.edit()).collect()
}

struct Editor<'a> {
    root: &'a Path,
    rng: Rng,
    seed: u64,
    made: usize,
}

impl Editor<'_> {
    fn edit(&mut self) -> io::Result<String> {
        let (mut files, mut folders, mut all) = (Vec::new(), vec![self.root.to_owned()], Vec::new());
        for path in walk(self.root)? {
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                folders.push(path.clone());
            } else if kind.is_file() {
                files.push(path.clone());
            }
            all.push(path);
        }
        if files.is_empty() || self.rng.one_in(6) {
            let folder = self.rng.pick(&folders).clone();
            return self.make_new(&folder);
        }
        if self.rng.one_in(4) {
            let (path, folder) = (self.rng.pick(&all).clone(), self.rng.pick(&folders).clone());
            return self.change_place(&path, &folder);
        }
        let file = self.rng.pick(&files).clone();
        if self.rng.one_in(4) { self.change_metadata(&file) } else { self.change_content(&file) }
    }

    /// A name that was never used in this tree.
    fn new_name(&mut self, folder: &Path) -> PathBuf {
        self.made += 1;
        folder.join(format!("new-{:x}-{}", self.seed, self.made))
    }

    fn make_new(&mut self, folder: &Path) -> io::Result<String> {
        let path = self.new_name(folder);
        match self.rng.below(5) {
            0 => fs::create_dir(&path)?,
            1 => symlink(format!("target{}", self.rng.below(100)), &path)?,
            _ => fs::write(&path, some_content(&mut self.rng))?,
        }
        Ok(format!("made {path:?}"))
    }

    /// Moves, deletes or replaces what stands at `path`.
    fn change_place(&mut self, path: &Path, folder: &Path) -> io::Result<String> {
        match self.rng.below(4) {
            0 if !folder.starts_with(path) => {
                let to = self.new_name(folder);
                fs::rename(path, &to)?;
                Ok(format!("moved {path:?} to {to:?}"))
            }
            1 => {
                remove(path)?;
                Ok(format!("deleted {path:?}"))
            }
            2 => {
                remove(path)?;
                symlink("replaced", path)?;
                Ok(format!("replaced {path:?} by a link"))
            }
            _ if !fs::symlink_metadata(path)?.is_dir() => {
                remove(path)?;
                fs::create_dir(path)?;
                fs::write(path.join("inside"), some_content(&mut self.rng))?;
                Ok(format!("replaced {path:?} by a folder"))
            }
            _ => {
                remove(path)?;
                fs::write(path, some_content(&mut self.rng))?;
                Ok(format!("replaced {path:?} by a file"))
            }
        }
    }

    fn change_metadata(&mut self, file: &Path) -> io::Result<String> {
        match self.rng.below(3) {
            0 => {
                let mode = *self.rng.pick(&[0o600, 0o640, 0o644, 0o700, 0o755]);
                fs::set_permissions(file, Permissions::from_mode(mode))?;
                Ok(format!("mode {mode:o} of {file:?}"))
            }
            1 => {
                set_mtime(
                    file,
                    1_500_000_000 + self.rng.below(1 << 20) as i64,
                    self.rng.below(1_000_000_000) as i64,
                )?;
                Ok(format!("time of {file:?}"))
            }
            _ => {
                let link = self.new_name(self.root);
                fs::hard_link(file, &link)?;
                Ok(format!("linked {file:?} as {link:?}"))
            }
        }
    }

    fn change_content(&mut self, file: &Path) -> io::Result<String> {
        writable(file)?;
        let len = fs::metadata(file)?.len();
        let at = self.rng.below(usize::try_from(len).unwrap_or(usize::MAX).max(1)) as u64;
        let count = 1 + self.rng.below(300);
        let bytes = self.rng.bytes(count);
        let open = OpenOptions::new().write(true).open(file)?;
        match self.rng.below(5) {
            0 => open.write_all_at(&bytes, at)?,
            1 => open.write_all_at(&bytes, len)?,
            2 => open.set_len(at)?,
            3 => {
                let mut whole = fs::read(file)?;
                let at = at as usize;
                whole.splice(at..at, bytes);
                fs::write(file, whole)?;
            }
            _ => {
                let fresh = self.new_name(self.root);
                fs::write(&fresh, some_content(&mut self.rng))?;
                fs::rename(fresh, file)?;
            }
        }
        Ok(format!("content of {file:?} at {at}"))
    }
}

/// Lets the owner read and write a file.
fn writable(file: &Path) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions().mode();
    fs::set_permissions(file, Permissions::from_mode(mode | 0o600))
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
