//! The file of a bundle while it is written.

use std::path::{Path, PathBuf};

use crate::cas::{CasError, FinishedPack};
use crate::format::log::PackRecord;
use crate::store::{StoreError, TempFile, Vfs};
use crate::worktree::WorktreeError;

use super::super::OpsError;

/// Zeros that are written at once.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A bundle that has no name yet.
#[derive(Debug)]
pub(super) struct Output {
    temp: Box<dyn TempFile>,
    path: PathBuf,
    len: u64,
    pub(super) packs: Vec<PackRecord>,
}

impl Output {
    /// Begins a file beside where it shall stand, with room for a manifest in front.
    pub(super) fn new(vfs: &dyn Vfs, path: &Path, room: u64) -> Result<Self, OpsError> {
        let temp =
            vfs.create_named_temp(folder(path)).map_err(|source| failed("write in", folder(path), source))?;
        let mut output = Self { temp, path: path.to_owned(), len: 0, packs: Vec::new() };
        while output.len < room {
            let len = (room - output.len).min(ZEROS.len() as u64) as usize;
            output.write(&ZEROS[..len]).map_err(|source| failed("write", path, source))?;
        }
        Ok(output)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.temp.write(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Appends a pack.
    pub(super) fn pack(&mut self, pack: &FinishedPack) -> Result<(), CasError> {
        let path = self.path.display().to_string();
        let write = |parts: &[&[u8]]| {
            let written = parts.iter().try_for_each(|part| self.write(part));
            written.map_err(|source| StoreError::Io { action: "write", path, source }.into())
        };
        let (record, ()) = pack.write_to(write)?;
        self.packs.push(record);
        Ok(())
    }

    /// Puts the manifest at both ends, and gives the file its name, durably; returns its length. Unless `overwrite`, nothing may
    /// stand there.
    pub(super) fn finish(mut self, vfs: &dyn Vfs, manifest: &[u8], overwrite: bool) -> Result<u64, OpsError> {
        let path = self.path.clone();
        let fail = |action| move |source| failed(action, &path.clone(), source);
        self.write(manifest).map_err(fail.clone()("write"))?;
        self.temp.overwrite(0, manifest).map_err(fail.clone()("write"))?;
        self.temp.sync().map_err(fail.clone()("sync"))?;
        check_free(vfs, &self.path, overwrite)?;
        self.temp.replace(&self.path).map_err(fail.clone()("write"))?;
        vfs.sync_dir(folder(&self.path)).map_err(fail("sync"))?;
        Ok(self.len)
    }
}

/// Refuses to overwrite a file.
pub(super) fn check_free(vfs: &dyn Vfs, path: &Path, overwrite: bool) -> Result<(), OpsError> {
    let refused = |why: &str| Err(OpsError::Refused { why: format!("{} {why}", path.display()) });
    if vfs.is_dir(path).map_err(|source| failed("look at", path, source))? {
        return refused("is a folder");
    }
    match vfs.len(path) {
        Ok(None) => Ok(()),
        Ok(Some(_)) if overwrite => Ok(()),
        Ok(Some(_)) => refused("is there already"),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => refused("is no regular file"),
        Err(source) => Err(failed("look at", path, source)),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> OpsError {
    WorktreeError::Io { action, path: path.to_owned(), source }.into()
}
