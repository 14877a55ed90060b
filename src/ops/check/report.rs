//! What a check found.

use std::collections::HashMap;
use std::error::Error;

use crate::cas::CasError;
use crate::id::CommitId;
use crate::store::StoreError;

/// Most faults of one finding that are kept in words; the others are counted.
const FAULTS_MAX: usize = 16;

/// In what way something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// A copy of the configuration is missing or damaged.
    Configuration,
    /// An entry of the log is missing or damaged, or breaks a rule.
    Log,
    /// A file that the log names is not there.
    Missing,
    /// A file has another length than the log says.
    Length,
    /// Bytes of a file are not those that were written.
    Damaged,
    /// A file could not be read.
    Unreadable,
    /// The index and the packs' directories disagree.
    Index,
    /// Objects that commits need are in no pack.
    MissingObject,
    /// Objects are stored as differences to others that are in no pack.
    MissingBase,
    /// A commit, a directory or a file's tree breaks a rule of its format, or a signature does not verify.
    Tree,
}

impl FindingKind {
    /// Whether bytes of a file are not as they were written, or not there.
    pub fn is_of_bytes(self) -> bool {
        matches!(self, Self::Missing | Self::Length | Self::Damaged | Self::Unreadable)
    }

    /// A word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Log => "log",
            Self::Missing => "missing",
            Self::Length => "length",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Index => "index",
            Self::MissingObject => "missing-object",
            Self::MissingBase => "missing-base",
            Self::Tree => "tree",
        }
    }
}

/// Something that is wrong with one file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the file in the repository; where no file is to blame, what is.
    pub file: String,
    /// In what way it is wrong.
    pub kind: FindingKind,
    /// What is wrong, in words: the first few faults.
    pub faults: Vec<String>,
    /// How many further faults there are.
    pub more_faults: u64,
    /// What cannot be brought back because of it, sorted by path.
    pub paths: Vec<AffectedPath>,
    /// How many shards of the pack are damaged, and how many can be healed; `None`: it is no pack, or nothing of it can be
    /// read.
    pub shards: Option<DamagedShards>,
}

/// What parity can do for a damaged pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedShards {
    /// Shards that are damaged or missing.
    pub damaged: u64,
    /// Shards of payload and parity.
    pub all: u64,
    /// How many damaged ones can be healed.
    pub limit: u64,
}

impl DamagedShards {
    /// Whether the pack can be healed.
    pub fn can_be_healed(&self) -> bool {
        self.damaged <= self.limit
    }
}

/// A path that cannot be brought back whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct AffectedPath {
    /// The path in the tree of the commits, names with `/` between; empty: the commit itself cannot be read.
    pub path: Vec<u8>,
    /// It is a directory, and nothing below it can be read.
    pub is_whole_directory: bool,
    /// Of which commits, oldest first: places in [`CheckReport::commits`].
    pub commits: Vec<u32>,
}

/// A file of the store that no entry of the log counts on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrayFile {
    /// Its name in the repository.
    pub file: String,
    /// Its length in bytes.
    pub len: u64,
}

/// How much a check looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CheckCounts {
    /// Entries of the log.
    pub log_entries: u64,
    /// Commits whose trees were walked.
    pub commits: u64,
    /// Packs in the log.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Index segments in the log.
    pub segments: u64,
    /// Objects in the packs' directories.
    pub objects: u64,
    /// Those of them that are stored as differences to others.
    pub deltas: u64,
    /// Packs that were read from the first byte to the last.
    pub packs_read: u64,
    /// Packs that were chosen to be read but had been verified lately.
    pub packs_skipped: u64,
    /// Objects whose bytes were brought back and whose ids were computed anew.
    pub objects_verified: u64,
    /// Bytes of packs and segments that were read.
    pub bytes_read: u64,
}

/// How much damage a pack endures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Endurance {
    /// Name of the pack in the repository.
    pub file: String,
    /// Its length in bytes.
    pub len: u64,
    /// Shards of payload and parity.
    pub shards: u64,
    /// How many damaged ones can be healed.
    pub healable: u64,
    /// The longest run of bytes whose loss at any one place can be healed.
    pub loss_max: u64,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// Everything that is wrong, sorted by file. Empty: nothing is.
    pub findings: Vec<Finding>,
    /// The live commits, oldest first, that [`AffectedPath::commits`] speaks of.
    pub commits: Vec<CommitId>,
    /// Files that no entry of the log names. They may belong to a writer at work, or to one that died.
    pub orphans: Vec<StrayFile>,
    /// Files that the log has removed and that were not deleted yet.
    pub left_over: Vec<StrayFile>,
    /// How much damage each pack endures of which a header is whole, by name.
    pub endurances: Vec<Endurance>,
    /// How much was looked at.
    pub counts: CheckCounts,
    /// Entries of the log are damaged, so what the log says of the other files may be less or more than what is true.
    pub log_is_incomplete: bool,
}

impl CheckReport {
    /// Whether nothing is wrong with anything that was looked at.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Findings under way: one for each file and kind.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    known: HashMap<(String, FindingKind), usize>,
}

impl Findings {
    /// Notes a fault; returns the number of its finding.
    pub(super) fn add(&mut self, file: &str, kind: FindingKind, fault: String) -> usize {
        let number = *self.known.entry((file.to_owned(), kind)).or_insert(self.list.len());
        if number == self.list.len() {
            let (file, faults, paths) = (file.to_owned(), Vec::new(), Vec::new());
            self.list.push(Finding { file, kind, faults, more_faults: 0, paths, shards: None });
        }
        let finding = &mut self.list[number];
        if finding.faults.contains(&fault) {
        } else if finding.faults.len() < FAULTS_MAX {
            finding.faults.push(fault);
        } else {
            finding.more_faults += 1;
        }
        number
    }

    /// Notes what storage says is wrong with `file`.
    pub(super) fn add_cas(&mut self, file: &str, error: &CasError) -> usize {
        self.add(file, kind_of(error), told(error))
    }

    /// Adds to the first finding of a file what follows from it.
    pub(super) fn note(&mut self, file: &str, note: &str) {
        if let Some(finding) = self.list.iter_mut().find(|finding| finding.file == file) {
            finding.faults.push(note.to_owned());
        }
    }

    pub(super) fn get_mut(&mut self, number: usize) -> &mut Finding {
        &mut self.list[number]
    }

    /// The findings by file, but for those of which `is_moot` says that they are none after all.
    pub(super) fn into_sorted(self, is_moot: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let mut list = self.list;
        list.retain(|finding| !is_moot(finding));
        list.sort_by(|a, b| (&a.file, a.kind).cmp(&(&b.file, b.kind)));
        list
    }
}

/// What kind of finding an error of storage is.
pub(super) fn kind_of(error: &CasError) -> FindingKind {
    match error {
        CasError::Store { source: StoreError::NotFound { .. } } => FindingKind::Missing,
        CasError::Store { source: StoreError::Short { .. } } | CasError::Length { .. } => FindingKind::Length,
        CasError::Store { .. } => FindingKind::Unreadable,
        CasError::Missing { .. } => FindingKind::MissingObject,
        CasError::MissingBase { .. } => FindingKind::MissingBase,
        CasError::UnreadableBase { source, .. } => kind_of(source),
        _ => FindingKind::Damaged,
    }
}

/// An error and its causes in one line.
pub(in crate::ops) fn told(error: &(dyn Error + 'static)) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let line = error.to_string();
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        next = error.source();
    }
    lines.join(": ")
}
