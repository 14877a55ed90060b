//! Repositories with history on simulated disks, and what must be true of them whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use warp::format::config::{KdfParams, SlotKind};
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, CommitRequest, ForgetRequest, GarbageCollector, GcConfig, MaxUnused, OpsError,
    ReadData, Selection,
};
use warp::repo::{ChunkerConfig, CreateOptions, Credentials, RepoError, Repository};
use warp::store::{LocalStore, StoreError, Vfs};
use warp::testing::{RecordingObserver, Rng, SimDisk};

use crate::common::{client_on, request};

/// Takes everything away that is not needed, in one run.
pub(crate) const ALL: GcConfig = GcConfig {
    max_unused: MaxUnused::Bytes(0),
    max_repack: None,
    merge: false,
    grace: 0,
    reseal: false,
    threads: 1,
    dry_run: false,
};

/// Names of the folders that are committed, in their order; each is the message of its commit as well.
const HISTORY: [(&str, &str); 5] =
    [("first", "main"), ("gone", "gone"), ("second", "main"), ("side", "side"), ("third", "main")];
/// Folders that commands commit.
const SPARE: [&str; 3] = ["new", "edited", "next"];

/// Why a command failed: all causes in one line.
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        Self(text)
    }
}

/// In what repositories differ from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    seed: u64,
    pub(crate) encrypted: bool,
    /// Temporary files have names.
    named: bool,
    /// The client has never seen the repository.
    stranger: bool,
}

impl Variant {
    /// The variant of this number: all eight mixes come again and again, with other contents.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            seed: number,
            encrypted: number.is_multiple_of(2),
            named: number / 2 % 2 == 1,
            stranger: number / 4 % 2 == 1,
        }
    }
}

/// A repository on a disk on which all is synced, and what was or will be committed to it.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) disk: SimDisk,
    pub(crate) variant: Variant,
    ids: BTreeMap<String, CommitId>,
    /// What a commit of each folder holds, as an archive.
    archives: BTreeMap<String, Vec<u8>>,
}

/// What can be seen of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Refs, and the messages of the commits that they stand on.
    refs: BTreeMap<String, String>,
    /// Messages of the live commits, sorted.
    live: Vec<String>,
    settings: Vec<(String, String)>,
    slots: Vec<(u32, SlotKind, String)>,
    /// Which of the passwords open it.
    opens: Vec<usize>,
}

/// A folder in memory where there is one.
pub(crate) fn temporary() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

pub(crate) fn password(number: usize) -> Credentials {
    Credentials::Password(["correct horse", "other", "changed"][number].as_bytes().to_vec().into())
}

pub(crate) const COST: KdfParams = KdfParams { memory_kib: 8, passes: 1, lanes: 1 };

impl World {
    pub(crate) fn new(variant: Variant) -> Self {
        let disk = if variant.named { SimDisk::with_named_temporaries() } else { SimDisk::new() };
        let (ids, archives) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { dir: temporary(), disk, variant, ids, archives };
        world.write_folders();
        let vfs: Arc<dyn Vfs> = Arc::new(world.disk.clone());
        vfs.create_dirs(Path::new("/state")).unwrap();
        world.create(&vfs).unwrap();
        let repo = world.open(&vfs).unwrap();
        if variant.encrypted {
            repo.key_add(&password(1), "other", COST).unwrap();
        }
        repo.set_setting("compression", Some("3")).unwrap();
        for (name, branch) in HISTORY {
            let commit = ops::commit(&repo, world.request(name, branch), &Silent).unwrap().commit.unwrap();
            world.ids.insert(name.to_owned(), commit);
            world.remember(&repo, commit);
        }
        repo.tag_create("v1", world.id("first"), false).unwrap();
        let forgotten = vec![world.id("gone")];
        let request = ForgetRequest { commits: forgotten, force: true, ..ForgetRequest::default() };
        ops::forget(&repo, &request, &Silent).unwrap();
        world.archive_spares();
        world
    }

    /// A text that grows a little in each commit, noise, and odd names.
    fn write_folders(&self) {
        let mut rng = Rng::new(self.variant.seed ^ 0xfa17);
        let (text, other) = (3000 + rng.below(9000), 2000 + rng.below(20_000));
        let (mut text, other) = (rng.text(text), rng.text(other));
        for name in HISTORY.iter().map(|(name, _)| name).chain(&SPARE) {
            let folder = self.folder(name);
            fs::create_dir_all(folder.join("sub")).unwrap();
            let at = rng.below(text.len() - 20);
            text.splice(at..at + 5, rng.bytes(9));
            fs::write(folder.join("text"), &text).unwrap();
            let noise = rng.below(2000);
            fs::write(folder.join("sub/noise"), rng.bytes(noise)).unwrap();
            if *name != "first" {
                fs::write(folder.join("other"), &other).unwrap();
            }
            std::os::unix::fs::symlink("sub/noise", folder.join("link")).unwrap();
        }
    }

    /// What commits of the spare folders will hold is found out on a copy of the disk.
    fn archive_spares(&mut self) {
        let vfs: Arc<dyn Vfs> = Arc::new(self.fork(&self.disk));
        let repo = self.open(&vfs).unwrap();
        for name in SPARE {
            let commit = ops::commit(&repo, self.request(name, "spare"), &Silent).unwrap().commit.unwrap();
            self.remember(&repo, commit);
        }
    }

    pub(crate) fn remember(&mut self, repo: &Repository, commit: CommitId) {
        let message = repo.version(commit).unwrap().commit.message;
        self.archives.insert(message, archive(repo, commit).unwrap());
    }

    /// A copy of a disk on which all is synced.
    pub(crate) fn fork(&self, disk: &SimDisk) -> SimDisk {
        disk.power_cut(1)
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn id(&self, name: &str) -> CommitId {
        self.ids[name]
    }

    fn state(&self) -> &Path {
        Path::new(if self.variant.stranger { "/state-of-another" } else { "/state" })
    }

    pub(crate) fn credentials(&self, number: usize) -> Credentials {
        if self.variant.encrypted { password(number) } else { Credentials::None }
    }

    /// A commit of a folder, which bears its name.
    pub(crate) fn request(&self, name: &str, branch: &str) -> CommitRequest {
        CommitRequest {
            message: name.to_owned(),
            branch: Some(branch.to_owned()),
            delta_depth: Some(1),
            threads: 1,
            ..request(&self.folder(name))
        }
    }

    /// Makes the repository, as `init` does.
    pub(crate) fn create(&self, vfs: &Arc<dyn Vfs>) -> Result<Repository, Failure> {
        let store = LocalStore::create("/repo", vfs.clone())?;
        let options = CreateOptions {
            credentials: self.credentials(0),
            label: "test".to_owned(),
            kdf: COST,
            worktree: false,
            chunker: ChunkerConfig::default(),
            settings: Vec::new(),
        };
        Ok(Repository::create(Arc::new(store), options, client_on(vfs.clone(), Path::new("/state")))?)
    }

    pub(crate) fn open(&self, vfs: &Arc<dyn Vfs>) -> Result<Repository, Failure> {
        Ok(self.open_with(vfs, 0)?)
    }

    fn open_with(&self, vfs: &Arc<dyn Vfs>, number: usize) -> Result<Repository, OpsError> {
        let store = LocalStore::open("/repo", vfs.clone())
            .map_err(|source: StoreError| RepoError::Store { location: "/repo".to_owned(), source })?;
        let client = client_on(vfs.clone(), self.state());
        Ok(Repository::open(Arc::new(store), &self.credentials(number), client)?)
    }

    /// Opens it with the first password that works, and tells which do.
    pub(crate) fn open_anyhow(&self, vfs: &Arc<dyn Vfs>) -> Result<(Repository, Vec<usize>), OpsError> {
        let passwords = if self.variant.encrypted { 3 } else { 1 };
        let (mut opened, mut opens) = (None, Vec::new());
        for number in 0..passwords {
            match self.open_with(vfs, number) {
                Ok(repo) => {
                    opened = opened.or(Some(repo));
                    opens.push(number);
                }
                Err(OpsError::Repo { source: RepoError::WrongPassword { .. } }) => {}
                Err(error) => return Err(error),
            }
        }
        let location = "/repo".to_owned();
        opened.map(|repo| (repo, opens)).ok_or(RepoError::WrongPassword { location }.into())
    }

    pub(crate) fn facts(&self, repo: &Repository, opens: Vec<usize>) -> Result<Facts, OpsError> {
        let timeline = repo.timeline();
        let message = |id: CommitId| Ok::<_, OpsError>(repo.version(id)?.commit.message);
        let refs = timeline.refs().iter().map(|(name, id)| Ok((name.clone(), message(*id)?)));
        let refs = refs.collect::<Result<_, OpsError>>()?;
        let live = timeline.commits().into_iter().map(message).collect::<Result<BTreeSet<_>, _>>()?;
        let slots = repo.key_slots().into_iter().map(|slot| (slot.id, slot.kind, slot.label)).collect();
        Ok(Facts { refs, live: live.into_iter().collect(), settings: repo.settings(), slots, opens })
    }

    /// Every live commit comes back as it was committed.
    pub(crate) fn check_content(&self, repo: &Repository) -> Result<(), Failure> {
        for commit in repo.timeline().commits() {
            let message = repo.version(commit)?.commit.message;
            if self.archives.get(&message) != Some(&archive(repo, commit)?) {
                return Err(Failure(format!("the commit {message:?} came back as something else")));
            }
        }
        Ok(())
    }

    /// A collection leaves exactly the files that the log names, and a check finds nothing wrong.
    pub(crate) fn check_tidy(&self, disk: &SimDisk) -> Result<(), Failure> {
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let (repo, _) = self.open_anyhow(&vfs)?;
        disk.let_pass(Duration::from_secs(86_400));
        GarbageCollector::new(&repo, ALL).run(&Silent)?;
        let (repo, _) = self.open_anyhow(&vfs)?;
        self.check_content(&repo)?;
        let state = repo.state();
        let packs = state.packs.keys().map(|pack| format!("/repo/packs/{pack}.warp"));
        let segments = state.segments.iter().map(|segment| format!("/repo/index/{}", segment.uid));
        let named: BTreeSet<PathBuf> = packs.chain(segments).map(PathBuf::from).collect();
        let is_ours = |path: &PathBuf| {
            ["/repo/packs", "/repo/index", "/repo/tmp"].iter().any(|dir| path.starts_with(dir))
        };
        let found: BTreeSet<PathBuf> = disk.files().into_iter().filter(is_ours).collect();
        if found != named {
            return Err(Failure(format!("the log names {named:?}, and there are {found:?}")));
        }
        let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
        let report = ops::check(&repo, request, &Silent)?;
        match report.is_clean() {
            true => Ok(()),
            false => Err(Failure(format!("a check finds {:?}", report.findings))),
        }
    }

    /// The next commit works, needs no hand, and is there.
    pub(crate) fn check_next(&self, vfs: &Arc<dyn Vfs>) -> Result<(), Failure> {
        let (repo, _) = self.open_anyhow(vfs)?;
        let observer = RecordingObserver::new();
        let done = ops::commit(&repo, self.request("next", "next"), &observer)?;
        match (done.commit, observer.problems().is_empty()) {
            (Some(_), true) => Ok(()),
            _ => Err(Failure(format!("the next commit: {done:?}, {:?}", observer.problems()))),
        }
    }
}

/// A commit as an archive, which is the same whenever the commit's tree is.
pub(crate) fn archive(repo: &Repository, commit: CommitId) -> Result<Vec<u8>, OpsError> {
    let mut tar = Vec::new();
    ops::archive(repo, commit, &Selection::default(), b"", &mut tar, &Silent)?;
    Ok(tar)
}
