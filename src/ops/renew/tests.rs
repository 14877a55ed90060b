use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::testkit::{commit_tree, repository};
use super::super::{
    CheckRequest, GarbageCollector, GcConfig, ReadData, RestoreRequest, check, restore, stats,
};
use super::*;
use crate::cas::{heal, pack_header};
use crate::id::{CommitId, PackId};
use crate::observe::{Phase, Silent};
use crate::repo::Credentials;
use crate::testing::{Rng, assert_same_tree};

const ALL: RenewRequest = RenewRequest { max_bytes: None, grace: 0, threads: 2, dry_run: false };

fn record(len: u64) -> PackRecord {
    let root = crate::id::Root::new([0; 32]);
    PackRecord {
        uid: PackId::new([1; 16]),
        len,
        payload_root: root,
        parity_root: root,
        epoch: 1,
        self_indexed: false,
    }
}

fn share(text: &str) -> Parity {
    text.parse().unwrap()
}

/// Large and small commits of a tree that grows, and copies of the tree as it was at each.
struct History {
    dir: tempfile::TempDir,
    commits: Vec<CommitId>,
}

impl History {
    fn new(repo: &Repository) -> Self {
        let (dir, mut rng, mut commits) = (tempfile::tempdir().unwrap(), Rng::new(77), Vec::new());
        let mut text = rng.text(300_000);
        for round in 0..6_usize {
            let tree = dir.path().join(round.to_string());
            std::fs::create_dir(&tree).unwrap();
            let noise = if round % 2 == 0 { 1_600_000 } else { 3000 };
            std::fs::write(tree.join("noise"), rng.bytes(noise)).unwrap();
            text.splice(1000 * round..1000 * round + 10, rng.bytes(17));
            std::fs::write(tree.join("text"), &text).unwrap();
            commits.push(commit_tree(repo, &tree, round as i64));
        }
        Self { dir, commits }
    }

    fn tree(&self, round: usize) -> std::path::PathBuf {
        self.dir.path().join(round.to_string())
    }

    /// Everything comes back, and a check that reads everything finds nothing.
    fn is_whole(&self, repo: &Repository) {
        for (round, commit) in self.commits.iter().enumerate() {
            let target = tempfile::tempdir().unwrap();
            let root = target.path().join("out");
            let request = RestoreRequest { verify: true, ..RestoreRequest::new(*commit, &root) };
            assert_eq!(restore(repo, request, &Silent).unwrap().problems, 0);
            assert_same_tree(&self.tree(round), &root);
        }
        let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
        let report = check(repo, request, &Silent).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
    }
}

fn rotated(repo: &Repository) -> Repository {
    repo.key_rotate(&Credentials::Password(b"secret".to_vec().into()), false).unwrap().0
}

/// All packs that are in use, with their headers.
fn headers(repo: &Repository) -> Vec<(PackRecord, PackHeader)> {
    let state = repo.refresh().unwrap();
    let store = repo.chunks().vault().store();
    usable(&state).map(|record| (*record, pack_header(store, record).unwrap())).collect()
}

/// The data key of each index segment that is in use.
fn segment_epochs(repo: &Repository) -> Vec<u32> {
    let store = repo.chunks().vault().store();
    let epoch = |bytes: Vec<u8>| u32::from_le_bytes(bytes.try_into().unwrap());
    let segments = repo.state().segments.clone();
    let read = |uid| store.read_at(&crate::cas::segment_name(uid), 44, 4).unwrap();
    segments.iter().map(|segment| epoch(read(&segment.uid))).collect()
}

#[test]
fn portions_are_as_large_as_they_may_be_and_never_empty() {
    let packs: Vec<PackRecord> = [3, 4, 5, 20, 1, 1].map(record).to_vec();
    let lens = |max| -> Vec<Vec<u64>> {
        portions(&packs, max).iter().map(|packs| packs.iter().map(|pack| pack.len).collect()).collect()
    };
    assert_eq!(lens(9), [vec![3, 4], vec![5], vec![20], vec![1, 1]]);
    assert_eq!(lens(0), [vec![3], vec![4], vec![5], vec![20], vec![1], vec![1]]);
    assert_eq!(lens(u64::MAX).len(), 1);
    assert!(portions(&[], 9).is_empty());
    let taken = |max| within(&packs, max).iter().map(|pack| pack.len).collect::<Vec<_>>();
    assert_eq!(taken(None), [3, 4, 5, 20, 1, 1]);
    assert_eq!(taken(Some(9)), [3, 4, 1, 1]);
    assert_eq!(taken(Some(0)), []);
}

#[test]
fn levels_are_as_few_as_fit_all_packs() {
    let [one, three, five, ten] = ["1%", "3%", "5%", "10%"].map(share);
    let open = vec![([three, five], 10), ([three; 2], 1), ([one, five], 100), ([ten; 2], 7)];
    let open = [open, vec![([Parity::NONE; 2], 1000)]].concat();
    let levels: Vec<_> = named(open).iter().map(|level| (level.parity, level.packs, level.bytes)).collect();
    assert_eq!(levels, [(Parity::NONE, 1, 1000), (three, 3, 111), (ten, 1, 7)]);
}

#[test]
fn every_pack_gets_the_parity_that_is_set_and_heals_what_that_promises() {
    let repo = repository();
    let history = History::new(&repo);
    let mut before = headers(&repo).len() as u64;
    for text in ["10%", "none", "1%", "3%"] {
        let parity = share(text);
        repo.set_setting("parity", Some(text)).unwrap();
        let levels = parity_levels(&repo, parity, &Silent).unwrap();
        assert_eq!(levels.iter().map(|level| level.packs).sum::<u64>(), before, "{levels:?}");
        let plan = renew_parity(&repo, parity, RenewRequest { dry_run: true, ..ALL }, &Silent).unwrap();
        let done = renew_parity(&repo, parity, ALL, &Silent).unwrap();
        assert_eq!((plan.packs_due, plan.packs_renewed), (done.packs_due, done.packs_renewed));
        assert!(done.packs_due > 0 && done.packs_written > 0 && done.packs_left == 0, "{text}: {done:?}");
        let packs = headers(&repo);
        before = packs.len() as u64;
        let store = repo.chunks().vault().store();
        for (record, header) in &packs {
            assert!(parity.is_that_of(header), "{text}");
            assert_eq!(header.parity_shards == 0, parity.is_none());
            let bytes = store.get(&pack_name(&record.uid), record.len).unwrap();
            assert_eq!(bytes.len() as u64, record.len);
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(0);
            let lost = bytes.len() * percent / 96;
            for start in (0..8).map(|at| (bytes.len() - lost) * at / 7).filter(|_| lost > 0) {
                let mut bad = bytes.clone();
                bad[start..start + lost].fill(0xa5);
                assert!(heal(&bad, record).unwrap().bytes == bytes, "{text}: {lost} bytes at {start}");
            }
        }
        let level = ParityLevel { parity, packs: before, bytes: sum(packs.iter().map(|pack| &pack.0)).1 };
        assert_eq!(parity_levels(&repo, parity, &Silent).unwrap(), [level]);
        assert_eq!(renew_parity(&repo, parity, ALL, &Silent).unwrap(), RenewOutcome::default());
        assert!(repo.state().condemned.is_empty(), "what was written anew is gone at once");
        history.is_whole(&repo);
    }
    let refused = renew_parity(&repo, share("9%"), ALL, &Silent);
    assert!(matches!(refused, Err(OpsError::Usage { .. })), "it is not what is set");
}

#[test]
fn a_run_takes_as_much_as_it_may_and_the_next_ones_do_the_rest() {
    let repo = rotated(&repository());
    let history = History::new(&repo);
    let repo = rotated(&repo);
    let old = stats(&repo, &[], &Silent).unwrap();
    assert_eq!((old.packs_old_key, old.bytes_old_key), (old.packs, old.pack_bytes));
    let request = RenewRequest { max_bytes: Some(old.pack_bytes / 2), ..ALL };
    let mut left = old.packs;
    for run in 0.. {
        let done = reseal(&repo, request, &Silent).unwrap();
        assert!(done.packs_due == left && done.bytes_renewed <= old.pack_bytes / 2, "{done:?}");
        left = done.packs_left;
        assert_eq!(stats(&repo, &[], &Silent).unwrap().packs_old_key, left);
        if left == 0 {
            assert!(run > 0);
            break;
        }
    }
    let newest = repo.chunks().vault().keyring().newest_epoch();
    assert_eq!(newest, 3);
    assert!(headers(&repo).iter().all(|(_, header)| header.epoch == newest));
    // A segment speaks only of packs that are no younger than itself, so it went with the last of them.
    assert!(segment_epochs(&repo).iter().all(|epoch| *epoch == newest));
    assert!(repo.state().packs.values().all(|pack| pack.epoch == newest));
    history.is_whole(&repo);
}

/// Asks to stop once the second portion begins to be written.
#[derive(Default)]
struct Impatient {
    portions: AtomicUsize,
}

impl Observer for Impatient {
    fn phase(&self, phase: Phase, _files: Option<u64>, _bytes: Option<u64>) {
        self.portions.fetch_add(usize::from(phase == Phase::Store), Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.portions.load(Ordering::Relaxed) > 1
    }
}

#[test]
fn what_was_done_before_a_run_was_stopped_stays_done() {
    let repo = repository();
    let history = History::new(&repo);
    let repo = rotated(&repo);
    let packs = repo.state().packs.len() as u64;
    let stopped = in_portions(&repo, Why::OldKey, (ALL, 1), &Impatient::default()).unwrap();
    assert!(stopped.stopped && stopped.packs_renewed == 1 && stopped.packs_left == packs - 1, "{stopped:?}");
    assert_eq!(due(&repo, &repo.state(), Why::OldKey, &Silent).len() as u64, packs - 1);
    history.is_whole(&repo);
    let rest = in_portions(&repo, Why::OldKey, (ALL, 1), &Silent).unwrap();
    assert_eq!((rest.packs_renewed, rest.packs_left, rest.stopped), (packs - 1, 0, false));
    history.is_whole(&repo);
}

#[test]
fn collections_seal_anew_bit_by_bit_and_tell_what_is_left() {
    let repo = repository();
    let history = History::new(&repo);
    let repo = rotated(&repo);
    let packs = repo.state().packs.len() as u64;
    let keep = GcConfig { merge: false, grace: 0, ..GcConfig::default() };
    let gc = |config| GarbageCollector::new(&repo, config).run(&Silent).unwrap();
    let done = gc(GcConfig { reseal: false, ..keep });
    assert_eq!((done.packs_resealed, done.packs_old_key), (0, packs));
    let largest = repo.state().packs.values().map(|pack| pack.len).max().unwrap();
    let part = GcConfig { max_repack: Some(largest), ..keep };
    let plan = gc(GcConfig { dry_run: true, ..part });
    let done = gc(part);
    assert!(done.packs_resealed > 0 && done.packs_old_key > 0 && done.bytes_resealed <= largest, "{done:?}");
    assert_eq!((plan.packs_resealed, plan.packs_old_key), (done.packs_resealed, done.packs_old_key));
    assert_eq!(done.packs_resealed + done.packs_old_key, packs);
    // A gibibyte is more than there is.
    let done = gc(keep);
    assert_eq!((done.packs_old_key, done.packs_after), (0, repo.state().packs.len() as u64));
    assert!(headers(&repo).iter().all(|(_, header)| header.epoch == 2));
    assert_eq!(gc(keep).packs_resealed, 0);
    history.is_whole(&repo);
}

#[test]
fn a_check_tells_of_a_pack_whose_data_key_is_not_that_of_its_entry() {
    let repo = repository();
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("file"), "text").unwrap();
    commit_tree(&repo, tree.path(), 1);
    let [(old, header)] = headers(&repo).try_into().unwrap();
    let repo = rotated(&repo);
    assert!(check(&repo, CheckRequest::default(), &Silent).unwrap().is_clean());
    // The same pack under another name, as an entry under the new key would add it.
    let store = repo.chunks().vault().store();
    let mut bytes = store.get(&pack_name(&old.uid), old.len).unwrap();
    let uid = PackId::new([9; 16]);
    let renamed = PackHeader { uid, ..header }.encode();
    let end = bytes.len() - PackHeader::LEN;
    bytes[..PackHeader::LEN].copy_from_slice(&renamed);
    bytes[end..].copy_from_slice(&renamed);
    store.put_new(&pack_name(&uid), &[&bytes]).unwrap();
    let draft =
        crate::repo::Draft { packs_added: vec![PackRecord { uid, epoch: 2, ..old }], ..Default::default() };
    repo.append(&mut |_| Ok(draft.clone())).unwrap();
    let report = check(&repo, CheckRequest::default(), &Silent).unwrap();
    let told = report.findings.iter().flat_map(|finding| &finding.faults);
    let told: Vec<&String> = told.filter(|fault| fault.contains("under data key 1")).collect();
    assert_eq!(told, ["it is sealed under data key 1, and the log says 2"]);
}

#[test]
fn a_commit_and_a_restore_that_run_while_the_keys_change_are_told_so() {
    let repo = repository();
    let history = History::new(&repo);
    let new = rotated(&repo);
    reseal(&new, ALL, &Silent).unwrap();
    let is_told = |error: &OpsError| {
        let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        causes.any(|cause| cause.to_string().contains("rotated while this ran"))
    };
    let tree = history.tree(5);
    std::fs::write(tree.join("new"), "something new").unwrap();
    let request = super::super::testkit::request(Path::new(&tree), "main", 99);
    let error = super::super::commit(&repo, request, &Silent).unwrap_err();
    assert!(is_told(&error), "{error:?}");
    let target = tempfile::tempdir().unwrap();
    let root = target.path().join("out");
    let error =
        restore(&repo, RestoreRequest::new(history.commits[0], &root), &Silent).map(|done| done.problems);
    match error {
        Err(error) => assert!(is_told(&error), "{error:?}"),
        Ok(problems) => assert!(problems > 0, "its files are gone"),
    }
    assert!(is_told(&GarbageCollector::new(&repo, GcConfig::default()).run(&Silent).unwrap_err()));
    std::fs::remove_file(tree.join("new")).unwrap();
    history.is_whole(&new);
}
