//! Tests of the room.

mod hostile;
mod ignore;
mod read;
mod scan;
mod target;
mod unprivileged;

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::*;

/// A scan's story, one line an event: `path/` for entering, `path`, `)` for leaving, `!path` for a problem.
pub(super) fn story(root: &Path, options: ScanOptions) -> Vec<String> {
    events(root, options)
        .into_iter()
        .map(|event| match event {
            ScanEvent::EnterDir(entry) => format!("{}/", below(root, &entry.path)),
            ScanEvent::Entry(entry) => below(root, &entry.path),
            ScanEvent::LeaveDir => ")".to_owned(),
            ScanEvent::Problem { path, .. } => format!("!{}", below(root, &path)),
            ScanEvent::Vanished { path } => format!("?{}", below(root, &path)),
        })
        .collect()
}

/// The paths that a scan shows, without the root.
pub(super) fn shown(root: &Path, options: ScanOptions) -> Vec<String> {
    let mut lines = story(root, options);
    lines.retain(|line| line != ")" && line != "/");
    lines.iter().map(|line| line.trim_end_matches('/').to_owned()).collect()
}

/// Brings paths of files into the order of a scan: in each directory the files and then the directories.
pub(super) fn sort_files(files: &mut [String]) {
    fn place(file: &str) -> Vec<(bool, &[u8])> {
        let (dirs, name) = file.rsplit_once('/').map_or((None, file), |(dirs, name)| (Some(dirs), name));
        let dirs = dirs.into_iter().flat_map(|dirs| dirs.split('/'));
        dirs.map(|dir| (true, dir.as_bytes())).chain([(false, name.as_bytes())]).collect()
    }
    files.sort_by(|a, b| place(a).cmp(&place(b)));
}

pub(super) fn events(root: &Path, options: ScanOptions) -> Vec<ScanEvent> {
    let mut events = Vec::new();
    let scanner = Scanner::new(options).unwrap();
    scanner
        .walk(root, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })
        .unwrap();
    events
}

pub(super) fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_string_lossy().into_owned()
}

/// Makes files (and, for names that end in a slash, directories) with what they hold.
pub(super) fn grow(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = root.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

pub(super) fn name(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

pub(super) fn rel(path: &str) -> RelPath {
    RelPath::new(path.split('/').filter(|name| !name.is_empty())).unwrap()
}

pub(super) fn meta(mode: u32) -> RestoreMeta {
    RestoreMeta {
        mode,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mtime: Timestamp { secs: 1_000_000_000, nanos: 123_456_789 },
        ..RestoreMeta::default()
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
