//! The disk under a directory: one large file written, synced and read back, and many small ones made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{Advice, fadvise, statvfs};

use super::data::Kind;
use super::report::{Line, Unit};
use super::rounds::{Speed, go_on};
use crate::cli::error::CliError;
use crate::cli::escape;
use crate::cli::size::human;

/// Bytes that are written and read at once.
const PIECE: usize = 1 << 20;
/// Small files of a round.
const FILES: usize = 1000;
/// Bytes of a small file.
const FILE_LEN: usize = 1 << 10;
/// Rounds of each measurement, unless the first ones took long.
const ROUNDS: usize = 3;
/// Seconds after which no further round begins.
const PATIENCE: f64 = 4.0;
/// What stays free beside what is written.
const RESERVE: u64 = 32 << 20;

/// Measures the disk under `dir` with a file of `size` bytes; `tell` is told what comes next.
pub(super) fn measure(dir: &Path, size: u64, mut tell: impl FnMut(&str)) -> Result<Vec<Line>, CliError> {
    check_room(dir, size)?;
    let scratch = Scratch::new(dir)?;
    let piece = Kind::Random.bytes(PIECE);
    tell("disk");
    let (mut written, mut read) = (Vec::new(), Vec::new());
    while goes_on(&written, &read) {
        let mut file = scratch.unnamed_file()?;
        written.push(seconds(|| scratch.write(&mut file, &piece, size))?);
        scratch.forget_cached(&file)?;
        read.push(seconds(|| scratch.read(&mut file, size))?);
    }
    tell("disk, small files");
    let mut made = Vec::new();
    while goes_on(&made, &[]) {
        let folder = scratch.folder(made.len())?;
        made.push(seconds(|| scratch.make_files(&folder, &piece[..FILE_LEN]))?);
    }
    let bytes = |name, times| Line::on_disk(name, Unit::Bytes, Speed::of(size as f64, times));
    let files = Line::on_disk("create files of 1 KiB", Unit::Files, Speed::of(FILES as f64, made));
    Ok(vec![bytes("write and sync", written), bytes("read back", read), files])
}

fn goes_on(times: &[f64], others: &[f64]) -> bool {
    times.len() < ROUNDS && times.iter().chain(others).sum::<f64>() < PATIENCE
}

/// How long something takes.
fn seconds(act: impl FnOnce() -> Result<(), CliError>) -> Result<f64, CliError> {
    let start = Instant::now();
    act().map(|()| start.elapsed().as_secs_f64())
}

/// Refuses a directory without room for the files.
fn check_room(dir: &Path, size: u64) -> Result<(), CliError> {
    let found = statvfs(dir).map_err(|error| CliError::file("measure the disk in", dir, error.into()))?;
    let block = found.f_frsize.max(FILE_LEN as u64);
    // Only one round's large file is there at a time, but all small ones.
    let needed = size.saturating_add(2 * block * (FILES * ROUNDS) as u64).saturating_add(RESERVE);
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if needed <= free {
        return Ok(());
    }
    let (dir, needed, free) = (escape::path(dir), human(needed), human(free));
    Err(CliError::failed(format!("not enough room in {dir}: {needed} are needed, {free} are free"))
        .hint("name another directory with --dir, or a smaller --size"))
}

/// A folder of its own, which goes with this value.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(dir: &Path) -> Result<Self, CliError> {
        let process = std::process::id();
        for attempt in 0.. {
            let path = dir.join(format!("warp-bench-{process}-{attempt}"));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(CliError::file("create", &path, error)),
                Ok(()) => return Ok(Self { path }),
            }
        }
        unreachable!("some number is free")
    }

    fn failed(&self, error: io::Error) -> CliError {
        CliError::file("measure the disk in", &self.path, error)
    }

    /// A file that is gone when it is closed, however this process ends.
    fn unnamed_file(&self) -> Result<File, CliError> {
        let path = self.path.join("large");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| self.failed(error))?;
        fs::remove_file(&path).map_err(|error| self.failed(error))?;
        Ok(file)
    }

    fn write(&self, file: &mut File, piece: &[u8], size: u64) -> Result<(), CliError> {
        let mut left = size;
        while left > 0 {
            go_on()?;
            let now = left.min(piece.len() as u64) as usize;
            file.write_all(&piece[..now]).map_err(|error| self.failed(error))?;
            left -= now as u64;
        }
        file.sync_all().map_err(|error| self.failed(error))
    }

    /// Asks the system to forget what it holds of the file in memory, so that reading reaches the disk.
    fn forget_cached(&self, file: &File) -> Result<(), CliError> {
        fadvise(file, 0, None, Advice::DontNeed).map_err(|error| self.failed(error.into()))
    }

    fn read(&self, file: &mut File, size: u64) -> Result<(), CliError> {
        let (mut buf, mut left) = (vec![0; PIECE], size);
        file.seek(SeekFrom::Start(0)).map_err(|error| self.failed(error))?;
        while left > 0 {
            go_on()?;
            let now = left.min(PIECE as u64) as usize;
            file.read_exact(&mut buf[..now]).map_err(|error| self.failed(error))?;
            left -= now as u64;
        }
        Ok(())
    }

    fn folder(&self, number: usize) -> Result<PathBuf, CliError> {
        let path = self.path.join(number.to_string());
        fs::create_dir(&path).map_err(|error| CliError::file("create", &path, error))?;
        Ok(path)
    }

    /// Makes the small files of a round, and syncs their folder.
    fn make_files(&self, folder: &Path, bytes: &[u8]) -> Result<(), CliError> {
        for number in 0..FILES {
            go_on()?;
            let path = folder.join(number.to_string());
            fs::write(&path, bytes).map_err(|error| CliError::file("create", &path, error))?;
        }
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| self.failed(error))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody could be told: what is measured has been, or an error is on its way.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_measurement() {
        let dir = tempfile::tempdir().unwrap();
        let lines = measure(dir.path(), 100_000, |_| ()).unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_left_when_it_fails() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path()).unwrap();
        let folder = scratch.folder(0).unwrap();
        fs::create_dir(folder.join("7")).unwrap();
        let error = scratch.make_files(&folder, b"x").unwrap_err();
        assert!(error.message().starts_with("cannot create "), "{}", error.message());
        drop(scratch);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_has_no_room_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let error = measure(dir.path(), u64::MAX, |_| ()).unwrap_err();
        assert!(error.message().contains("16.0 EiB are needed"), "{}", error.message());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
