//! One flipped bit in every byte of a repository, and files that are cut, lost, swapped, doubled and put back: what is read is
//! right or fails by name, a check tells of the damage, and a repair loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, CommitRequest, ForgetRequest, GarbageCollector, GcConfig, ReadData, RepairRequest,
};
use warp::repo::Repository;
use warp::store::{BlobName, MemoryStore, StorageBackend};
use warp::testing::{Rng, SimDisk};

use crate::common::program::{Home, is_over, news, rounds};
use crate::common::{client_on, create, password, request};
use crate::matrix::{Failure, archive, temporary};

const FOLDERS: [&str; 4] = ["config/", "log/", "packs/", "index/"];
const ALL: CheckRequest = CheckRequest { data: ReadData::All, seed: None, max_age: None, threads: 1 };

/// What a store holds at some moment.
type Snapshot = BTreeMap<BlobName, Arc<Vec<u8>>>;

/// A repository in memory, and its commits as archives.
struct Victim {
    store: Arc<MemoryStore>,
    blobs: Snapshot,
    commits: BTreeMap<CommitId, Vec<u8>>,
    /// What the store held after each commit.
    former: Vec<Snapshot>,
}

/// What reading all of a store led to.
#[derive(Debug, Default)]
struct Read {
    /// Commits that came back right.
    right: BTreeSet<CommitId>,
    /// What was said of those that did not.
    errors: Vec<String>,
}

/// What became of cases.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    cases: u64,
    /// All commits came back right.
    healed: u64,
    /// A check told of it.
    reported: u64,
    /// The repository could not be opened.
    closed: u64,
    /// A repair was made, and all was whole after it.
    repaired: u64,
}

impl Tally {
    fn add(self, other: Self) -> Self {
        Self {
            cases: self.cases + other.cases,
            healed: self.healed + other.healed,
            reported: self.reported + other.reported,
            closed: self.closed + other.closed,
            repaired: self.repaired + other.repaired,
        }
    }
}

fn stranger() -> warp::repo::Client {
    client_on(Arc::new(SimDisk::new()), Path::new("/state"))
}

fn open(store: &Arc<MemoryStore>) -> Result<Repository, Failure> {
    Ok(Repository::open(store.clone(), &password(), stranger())?)
}

fn snapshot(store: &MemoryStore) -> Snapshot {
    let blobs = FOLDERS.iter().flat_map(|folder| store.list(folder).unwrap());
    blobs.map(|blob| (blob.name.clone(), Arc::new(store.get(&blob.name, u64::MAX).unwrap()))).collect()
}

impl Victim {
    /// Commits of some text and `noise` bytes that nothing compresses; the first ones lie in packs that a gc has written anew,
    /// and that a part of the index speaks of.
    fn new(noise: usize) -> Self {
        let dir = temporary();
        let source = dir.path().join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        let mut rng = Rng::new(77);
        let mut text = rng.text(12_000);
        let store = Arc::new(MemoryStore::new());
        let repo = create(store.clone(), stranger());
        repo.key_add(&password(), "second", crate::matrix::COST).unwrap();
        let mut victim = Self { store, blobs: Snapshot::new(), commits: BTreeMap::new(), former: Vec::new() };
        let mut ids = Vec::new();
        for version in 0..4 {
            text.splice(500..510, rng.bytes(12));
            fs::write(source.join("text"), &text).unwrap();
            fs::write(source.join(format!("sub/noise-{version}")), rng.bytes(noise / 4)).unwrap();
            let request = CommitRequest { delta_depth: Some(1), threads: 1, ..request(&source) };
            let commit = ops::commit(&repo, request, &Silent).unwrap().commit.unwrap();
            victim.commits.insert(commit, archive(&repo, commit).unwrap());
            ids.push(commit);
            if version == 2 {
                victim.collect(&repo, ids.remove(0));
            }
            victim.former.push(snapshot(&victim.store));
        }
        victim.blobs = snapshot(&victim.store);
        assert!(victim.blobs.keys().any(|name| name.folder() == Some("index")), "it has no index");
        victim
    }

    fn collect(&mut self, repo: &Repository, commit: CommitId) {
        let forget = ForgetRequest { commits: vec![commit], force: true, ..ForgetRequest::default() };
        ops::forget(repo, &forget, &Silent).unwrap();
        self.commits.remove(&commit);
        let config = GcConfig { grace: 0, merge: false, threads: 1, ..GcConfig::aggressive() };
        let done = GarbageCollector::new(repo, config).run(&Silent).unwrap();
        assert!(done.packs_rewritten > 0, "{done:?}");
    }

    fn bytes(&self) -> usize {
        self.blobs.values().map(|bytes| bytes.len()).sum()
    }

    fn with(&self, name: &BlobName, bytes: Vec<u8>) -> Arc<MemoryStore> {
        let store = self.store.fork();
        store.overwrite(name, bytes);
        Arc::new(store)
    }

    /// Reads every commit that is live; wrong bytes are a failure.
    fn read(&self, store: &Arc<MemoryStore>) -> Result<Read, Failure> {
        self.read_with(&open(store)?, |_| true)
    }

    /// The same of some commits, by their places.
    fn read_with(&self, repo: &Repository, is_read: impl Fn(usize) -> bool) -> Result<Read, Failure> {
        let mut read = Read::default();
        let commits = repo.timeline().commits().into_iter().enumerate().filter(|(place, _)| is_read(*place));
        for (_, commit) in commits {
            match (archive(repo, commit).map_err(Failure::from), self.commits.get(&commit)) {
                (Ok(bytes), Some(expected)) if bytes == *expected => drop(read.right.insert(commit)),
                // A commit that was collected later on, in a log of before.
                (Ok(_), None) => {}
                (Ok(_), Some(_)) => return Err(Failure(format!("{commit} came back as something else"))),
                (Err(error), _) => read.errors.push(error.0),
            }
        }
        Ok(read)
    }
}

/// Whether a text speaks of one of these files.
fn mentions(text: &str, names: &[&BlobName]) -> bool {
    names.iter().any(|name| {
        let (folder, file) = name.as_str().split_once('/').unwrap();
        let stem = file.split('.').next().unwrap();
        let number = stem.trim_start_matches('0');
        text.contains(file)
            || text.contains(stem)
            // One that nobody knows seems to be the end of a longer log.
            || folder == "log" && text.contains("later ones are there")
            || folder == "log" && text.contains(&format!("log entry {number}"))
            || folder == "config" && text.contains("configuration")
    })
}

/// A repair, after which all is whole.
fn repair(victim: &Victim, store: &Arc<MemoryStore>) -> Result<(), Failure> {
    let repo = open(store)?;
    let report = ops::check(&repo, ALL, &Silent)?;
    let done =
        ops::repair(&repo, &report, RepairRequest { threads: 1, ..RepairRequest::default() }, &Silent)?;
    let report = ops::check(&open(store)?, ALL, &Silent)?;
    if !report.is_clean() {
        return Err(Failure(format!("{done:?} left {:?}", report.findings)));
    }
    let read = victim.read(store)?;
    match read.right.len() == victim.commits.len() {
        true => Ok(()),
        false => Err(Failure(format!("after a repair {:?}", read.errors))),
    }
}

/// One flipped bit: a check, reading one of the commits, and where asked reading all and a repair.
fn flip(victim: &Victim, name: &BlobName, at: usize, repairs: bool) -> Result<Tally, Failure> {
    let mut bytes = victim.blobs[name].to_vec();
    bytes[at] ^= 1 << (blake3::hash(&(at as u64).to_le_bytes()).as_bytes()[0] % 8);
    let store = victim.with(name, bytes);
    let mut tally = Tally { cases: 1, ..Tally::default() };
    let repo = match open(&store) {
        Ok(repo) => repo,
        Err(error) => {
            tally.closed = 1;
            return if mentions(&error.0, &[name]) { Ok(tally) } else { Err(error) };
        }
    };
    let report = ops::check(&repo, ALL, &Silent)?;
    match report.findings.iter().any(|finding| finding.file == name.as_str()) {
        true => tally.reported = 1,
        false => return Err(Failure(format!("the check does not tell: {:?}", report.findings))),
    }
    let read = victim.read_with(&repo, |place| repairs || place == at % victim.commits.len())?;
    if let Some(error) = read.errors.iter().find(|error| !mentions(error, &[name])) {
        return Err(Failure(format!("the file is not named: {error}")));
    }
    tally.healed = read.errors.is_empty().into();
    if repairs {
        repair(victim, &store)?;
        tally.repaired = 1;
    }
    Ok(tally)
}

/// Runs cases on all cores and adds up what became of them; fails with the first few that went wrong.
fn each<T: Send + Sync>(cases: &[T], run: impl Fn(&T) -> (String, Result<Tally, Failure>) + Sync) -> Tally {
    let of = |case: &T| {
        let run = || run(case);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok((_, Ok(tally))) => (tally, Vec::new()),
            Ok((what, Err(failure))) => (Tally::default(), vec![format!("{what}: {}", failure.0)]),
            Err(_) => (Tally::default(), vec!["a case panicked".to_owned()]),
        }
    };
    let both = |a: (Tally, Vec<String>), b: (Tally, Vec<String>)| (a.0.add(b.0), [a.1, b.1].concat());
    let (tally, wrong) = cases.par_iter().map(of).reduce(Default::default, both);
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    tally
}

fn told(name: &str, tally: Tally, begun: Instant) {
    let Tally { cases, healed, reported, closed, repaired } = tally;
    let seconds = begun.elapsed().as_secs();
    println!(
        "{name}: {cases} cases; {healed} all right when read, {closed} closed by name; {reported} told by check; {repaired} repaired; {seconds} s"
    );
}

#[test]
fn a_bit_that_is_flipped_in_any_byte_does_no_harm_and_is_told() {
    let (victim, begun) = (Victim::new(200_000), Instant::now());
    assert_eq!(victim.read(&victim.store).unwrap().right.len(), victim.commits.len());
    assert!(ops::check(&open(&victim.store).unwrap(), ALL, &Silent).unwrap().is_clean());
    let blobs: Vec<(&BlobName, usize)> =
        victim.blobs.iter().map(|(name, bytes)| (name, bytes.len())).collect();
    // Small files have some of their bytes flipped in any case.
    let every = |len: usize| rounds((victim.bytes() / 1200).min(len.div_ceil(20)), 1);
    let places =
        blobs.iter().flat_map(|(name, len)| (0..*len).step_by(every(*len)).map(move |at| (*name, at)));
    let mut places: Vec<(&BlobName, usize)> = places.collect();
    let mut rng = Rng::new(4);
    (0..places.len()).for_each(|chosen| {
        let other = chosen + rng.below(places.len() - chosen);
        places.swap(chosen, other);
    });
    let mut tallies = BTreeMap::<&str, Tally>::new();
    for some in places.chunks(2_000).take_while(|_| !is_over(begun)) {
        for folder in FOLDERS.map(|folder| folder.trim_end_matches('/')) {
            let of_folder = some.iter().filter(|(name, _)| name.folder() == Some(folder));
            let of_folder: Vec<_> = of_folder.enumerate().collect();
            let tally = each(&of_folder, |(number, (name, at))| {
                let repairs = number % rounds(8, 64) == 0;
                (format!("{name} at {at}"), flip(&victim, name, *at, repairs))
            });
            let sum = tallies.entry(folder).or_default();
            *sum = sum.add(tally);
        }
    }
    tallies.iter().for_each(|(folder, tally)| told(folder, *tally, begun));
    let all = tallies.values().fold(Tally::default(), |sum, tally| sum.add(*tally));
    told(&format!("flipped bits, of {} bytes in {} files", victim.bytes(), blobs.len()), all, begun);
    assert_eq!((all.closed, all.healed), (0, all.cases), "parity and copies bring every single byte back");
}

/// Does something to one or two files; returns which.
fn ravage(victim: &Victim, store: &MemoryStore, rng: &mut Rng) -> (&'static str, Vec<BlobName>) {
    let names: Vec<&BlobName> = victim.blobs.keys().collect();
    let name = *rng.pick(&names);
    let bytes = &victim.blobs[name];
    let alike: Vec<&BlobName> =
        names.iter().filter(|other| **other != name && other.folder() == name.folder()).copied().collect();
    let other = if alike.is_empty() || rng.one_in(4) { *rng.pick(&names) } else { *rng.pick(&alike) };
    match rng.below(7) {
        0 => {
            store.overwrite(name, bytes[..rng.below(bytes.len())].to_vec());
            ("cut", vec![name.clone()])
        }
        1 => {
            store.delete(name).unwrap();
            ("lost", vec![name.clone()])
        }
        2 => {
            store.overwrite(name, victim.blobs[other].to_vec());
            store.overwrite(other, bytes.to_vec());
            ("swapped", vec![name.clone(), other.clone()])
        }
        3 => {
            store.overwrite(name, victim.blobs[other].to_vec());
            ("replaced by another", vec![name.clone()])
        }
        4 => {
            // Under a name that nobody knows.
            let copy = match name.folder() {
                Some("packs") => format!("packs/{}.warp", "07".repeat(16)),
                Some("index") => format!("index/{}", "07".repeat(16)),
                Some("log") => format!("log/{:010}", 40),
                _ => format!("config/{:010}", 40),
            };
            let copy = BlobName::new(&copy).unwrap();
            store.overwrite(&copy, bytes.to_vec());
            ("doubled", vec![copy])
        }
        5 => {
            let former = rng.pick(&victim.former);
            let folder = name.folder();
            for blob in store.list(&format!("{}/", folder.unwrap())).unwrap() {
                store.delete(&blob.name).unwrap();
            }
            let of_folder = former.iter().filter(|(name, _)| name.folder() == folder);
            of_folder.for_each(|(name, bytes)| store.overwrite(name, bytes.to_vec()));
            let changed = victim.blobs.keys().chain(former.keys()).filter(|name| name.folder() == folder);
            ("a folder of before", changed.cloned().collect())
        }
        _ => {
            let mut changed = bytes.to_vec();
            let (at, len) = (rng.below(bytes.len()), 1 + rng.below(bytes.len() / 2 + 1));
            let noise = rng.bytes(len);
            let end = bytes.len().min(at + len);
            changed[at..end].copy_from_slice(&noise[..end - at]);
            store.overwrite(name, changed);
            ("overwritten", vec![name.clone()])
        }
    }
}

/// Whatever was done: right bytes or a failure that names a file, and a repair takes nothing away.
fn worse(victim: &Victim, seed: u64) -> (String, Result<Tally, Failure>) {
    let mut rng = Rng::new(seed);
    let store = Arc::new(victim.store.fork());
    let (what, names) = ravage(victim, &store, &mut rng);
    let told = format!("seed {seed}: {what}: {names:?}");
    (told, judge(victim, &store, &names.iter().collect::<Vec<_>>()))
}

fn judge(victim: &Victim, store: &Arc<MemoryStore>, names: &[&BlobName]) -> Result<Tally, Failure> {
    let mut tally = Tally { cases: 1, ..Tally::default() };
    let before = match victim.read(store) {
        Ok(read) => read,
        Err(error) if error.0.contains("something else") => return Err(error),
        Err(error) => {
            tally.closed = 1;
            return if mentions(&error.0, names) { Ok(tally) } else { Err(error) };
        }
    };
    let unnamed = before.errors.iter().find(|error| !mentions(error, names));
    tally.healed = (before.right.len() == victim.commits.len()).into();
    let repo = open(store)?;
    let report = ops::check(&repo, ALL, &Silent)?;
    tally.reported = (!report.is_clean()).into();
    if let Some(error) = unnamed.filter(|_| report.is_clean()) {
        return Err(Failure(format!("a check finds nothing, and a commit fails: {error}")));
    }
    if !before.errors.is_empty() && report.is_clean() {
        return Err(Failure(format!("a check finds nothing, and {:?}", before.errors)));
    }
    // A repair may fail, by name; it must not take away what could be read.
    match ops::repair(&repo, &report, RepairRequest { threads: 1, ..RepairRequest::default() }, &Silent) {
        Ok(_) => {}
        Err(error) => drop(Failure::from(error)),
    }
    let after = victim.read(store)?;
    if !after.right.is_superset(&before.right) {
        return Err(Failure(format!("a repair took commits away: {:?}", after.errors)));
    }
    tally.repaired = ops::check(&open(store)?, ALL, &Silent)?.is_clean().into();
    Ok(tally)
}

#[test]
fn files_that_are_cut_lost_swapped_doubled_or_put_back_lead_to_right_bytes_or_an_error() {
    let (victim, begun) = (Victim::new(40_000), Instant::now());
    let cases: Vec<u64> = (0..rounds(250, 5_000) as u64).collect();
    let tally = each(&cases, |seed| worse(&victim, *seed));
    told("files", tally, begun);
    assert!(tally.healed > 0 && tally.closed > 0 && tally.reported > 0);
}

/// Every file of a folder.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = FOLDERS.iter().flat_map(|inner| fs::read_dir(folder.join(inner)).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_program_tells_of_a_flipped_bit_and_restores_what_is_right() {
    let (home, begun) = (Home::new(), Instant::now());
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let mut rng = Rng::new(3);
    for version in 0..3 {
        fs::write(source.join(format!("file-{version}")), rng.bytes(9_000)).unwrap();
        home.done(&["commit", "-q", source.to_str().unwrap()]);
    }
    let files = files_below(&home.repo);
    let (flips, mut told) = (rounds(12, 300), 0);
    for _ in 0..flips {
        let path = rng.pick(&files);
        let sound = fs::read(path).unwrap();
        let mut bytes = sound.clone();
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
        let check = home.run(&["check", "--read-data"]);
        let all = format!("{}{}", String::from_utf8_lossy(&check.stdout), news(&check));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(check.status.code() != Some(0) && all.contains(name), "{path:?} at {at}: {all}");
        assert!(!all.contains("panicked"), "{all}");
        told += 1;
        home.restored_is("latest", &source, &source);
        fs::remove_file(path).unwrap();
        fs::write(path, sound).unwrap();
    }
    println!("program: {flips} flips, {told} told by name; {} s", begun.elapsed().as_secs());
}
