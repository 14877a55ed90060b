//! Every command: how its repository is prepared, and what it does.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use warp::cas::{pack_name, segment_name};
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, DiffOptions, FetchRequest, FindRequest, ForgetRequest, GarbageCollector, GcConfig,
    LogRequest, PushRequest, ReadData, RefSpec, RepackRequest, RepairRequest, RestoreRequest, ScanSettings,
    SealedRequest, Side, Source,
};
use warp::repo::{Head, Recovery, RecoverySheet, Repository, ResolveContext, WorkDir};
use warp::store::{LocalStore, StorageBackend, Vfs};
use warp::testing::{RecordingObserver, Rng, SimDisk};

use super::world::{ALL, COST, Failure, World, password, temporary};
use crate::common::client_on;

/// What a command says. For one that only reads, it is what it has read.
pub(crate) type Told = Result<String, Failure>;

/// A command of the program, as the library has it.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// It changes the repository; otherwise what it says is compared.
    pub(crate) writes: bool,
    /// It is about keys, so only about repositories that have some.
    pub(crate) keys: bool,
    /// What was done to the repository before.
    pub(crate) prepare: fn(&mut World, &SimDisk),
    pub(crate) run: fn(&World, &Arc<dyn Vfs>) -> Told,
}

const fn writing(name: &'static str, run: fn(&World, &Arc<dyn Vfs>) -> Told) -> Command {
    Command { name, writes: true, keys: false, prepare: |_, _| {}, run }
}

const fn reading(name: &'static str, run: fn(&World, &Arc<dyn Vfs>) -> Told) -> Command {
    Command { writes: false, ..writing(name, run) }
}

impl Command {
    const fn of_keys(self) -> Self {
        Self { keys: true, ..self }
    }

    const fn after(self, prepare: fn(&mut World, &SimDisk)) -> Self {
        Self { prepare, ..self }
    }
}

/// Those that change something.
pub(crate) const WRITING: &[Command] = &[
    writing("init", |world, vfs| world.create(vfs).map(drop).map(no_words)).after(wipe),
    writing("commit", |world, vfs| commit(world, vfs, ("new", "main"))),
    writing("commit of an edit", |world, vfs| commit(world, vfs, ("edited", "side"))),
    writing("commit of the same", |world, vfs| commit(world, vfs, ("third", "main"))),
    writing("config set", |world, vfs| Ok(no_words(world.open(vfs)?.set_setting("compression", Some("9"))?))),
    writing("config unset", |world, vfs| Ok(no_words(world.open(vfs)?.set_setting("compression", None)?))),
    writing("tag", |world, vfs| {
        Ok(no_words(world.open(vfs)?.tag_create("v2", world.id("second"), false)?))
    }),
    writing("tag --delete", |world, vfs| Ok(no_words(world.open(vfs)?.tag_delete("v1").map(drop)?))),
    writing("branch", |world, vfs| {
        Ok(no_words(world.open(vfs)?.branch_create("more", world.id("first"), false)?))
    }),
    writing("branch --move", |world, vfs| {
        Ok(no_words(world.open(vfs)?.branch_rename("side", "aside", false)?))
    }),
    writing("branch --delete", |world, vfs| {
        Ok(no_words(world.open(vfs)?.branch_delete("side", true).map(drop)?))
    }),
    writing("undo", |world, vfs| {
        ops::undo(&world.open(vfs)?, "main")?;
        Ok(String::new())
    }),
    writing("forget", |world, vfs| {
        let commits = vec![world.id("second"), world.id("third")];
        let request = ForgetRequest { commits, force: true, ..ForgetRequest::default() };
        ops::forget(&world.open(vfs)?, &request, &Silent)?;
        Ok(String::new())
    }),
    writing("gc", |world, vfs| gc(world, vfs, ALL)).after(litter),
    writing("gc of what is condemned", |world, vfs| gc(world, vfs, ALL)).after(condemn),
    writing("gc with grace", |world, vfs| gc(world, vfs, CONDEMN)).after(litter),
    writing("gc that merges", |world, vfs| gc(world, vfs, GcConfig { merge: true, ..ALL })).after(segments),
    writing("repack", |world, vfs| repack(world, vfs, false)),
    writing("repack --aggressive", |world, vfs| repack(world, vfs, true)).after(condemn),
    writing("undelete", undelete),
    writing("undelete of what is condemned", undelete).after(condemn),
    writing("repair of a pack", repair).after(damage_pack),
    writing("repair of the index", repair).after(damage_segment),
    writing("repair of the configuration", repair).after(damage_config),
    writing("push", push),
    writing("fetch", fetch),
    writing("key add", |world, vfs| {
        Ok(no_words(world.open(vfs)?.key_add(&password(2), "new", COST).map(drop)?))
    })
    .of_keys(),
    writing("key remove", |world, vfs| Ok(no_words(world.open(vfs)?.key_remove(2)?))).of_keys(),
    writing("key passwd", |world, vfs| {
        Ok(no_words(world.open(vfs)?.key_change(&password(2), COST).map(drop)?))
    })
    .of_keys(),
    writing("key recover", recover).of_keys(),
];

/// Those that only look.
pub(crate) const READING: &[Command] = &[
    reading("log", |world, vfs| {
        let (repo, mut told) = (world.open(vfs)?, String::new());
        ops::log(&repo, &LogRequest::default(), &mut |version| {
            told += &format!("{} {}\n", version.id, version.commit.message);
            ControlFlow::Continue(())
        })?;
        Ok(told)
    }),
    reading("ls", |world, vfs| {
        let (repo, mut told) = (world.open(vfs)?, String::new());
        ops::ls(&repo, world.id("third"), b"", true, &mut |listed| {
            told += &format!("{listed:?}\n");
            ControlFlow::Continue(())
        })?;
        Ok(told)
    }),
    reading("show", |world, vfs| {
        let repo = world.open(vfs)?;
        let at = repo.resolve("main~1", &ResolveContext::default())?;
        Ok(format!("{:?} {:?}", repo.version(at)?, repo.timeline().reflog("heads/main").len()))
    }),
    reading("cat", |world, vfs| {
        let mut bytes = Vec::new();
        ops::cat(&world.open(vfs)?, world.id("third"), b"text", &mut bytes)?;
        Ok(format!("{}", blake3::hash(&bytes)))
    }),
    reading("find", |world, vfs| {
        let (repo, mut told) = (world.open(vfs)?, String::new());
        let request = FindRequest { patterns: vec!["*o*".to_owned()], ..FindRequest::default() };
        ops::find(&repo, &request, &mut |found| {
            told += &format!("{found:?}\n");
            ControlFlow::Continue(())
        })?;
        Ok(told)
    }),
    reading("diff", |world, vfs| {
        let repo = world.open(vfs)?;
        let (old, new) = (Side::Commit(world.id("first")), Side::Commit(world.id("third")));
        diff(&repo, &old, &new)
    }),
    reading("status", |world, vfs| {
        let repo = world.open(vfs)?;
        let (source, scan) = (Source::WorkDir(world.folder("edited")), ScanSettings::default());
        let live = Side::Live { source: &source, scan: &scan, base: world.id("third") };
        diff(&repo, &Side::Commit(world.id("third")), &live)
    }),
    reading("stats", |world, vfs| Ok(format!("{:?}", ops::stats(&world.open(vfs)?, &[], &Silent)?))),
    reading("head", |world, vfs| Ok(world.open(vfs)?.head()?.fingerprint())),
    reading("key export", |world, vfs| Ok(world.open(vfs)?.key_export()?.to_string())),
    reading("key list", |world, vfs| Ok(format!("{:?}", world.open(vfs)?.key_slots()))),
    reading("undelete --list", |world, vfs| {
        let found = ops::forgotten(&world.open(vfs)?)?;
        Ok(format!("{:?}", found.iter().map(|found| found.id).collect::<Vec<_>>()))
    }),
    reading("archive", |world, vfs| {
        let tar = super::world::archive(&world.open(vfs)?, world.id("second"))?;
        Ok(format!("{}", blake3::hash(&tar)))
    }),
    reading("restore", restore),
    reading("check", |world, vfs| check(world, vfs, ReadData::None)),
    reading("check --read-data", |world, vfs| check(world, vfs, ReadData::All)),
    reading("check --sealed", |_, vfs| {
        let store = LocalStore::open("/repo", vfs.clone())?;
        let request = SealedRequest { read_packs: true, threads: 1 };
        found(ops::check_sealed(&store, request, &Silent)?)
    }),
    reading("gc --dry-run", |world, vfs| {
        let config = GcConfig { dry_run: true, ..ALL };
        Ok(format!("{:?}", GarbageCollector::new(&world.open(vfs)?, config).run(&Silent)?))
    })
    .after(litter),
    reading("HEAD", |_, vfs| Ok(format!("{:?}", WorkDir::with_vfs("/", vfs.clone()).head()?)))
        .after(set_head),
];

const CONDEMN: GcConfig = GcConfig { grace: 3600, ..ALL };

fn no_words((): ()) -> String {
    String::new()
}

fn repo_on(world: &World, disk: &SimDisk) -> Repository {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    world.open(&vfs).unwrap()
}

/// Files of writers that died.
fn litter(world: &mut World, disk: &SimDisk) {
    let repo = repo_on(world, disk);
    let store = repo.chunks().vault().store();
    let (pack, segment) = (warp::id::PackId::new([9; 16]), warp::id::SegmentId::new([8; 16]));
    for name in [pack_name(&pack), segment_name(&segment)] {
        store.put_new(&name, &[b"a writer died"]).unwrap();
    }
}

/// What is not needed is condemned.
fn condemn(world: &mut World, disk: &SimDisk) {
    litter(world, disk);
    GarbageCollector::new(&repo_on(world, disk), CONDEMN).run(&Silent).unwrap();
}

/// Many small segments of the index: every commit is followed by a collection that writes its pack anew.
fn segments(world: &mut World, disk: &SimDisk) {
    let mut rng = Rng::new(5);
    for number in 0..9 {
        let name = format!("keep-{number}");
        let path = world.folder(&name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("drop"), rng.text(900)).unwrap();
        std::fs::write(path.join("keep"), rng.text(900)).unwrap();
        let repo = repo_on(world, disk);
        let both = ops::commit(&repo, world.request(&name, "both"), &Silent).unwrap().commit.unwrap();
        std::fs::remove_file(path.join("drop")).unwrap();
        let keep = ops::commit(&repo, world.request(&name, &name), &Silent).unwrap().commit.unwrap();
        world.remember(&repo, keep);
        let forget = ForgetRequest { commits: vec![both], force: true, ..ForgetRequest::default() };
        ops::forget(&repo, &forget, &Silent).unwrap();
        GarbageCollector::new(&repo, ALL).run(&Silent).unwrap();
    }
    let segments = repo_on(world, disk).state().segments.len();
    assert!(segments >= 8, "there are only {segments} segments");
}

/// Nothing is there: the folder is made by the command.
fn wipe(_: &mut World, disk: &SimDisk) {
    for file in disk.files() {
        disk.remove(&file).unwrap();
    }
}

fn damage(disk: &SimDisk, name: &warp::store::BlobName, change: impl FnOnce(&mut Vec<u8>)) {
    let store = LocalStore::open("/repo", Arc::new(disk.clone()) as Arc<dyn Vfs>).unwrap();
    let mut bytes = store.get(name, u64::MAX).unwrap();
    change(&mut bytes);
    store.delete(name).unwrap();
    store.put_new(name, &[&bytes]).unwrap();
}

/// Parity can bring it back.
fn damage_pack(world: &mut World, disk: &SimDisk) {
    let state = repo_on(world, disk).state();
    let largest = state.packs.values().max_by_key(|pack| (pack.len, pack.uid)).unwrap().uid;
    damage(disk, &pack_name(&largest), |bytes| {
        let (middle, part) = (bytes.len() / 2, bytes.len() / 40);
        bytes[middle..middle + part].fill(0x5a);
    });
}

fn damage_segment(world: &mut World, disk: &SimDisk) {
    GarbageCollector::new(&repo_on(world, disk), ALL).run(&Silent).unwrap();
    let state = repo_on(world, disk).state();
    let segment = state.segments.first().expect("a pack that is written anew has a segment").uid;
    damage(disk, &segment_name(&segment), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

fn damage_config(_: &mut World, disk: &SimDisk) {
    let store = LocalStore::open("/repo", Arc::new(disk.clone()) as Arc<dyn Vfs>).unwrap();
    let name = store.list("config/").unwrap().remove(0).name;
    damage(disk, &name, |bytes| bytes[40] ^= 1);
}

fn set_head(_: &mut World, disk: &SimDisk) {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    vfs.create_dirs(Path::new("/.warp")).unwrap();
    WorkDir::with_vfs("/", vfs).set_head(&Head::Branch("main".to_owned())).unwrap();
}

fn commit(world: &World, vfs: &Arc<dyn Vfs>, (name, branch): (&str, &str)) -> Told {
    let observer = RecordingObserver::new();
    ops::commit(&world.open(vfs)?, world.request(name, branch), &observer)?;
    match observer.problems().is_empty() {
        true => Ok(String::new()),
        false => Err(Failure(format!("{:?}", observer.problems()))),
    }
}

/// A copy of the repository on a disk without faults, with one more commit.
fn ahead(world: &World) -> Result<Repository, Failure> {
    let clean: Arc<dyn Vfs> = Arc::new(world.fork(&world.disk));
    let repo = world.open(&clean)?;
    ops::commit(&repo, world.request("new", "main"), &Silent)?;
    Ok(repo)
}

/// Into the repository.
fn push(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    let (from, to) = (ahead(world)?, world.open(vfs)?);
    let update = RefSpec::parse("main")?.resolve(&from, &ResolveContext::default(), &to.state())?;
    let request = PushRequest { updates: vec![update], in_flight: 1, ..PushRequest::default() };
    let done = ops::push(&from, &to, &request, &Silent)?;
    match done.is_refused {
        false => Ok(String::new()),
        true => Err(Failure(format!("{:?}", done.refs))),
    }
}

/// Into the repository, too.
fn fetch(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    let request = FetchRequest { remote: "origin".to_owned(), in_flight: 1, ..FetchRequest::default() };
    ops::fetch(&world.open(vfs)?, &ahead(world)?, &request, &Silent)?;
    Ok(String::new())
}

fn gc(world: &World, vfs: &Arc<dyn Vfs>, config: GcConfig) -> Told {
    GarbageCollector::new(&world.open(vfs)?, config).run(&Silent)?;
    Ok(String::new())
}

fn repack(world: &World, vfs: &Arc<dyn Vfs>, aggressive: bool) -> Told {
    let request = RepackRequest { aggressive, ..RepackRequest::default() };
    ops::repack(&world.open(vfs)?, request, &Silent)?;
    Ok(String::new())
}

fn undelete(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    ops::undelete(&world.open(vfs)?, &[world.id("gone")], 1, &Silent)?;
    Ok(String::new())
}

fn repair(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    let repo = world.open(vfs)?;
    let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
    let report = ops::check(&repo, request, &Silent)?;
    let done =
        ops::repair(&repo, &report, RepairRequest { threads: 1, ..RepairRequest::default() }, &Silent)?;
    match done.beyond.is_empty() {
        true => Ok(String::new()),
        false => Err(Failure(format!("beyond repair: {:?}, {:?}", done.beyond, report.findings))),
    }
}

/// With the sheet that the repository gave out before.
fn recover(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    let clean: Arc<dyn Vfs> = Arc::new(world.fork(&world.disk));
    let sheet = RecoverySheet::read(&world.open(&clean)?.key_export()?)?;
    let store = LocalStore::open("/repo", vfs.clone())?;
    let recovery = Recovery::open(Arc::new(store), &sheet, client_on(vfs.clone(), Path::new("/state")))?;
    recovery.finish(&password(2), "recovered", COST)?;
    Ok(String::new())
}

fn diff(repo: &Repository, old: &Side<'_>, new: &Side<'_>) -> Told {
    let (observer, mut told) = (RecordingObserver::new(), String::new());
    let options = DiffOptions { threads: 1, renames: true, ..DiffOptions::default() };
    let mut sink = |change: ops::Change| {
        told += &format!("{change:?}\n");
        ControlFlow::Continue(())
    };
    ops::diff(repo, old, new, &options, &mut sink, &observer)?;
    match observer.problems().is_empty() {
        true => Ok(told),
        false => Err(Failure(format!("{:?}", observer.problems()))),
    }
}

fn restore(world: &World, vfs: &Arc<dyn Vfs>) -> Told {
    let (repo, observer, target) = (world.open(vfs)?, RecordingObserver::new(), temporary());
    let root = target.path().join("out");
    let request =
        RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(world.id("third"), &root) };
    ops::restore(&repo, request, &observer)?;
    if !observer.problems().is_empty() {
        return Err(Failure(format!("{:?}", observer.problems())));
    }
    let found = warp::testing::snapshot(&root)?;
    let wrong = warp::testing::differences(&warp::testing::snapshot(&world.folder("third"))?, &found);
    Ok(format!("{wrong:?}"))
}

fn check(world: &World, vfs: &Arc<dyn Vfs>, data: ReadData) -> Told {
    let request = CheckRequest { data, threads: 1, ..CheckRequest::default() };
    found(ops::check(&world.open(vfs)?, request, &Silent)?)
}

/// What a check reports is told as a failure is.
fn found(report: ops::CheckReport) -> Told {
    match report.is_clean() {
        true => Ok(format!("{:?}", report.orphans)),
        false => Err(Failure(format!("{:?}", report.findings))),
    }
}
