use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::format::log::{PackRecord, SegmentRecord};
use crate::id::{Root, SegmentId};
use crate::repo::log::entry_name;
use crate::repo::testkit::{Place, password};
use crate::repo::{Client, Draft, ErrorKind, Repository, ResolveContext};
use crate::store::{BlobInfo, MemoryStore, Put, StorageBackend, StoreError};
use crate::testing::Rng;

/// Appends an entry that does something, drawn at random, which the rules of the log allow.
fn step(repo: &Repository, rng: &mut Rng) {
    let state = repo.state();
    let pick = |rng: &mut Rng, len: usize| (len > 0).then(|| rng.below(len));
    let id = |rng: &mut Rng| -> [u8; 16] { rng.bytes(16).try_into().unwrap() };
    let mut draft = Draft { message: format!("after {}", state.number), ..Draft::default() };
    let commit = pick(rng, state.commits.len()).map(|at| state.commits[at]);
    match rng.below(9) {
        0 | 1 => {
            let root = || Root::new([7; 32]);
            let (payload_root, parity_root) = (root(), root());
            let uid = PackId::new(id(rng));
            draft.packs_added.push(PackRecord {
                uid,
                len: 9,
                payload_root,
                parity_root,
                epoch: 1,
                self_indexed: true,
            });
            draft.uses = state
                .pack_order
                .iter()
                .filter(|uid| !state.condemned.contains_key(*uid))
                .take(1)
                .copied()
                .collect();
        }
        2 => {
            draft.packs_condemned = state
                .pack_order
                .iter()
                .filter(|uid| !state.condemned.contains_key(*uid))
                .take(1)
                .copied()
                .collect()
        }
        3 => {
            draft.packs_removed =
                state.pack_order.iter().filter(|uid| state.is_removable(uid)).take(2).copied().collect()
        }
        4 => {
            let hash = Root::new([9; 32]);
            draft.segments_added.push(SegmentRecord { uid: SegmentId::new(id(rng)), len: 5, hash, rows: 1 });
            draft.segments_removed =
                state.segments.iter().take(rng.below(2)).map(|segment| segment.uid).collect();
        }
        5 | 6 => {
            let new = CommitId::new(rng.bytes(32).try_into().unwrap());
            draft.commits.push(CommitRecord { id: new, parents: commit.into_iter().collect() });
            let name = ["heads/main", "heads/other", "tags/ä"][rng.below(3)].to_owned();
            let old = state.refs.get(&name).copied();
            draft.refs.push(crate::repo::RefMove { name, old, new: Some(new) });
        }
        7 => {
            draft.orphans_condemned.push(PackId::new(id(rng)));
            draft.orphans_removed = state.orphans.keys().take(rng.below(2)).copied().collect();
        }
        _ => {
            draft.forgotten = commit.into_iter().collect();
            // Half of them have an heir, which takes the place.
            let heir =
                commit.filter(|_| rng.one_in(2)).map(|_| CommitId::new(rng.bytes(32).try_into().unwrap()));
            draft.commits.extend(heir.map(|id| CommitRecord { id, parents: Vec::new() }));
            let stands = |at: &&CommitId| Some(**at) == commit;
            draft.refs = state
                .refs
                .iter()
                .filter(|(_, at)| stands(at))
                .map(|(name, at)| crate::repo::RefMove { name: name.clone(), old: Some(*at), new: heir })
                .collect();
        }
    }
    repo.append(&mut |_| Ok(draft.clone())).unwrap();
}

fn place_after(steps: usize, seed: u64) -> (Place, Repository) {
    let place = Place::new();
    let repo = place.create(password("secret"));
    let mut rng = Rng::new(seed);
    (0..steps).for_each(|_| step(&repo, &mut rng));
    (place, repo)
}

#[test]
fn a_state_comes_back_from_its_body_whatever_led_to_it() {
    let (_place, mut repo) = place_after(0, 0);
    let mut rng = Rng::new(5);
    for round in 1..300 {
        if round % 100 == 0 {
            repo = repo.key_rotate(&password("secret"), false).unwrap().0;
        }
        step(&repo, &mut rng);
        let state = repo.state();
        let body = CheckpointBody::decode(&state.body().encode().unwrap()).unwrap();
        let (number, hash, checkpoint) = (state.number, state.hash, state.checkpoint);
        let again = LogState { number, hash, checkpoint, ..LogState::from_body(body) };
        assert!(again == *state, "after entry {number}: {again:?}\nis not {state:?}");
    }
    let state = repo.state();
    assert!(!state.reflog.is_empty() && !state.removed_packs.is_empty() && !state.orphans.is_empty());
    assert!(state.epoch == 3);
}

#[test]
fn opening_begins_at_the_newest_checkpoint_and_two_are_kept() {
    let (place, repo) = place_after(3 * EVERY as usize + 5, 6);
    assert_eq!(repo.journal_log().checkpoints().unwrap(), [2 * EVERY, 3 * EVERY]);
    // What nobody reads may be gone: the check still tells.
    let store = Arc::new(place.store.fork());
    for number in 1..=2 * EVERY {
        store.delete(&crate::repo::log::entry_name(number)).unwrap();
    }
    let opened = place.open_in(&store, "secret").unwrap();
    let (mut found, mut expected) = ((*opened.state()).clone(), (*repo.state()).clone());
    (found.checkpoint, expected.checkpoint) = (0, 0);
    assert!(found == expected, "{found:?}\nis not {expected:?}");
    assert_eq!(repo.check_checkpoints().unwrap().len(), 0);
    // And the next writers go on from there.
    let mut rng = Rng::new(7);
    (0..EVERY).for_each(|_| step(&opened, &mut rng));
    assert_eq!(opened.journal_log().checkpoints().unwrap().last(), Some(&(4 * EVERY)));
}

#[test]
fn a_checkpoint_that_cannot_be_used_is_passed_over_told_and_made_anew() {
    let (place, repo) = place_after(2 * EVERY as usize + 5, 8);
    let newest = name(2 * EVERY);
    let whole = place.store.get(&newest, u64::MAX).unwrap();
    let older = place.store.get(&name(EVERY), u64::MAX).unwrap();
    let mut healable = whole.clone();
    healable[300..400].fill(0);
    let mut unsigned = open_envelope(&whole).unwrap().content.into_owned();
    *unsigned.last_mut().unwrap() ^= 1;
    let forged = seal_envelope(&unsigned).unwrap();
    let cases =
        [healable, forged, older, whole[..whole.len() / 3].to_vec(), b"nonsense".to_vec(), Vec::new()];
    for (number, bytes) in cases.into_iter().enumerate() {
        let store = Arc::new(place.store.fork());
        store.overwrite(&newest, bytes);
        let opened = place.open_in(&store, "secret").unwrap();
        let (mut found, mut expected) = ((*opened.state()).clone(), (*repo.state()).clone());
        (found.checkpoint, expected.checkpoint) = (0, 0);
        assert!(found == expected, "case {number}");
        let faults = opened.check_checkpoints().unwrap();
        assert_eq!(faults.len(), 1, "case {number}: {faults:?}");
        assert_eq!(faults[0].0, newest.as_str());
        let without_keys = damaged_checkpoints(&*store).unwrap().len();
        assert_eq!(without_keys, usize::from(!envelope_is_whole(&store.get(&newest, u64::MAX).unwrap())));
        assert_eq!(opened.repair_log().unwrap(), [newest.as_str()], "case {number}");
        assert_eq!(opened.check_checkpoints().unwrap().len(), 0, "case {number}");
    }
}

#[test]
fn a_checkpoint_that_says_something_else_than_the_log_is_told() {
    let (place, repo) = place_after(EVERY as usize, 9);
    let mut wrong = (*repo.state()).clone();
    wrong.number = EVERY;
    wrong.checkpoint = 0;
    wrong.pack_order.pop().unwrap();
    place.store.delete(&name(EVERY)).unwrap();
    repo.journal_log().write_checkpoint(&mut wrong, &place.client().device().unwrap());
    let faults = repo.check_checkpoints().unwrap();
    assert!(matches!(&faults[..], [(_, RepoError::Checkpoint { .. })]), "{faults:?}");
}

#[test]
fn refs_and_history_are_those_of_the_entries() {
    let (place, repo) = place_after(EVERY as usize + 3, 10);
    let opened = place.open("secret").unwrap();
    assert_eq!(opened.timeline().commits(), repo.timeline().commits());
    assert_eq!(opened.state().reflog, repo.state().reflog);
    let context = ResolveContext::default();
    for name in repo.state().refs.keys() {
        assert_eq!(opened.resolve(name, &context).unwrap(), repo.resolve(name, &context).unwrap());
    }
}

#[test]
fn nobody_begins_at_a_checkpoint_from_before_a_rotation() {
    let (place, repo) = place_after(EVERY as usize + 5, 11);
    let (repo, _) = repo.key_rotate(&password("secret"), false).unwrap();
    // The entry of the rotation had none to begin at, so it came with one.
    let numbers = repo.journal_log().checkpoints().unwrap();
    assert_eq!(numbers, [EVERY, repo.state().number]);
    assert_eq!(repo.journal_log().start().number, numbers[1]);
    assert_eq!(repo.check_checkpoints().unwrap().len(), 0);
    place.store.delete(&name(numbers[1])).unwrap();
    let opened = place.open("secret").unwrap();
    assert_eq!((opened.journal_log().start().number, opened.state().checkpoint), (0, 0));
    assert_eq!(opened.state().number, repo.state().number);
}

/// A store far away, which counts what is read of the log.
#[derive(Debug)]
struct Far {
    store: Arc<MemoryStore>,
    read: AtomicUsize,
}

impl StorageBackend for Far {
    fn location(&self) -> String {
        "far away".to_owned()
    }

    fn is_far(&self) -> bool {
        true
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.store.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        if matches!(name.folder(), Some("log" | "checkpoint")) {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
        self.store.get(name, max)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.store.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.store.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.store.list(prefix)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.store.delete(name)
    }
}

/// Opens the repository from afar; how many entries and checkpoints that read.
fn open_from_afar(place: &Place, cache: &Path) -> Result<(Repository, usize), RepoError> {
    let far = Arc::new(Far { store: Arc::clone(&place.store), read: AtomicUsize::new(0) });
    let client = Client { cache_dir: Some(cache.to_owned()), ..place.client() };
    let repo = Repository::open(far.clone(), &password("secret"), client)?;
    Ok((repo, far.read.load(Ordering::Relaxed)))
}

#[test]
fn from_afar_only_the_head_and_what_came_since_is_read() {
    let (place, repo) = place_after(EVERY as usize - 2, 12);
    let cache = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(13);
    let open = || open_from_afar(&place, cache.path()).unwrap();
    let (_, read) = open();
    assert!(read as u64 >= repo.state().number, "{read}");
    // The head, to see whether it is still there, and nothing behind it.
    let (opened, read) = open();
    assert_eq!((read, opened.state().body()), (2, repo.state().body()));
    // What others append is read, whether they write a checkpoint with it or not.
    for more in 1..=8 {
        step(&repo, &mut rng);
        let (opened, read) = open();
        let since = (more - 1) % 4 + 1;
        assert_eq!((read, opened.state().body()), (since + 2, repo.state().body()), "{more}");
    }
    assert!(repo.state().checkpoint > 0);
    // Damaged, it is of no use, and does no harm.
    let kept = cache.path().join(repo.instance().to_string()).join("log");
    let mut bytes = std::fs::read(&kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[..middle].fill(7);
    std::fs::write(&kept, bytes).unwrap();
    assert_eq!(open().0.state().body(), repo.state().body());
    // A state of before a rotation neither.
    let (repo, _) = repo.key_rotate(&password("secret"), false).unwrap();
    assert_eq!(open().0.state().body(), repo.state().body());
    // And it hides nothing that was taken away.
    place.store.delete(&entry_name(repo.state().number)).unwrap();
    let error = open_from_afar(&place, cache.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rollback, "{error}");
}
