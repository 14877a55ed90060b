//! The end of a commit: state, commit object, log entry.

use std::time::Instant;

use crate::chonkers::{ChonkerTreeBuilder, TreeChild};
use crate::chunk::Chunk;
use crate::compress::Level;
use crate::format::commit::{Commit, CommitStats, SignedCommit, signing_bytes};
use crate::format::dirtree::Timestamp;
use crate::format::log::CommitRecord;
use crate::format::node::ContentRoot;
use crate::format::pack::Parity;
use crate::id::{CommitId, ObjectKind};
use crate::limits::DELTA_DEPTH_MAX;
use crate::observe::Observer;
use crate::repo::{Draft, Head, RefMove, RepoError, Repository, VersionInfo, check_ref_name};

use super::super::{OpsError, convert};
use super::assemble::Assembled;
use super::former::Former;
use super::sink::{NodeWriter, ObjectSink};
use super::worker::{self, Tools};
use super::{CommitOutcome, CommitRequest, Recorded, Source, Written};

/// What a commit will say, and where its branch stood when it began.
pub(super) struct Finish {
    base: Option<VersionInfo>,
    parents: Vec<CommitId>,
    /// Full name of the ref that moves, and where it stood; `None` with a detached HEAD.
    branch: Option<(String, Option<CommitId>)>,
    message: String,
    author: String,
    host: String,
    tags: Vec<String>,
    paths: Vec<Vec<u8>>,
    time: Timestamp,
    amend: bool,
    allow_empty: bool,
    dry_run: bool,
}

impl Finish {
    pub(super) fn new(repo: &Repository, request: &CommitRequest) -> Result<Self, OpsError> {
        let paths = source_paths(&request.source)?;
        let timeline = repo.timeline();
        let branch = match (&request.branch, &request.head) {
            (Some(name), _) | (None, Some(Head::Branch(name))) => Some(name.clone()),
            (None, Some(Head::Detached(_))) => None,
            (None, None) => Some(branch_name(&request.host, &paths)),
        };
        if let Some(name) = &branch {
            check_ref_name(name)?;
        }
        let stands = match (&branch, &request.head) {
            (Some(name), _) => timeline.branch(name),
            (None, Some(Head::Detached(id))) => Some(*id),
            (None, _) => None,
        };
        let base = request.parent.or(stands);
        if let Some(gone) = base.filter(|id| !timeline.is_live(*id)) {
            return Err(not_live(gone, request));
        }
        let base = base.map(|id| repo.version(id)).transpose()?;
        let parents = match (&base, request.amend) {
            (Some(base), true) => base.commit.parents.clone(),
            (Some(base), false) => vec![base.id],
            (None, true) => {
                return Err(OpsError::Refused { why: "there is no commit to amend yet".to_owned() });
            }
            (None, false) => Vec::new(),
        };
        let before = base.as_ref().filter(|_| request.amend).map(|base| &base.commit);
        Ok(Self {
            message: match before {
                Some(before) if request.message.is_empty() => before.message.clone(),
                _ => request.message.clone(),
            },
            tags: match before {
                Some(before) if request.tags.is_empty() => before.tags.clone(),
                _ => request.tags.clone(),
            },
            base,
            parents,
            branch: branch.map(|name| (format!("heads/{name}"), stands)),
            author: request.author.clone(),
            host: request.host.clone(),
            paths,
            time: request.time,
            amend: request.amend,
            allow_empty: request.allow_empty,
            dry_run: request.dry_run,
        })
    }

    /// The commit that unchanged files are taken over from.
    pub(super) fn base(&self) -> Option<&VersionInfo> {
        self.base.as_ref()
    }

    /// Stores state and commit object, unless nothing changed, and completes all packs.
    pub(super) fn store(
        &self,
        repo: &Repository,
        tools: &Tools<'_>,
        mut assembled: Assembled,
        begun: Instant,
    ) -> Result<Recorded, OpsError> {
        let root =
            assembled.root.take().ok_or_else(|| OpsError::Refused { why: "nothing was read".to_owned() })?;
        let stats = CommitStats {
            files: assembled.files,
            dirs: assembled.dirs,
            others: assembled.others,
            bytes: assembled.bytes,
            new_bytes: tools.sink.new_data_bytes(),
            stored_bytes: tools.sink.stored_bytes(),
            problems: tools.shared.problems(),
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let unchanged = self.base.as_ref().is_some_and(|base| base.commit.root == root);
        if self.dry_run || (unchanged && !self.allow_empty && !self.amend) {
            return Ok(Recorded { commit: None, stats, deltas: tools.sink.deltas(), assembled });
        }
        let storing = OpsError::cas("store the commit");
        let commit = Commit {
            root,
            parents: self.parents.clone(),
            author: self.author.clone(),
            host: self.host.clone(),
            paths: self.paths.clone(),
            tags: self.tags.clone(),
            message: self.message.clone(),
            time: self.time,
            utc_offset: repo.client().utc_offset,
            stats,
            state: self.store_state(repo, tools, &assembled.state)?,
            program: concat!("warp ", env!("CARGO_PKG_VERSION")).to_owned(),
            device: repo.device()?,
            original: None,
            imported: None,
        };
        let id = seal_commit(repo, &tools.sink, &commit)?;
        tools.sink.finish().map_err(&storing)?;
        Ok(Recorded { commit: Some((id, commit)), stats, deltas: tools.sink.deltas(), assembled })
    }

    /// Makes the commit part of history: one log entry.
    pub(super) fn publish(
        &self,
        repo: &Repository,
        recorded: Recorded,
        written: Written,
        observer: &dyn Observer,
    ) -> Result<CommitOutcome, OpsError> {
        let mut outcome = CommitOutcome {
            commit: None,
            parent: self.parents.first().copied(),
            branch: self.branch.as_ref().map_or_else(String::new, |(name, _)| short(name).to_owned()),
            diverged: false,
            stats: recorded.stats,
            new_files: recorded.assembled.new_files,
            changed_files: recorded.assembled.changed_files,
            unchanged_files: recorded.assembled.unchanged_files,
            problems: recorded.stats.problems,
            deltas: recorded.deltas,
            dry_run: self.dry_run,
        };
        let Some((id, commit)) = recorded.commit else { return Ok(outcome) };
        if observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        let draft = Draft {
            packs_added: written.packs,
            segments_added: written.segments,
            uses: written.uses,
            commits: vec![CommitRecord { id, parents: commit.parents }],
            based_on: self.base.iter().map(|base| base.id).collect(),
            message: self.reflog_message(),
            ..Draft::default()
        };
        repo.append(&mut |state| {
            let mut draft = draft.clone();
            if let Some((name, stood)) = &self.branch {
                let name = if state.refs.get(name) == stood.as_ref() {
                    name.clone()
                } else {
                    // Another writer was faster. Neither commit is dropped, and nothing is merged unasked.
                    outcome.diverged = true;
                    format!("{name}+{}", id.short())
                };
                outcome.branch = short(&name).to_owned();
                let old = state.refs.get(&name).copied();
                draft.refs.push(RefMove { name, old, new: Some(id) });
            }
            Ok::<_, RepoError>(draft)
        })?;
        outcome.commit = Some(id);
        Ok(outcome)
    }

    /// Stores the state for change detection.
    fn store_state(
        &self,
        repo: &Repository,
        tools: &Tools<'_>,
        state: &[u8],
    ) -> Result<ContentRoot, OpsError> {
        store_state(repo, &tools.sink, state, self.base.as_ref().map(|base| base.commit.state))
    }

    fn reflog_message(&self) -> String {
        let verb = if self.amend { "commit (amend)" } else { "commit" };
        match self.message.lines().next() {
            Some(line) => format!("{verb}: {line}"),
            None => verb.to_owned(),
        }
    }
}

/// Signs and stores a commit object.
pub(in crate::ops) fn seal_commit(
    repo: &Repository,
    sink: &ObjectSink<'_>,
    commit: &Commit,
) -> Result<CommitId, OpsError> {
    let unrecordable = |source| OpsError::Tree { what: "the new commit".to_owned(), source };
    let body = commit.encode_body().map_err(unrecordable)?;
    let signature = repo.sign(&signing_bytes(&body))?;
    let bytes = SignedCommit { body, signature }.encode().map_err(unrecordable)?;
    let id = sink.put_metadata(ObjectKind::Commit, &bytes).map_err(OpsError::cas("store the commit"))?;
    Ok(id.into())
}

/// Stores a state for change detection, which took the place of `former`.
pub(in crate::ops) fn store_state(
    repo: &Repository,
    sink: &ObjectSink<'_>,
    state: &[u8],
    former: Option<ContentRoot>,
) -> Result<ContentRoot, OpsError> {
    let storing = OpsError::cas("store the state for change detection");
    let chunker = repo.chunker()?;
    let key = worker::tree_key(repo.chunks().vault().keyring());
    let mut builder = ChonkerTreeBuilder::new(chunker.max_len(), &key);
    let chunks = chunker.cut(state);
    let bytes = |chunk: &Chunk| {
        let start = usize::try_from(chunk.offset).expect("within memory");
        (chunk.offset, &state[start..start + chunk.len as usize])
    };
    let contents: Vec<_> = chunks.iter().map(bytes).collect();
    let former = Former::new(ObjectKind::State, former);
    let mut nodes = NodeWriter { sink, kind: ObjectKind::State, former: &former };
    let ids = sink.put_metadata_chunks(&contents, &former).map_err(&storing)?;
    for (chunk, id) in chunks.iter().zip(ids) {
        let child = TreeChild { id, len: chunk.len.into(), repeat: chunk.repeat };
        builder.push(child, &mut nodes).map_err(&storing)?;
    }
    Ok(convert::content_root(builder.finish(&mut nodes).map_err(&storing)?))
}

/// Why nothing can be recorded on top of a commit.
fn not_live(commit: CommitId, request: &CommitRequest) -> OpsError {
    match request.parent {
        Some(_) => {
            let why = "it is no live commit".to_owned();
            RepoError::NoRevision { spec: commit.to_hex(), why }.into()
        }
        None => OpsError::Refused {
            why: format!(
                "HEAD stands on commit {}, which was forgotten; `warp switch` goes to a branch",
                commit.short()
            ),
        },
    }
}

fn short(full: &str) -> &str {
    full.strip_prefix("heads/").unwrap_or(full)
}

/// The repository's setting of compression.
pub(in crate::ops) fn level_setting(repo: &Repository) -> Result<Level, OpsError> {
    match repo.setting("compression") {
        None => Ok(Level::Auto),
        Some(text) => text
            .parse()
            .map_err(|error| OpsError::Usage { why: format!("the repository's compression: {error}") }),
    }
}

/// How many deltas one above the other the repository wants at most: one, unless it says otherwise.
pub(in crate::ops) fn delta_setting(repo: &Repository) -> Result<u8, OpsError> {
    match repo.setting("delta").as_deref() {
        None | Some("on") => Ok(1),
        Some("off") => Ok(0),
        Some(text) => text
            .parse()
            .ok()
            .filter(|depth| (1..=DELTA_DEPTH_MAX).contains(depth))
            .ok_or_else(|| OpsError::Usage { why: format!("the repository's setting delta is {text:?}") }),
    }
}

/// The same of the contents of files. In a repository at a server they are stored in full, unless it says otherwise: fetching bases costs ten times the
/// bytes that they save, and more time than storing these.
pub(in crate::ops) fn content_delta_setting(repo: &Repository) -> Result<u8, OpsError> {
    match repo.setting("delta").is_none() && repo.chunks().vault().store().is_far() {
        true => Ok(0),
        false => delta_setting(repo),
    }
}

/// How much parity the repository's packs get.
///
/// # Errors
/// [`OpsError::Usage`]: the setting is none that this version knows.
pub fn parity_setting(repo: &Repository) -> Result<Parity, OpsError> {
    match repo.setting("parity") {
        None => Ok(Parity::default()),
        Some(text) => text
            .parse()
            .map_err(|error| OpsError::Usage { why: format!("the repository's setting parity: {error}") }),
    }
}

fn source_paths(source: &Source) -> Result<Vec<Vec<u8>>, OpsError> {
    use std::os::unix::ffi::OsStrExt;
    match source {
        Source::WorkDir(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            Ok(vec![path.as_os_str().as_bytes().to_vec()])
        }
        Source::Paths(paths) => {
            let paths = super::super::source_walk::normalise(paths)?;
            if paths.is_empty() {
                return Err(OpsError::Usage { why: "there is nothing to commit: name a path".to_owned() });
            }
            Ok(paths.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect())
        }
        Source::Stream { name, .. } => match crate::format::dirtree::check_name(name) {
            Ok(()) => Ok(vec![[b"/", name.as_slice()].concat()]),
            Err(why) => Err(OpsError::Usage { why: format!("the stream's file name: {why}") }),
        },
    }
}

/// Branch of a source in a repository without a working directory: `HOST/PATHS`.
fn branch_name(host: &str, paths: &[Vec<u8>]) -> String {
    let legal = |text: &str| -> String {
        let part = |c: char| if c.is_alphanumeric() || "-_+".contains(c) { c } else { '_' };
        text.chars().map(part).collect()
    };
    let path = |path: &Vec<u8>| {
        let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(|name| legal(&String::from_utf8_lossy(name))).collect();
        if names.is_empty() { "root".to_owned() } else { names.join("/") }
    };
    let joined = paths.iter().map(path).collect::<Vec<_>>().join("+/");
    let plain = paths
        .iter()
        .all(|path| path.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte)));
    let host = legal(host).trim_start_matches('-').to_owned();
    let host = if host.is_empty() { "host".to_owned() } else { host };
    if plain && joined.len() + host.len() < 160 && paths.len() == 1 {
        return format!("{host}/{joined}");
    }
    // Different paths must not share a branch because their names were made legal or shortened.
    let hash = blake3::hash(&paths.join(&0)).to_hex();
    let start: String = joined.chars().take(100).collect();
    format!("{host}/{}-{}", start.trim_end_matches('/'), &hash[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_branches_of_their_own_with_legal_names() {
        let name =
            |paths: &[&[u8]]| branch_name("laptop", &paths.iter().map(|p| p.to_vec()).collect::<Vec<_>>());
        assert_eq!(name(&[b"/home/alice"]), "laptop/home/alice");
        assert_eq!(name(&[b"/"]), "laptop/root");
        let odd: [&[&[u8]]; 6] =
            [&[b"/a b"], &[b"/a_b"], &[b"/a.b"], &[b"/a", b"/b"], &[b"/\xff\n"], &[&[b'x'; 3000]]];
        let names: std::collections::BTreeSet<String> = odd.iter().map(|paths| name(paths)).collect();
        assert_eq!(names.len(), odd.len());
        for name in names {
            check_ref_name(&name).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
