use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::cas::pack_name;
use crate::crypto::Signer;
use crate::format::bundle::{BundleManifest, BundlePrivate, BundlePublic, signing_bytes};
use crate::format::log::DeviceRecord;
use crate::id::CommitId;
use crate::observe::Silent;
use crate::repo::{BundleDraft, Credentials, Draft, ErrorKind, Repository};
use crate::store::{MemoryStore, OsVfs, Vfs};
use crate::testing::{Fault, FaultVfs, RecordingObserver, Rng, SimDisk};

use super::super::testkit::{client, commit_tree, repository};
use super::super::{OpsError, VerifyRequest, cat};

/// A repository that makes bundles, and a folder for them.
struct Maker {
    dir: tempfile::TempDir,
    repo: Repository,
}

fn secret() -> Credentials {
    Credentials::Password(b"secret".to_vec().into())
}

impl Maker {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tree")).unwrap();
        Self { dir, repo: repository() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn commit(&self, text: &[u8], secs: i64) -> CommitId {
        std::fs::write(self.path("tree/file"), text).unwrap();
        commit_tree(&self.repo, &self.path("tree"), secs)
    }

    fn bundle(&self, name: &str, tips: &[CommitId], excluded: &[CommitId]) -> PathBuf {
        let request = BundleRequest {
            tips: tips.to_vec(),
            excluded: excluded.to_vec(),
            message: "for you".to_owned(),
            overwrite: true,
            threads: 1,
        };
        let path = self.path(name);
        create_bundle(&self.repo, &request, (&path, &OsVfs::new()), &Silent).unwrap();
        path
    }

    /// A new bundle of the same file, of which `change` has altered what it says, signed by this device.
    fn altered(&self, bundle: &Path, change: impl FnOnce(&mut BundlePublic)) -> PathBuf {
        self.signed(bundle, change, |signed| self.repo.sign(signed).unwrap())
    }

    fn signed(
        &self,
        bundle: &Path,
        change: impl FnOnce(&mut BundlePublic),
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> PathBuf {
        let bytes = std::fs::read(bundle).unwrap();
        let len = BundleManifest::len_from_head(&bytes[..BundleManifest::HEAD_LEN]).unwrap();
        let mut public = BundleManifest::decode(&bytes[..len]).unwrap().0.public;
        let packs = bytes[public.packs_offset as usize..public.packs_end() as usize].to_vec();
        change(&mut public);
        public.packs_offset = 64 << 10;
        let signed = public.encode().unwrap();
        let manifest = BundleManifest::assemble(&signed, &sign(&signing_bytes(&signed))).unwrap();
        let mut file = manifest.clone();
        file.resize(64 << 10, 0);
        file.extend_from_slice(&packs);
        file.extend_from_slice(&manifest);
        let path = self.path("altered.warp");
        std::fs::write(&path, file).unwrap();
        path
    }

    /// What is sealed in a bundle.
    fn private(&self, bundle: &Path) -> BundlePrivate {
        let bytes = std::fs::read(bundle).unwrap();
        let len = BundleManifest::len_from_head(&bytes[..BundleManifest::HEAD_LEN]).unwrap();
        self.repo.open_bundle(&BundleManifest::decode(&bytes[..len]).unwrap().0.public).unwrap()
    }
}

/// A repository without commits, of the family of a bundle.
fn receiver(bundle: &Path) -> Repository {
    let config = bundle_config(bundle).unwrap();
    let store = Arc::new(MemoryStore::new());
    Repository::create_of_family(store, (&config, "bundle"), &secret(), client()).unwrap()
}

fn take(repo: &Repository, bundle: &Path) -> Result<UnbundleOutcome, OpsError> {
    unbundle(repo, bundle, &UnbundleRequest::default(), &Silent)
}

fn content(repo: &Repository, commit: CommitId) -> Vec<u8> {
    let mut out = Vec::new();
    cat(repo, commit, b"file", &mut out).unwrap();
    out
}

/// Every base of a delta is there, less deep than the delta.
fn check_bases(repo: &Repository) -> usize {
    let mut deltas = 0;
    for pack in repo.state().packs.keys() {
        let map = repo.chunks().map(*pack).unwrap();
        for (entry, block, slot) in map.rows() {
            let Some(delta) = map.delta(block, slot) else { continue };
            deltas += 1;
            for base in delta.bases.iter() {
                let found = repo.chunks().index().find_usable(entry.kind, *base, delta.depth).unwrap();
                assert!(found.is_some(), "the base of a delta is missing");
            }
        }
    }
    deltas
}

/// Every how manieth byte of a bundle is damaged.
fn stride() -> usize {
    if std::env::var_os("WARP_LONG").is_some() { 1 } else { 23 }
}

#[test]
fn no_flipped_byte_of_a_bundle_costs_anything() {
    let maker = Maker::new();
    let text = Rng::new(4).text(3000);
    let commit = maker.commit(&text, 1);
    let path = maker.bundle("whole.warp", &[commit], &[]);
    let whole = std::fs::read(&path).unwrap();
    let (mut healed, mut told) = (0, 0);
    let damaged = maker.path("damaged.warp");
    for (number, place) in (0..whole.len()).step_by(stride()).enumerate() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (number % 8);
        std::fs::write(&damaged, bytes).unwrap();
        let (repo, observer) = (receiver(&damaged), RecordingObserver::new());
        let done = unbundle(&repo, &damaged, &UnbundleRequest::default(), &observer);
        let done = done.unwrap_or_else(|error| panic!("byte {place}: {error}"));
        assert_eq!(content(&repo, commit), text, "byte {place}");
        healed += done.healed.len();
        told += observer.notices().len();
        assert_eq!(done.healed.len() + observer.notices().len(), 1, "byte {place} goes unseen");
        let report = verify_bundle(&damaged, VerifyRequest::default(), &Silent).unwrap();
        assert_eq!((report.is_clean(), report.can_be_healed()), (false, Some(true)), "byte {place}");
    }
    println!("{} bytes; {healed} packs were healed, {told} times the rest was damaged", whole.len());
    assert!(healed > 0 && told > 0);
}

#[test]
fn bytes_that_are_missing_at_either_end_are_healed_or_the_bundle_is_refused() {
    let maker = Maker::new();
    let text = Rng::new(5).text(3000);
    let commit = maker.commit(&text, 1);
    let path = maker.bundle("whole.warp", &[commit], &[]);
    let whole = std::fs::read(&path).unwrap();
    let (cut, repo) = (maker.path("cut.warp"), receiver(&path));
    let (mut taken, mut refused) = (0, 0);
    for missing in (1..whole.len()).step_by(stride()) {
        for bytes in [&whole[missing..], &whole[..whole.len() - missing]] {
            std::fs::write(&cut, bytes).unwrap();
            let fresh = receiver(&path);
            match take(&fresh, &cut) {
                Ok(_) => {
                    taken += 1;
                    assert_eq!(content(&fresh, commit), text, "{missing} bytes are missing");
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind(), ErrorKind::Damaged, "{missing}: {error}");
                    assert!(fresh.refresh().unwrap().commits.is_empty());
                }
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 20 && refused > 20);
    drop(repo);
}

#[test]
fn what_a_stranger_has_signed_is_refused() {
    let maker = Maker::new();
    let commit = maker.commit(b"some text", 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let repo = receiver(&path);
    let stranger = Signer::generate().unwrap();
    let root = maker.repo.chunks().vault().keyring().root_signer();
    let certified = |signer: &Signer, by: &Signer, roles| {
        let mut record = DeviceRecord { device: signer.public(), roles, certificate: [0; 64] };
        record.certificate = by.sign(&record.signing_bytes(maker.repo.family()));
        record
    };
    for (device, why) in [
        (certified(&stranger, &stranger, 15), "the root key has not certified device"),
        (certified(&stranger, &root, 8), "may not write"),
    ] {
        let forged = maker.signed(&path, |public| public.device = device, |signed| stranger.sign(signed));
        let error = take(&repo, &forged).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        let report = verify_bundle(&forged, VerifyRequest::default(), &Silent).unwrap();
        assert_eq!((report.is_clean(), report.can_be_healed()), (false, Some(false)));
        assert!(bundle_heads(&forged, &secret()).is_err());
    }
    let device = certified(&stranger, &root, 1);
    let other = maker.signed(&path, |public| public.device = device, |_| [7; 64]);
    assert!(take(&repo, &other).unwrap_err().to_string().contains("does not verify"));
    let good = maker.signed(&path, |public| public.device = device, |signed| stranger.sign(signed));
    assert_eq!(take(&repo, &good).unwrap().commits, [commit]);
}

#[test]
fn bundles_that_lie_are_refused_and_leave_no_commit() {
    let maker = Maker::new();
    let (first, second) = (maker.commit(b"first", 1), maker.commit(&Rng::new(1).text(90_000), 2));
    let path = maker.bundle("a.warp", &[second], &[]);
    let refuse = |what: &str, change: fn(&mut BundlePublic)| {
        let repo = receiver(&path);
        let altered = maker.altered(&path, change);
        let error = take(&repo, &altered).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error}");
        assert!(repo.refresh().unwrap().commits.is_empty(), "{what}");
    };
    refuse("a pack is not in it", |public| public.packs.truncate(1));
    refuse("another root", |public| public.packs[0].payload_root = public.packs[1].payload_root);
    refuse("other packs", |public| public.packs.reverse());
    refuse("another length", |public| public.packs[0].len += 512);
    refuse("other parents", |public| public.commits[1].parents.clear());
    refuse("a commit that is not in it", |public| {
        let parents = Vec::new();
        public.commits.push(crate::format::log::CommitRecord { id: CommitId::new([7; 32]), parents });
    });
    refuse("a ref stands elsewhere", |public| public.commits.truncate(1));
    assert_eq!(take(&receiver(&path), &path).unwrap().commits, [first, second]);
}

#[test]
fn the_base_of_a_difference_comes_along_when_no_commit_of_the_receiver_has_it() {
    let maker = Maker::new();
    let mut text = Rng::new(3).text(50_000);
    let first = maker.commit(&text, 1);
    text.splice(100..105, *b"hello");
    let second = maker.commit(&text, 2);
    maker.repo.append(&mut |_| Ok(Draft { forgotten: vec![first], ..Draft::default() })).unwrap();
    text.splice(200..205, *b"again");
    let third = maker.commit(&text, 3);
    let path = maker.bundle("a.warp", &[third], &[]);
    let repo = receiver(&path);
    let done = take(&repo, &path).unwrap();
    assert_eq!(done.commits, [second, third]);
    assert!(check_bases(&repo) > 0, "nothing is stored as a difference");
    assert_eq!(content(&repo, third), text);
    // That the second commit builds on one that was forgotten is known here, too.
    let state = repo.refresh().unwrap();
    assert!(state.is_forgotten(&first) && !state.is_live(&first));
    assert_eq!(repo.timeline().parents(second), [first]);
}

#[test]
fn lines_of_descent_lead_through_forgotten_commits() {
    let maker = Maker::new();
    let [first, second, third] = [1, 2, 3].map(|n| maker.commit(format!("text {n}").as_bytes(), n));
    let old = maker.bundle("old.warp", &[first], &[]);
    let repo = receiver(&old);
    take(&repo, &old).unwrap();
    let forgotten = vec![second];
    maker.repo.append(&mut |_| Ok(Draft { forgotten: forgotten.clone(), ..Draft::default() })).unwrap();
    let path = maker.bundle("new.warp", &[third], &[first]);
    // That main is at the first commit here is known from nobody but this bundle.
    repo.branch_create("main", first, true).unwrap();
    let done = take(&repo, &path).unwrap();
    assert_eq!(done.refs[0].news, RefNews::Forwarded);
    assert_eq!(repo.timeline().branch("main"), Some(third));
    assert_eq!(repo.timeline().ancestors([third]), [first, third].into());
}

#[test]
fn taking_a_bundle_twice_changes_nothing_the_second_time() {
    let maker = Maker::new();
    let commit = maker.commit(&Rng::new(1).text(50_000), 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let repo = receiver(&path);
    let first = take(&repo, &path).unwrap();
    assert!(first.packs > 0 && first.commits == [commit]);
    let before = repo.refresh().unwrap().number;
    let second = take(&repo, &path).unwrap();
    assert_eq!((second.packs, second.commits.len(), second.commits_there), (0, 0, 1));
    assert_eq!(second.refs[0].news, RefNews::Same);
    assert_eq!(repo.refresh().unwrap().number, before);
}

#[test]
fn packs_whose_names_the_log_has_given_up_come_back_under_others() {
    let maker = Maker::new();
    let text = Rng::new(1).text(50_000);
    let commit = maker.commit(&text, 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let repo = receiver(&path);
    take(&repo, &path).unwrap();
    let first: Vec<_> = repo.state().packs.keys().copied().collect();
    repo.branch_delete("main", true).unwrap();
    let forget = |repo: &Repository| {
        repo.append(&mut |_| Ok(Draft { forgotten: vec![commit], ..Draft::default() })).unwrap();
    };
    forget(&repo);
    // Forgotten, and everything is there still.
    let done = take(&repo, &path).unwrap();
    assert_eq!((done.packs, done.packs_there), (0, first.len() as u64));
    assert_eq!(content(&repo, commit), text);
    repo.branch_delete("main", true).unwrap();
    forget(&repo);
    let config = crate::ops::GcConfig { grace: 0, ..crate::ops::GcConfig::aggressive() };
    crate::ops::GarbageCollector::new(&repo, config).run(&Silent).unwrap();
    assert!(first.iter().all(|pack| repo.state().removed_packs.contains(pack)));
    let done = take(&repo, &path).unwrap();
    assert_eq!(done.packs, first.len() as u64);
    assert!(first.iter().all(|pack| !repo.state().packs.contains_key(pack)));
    assert_eq!(content(&repo, commit), text);
    check_bases(&repo);
}

#[test]
fn a_file_that_an_attempt_has_left_is_used_and_one_with_other_bytes_is_left_alone() {
    let maker = Maker::new();
    let text = Rng::new(1).text(50_000);
    let commit = maker.commit(&text, 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let file = file::BundleFile::open(&path).unwrap();
    let packs: Vec<_> = file.packs().collect();
    let repo = receiver(&path);
    let store = repo.chunks().vault().store();
    let whole = file.heal(packs[0]).unwrap().bytes;
    store.put_new(&pack_name(&packs[0].0.uid), &[&whole]).unwrap();
    store.put_new(&pack_name(&packs[1].0.uid), &[b"something else"]).unwrap();
    let done = take(&repo, &path).unwrap();
    assert_eq!(done.packs, packs.len() as u64);
    assert!(repo.state().packs.contains_key(&packs[0].0.uid));
    assert!(!repo.state().packs.contains_key(&packs[1].0.uid));
    assert_eq!(content(&repo, commit), text);
}

#[test]
fn what_is_sealed_is_read_with_the_password_alone() {
    let maker = Maker::new();
    let commit = maker.commit(b"text", 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let heads = bundle_heads(&path, &secret()).unwrap();
    assert_eq!(heads.refs, [("heads/main".to_owned(), commit)]);
    assert_eq!((&*heads.message, &*heads.who), ("for you", "tester@here"));
    assert_eq!(heads.refs, maker.private(&path).refs);
    let wrong = Credentials::Password(b"guess".to_vec().into());
    assert_eq!(bundle_heads(&path, &wrong).unwrap_err().kind(), ErrorKind::WrongPassword);
}

#[test]
fn a_bundle_of_nothing_is_not_made_and_one_that_builds_on_others_becomes_no_repository() {
    let maker = Maker::new();
    let (first, second) = (maker.commit(b"1", 1), maker.commit(b"2", 2));
    let request = BundleRequest { tips: vec![first], excluded: vec![second], ..BundleRequest::default() };
    let nothing = maker.path("nothing.warp");
    let error = create_bundle(&maker.repo, &request, (&nothing, &OsVfs::new()), &Silent).unwrap_err();
    assert!(error.to_string().starts_with("there is nothing to bundle"), "{error}");
    assert!(!nothing.exists());
    let error = bundle_config(&maker.bundle("b.warp", &[second], &[first])).unwrap_err();
    assert!(error.to_string().contains("takes 1 commits for granted"), "{error}");
}

#[test]
fn a_bundle_whose_disk_fails_at_any_operation_is_there_whole_or_not_at_all() {
    let maker = Maker::new();
    let commit = maker.commit(&Rng::new(6).text(20_000), 1);
    let request = BundleRequest { tips: vec![commit], threads: 1, ..BundleRequest::default() };
    let disk = || {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/out")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk
    };
    let to = Path::new("/out/a.warp");
    let counting = FaultVfs::counting(Arc::new(disk()));
    create_bundle(&maker.repo, &request, (to, &*counting), &Silent).unwrap();
    let operations = counting.operations();
    assert!(operations > 8, "{operations}");
    let faults = [Fault::Kill, Fault::Torn, Fault::Eio, Fault::Short, Fault::Full, Fault::SyncFails];
    let (mut whole, mut none) = (0, 0);
    for (fault, at) in faults.into_iter().flat_map(|fault| (0..operations).map(move |at| (fault, at))) {
        let disk = disk();
        let faulty = FaultVfs::new(Arc::new(disk.clone()), fault, at);
        let done = create_bundle(&maker.repo, &request, (to, &*faulty), &Silent);
        // A disk whose power was cut can be read no more.
        let found = disk.read(to, 1 << 30);
        for found in [found, disk.power_cut(at).read(to, 1 << 30)] {
            let what = format!("{fault:?} at {at}");
            match found {
                Ok(bytes) => {
                    whole += 1;
                    let copy = maker.path("copy.warp");
                    std::fs::write(&copy, bytes).unwrap();
                    let report = verify_bundle(&copy, VerifyRequest::default(), &Silent).unwrap();
                    assert!(report.is_clean(), "{what}: {report:?}");
                }
                Err(_) => {
                    none += 1;
                    assert!(done.is_err(), "{what}: it said that it was done");
                }
            }
        }
    }
    println!("{operations} operations; {whole} whole, {none} not there");
    assert!(whole > 0 && none > 0);
}

#[test]
fn a_sample_looks_at_so_many_shards_and_the_ends_of_all_packs() {
    let maker = Maker::new();
    let commit = maker.commit(&Rng::new(6).bytes(300_000), 1);
    let path = maker.bundle("a.warp", &[commit], &[]);
    let sample = |sample, seed| {
        let request = VerifyRequest { sample: Some(sample), seed: Some([seed; 32]) };
        verify_bundle(&path, request, &Silent).unwrap()
    };
    let report = sample(4, 1);
    assert!(report.is_clean() && report.checked_shards() == 4 && report.shards() > 20, "{report:?}");
    let all = sample(10_000, 1);
    assert!(all.is_clean() && all.checked_shards() == all.shards());
    // A pack's first header and tables stay; most of its shards do not.
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[len / 4..len / 4 * 3].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let found = (0..8).filter(|seed| !sample(6, *seed).is_clean()).count();
    assert!(found >= 7, "{found} of 8 samples found it");
    assert_eq!(sample(6, 1).can_be_healed(), None);
}

#[test]
fn a_bundle_that_says_too_much_for_its_room_is_not_sealed() {
    let maker = Maker::new();
    let commit = maker.commit(b"text", 1);
    let draft = BundleDraft {
        uid: crate::id::BundleId::new([1; 16]),
        packs_offset: 100,
        packs: Vec::new(),
        commits: vec![crate::format::log::CommitRecord { id: commit, parents: Vec::new() }],
        forgotten: Vec::new(),
        prerequisites: Vec::new(),
        refs: Vec::new(),
        message: String::new(),
    };
    assert!(maker.repo.seal_bundle(draft).is_err());
}
