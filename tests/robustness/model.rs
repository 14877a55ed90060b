//! Random actions on a repository, against plain copies in memory: whatever was committed and not forgotten comes back as its
//! copy, through commits, collections, repacks, repairs, kills, cuts of the power, and damage that parity can bring back.
//!
//! Every run of a few hundred actions is told by its seed. When one goes wrong it is run again with fewer actions, as long as it
//! still goes wrong, and the shortest list is printed. WARP_SEED repeats one run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use warp::cas::pack_name;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, CommitRequest, FindingKind, ForgetRequest, GarbageCollector, GcConfig, MaxUnused,
    OpsError, ReadData, RepackRequest, RepairRequest, RestoreRequest,
};
use warp::repo::{ErrorKind, RepoError, Repository};
use warp::store::{BlobName, LocalStore, StorageBackend, Vfs};
use warp::testing::{Cut, Fault, FaultVfs, RecordingObserver, Rng, SimDisk};

use crate::common::program::{is_over, rounds};
use crate::common::{client_on, create, password, request};
use crate::matrix::{Failure, archive, temporary};

/// Files by their names.
type Tree = BTreeMap<String, Vec<u8>>;

const ACTIONS: usize = 250;
/// Actions after which everything is read.
const ALL_AFTER: usize = 25;
const COMMITS_MAX: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Edit,
    Commit,
    Forget,
    Undelete,
    Gc,
    Repack,
    Repair,
    Damage,
    Restore,
    Check,
    Tag,
}

/// A thing to do; its seed decides all that is random about it, so that it is the same whatever came before.
#[derive(Debug, Clone, Copy)]
struct Action {
    kind: Kind,
    seed: u64,
    /// It is killed at this operation of the disk.
    dies: Option<u64>,
    /// The power is cut after it.
    cut: Option<Cut>,
}

fn actions(seed: u64) -> Vec<Action> {
    use Kind::{Check, Commit, Damage, Edit, Forget, Gc, Repack, Repair, Restore, Tag, Undelete};
    let mut rng = Rng::new(seed);
    let often = [
        Edit, Edit, Edit, Edit, Commit, Commit, Commit, Commit, Commit, Forget, Forget, Undelete, Gc, Gc,
        Repack, Repair, Damage, Damage, Restore, Restore, Check, Tag,
    ];
    let action = |rng: &mut Rng| Action {
        kind: *rng.pick(&often),
        seed: rng.next_u64(),
        dies: rng.one_in(5).then(|| rng.below(40) as u64),
        cut: rng.one_in(8).then(|| {
            let seed = rng.next_u64();
            *rng.pick(&[
                Cut::Nothing,
                Cut::Everything,
                Cut::Some(seed),
                Cut::Torn(seed),
                Cut::Reordered(seed),
            ])
        }),
    };
    (0..ACTIONS).map(|_| action(&mut rng)).collect()
}

/// How often each thing was done.
type Counts = BTreeMap<Kind, u64>;

/// A repository, and what must be true of it.
struct Model {
    dir: tempfile::TempDir,
    disk: SimDisk,
    /// What the working folder holds.
    work: Tree,
    /// Copies of what live commits hold.
    live: BTreeMap<CommitId, Tree>,
    /// And of what was forgotten, and may come back.
    forgotten: BTreeMap<CommitId, Tree>,
    /// Files that were damaged and not yet repaired.
    damaged: BTreeSet<String>,
    /// A repair died, maybe between the two copies of the configuration: the next entry brings the second.
    owed: bool,
    counts: Counts,
    killed: u64,
}

fn wrong(text: impl Into<String>) -> Failure {
    Failure(text.into())
}

impl Model {
    fn new(seed: u64) -> Self {
        let disk = if seed.is_multiple_of(2) { SimDisk::new() } else { SimDisk::with_named_temporaries() };
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        vfs.create_dirs(Path::new("/state")).unwrap();
        let store = Arc::new(LocalStore::create("/repo", vfs.clone()).unwrap());
        create(store, client_on(vfs, Path::new("/state")));
        let model = Self {
            dir: temporary(),
            disk,
            work: Tree::new(),
            live: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            damaged: BTreeSet::new(),
            owed: false,
            counts: Counts::new(),
            killed: 0,
        };
        fs::create_dir(model.folder()).unwrap();
        model
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.disk.clone())
    }

    fn open(&self, vfs: &Arc<dyn Vfs>) -> Result<Repository, OpsError> {
        let store = LocalStore::open("/repo", vfs.clone());
        let store = store.map_err(|source| RepoError::Store { location: "/repo".to_owned(), source })?;
        Ok(Repository::open(Arc::new(store), &password(), client_on(vfs.clone(), Path::new("/state")))?)
    }

    fn some(&self, rng: &mut Rng) -> Option<CommitId> {
        let ids: Vec<CommitId> = self.live.keys().copied().collect();
        (!ids.is_empty()).then(|| *rng.pick(&ids))
    }

    fn edit(&mut self, rng: &mut Rng) {
        let names: Vec<String> = (0..6).map(|number| format!("file-{number}")).collect();
        let name = rng.pick(&names).clone();
        let path = self.folder().join(&name);
        let old = self.work.get(&name).cloned();
        match (rng.below(5), old) {
            (0, Some(_)) => {
                fs::remove_file(&path).unwrap();
                self.work.remove(&name);
            }
            (1, Some(mut bytes)) if !bytes.is_empty() => {
                let at = rng.below(bytes.len());
                bytes.splice(at..at, rng.bytes(7));
                self.put(&path, name, bytes);
            }
            (2, _) => self.put(&path, name, rng.bytes(1200)),
            (_, _) => {
                let len = rng.below(4000);
                self.put(&path, name, rng.text(len));
            }
        }
    }

    fn put(&mut self, path: &Path, name: String, bytes: Vec<u8>) {
        fs::write(path, &bytes).unwrap();
        self.work.insert(name, bytes);
    }

    /// Does it, or dies of it; then looks at what is there.
    fn act(&mut self, action: Action) -> Result<(), Failure> {
        *self.counts.entry(action.kind).or_default() += 1;
        let mut rng = Rng::new(action.seed);
        if action.kind == Kind::Edit {
            self.edit(&mut rng);
            return Ok(());
        }
        if action.kind == Kind::Damage {
            return self.damage(&mut rng);
        }
        let clean = self.vfs();
        let faulty = action.dies.map(|at| FaultVfs::new(Arc::clone(&clean), Fault::Torn, at));
        let vfs = faulty.clone().map_or(clean, |faulty| faulty as Arc<dyn Vfs>);
        let before: BTreeSet<CommitId> = self.live.keys().copied().collect();
        let done = self.open(&vfs).and_then(|repo| self.command(&repo, action.kind, &mut rng));
        let died = faulty.is_some_and(|faulty| faulty.fired());
        self.killed += u64::from(died);
        self.owed |= died && action.kind == Kind::Repair;
        if let Some(cut) = action.cut {
            self.disk = self.disk.cut(cut);
        }
        match done {
            Ok(change) => self.settle(&before, &change, died),
            Err(_) if died => self.settle(&before, &Change::default(), true),
            Err(error) => Err(error.into()),
        }
    }

    fn command(&mut self, repo: &Repository, kind: Kind, rng: &mut Rng) -> Result<Change, OpsError> {
        let mut change = Change::default();
        match kind {
            Kind::Commit => change.added.extend(self.commit(repo, rng)?),
            Kind::Forget => {
                let some: BTreeSet<CommitId> = (0..1 + rng.below(3)).filter_map(|_| self.some(rng)).collect();
                let commits: Vec<CommitId> = some
                    .into_iter()
                    .filter(|id| !repo.timeline().tags().iter().any(|tag| tag.1 == *id))
                    .collect();
                if !commits.is_empty() {
                    let request = ForgetRequest { commits, force: true, ..ForgetRequest::default() };
                    change.removed.extend(ops::forget(repo, &request, &Silent)?.forgotten);
                }
            }
            Kind::Undelete => {
                let ids: Vec<CommitId> = self.forgotten.keys().copied().collect();
                if !ids.is_empty() {
                    let id = *rng.pick(&ids);
                    match ops::undelete(repo, &[id], 1, &Silent) {
                        Ok(_) => drop(change.added.insert(id)),
                        // A gc has taken away what it needs.
                        Err(error) if error.kind() == ErrorKind::Damaged => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Kind::Gc => {
                let config = GcConfig {
                    max_unused: *rng.pick(&[
                        MaxUnused::Bytes(0),
                        MaxUnused::Percent(5),
                        MaxUnused::Percent(50),
                    ]),
                    merge: rng.one_in(2),
                    grace: if rng.one_in(3) { 3600 } else { 0 },
                    threads: 1,
                    ..GcConfig::default()
                };
                GarbageCollector::new(repo, config).run(&Silent)?;
            }
            Kind::Repack => {
                let request = RepackRequest { aggressive: rng.one_in(2), ..RepackRequest::default() };
                ops::repack(repo, request, &Silent)?;
            }
            Kind::Repair => self.repair(repo)?,
            Kind::Restore => self.restore(repo, rng)?,
            Kind::Check => self.check(repo)?,
            Kind::Tag => match (repo.timeline().tags().first(), self.some(rng)) {
                (Some((name, _)), _) => drop(repo.tag_delete(name)?),
                (None, Some(id)) => repo.tag_create("kept", id, false)?,
                (None, None) => {}
            },
            Kind::Edit | Kind::Damage => {}
        }
        Ok(change)
    }

    fn commit(&mut self, repo: &Repository, rng: &mut Rng) -> Result<Option<CommitId>, OpsError> {
        if self.live.len() >= COMMITS_MAX {
            return Ok(None);
        }
        let request = CommitRequest {
            branch: Some(rng.pick(&["main", "other"]).to_string()),
            delta_depth: Some(rng.below(4) as u8),
            threads: 1,
            allow_empty: rng.one_in(3),
            ..request(&self.folder())
        };
        let observer = RecordingObserver::new();
        let done = ops::commit(repo, request, &observer)?;
        assert_eq!(observer.problems(), []);
        Ok(done.commit)
    }

    fn repair(&mut self, repo: &Repository) -> Result<(), OpsError> {
        let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
        let report = ops::check(repo, request, &Silent)?;
        let request = RepairRequest { threads: 1, ..RepairRequest::default() };
        let done = ops::repair(repo, &report, request, &Silent)?;
        assert!(done.beyond.is_empty() && done.lost_objects == 0, "{done:?}");
        self.owed = false;
        // What is condemned is left as it is, until a gc takes it away.
        let state = repo.refresh()?;
        let condemned: BTreeSet<String> =
            state.condemned.keys().map(|pack| pack_name(pack).to_string()).collect();
        self.damaged.retain(|name| condemned.contains(name));
        Ok(())
    }

    fn restore(&self, repo: &Repository, rng: &mut Rng) -> Result<(), OpsError> {
        let Some(id) = self.some(rng) else { return Ok(()) };
        let root = self.dir.path().join("out");
        let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(id, &root) };
        let observer = RecordingObserver::new();
        let done = ops::restore(repo, request, &observer);
        let right = done.is_ok().then(|| read_folder(&root));
        let _ = fs::remove_dir_all(&root);
        done?;
        assert_eq!(observer.problems(), []);
        assert!(right.as_ref() == Some(&self.live[&id]), "{id} was restored as something else");
        Ok(())
    }

    /// A check finds nothing but what was damaged.
    fn check(&self, repo: &Repository) -> Result<(), OpsError> {
        let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
        let report = ops::check(repo, request, &Silent)?;
        let is_known = |finding: &ops::Finding| {
            self.damaged.contains(&finding.file) || self.owed && finding.kind == FindingKind::Configuration
        };
        let unknown = report.findings.iter().find(|finding| !is_known(finding));
        assert!(unknown.is_none(), "damaged are {:?}, and a check finds {unknown:?}", self.damaged);
        Ok(())
    }

    /// Damages a file as far as its parity or its copy can bring it back, unless one of its kind is damaged already.
    fn damage(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let folder = *rng.pick(&["packs/", "packs/", "log/", "config/", "index/"]);
        let is_there =
            self.damaged.iter().any(|name| !name.starts_with("packs/") || name.starts_with(folder));
        if is_there {
            return Ok(());
        }
        let store = LocalStore::open("/repo", self.vfs())?;
        let blobs = store.list(folder)?;
        if blobs.is_empty() || folder == "config/" && blobs.len() < 2 {
            return Ok(());
        }
        let name = rng.pick(&blobs).name.clone();
        let mut bytes = store.get(&name, u64::MAX)?;
        let part = (bytes.len() / 40).max(1);
        let at = rng.below(bytes.len() - part + 1);
        let flips = 1 + rng.below(255);
        bytes[at..at + part].iter_mut().for_each(|byte| *byte ^= flips as u8);
        overwrite(&self.vfs(), &name, &bytes)?;
        self.damaged.insert(name.as_str().to_owned());
        Ok(())
    }

    /// What is there now is what was there and what was done; after a death either.
    fn settle(&mut self, before: &BTreeSet<CommitId>, change: &Change, died: bool) -> Result<(), Failure> {
        let repo = self.open(&self.vfs())?;
        let now: BTreeSet<CommitId> = repo.timeline().commits().into_iter().collect();
        let wanted = &(before | &change.added) - &change.removed;
        if now != wanted && !died {
            return Err(wrong(format!("live are {now:?}, and not {wanted:?}")));
        }
        for id in &now - before {
            let copy = self.forgotten.remove(&id).unwrap_or_else(|| self.work.clone());
            self.live.insert(id, copy);
        }
        for id in before - &now {
            let copy = self.live.remove(&id).expect("it was live");
            self.forgotten.insert(id, copy);
        }
        let is_there = |name: &String| {
            let name = BlobName::new(name).expect("a name that was listed");
            repo.chunks().vault().store().len(&name).is_ok_and(|len| len.is_some())
        };
        self.damaged.retain(is_there);
        match now.iter().nth(before.len() / 2) {
            Some(id) => self.read(&repo, *id),
            None => Ok(()),
        }
    }

    fn read(&self, repo: &Repository, id: CommitId) -> Result<(), Failure> {
        match unpacked(&archive(repo, id)?) == self.live[&id] {
            true => Ok(()),
            false => Err(wrong(format!("{id} came back as something else"))),
        }
    }

    fn read_all(&self) -> Result<(), Failure> {
        let repo = self.open(&self.vfs())?;
        self.live.keys().try_for_each(|id| self.read(&repo, *id))?;
        self.check(&repo)?;
        Ok(())
    }

    /// A repair and a collection at the end leave nothing to find, and nothing that is not needed.
    fn end(&mut self) -> Result<(), Failure> {
        let repo = self.open(&self.vfs())?;
        self.repair(&repo)?;
        let config = GcConfig { grace: 0, threads: 1, ..GcConfig::aggressive() };
        GarbageCollector::new(&self.open(&self.vfs())?, config).run(&Silent)?;
        self.read_all()?;
        let repo = self.open(&self.vfs())?;
        let store = repo.chunks().vault().store();
        let state = repo.state();
        let named = (state.packs.len(), state.segments.len());
        match (store.list("packs/")?.len(), store.list("index/")?.len()) {
            found if found == named => Ok(()),
            found => Err(wrong(format!("there are {found:?} packs and segments, and {named:?} are named"))),
        }
    }
}

/// What a command said that it did.
#[derive(Debug, Default)]
struct Change {
    added: BTreeSet<CommitId>,
    removed: BTreeSet<CommitId>,
}

fn overwrite(vfs: &Arc<dyn Vfs>, name: &BlobName, bytes: &[u8]) -> Result<(), Failure> {
    LocalStore::open("/repo", vfs.clone())?.replace(name, bytes)?;
    Ok(())
}

fn read_folder(root: &Path) -> Tree {
    let files = fs::read_dir(root).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
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

/// Does all of it, and looks at everything now and then.
fn run(seed: u64, actions: &[Action]) -> Result<(Counts, u64), (usize, String)> {
    let mut model = Model::new(seed);
    for (number, action) in actions.iter().enumerate() {
        let done = catch_unwind(AssertUnwindSafe(|| {
            model.act(*action)?;
            if number % ALL_AFTER == ALL_AFTER - 1 { model.read_all() } else { Ok(()) }
        }));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err((number, error.0)),
            Err(_) => return Err((number, "it panicked".to_owned())),
        }
    }
    match catch_unwind(AssertUnwindSafe(|| model.end())) {
        Ok(Ok(())) => Ok((model.counts, model.killed)),
        Ok(Err(error)) => Err((actions.len(), error.0)),
        Err(_) => Err((actions.len(), "it panicked at the end".to_owned())),
    }
}

/// The shortest list of actions, found by leaving out one after the other, that still goes wrong.
fn shrink(seed: u64, mut actions: Vec<Action>, mut failure: (usize, String)) -> String {
    actions.truncate(failure.0 + 1);
    let mut at = actions.len();
    while at > 0 {
        at -= 1;
        let mut fewer = actions.clone();
        fewer.remove(at);
        if let Err(other) = run(seed, &fewer) {
            fewer.truncate(other.0 + 1);
            at = at.min(fewer.len());
            (actions, failure) = (fewer, other);
        }
    }
    let list: Vec<String> = actions.iter().map(|action| format!("  {action:?}")).collect();
    format!("seed {seed}: {}\n{}", failure.1, list.join("\n"))
}

#[test]
fn random_actions_lead_to_what_plain_copies_say() {
    let (runs, begun) = (rounds(6, 400) as u64, Instant::now());
    let one = std::env::var("WARP_SEED").ok().map(|seed| seed.parse::<u64>().expect("WARP_SEED is a number"));
    let seeds = one.map_or(1..=runs, |seed| seed..=seed);
    let seeds = seeds.into_par_iter().filter(|_| !is_over(begun));
    let all: Vec<_> = seeds.map(|seed| (seed, run(seed, &actions(seed)))).collect();
    let (mut counts, mut killed) = (Counts::new(), 0);
    for (seed, result) in all {
        match result {
            Ok((of_run, died)) => {
                of_run.into_iter().for_each(|(kind, times)| *counts.entry(kind).or_default() += times);
                killed += died;
            }
            Err(failure) => panic!("{}", shrink(seed, actions(seed), failure)),
        }
    }
    let sum: u64 = counts.values().sum();
    println!("model: {sum} actions, {killed} killed, {counts:?}; {} s", begun.elapsed().as_secs());
    assert!(killed > 0 && counts.len() == 11);
}
