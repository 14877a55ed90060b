//! Shapes of `--json`: names and fields are restic's wherever they fit, so that its consumers read them.

use serde::Serialize;
use warp::format::commit::{Commit, CommitStats};
use warp::format::dirtree::{DirEntry, EntryKind};
use warp::id::CommitId;
use warp::ops::{ForgetGroup, ForgetOutcome, Judged};
use warp::repo::RefMove;

use super::{list, time};

/// A value as one line.
pub(crate) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these shapes have string keys and no fallible parts")
}

/// A path: as text and, where it is not UTF-8, exactly, in base64.
#[derive(Debug, Serialize)]
pub(crate) struct PathText {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl PathText {
    pub(crate) fn new(path: &[u8]) -> Self {
        Self { path: lossy(path), path_b64: base64_unless_text(path) }
    }
}

/// The same for the path that a progress line or an error is about.
#[derive(Debug, Serialize)]
pub(crate) struct ItemText {
    item: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl ItemText {
    fn new(path: &[u8]) -> Self {
        Self { item: lossy(path), path_b64: base64_unless_text(path) }
    }
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn base64_unless_text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).is_err().then(|| data_encoding::BASE64.encode(bytes))
}

/// How the command failed.
#[derive(Debug, Serialize)]
pub(crate) struct ExitError<'a> {
    message_type: &'static str,
    code: u8,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl<'a> ExitError<'a> {
    pub(crate) fn new(code: u8, message: String, hint: Option<&'a str>) -> Self {
        Self { message_type: "exit_error", code, message, hint }
    }
}

/// News that are no failure.
#[derive(Debug, Serialize)]
pub(crate) struct Warning {
    message_type: &'static str,
    message: String,
}

impl Warning {
    pub(crate) fn new(message: String) -> Self {
        Self { message_type: "warning", message }
    }
}

/// A path that failed.
#[derive(Debug, Serialize)]
pub(crate) struct ProblemLine {
    message_type: &'static str,
    error: Message,
    during: &'static str,
    #[serde(flatten)]
    item: ItemText,
}

#[derive(Debug, Serialize)]
struct Message {
    message: String,
}

impl ProblemLine {
    pub(crate) fn new(message: String, path: &[u8], during: &'static str) -> Self {
        Self { message_type: "error", error: Message { message }, during, item: ItemText::new(path) }
    }
}

/// What a progress line counts.
pub(crate) struct Amounts {
    pub(crate) seconds: u64,
    pub(crate) files: u64,
    pub(crate) total_files: u64,
    pub(crate) bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) problems: u64,
    pub(crate) path: Vec<u8>,
}

/// Progress.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    message_type: &'static str,
    seconds_elapsed: u64,
    pub(crate) percent_done: f64,
    total_files: u64,
    pub(crate) files_done: u64,
    total_bytes: u64,
    pub(crate) bytes_done: u64,
    error_count: u64,
    current_files: Vec<String>,
}

impl Status {
    pub(crate) fn new(amounts: Amounts) -> Self {
        let percent_done = match amounts.total_bytes {
            0 => 0.0,
            total => (amounts.bytes as f64 / total as f64).min(1.0),
        };
        Self {
            message_type: "status",
            seconds_elapsed: amounts.seconds,
            percent_done,
            total_files: amounts.total_files,
            files_done: amounts.files,
            total_bytes: amounts.total_bytes,
            bytes_done: amounts.bytes,
            error_count: amounts.problems,
            current_files: Some(amounts.path)
                .filter(|path| !path.is_empty())
                .iter()
                .map(|path| lossy(path))
                .collect(),
        }
    }
}

/// One file, with `-v`.
#[derive(Debug, Serialize)]
pub(crate) struct VerboseStatus {
    message_type: &'static str,
    action: &'static str,
    #[serde(flatten)]
    item: ItemText,
    data_size: u64,
}

impl VerboseStatus {
    pub(crate) fn new(action: &'static str, path: &[u8], data_size: u64) -> Self {
        Self { message_type: "verbose_status", action, item: ItemText::new(path), data_size }
    }
}

/// An entry of a tree.
#[derive(Debug, Serialize)]
pub(crate) struct Node {
    message_type: &'static str,
    struct_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    path: PathText,
    uid: u32,
    gid: u32,
    user: String,
    group: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linktarget: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linktarget_b64: Option<String>,
    mode: u32,
    permissions: String,
    mtime: String,
}

impl Node {
    /// `snapshot` names the commit where a listing spans several.
    pub(crate) fn new(path: &[u8], entry: &DirEntry, size: u64, snapshot: Option<CommitId>) -> Self {
        let target = match &entry.kind {
            EntryKind::Symlink { target } => Some(target),
            _ => None,
        };
        Self {
            message_type: "node",
            struct_type: "node",
            snapshot: snapshot.map(|id| id.to_hex()),
            name: lossy(&entry.name),
            kind: list::kind_name(&entry.kind),
            path: PathText::new(path),
            uid: entry.owner.uid,
            gid: entry.owner.gid,
            user: lossy(&entry.owner.user),
            group: lossy(&entry.owner.group),
            size: matches!(entry.kind, EntryKind::File { .. }).then_some(size),
            linktarget: target.map(|target| lossy(target)),
            linktarget_b64: target.and_then(|target| base64_unless_text(target)),
            mode: entry.mode,
            permissions: list::permissions(entry),
            mtime: time::rfc3339(entry.mtime),
        }
    }
}

/// A commit, as restic shows a snapshot.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_type: Option<&'static str>,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    parents: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forgotten_parents: Vec<String>,
    /// What it was made of when history was rewritten.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    /// The commit of a repository with other keys that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<Imported>,
    tree: Option<String>,
    paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths_b64: Option<Vec<String>>,
    hostname: String,
    username: String,
    tags: Vec<String>,
    message: String,
    program_version: String,
    summary: SnapshotSummary,
    refs: Vec<String>,
    id: String,
    short_id: String,
}

#[derive(Debug, Serialize)]
struct Imported {
    id: String,
    family: String,
}

#[derive(Debug, Serialize)]
struct SnapshotSummary {
    data_added: u64,
    data_added_packed: u64,
    total_files_processed: u64,
    total_dirs_processed: u64,
    total_bytes_processed: u64,
    problems: u64,
    total_duration: f64,
}

impl Snapshot {
    /// `refs`: full names of the refs that stand on it.
    pub(crate) fn new(id: CommitId, commit: &Commit, refs: Vec<String>) -> Self {
        let tree = match &commit.root.kind {
            EntryKind::Dir { node } => node.map(|node| node.to_hex()),
            _ => None,
        };
        let exact = commit.paths.iter().any(|path| std::str::from_utf8(path).is_err());
        Self {
            message_type: None,
            time: time::rfc3339_at(commit.time, commit.utc_offset),
            parent: commit.parents.first().map(CommitId::to_hex),
            parents: commit.parents.iter().map(CommitId::to_hex).collect(),
            forgotten_parents: Vec::new(),
            original: commit.original.map(|id| id.to_hex()),
            imported: commit
                .imported
                .as_ref()
                .map(|of| Imported { id: of.id.to_hex(), family: of.family.to_hex() }),
            tree,
            paths: commit.paths.iter().map(|path| lossy(path)).collect(),
            paths_b64: exact
                .then(|| commit.paths.iter().map(|path| data_encoding::BASE64.encode(path)).collect()),
            hostname: commit.host.clone(),
            username: commit.author.clone(),
            tags: commit.tags.clone(),
            message: commit.message.clone(),
            program_version: commit.program.clone(),
            summary: SnapshotSummary::new(&commit.stats),
            refs,
            id: id.to_hex(),
            short_id: id.short(),
        }
    }

    /// Says which of its parents were forgotten.
    pub(crate) fn with_forgotten(mut self, parents: &[CommitId]) -> Self {
        self.forgotten_parents = parents.iter().map(CommitId::to_hex).collect();
        self
    }

    /// As one line among others.
    pub(crate) fn into_line(mut self) -> Self {
        self.message_type = Some("snapshot");
        self
    }
}

impl SnapshotSummary {
    fn new(stats: &CommitStats) -> Self {
        Self {
            data_added: stats.new_bytes,
            data_added_packed: stats.stored_bytes,
            total_files_processed: stats.files,
            total_dirs_processed: stats.dirs,
            total_bytes_processed: stats.bytes,
            problems: stats.problems,
            total_duration: seconds(stats.duration_ms),
        }
    }
}

/// What `warp commit` did.
#[derive(Debug, Serialize)]
pub(crate) struct CommitSummary {
    message_type: &'static str,
    dry_run: bool,
    files_new: u64,
    files_changed: u64,
    files_unmodified: u64,
    data_added: u64,
    data_added_packed: u64,
    /// Objects stored as differences to others, their bytes, and the bytes of the differences.
    delta_objects: u64,
    delta_bytes: u64,
    delta_bytes_packed: u64,
    total_files_processed: u64,
    total_dirs_processed: u64,
    total_bytes_processed: u64,
    total_duration: f64,
    error_count: u64,
    branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_id: Option<String>,
}

impl CommitSummary {
    pub(crate) fn new(done: &warp::ops::CommitOutcome) -> Self {
        Self {
            message_type: "summary",
            dry_run: done.dry_run,
            files_new: done.new_files,
            files_changed: done.changed_files,
            files_unmodified: done.unchanged_files,
            data_added: done.stats.new_bytes,
            data_added_packed: done.stats.stored_bytes,
            delta_objects: done.deltas.objects,
            delta_bytes: done.deltas.bytes,
            delta_bytes_packed: done.deltas.stored_bytes,
            total_files_processed: done.stats.files,
            total_dirs_processed: done.stats.dirs,
            total_bytes_processed: done.stats.bytes,
            total_duration: seconds(done.stats.duration_ms),
            error_count: done.problems,
            branch: done.branch.clone(),
            parent: done.parent.map(|id| id.to_hex()),
            snapshot_id: done.commit.map(|id| id.to_hex()),
        }
    }
}

/// One group of commits that `warp forget` judged, as restic tells it; one line a group.
#[derive(Debug, Serialize)]
pub(crate) struct ForgottenGroup {
    message_type: &'static str,
    tags: Option<Vec<String>>,
    host: Option<String>,
    paths: Option<Vec<String>>,
    keep: Vec<Snapshot>,
    remove: Vec<Snapshot>,
    /// Commits that cannot be read, and are forgotten because they were named.
    unreadable: Vec<String>,
    reasons: Vec<KeepReasons>,
}

#[derive(Debug, Serialize)]
struct KeepReasons {
    snapshot: String,
    matches: Vec<String>,
}

impl ForgottenGroup {
    /// `refs` gives the full names of the refs on a commit.
    pub(crate) fn new(group: &ForgetGroup, refs: &dyn Fn(CommitId) -> Vec<String>) -> Self {
        let shown = |judged: &Judged| {
            judged.commit.as_ref().map(|commit| Snapshot::new(judged.id, commit, refs(judged.id)))
        };
        let reasons = |judged: &Judged| KeepReasons {
            snapshot: judged.id.to_hex(),
            matches: judged.reasons.iter().map(ToString::to_string).collect(),
        };
        let unread = group.forgotten.iter().filter(|judged| judged.commit.is_none());
        Self {
            message_type: "forget_group",
            tags: group.key.tags.clone(),
            host: group.key.host.clone(),
            paths: group.key.paths.as_ref().map(|paths| paths.iter().map(|path| lossy(path)).collect()),
            keep: group.kept.iter().filter_map(shown).collect(),
            remove: group.forgotten.iter().filter_map(shown).collect(),
            unreadable: unread.map(|judged| judged.id.to_hex()).collect(),
            reasons: group.kept.iter().map(reasons).collect(),
        }
    }
}

/// What `warp forget` did.
#[derive(Debug, Serialize)]
pub(crate) struct ForgetSummary {
    message_type: &'static str,
    dry_run: bool,
    kept: usize,
    forgotten: usize,
    moved_refs: Vec<MovedRef>,
}

#[derive(Debug, Serialize)]
struct MovedRef {
    r#ref: String,
    old: Option<String>,
    new: Option<String>,
}

impl ForgetSummary {
    pub(crate) fn new(done: &ForgetOutcome) -> Self {
        let moved = |moved: &RefMove| MovedRef {
            r#ref: moved.name.clone(),
            old: moved.old.map(|id| id.to_hex()),
            new: moved.new.map(|id| id.to_hex()),
        };
        Self {
            message_type: "forget_summary",
            dry_run: done.dry_run,
            kept: done.groups.iter().map(|group| group.kept.len()).sum(),
            forgotten: done.forgotten.len(),
            moved_refs: done.moved.iter().map(moved).collect(),
        }
    }
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_text_comes_with_its_exact_bytes() {
        assert_eq!(line(&PathText::new(b"a\n")), r#"{"path":"a\n"}"#);
        assert_eq!(line(&PathText::new(b"a\xff")), r#"{"path":"a�","path_b64":"Yf8="}"#);
    }

    #[test]
    fn errors_have_the_shapes_of_restic() {
        assert_eq!(
            line(&ExitError::new(12, "wrong password".into(), None)),
            r#"{"message_type":"exit_error","code":12,"message":"wrong password"}"#
        );
        assert_eq!(
            line(&ProblemLine::new("gone".into(), b"/x", "storing")),
            r#"{"message_type":"error","error":{"message":"gone"},"during":"storing","item":"/x"}"#
        );
    }

    #[test]
    fn progress_has_the_shape_of_restic() {
        let amounts = Amounts {
            seconds: 2,
            files: 1,
            total_files: 4,
            bytes: 5,
            total_bytes: 10,
            problems: 0,
            path: b"/x".to_vec(),
        };
        assert_eq!(
            line(&Status::new(amounts)),
            r#"{"message_type":"status","seconds_elapsed":2,"percent_done":0.5,"total_files":4,"files_done":1,"total_bytes":10,"bytes_done":5,"error_count":0,"current_files":["/x"]}"#
        );
    }

    #[test]
    fn a_node_has_the_fields_of_restic() {
        let entry = DirEntry {
            name: b"l".to_vec(),
            kind: EntryKind::Symlink { target: b"t\xff".to_vec() },
            mode: 0o777,
            owner: Default::default(),
            mtime: Default::default(),
            xattrs: Vec::new(),
            hard_link: 0,
        };
        let value = serde_json::to_value(Node::new(b"d/l", &entry, 0, None)).unwrap();
        assert_eq!(value["message_type"], "node");
        assert_eq!(value["type"], "symlink");
        assert_eq!(value["path"], "d/l");
        assert_eq!(value["linktarget_b64"], "dP8=");
        assert_eq!(value["permissions"], "lrwxrwxrwx");
        assert!(value.get("size").is_none());
    }
}
