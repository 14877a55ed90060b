//! Small repositories in memory, operations on them as actors, and what must hold when these are over.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::format::config::KdfParams;
use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, CommitRequest, FetchRequest, GarbageCollector, GcConfig, MaxUnused, OpsError,
    PushRequest, ReadData, RefUpdate, RenewRequest, RepackRequest, RepairRequest, RestoreRequest,
    RewriteRequest, Selection, Source,
};
use warp::repo::{
    ChunkerConfig, Client, CreateOptions, Credentials, Draft, ErrorKind, LogState, RefMove, RepoError,
    Repository,
};
use warp::store::{BlobName, MemoryStore, StorageBackend};
use warp::testing::explore::{Actor, Ended, Scenario};
use warp::testing::{RecordingObserver, SimDisk};

/// Files by their names.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// Nothing that is not needed stays, and all goes in one run.
pub(crate) const ALL: GcConfig = GcConfig {
    max_unused: MaxUnused::Bytes(0),
    max_repack: None,
    merge: false,
    reseal: false,
    grace: 0,
    threads: 0,
    dry_run: false,
};

/// What an actor came to.
#[derive(Debug, Default)]
pub(crate) struct Did {
    /// A commit that is acknowledged, or one that was brought back.
    commit: Option<CommitId>,
    /// It failed, for a reason that is none.
    wrong: Option<String>,
}

/// An operation, with the store through which it works.
pub(crate) type Act = Box<dyn Fn(Arc<dyn StorageBackend>) -> Did + Send + Sync>;

/// A repository in memory, and every tree that was or will be committed to it.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) store: Arc<MemoryStore>,
    /// The trees, by the messages of the commits that hold them.
    trees: BTreeMap<String, Tree>,
    /// And the folders that hold them.
    folders: BTreeMap<String, PathBuf>,
    ids: BTreeMap<String, CommitId>,
    /// A file that somebody drops from history: it may be in a commit, or not.
    dropped: Option<&'static str>,
}

fn clock() -> Timestamp {
    // Later than any change of a file, or what is unchanged would be read again.
    Timestamp { secs: 4_102_444_800, nanos: 0 }
}

fn client() -> Client {
    Client {
        state_dir: "/state".into(),
        cache_dir: None,
        vfs: Arc::new(SimDisk::new()),
        who: "tester@host".to_owned(),
        host: "host".to_owned(),
        now: clock,
        utc_offset: 0,
        accept_rollback: false,
    }
}

fn open(store: Arc<dyn StorageBackend>) -> Result<Repository, RepoError> {
    Repository::open(store, &Credentials::None, client())
}

impl World {
    /// An empty repository, without encryption.
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let options = CreateOptions {
            credentials: Credentials::None,
            label: "test".to_owned(),
            kdf: KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
            worktree: false,
            chunker: ChunkerConfig::default(),
            settings: Vec::new(),
        };
        Repository::create(Arc::clone(&store) as Arc<dyn StorageBackend>, options, client()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir,
            store,
            trees: BTreeMap::new(),
            folders: BTreeMap::new(),
            ids: BTreeMap::new(),
            dropped: None,
        }
    }

    pub(crate) fn repo(&self) -> Repository {
        open(Arc::clone(&self.store) as Arc<dyn StorageBackend>).unwrap()
    }

    /// Makes a folder of these files, to be committed.
    pub(crate) fn source<'n>(
        &mut self,
        name: &str,
        files: impl IntoIterator<Item = (&'n str, Vec<u8>)>,
    ) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let tree: Tree = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        tree.iter().for_each(|(name, bytes)| std::fs::write(path.join(name), bytes).unwrap());
        self.trees.insert(name.to_owned(), tree);
        self.folders.insert(name.to_owned(), path.clone());
        path
    }

    /// Puts another file into a folder: what it then holds has another name, and what it held is unchanged.
    pub(crate) fn grow(&mut self, from: &str, name: &str, (file, bytes): (&str, Vec<u8>)) {
        let folder = self.folders[from].clone();
        std::fs::write(folder.join(file), &bytes).unwrap();
        let mut tree = self.trees[from].clone();
        tree.insert(file.to_owned(), bytes);
        self.trees.insert(name.to_owned(), tree);
        self.folders.insert(name.to_owned(), folder);
    }

    /// Commits such a folder at once.
    pub(crate) fn commit<'n>(
        &mut self,
        name: &str,
        (branch, depth): (&str, u8),
        files: impl IntoIterator<Item = (&'n str, Vec<u8>)>,
    ) {
        let source = self.source(name, files);
        // A file that changed only just now counts as changed ever after.
        std::thread::sleep(std::time::Duration::from_millis(60));
        let outcome = ops::commit(&self.repo(), request(&source, name, branch, depth), &Silent).unwrap();
        self.ids.insert(name.to_owned(), outcome.commit.unwrap());
    }

    /// Forgets commits, and the branches on them.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        let ids: Vec<CommitId> = names.iter().map(|name| self.give_up(name)).collect();
        forget_all(&self.repo(), &ids).unwrap();
    }

    /// From now on the commit need not be live.
    pub(crate) fn give_up(&mut self, name: &str) -> CommitId {
        self.ids.remove(name).unwrap()
    }

    /// Somebody will drop this file from history.
    pub(crate) fn without(mut self, file: &'static str) -> Self {
        self.dropped = Some(file);
        self
    }

    pub(crate) fn id(&self, name: &str) -> CommitId {
        self.ids[name]
    }

    /// These actors in this repository.
    pub(crate) fn scenario(&self, actors: Vec<(&'static str, Act)>) -> Scenario<'_, Did> {
        let actors = actors.into_iter().map(|(name, act)| Actor { name, act }).collect();
        Scenario { store: &self.store, actors, check: Box::new(|ended| self.check(ended)) }
    }

    /// Whatever was acknowledged is there and right, as is all that the log names; and a gc leaves only that.
    fn check(&self, ended: &Ended<Did>) -> Result<(), String> {
        let excused = ended.values.iter().zip(&ended.disturbed);
        if let Some((did, _)) = excused.into_iter().find(|(did, excused)| did.wrong.is_some() && !**excused) {
            return Err(did.wrong.clone().unwrap_or_default());
        }
        let acknowledged = ended.values.iter().filter_map(|did| did.commit);
        let live: Vec<CommitId> = self.ids.values().copied().chain(acknowledged).collect();
        let open = || open(Arc::clone(&ended.store) as Arc<dyn StorageBackend>).map_err(in_words);
        self.check_commits(&open()?, &live)?;
        check_files(&open()?, &ended.store, false)?;
        GarbageCollector::new(&open()?, ALL).run(&Silent).map_err(|error| after_all("gc", &error))?;
        self.check_commits(&open()?, &live)?;
        check_files(&open()?, &ended.store, true)
    }

    /// Every live commit comes back as it was, and these are live.
    fn check_commits(&self, repo: &Repository, live: &[CommitId]) -> Result<(), String> {
        let state = repo.state();
        let mut originals = BTreeSet::new();
        for id in &state.commits {
            let failed = |error: OpsError| after_all(&format!("reading commit {id}"), &error);
            let commit = repo.version(*id).map_err(|error| failed(error.into()))?.commit;
            originals.extend(commit.original);
            let mut tar = Vec::new();
            ops::archive(repo, *id, &Selection::default(), b"", &mut tar, &Silent).map_err(failed)?;
            let expected = self.trees.get(&commit.message).cloned().map(|tree| self.left(tree));
            if expected != Some(self.left(unpacked(&tar))) {
                return Err(format!("commit {id}, {:?}, came back as something else", commit.message));
            }
        }
        if let Some(lost) = live.iter().find(|id| !state.is_live(id) && !originals.contains(*id)) {
            return Err(format!("commit {lost} is not live"));
        }
        check_bases(repo)
    }

    /// What of a tree must be there whatever is dropped.
    fn left(&self, mut tree: Tree) -> Tree {
        if let Some(file) = self.dropped {
            tree.remove(file);
        }
        tree
    }
}

/// Whatever can be used and is a delta has its bases, less deep, in packs that can be used. (What is condemned, and still there
/// because a gc was killed, need not.)
fn check_bases(repo: &Repository) -> Result<(), String> {
    let state = repo.state();
    for pack in state.packs.keys().filter(|pack| !state.condemned.contains_key(pack)) {
        let map = repo.chunks().map(*pack).map_err(|error| format!("pack {pack}: {error}"))?;
        for (entry, block, slot) in map.rows() {
            let Some(delta) = map.delta(block, slot) else { continue };
            for &base in delta.bases.iter() {
                let found = repo.chunks().index().find_usable(entry.kind, base, delta.depth);
                if !matches!(found, Ok(Some(_))) {
                    return Err(format!("{base}, the base of a delta in pack {pack}, is not there"));
                }
            }
        }
    }
    Ok(())
}

fn forget_all(repo: &Repository, ids: &[CommitId]) -> Result<(), RepoError> {
    let draft = |state: &LogState| {
        let refs = state.refs.iter().filter(|(_, at)| ids.contains(at));
        let gone = refs.map(|(name, at)| RefMove { name: name.clone(), old: Some(*at), new: None });
        let message = "forget".to_owned();
        Ok(Draft { forgotten: ids.to_vec(), refs: gone.collect(), message, ..Draft::default() })
    };
    repo.append(&mut |state| draft(state)).map(drop)
}

/// All files that the log names are there, and, if so asked, no others.
fn check_files(repo: &Repository, store: &MemoryStore, alone: bool) -> Result<(), String> {
    let state = repo.state();
    for (folder, named) in [
        ("packs/", state.packs.keys().map(|pack| format!("packs/{pack}.warp")).collect::<BTreeSet<_>>()),
        ("index/", state.segments.iter().map(|segment| format!("index/{}", segment.uid)).collect()),
    ] {
        let listed = store.list(folder).unwrap();
        let there: BTreeSet<String> = listed.into_iter().map(|blob| blob.name.to_string()).collect();
        if let Some(missing) = named.difference(&there).next() {
            return Err(format!("the log names {missing}, which is not there"));
        }
        if let Some(left) = there.difference(&named).next().filter(|_| alone) {
            return Err(format!("{left} is left over"));
        }
    }
    Ok(())
}

fn unpacked(tar: &[u8]) -> Tree {
    let mut tree = Tree::new();
    for member in tar::Archive::new(tar).entries().unwrap() {
        let mut member = member.unwrap();
        if member.header().entry_type().is_file() {
            let name = member.path().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            tree.insert(name, bytes);
        }
    }
    tree
}

fn request(source: &Path, message: &str, branch: &str, depth: u8) -> CommitRequest {
    CommitRequest {
        message: message.to_owned(),
        branch: Some(branch.to_owned()),
        delta_depth: Some(depth),
        threads: 1,
        ..CommitRequest::new(Source::WorkDir(source.to_owned()), "host", clock())
    }
}

fn in_words(error: RepoError) -> String {
    after_all("opening", &OpsError::from(error))
}

fn after_all(what: &str, error: &OpsError) -> String {
    let mut text = format!("{what} failed: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

fn did<T>(what: &str, done: Result<T, OpsError>) -> Did {
    Did { commit: None, wrong: done.err().map(|error| after_all(what, &error)) }
}

/// Whether others won so often that the operation gave up, as it may: it has done nothing.
fn gave_up(error: &OpsError) -> bool {
    use RepoError::{BaseForgotten, Condemned, Overtaken};
    matches!(error, OpsError::Repo { source: Condemned | Overtaken | BaseForgotten { .. } })
}

/// A commit of a folder of the world.
pub(crate) fn commit(world: &World, name: &'static str, (branch, depth): (&'static str, u8)) -> Act {
    let source = world.folders[name].clone();
    Box::new(move |store| {
        let outcome = open(store).map_err(OpsError::from).and_then(|repo| {
            let observer = RecordingObserver::new();
            let outcome = ops::commit(&repo, request(&source, name, branch, depth), &observer)?;
            assert_eq!(outcome.problems, 0, "{:?}", observer.problems());
            Ok(outcome)
        });
        match outcome {
            Ok(outcome) => Did { commit: outcome.commit, wrong: None },
            Err(error) if gave_up(&error) => Did::default(),
            Err(error) => did::<()>("commit", Err(error)),
        }
    })
}

pub(crate) fn gc(config: GcConfig) -> Act {
    Box::new(move |store| {
        let done = open(store).map_err(OpsError::from);
        did("gc", done.and_then(|repo| GarbageCollector::new(&repo, config).run(&Silent)))
    })
}

pub(crate) fn repack() -> Act {
    Box::new(move |store| {
        let request = RepackRequest { aggressive: true, ..RepackRequest::default() };
        let done = open(store).map_err(OpsError::from);
        match done.and_then(|repo| ops::repack(&repo, request, &Silent)) {
            Err(error) if gave_up(&error) => Did::default(),
            done => did("repack", done),
        }
    })
}

/// Gives all packs more parity, which is set already.
pub(crate) fn parity(world: &World) -> Act {
    world.repo().set_setting("parity", Some("30%")).unwrap();
    Box::new(move |store| {
        let done = open(store).map_err(OpsError::from).and_then(|repo| {
            let request = RenewRequest { threads: 1, ..RenewRequest::default() };
            ops::renew_parity(&repo, "30%".parse().unwrap(), request, &Silent)
        });
        match done {
            Err(error) if gave_up(&error) => Did::default(),
            done => did("parity", done),
        }
    })
}

/// A push of a folder from a copy of the repository, where it was committed to a branch of its name.
pub(crate) fn push(world: &World, name: &'static str) -> Act {
    let there: Arc<dyn StorageBackend> = Arc::new(world.store.fork());
    let source = request(&world.folders[name], name, name, 1);
    let outcome = ops::commit(&open(Arc::clone(&there)).unwrap(), source, &Silent).unwrap();
    let new = outcome.commit;
    Box::new(move |store| {
        let update = RefUpdate {
            from: name.to_owned(),
            name: format!("heads/{name}"),
            new,
            force: false,
            expected: None,
        };
        let request = PushRequest { updates: vec![update], in_flight: 1, ..PushRequest::default() };
        let done = open(Arc::clone(&there)).map_err(OpsError::from).and_then(|from| {
            let to = from.open_sibling(store, client())?;
            ops::push(&from, &to, &request, &Silent)
        });
        match done {
            Ok(done) if done.is_refused => {
                Did { commit: None, wrong: Some(format!("push was refused: {:?}", done.refs)) }
            }
            Ok(_) => Did { commit: new, wrong: None },
            Err(error) if gave_up(&error) => Did::default(),
            Err(error) => did::<()>("push", Err(error)),
        }
    })
}

/// A fetch of all branches into an empty repository, where what came must be whole.
pub(crate) fn fetch() -> Act {
    Box::new(move |store| {
        let done = open(store).map_err(OpsError::from).and_then(|from| {
            let to = from.create_sibling(Arc::new(MemoryStore::new()), false, client())?;
            let request =
                FetchRequest { remote: "there".to_owned(), in_flight: 1, ..FetchRequest::default() };
            ops::fetch(&to, &from, &request, &Silent)?;
            let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
            Ok((ops::check(&to, request, &Silent)?, to.timeline().remote_branches().len()))
        });
        match done {
            Ok((report, branches)) if report.is_clean() && branches > 0 => Did::default(),
            Ok(done) => Did { commit: None, wrong: Some(format!("what was fetched is not whole: {done:?}")) },
            Err(error) if gave_up(&error) => Did::default(),
            Err(error) => did::<()>("fetch", Err(error)),
        }
    })
}

/// A restore of a commit that is live.
pub(crate) fn read(world: &World, name: &'static str) -> Act {
    let (id, tree, dir) = (world.id(name), world.trees[name].clone(), world.dir.path().to_owned());
    Box::new(move |store| {
        let target = tempfile::tempdir_in(&dir).unwrap();
        let root = target.path().join("out");
        let restored = open(store).map_err(OpsError::from).and_then(|repo| {
            let request = RestoreRequest { verify: true, ..RestoreRequest::new(id, &root) };
            ops::restore(&repo, request, &Silent)
        });
        let is_right =
            |(name, bytes): (&String, &Vec<u8>)| std::fs::read(root.join(name)).is_ok_and(|is| is == *bytes);
        let wrong = match restored {
            Err(error) => Some(after_all("restore", &error)),
            Ok(done) if done.problems > 0 => Some(format!("restore met {} problems", done.problems)),
            Ok(_) if !tree.iter().all(is_right) => Some("restore wrote wrong bytes".to_owned()),
            Ok(_) => None,
        };
        Did { commit: None, wrong }
    })
}

/// Brings a commit back. That its data is gone already is no fault.
pub(crate) fn undelete(id: CommitId) -> Act {
    Box::new(move |store| {
        let done = open(store).map_err(OpsError::from);
        match done.and_then(|repo| ops::undelete(&repo, &[id], 0, &Silent)) {
            Ok(_) => Did { commit: Some(id), wrong: None },
            Err(error) if gave_up(&error) || error.kind() == ErrorKind::Damaged => Did::default(),
            Err(error) => did::<()>("undelete", Err(error)),
        }
    })
}

/// A check that reads everything; it must find nothing wrong.
pub(crate) fn check() -> Act {
    Box::new(move |store| {
        let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
        let done = open(store).map_err(OpsError::from);
        match done.and_then(|repo| ops::check(&repo, request, &Silent)) {
            Ok(report) if report.is_clean() => Did::default(),
            Ok(report) => Did {
                commit: None,
                wrong: Some(format!("check found what is not so: {:?}", report.findings)),
            },
            Err(error) => did::<()>("check", Err(error)),
        }
    })
}

/// Drops a file from history.
pub(crate) fn rewrite(file: &'static str) -> Act {
    Box::new(move |store| {
        let request = RewriteRequest { paths: vec![file.as_bytes().to_vec()], ..RewriteRequest::default() };
        let done = open(store).map_err(OpsError::from);
        match done.and_then(|repo| ops::rewrite_history(&repo, &request, &mut |_| (), &Silent)) {
            Err(error) if gave_up(&error) => Did::default(),
            done => did("rewrite", done),
        }
    })
}

/// A check that reads everything, and a repair of what it finds.
pub(crate) fn repair() -> Act {
    Box::new(move |store| {
        let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
        let done = open(store).map_err(OpsError::from).and_then(|repo| {
            let report = ops::check(&repo, request, &Silent)?;
            ops::repair(&repo, &report, RepairRequest { threads: 1, ..RepairRequest::default() }, &Silent)
        });
        match done {
            Ok(done) if done.beyond.is_empty() && done.lost_objects == 0 => Did::default(),
            Ok(done) => Did { commit: None, wrong: Some(format!("repair gave something up: {done:?}")) },
            Err(error) if gave_up(&error) => Did::default(),
            Err(error) => did::<()>("repair", Err(error)),
        }
    })
}

/// Takes a commit out of the live ones.
pub(crate) fn forget(id: CommitId) -> Act {
    Box::new(move |store| {
        let done = open(store).and_then(|repo| forget_all(&repo, &[id]));
        did("forget", done.map_err(OpsError::from))
    })
}

/// Damages a file as far as its parity, or another that says the same, can bring it back.
pub(crate) fn damage(store: &MemoryStore, name: &BlobName) {
    let mut bytes = store.get(name, u64::MAX).unwrap();
    let (middle, part) = (bytes.len() / 2, (bytes.len() / 40).max(1));
    bytes[middle..middle + part].iter_mut().for_each(|byte| *byte ^= 0x5a);
    store.overwrite(name, bytes);
}

/// Puts a file into the store that no entry of the log names.
pub(crate) fn litter(store: &MemoryStore, name: &str) {
    store.overwrite(&BlobName::new(name).unwrap(), b"a writer died".to_vec());
}
