//! Which entries a scan leaves out: patterns with git's meaning, tags, and marks.

use std::ffi::OsString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::error::{WorktreeError, io_error};
use super::read::open_quietly;
use super::sys;

/// Most bytes of a file of patterns: one is held in memory, and compiled, for every directory that has one.
const PATTERN_FILE_LEN_MAX: u64 = 1 << 20;

/// Patterns that hold below one directory.
#[derive(Debug)]
pub(super) struct Level {
    matcher: Gitignore,
    /// Bytes of an entry's path up to where the part begins that the patterns speak of.
    base_len: usize,
    /// What stands before that part: the scan's root as seen from a directory above it. Mostly empty.
    prefix: Vec<u8>,
    outer: Option<Arc<Level>>,
}

impl Level {
    fn verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let below = &path[self.base_len.min(path.len())..];
        let decision = if self.prefix.is_empty() {
            self.matcher.matched(sys::path(below), is_dir)
        } else {
            self.matcher.matched(sys::path(&[&self.prefix, below].concat()), is_dir)
        };
        match decision {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        }
    }
}

/// The patterns that hold in one directory, innermost first, for each kind of file that they come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    given: Option<Arc<Level>>,
    warp: Option<Arc<Level>>,
    git: Option<Arc<Level>>,
}

impl Patterns {
    /// Whether there are any at all.
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_none() && self.warp.is_none() && self.git.is_none()
    }

    /// Whether the entry at `path` is left out: the first kind, and in it the innermost file, that says anything about
    /// it decides; in one file, the last line.
    pub(super) fn exclude(&self, path: &[u8], is_dir: bool) -> bool {
        [&self.given, &self.warp, &self.git].into_iter().find_map(|kind| decide(kind, path, is_dir))
            == Some(true)
    }

    /// The patterns given for the whole scan; those of files in the tree are added directory by directory.
    pub(super) fn for_root(given: &Gitignore, root: &Path) -> Self {
        let mut patterns = Self::default();
        if !given.is_empty() {
            push(&mut patterns.given, given.clone(), base_len(root));
        }
        patterns
    }

    /// Adds the patterns of git that hold in `root` because of what lies above it, up to the top of its repository.
    pub(super) fn add_git_above(&mut self, root: &Path, problems: &mut Vec<(PathBuf, WorktreeError)>) {
        let Ok(absolute) = fs::canonicalize(root) else { return };
        if absolute.join(".git").is_dir() {
            return;
        }
        let above: Vec<&Path> = absolute.ancestors().skip(1).collect();
        let Some(top) = above.iter().position(|dir| dir.join(".git").is_dir()) else { return };
        for dir in above[..=top].iter().rev() {
            let files: &[&str] = if dir.join(".git").is_dir() {
                &[".git/info/exclude", ".gitignore"]
            } else {
                &[".gitignore"]
            };
            let mut prefix = sys::bytes(absolute.strip_prefix(dir).unwrap_or(Path::new(""))).to_vec();
            prefix.push(b'/');
            for file in files {
                let matcher = read_patterns(&rustix::fs::CWD, &dir.join(file), dir, problems);
                let level = Level {
                    matcher,
                    base_len: base_len(root),
                    prefix: prefix.clone(),
                    outer: self.git.take(),
                };
                self.git = Some(Arc::new(level));
            }
        }
    }

    /// Adds what the `.warpignore` of `dir` says, whose path is `path`.
    pub(super) fn add_warp(
        &mut self,
        dir: impl AsFd,
        path: &Path,
        problems: &mut Vec<(PathBuf, WorktreeError)>,
    ) {
        let matcher = read_patterns(&dir, Path::new(super::WARP_IGNORE_FILE), path, problems);
        push(&mut self.warp, matcher, base_len(path));
    }

    /// Adds what the `.gitignore` of `dir` says.
    pub(super) fn add_git(
        &mut self,
        dir: impl AsFd,
        path: &Path,
        problems: &mut Vec<(PathBuf, WorktreeError)>,
    ) {
        let matcher = read_patterns(&dir, Path::new(".gitignore"), path, problems);
        push(&mut self.git, matcher, base_len(path));
    }

    /// Begins a repository of git: what outer repositories say ends here, its own `info/exclude` holds.
    pub(super) fn enter_git_repository(
        &mut self,
        dir: impl AsFd,
        path: &Path,
        problems: &mut Vec<(PathBuf, WorktreeError)>,
    ) {
        self.git = None;
        let matcher = read_patterns(&dir, Path::new(".git/info/exclude"), path, problems);
        push(&mut self.git, matcher, base_len(path));
    }
}

fn decide(innermost: &Option<Arc<Level>>, path: &[u8], is_dir: bool) -> Option<bool> {
    let mut level = innermost.as_deref();
    while let Some(here) = level {
        if let Some(verdict) = here.verdict(path, is_dir) {
            return Some(verdict);
        }
        level = here.outer.as_deref();
    }
    None
}

fn push(kind: &mut Option<Arc<Level>>, matcher: Gitignore, base_len: usize) {
    if !matcher.is_empty() {
        *kind = Some(Arc::new(Level { matcher, base_len, prefix: Vec::new(), outer: kind.take() }));
    }
}

/// Bytes of `dir` and the slash behind it, as they stand before the names of its entries.
fn base_len(dir: &Path) -> usize {
    let dir = sys::bytes(dir);
    dir.len() + usize::from(!dir.is_empty() && !dir.ends_with(b"/"))
}

/// Compiles the patterns given by option and by file. Later ones win over earlier ones, and options over files.
///
/// # Errors
/// For the first pattern that is none, and for a file that cannot be read.
pub(super) fn given_patterns(files: &[PathBuf], patterns: &[String]) -> Result<Gitignore, WorktreeError> {
    compile(files, patterns, &[])
}

/// The same with patterns behind the others that do not tell capitals from small letters.
fn compile(files: &[PathBuf], patterns: &[String], caseless: &[String]) -> Result<Gitignore, WorktreeError> {
    let mut builder = GitignoreBuilder::new("");
    for file in files {
        let mut problems = Vec::new();
        let bytes = fs::read(file).map_err(io_error("read the patterns of", file))?;
        add_lines(&mut builder, &bytes, file, &mut problems);
        if let Some((_, error)) = problems.into_iter().next() {
            return Err(error);
        }
    }
    for (list, is_caseless) in [(patterns, false), (caseless, true)] {
        let bad = |pattern: &String, source| WorktreeError::Pattern {
            pattern: pattern.clone(),
            source: Box::new(source),
        };
        for pattern in list {
            builder.case_insensitive(is_caseless).map_err(|source| bad(pattern, source))?;
            builder.add_line(None, pattern).map_err(|source| bad(pattern, source))?;
        }
    }
    builder.build().map_err(|source| {
        let all: Vec<&str> = patterns.iter().chain(caseless).map(String::as_str).collect();
        WorktreeError::Pattern { pattern: all.join(" "), source: Box::new(source) }
    })
}

/// Patterns on their own, to be asked about the paths of a tree that is no live one: what a scan with them would leave out.
#[derive(Debug, Clone)]
pub struct PathPatterns {
    matcher: Gitignore,
}

impl PathPatterns {
    /// Patterns in gitignore's syntax: those of `files`, then `patterns`, then `caseless`, which do not tell capitals from small
    /// letters. Of those that match, the last one decides.
    ///
    /// # Errors
    /// For the first pattern that is none, and for a file that cannot be read.
    pub fn new(files: &[PathBuf], patterns: &[String], caseless: &[String]) -> Result<Self, WorktreeError> {
        Ok(Self { matcher: compile(files, patterns, caseless)? })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.matcher.is_empty()
    }

    /// Whether a scan leaves the entry at `path` out, with names from the scan's root on and `/` between them. That it
    /// leaves out a directory above is asked about that one.
    pub fn exclude(&self, path: &[u8], is_dir: bool) -> bool {
        self.matcher.matched(sys::path(path), is_dir).is_ignore()
    }
}

/// Reads and compiles a file of patterns; one that is not there has none. What is wrong with it goes to `problems`.
fn read_patterns(
    dir: &impl AsFd,
    file: &Path,
    below: &Path,
    problems: &mut Vec<(PathBuf, WorktreeError)>,
) -> Gitignore {
    let path = below.join(file);
    let mut builder = GitignoreBuilder::new("");
    match read_pattern_file(dir, file, &path) {
        Ok(bytes) => add_lines(&mut builder, &bytes, &path, problems),
        Err(error) if is_absent(&error) => return Gitignore::empty(),
        Err(error) => problems.push((path.clone(), error)),
    }
    builder.build().unwrap_or_else(|source| {
        problems.push((path.clone(), WorktreeError::PatternLine { path, line: 1, source: Box::new(source) }));
        Gitignore::empty()
    })
}

/// Not there, or (`.git` of a linked working tree) below something that is no directory.
fn is_absent(error: &WorktreeError) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error, WorktreeError::Io { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
}

fn read_pattern_file(dir: &impl AsFd, file: &Path, path: &Path) -> Result<Vec<u8>, WorktreeError> {
    let fd = open_quietly(dir, file).map_err(io_error("open", path))?;
    let stat = sys::stat_fd(&fd).map_err(io_error("stat", path))?;
    if !stat.is_regular() || stat.size > PATTERN_FILE_LEN_MAX {
        return Err(WorktreeError::PatternFile { path: path.to_owned(), max: PATTERN_FILE_LEN_MAX });
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut std::io::Read::take(fs::File::from(fd), PATTERN_FILE_LEN_MAX),
        &mut bytes,
    )
    .map_err(io_error("read", path))?;
    Ok(bytes)
}

fn add_lines(
    builder: &mut GitignoreBuilder,
    bytes: &[u8],
    path: &Path,
    problems: &mut Vec<(PathBuf, WorktreeError)>,
) {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let added: Result<(), Box<dyn std::error::Error + Send + Sync>> = match std::str::from_utf8(line) {
            Ok(line) => builder.add_line(None, line).map(drop).map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        if let Err(source) = added {
            let path = path.to_owned();
            problems.push((path.clone(), WorktreeError::PatternLine { path, line: index + 1, source }));
        }
    }
}

/// A file whose presence, perhaps with a certain beginning, leaves out all else in its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// Name of the file.
    pub(super) name: Vec<u8>,
    /// What it must begin with; empty: anything.
    header: Vec<u8>,
}

impl Tag {
    /// The mark of cache directories, <https://bford.info/cachedir/>.
    pub(super) fn cache_dir() -> Self {
        Self {
            name: b"CACHEDIR.TAG".to_vec(),
            header: b"Signature: 8a477f597d28d172789f06886806bc55".to_vec(),
        }
    }

    /// A tag given as `NAME` or `NAME:HEADER`.
    pub(super) fn parse(given: &OsString) -> Self {
        let given = given.as_bytes();
        match given.iter().position(|&byte| byte == b':') {
            Some(colon) => Self { name: given[..colon].to_vec(), header: given[colon + 1..].to_vec() },
            None => Self { name: given.to_vec(), header: Vec::new() },
        }
    }

    /// Whether the file of this name in `dir` begins as it must.
    pub(super) fn marks(&self, dir: impl AsFd) -> rustix::io::Result<bool> {
        if self.header.is_empty() {
            return Ok(true);
        }
        let fd = open_quietly(dir, sys::path(&self.name))?;
        if !sys::stat_fd(&fd)?.is_regular() {
            return Ok(false);
        }
        let mut start = vec![0; self.header.len()];
        let len = rustix::io::pread(&fd, &mut start[..], 0)?;
        Ok(start[..len] == self.header)
    }
}
