//! What a local store leaves when the disk fails or the power goes, at every operation.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Cut, Fault, FaultVfs, SimDisk};
use crate::store::{BlobName, LocalStore, Put, StorageBackend, StoreError, Vfs, contract};

const ROOT: &str = "/repository/store";
const SEEDS: u64 = 12;

fn name() -> BlobName {
    BlobName::new("log/0000000001").unwrap()
}

fn both_disks() -> [SimDisk; 2] {
    [SimDisk::new(), SimDisk::with_named_temporaries()]
}

fn store_on(vfs: Arc<dyn Vfs>) -> LocalStore {
    LocalStore::open(ROOT, vfs).expect("the store was made durable")
}

/// A disk with an empty store, synced.
fn with_store(disk: SimDisk) -> SimDisk {
    LocalStore::create(ROOT, Arc::new(disk.clone())).unwrap();
    disk
}

/// A fresh disk of either kind, with an empty store.
fn fresh(named: bool) -> SimDisk {
    with_store(if named { SimDisk::with_named_temporaries() } else { SimDisk::new() })
}

/// How many operations `work` takes on a fresh disk.
fn count(named: bool, work: impl Fn(Arc<dyn Vfs>)) -> u64 {
    let vfs = FaultVfs::counting(Arc::new(fresh(named)));
    work(vfs.clone());
    vfs.operations()
}

#[test]
fn the_simulated_disk_keeps_the_contract_through_the_store() {
    for disk in both_disks() {
        let disk = with_store(disk);
        contract::run(&store_on(Arc::new(disk.clone())));
        assert_eq!(disk.files().iter().filter(|path| path.starts_with("/repository/store/tmp")).count(), 0);
    }
}

#[test]
fn what_is_not_synced_is_lost_and_what_is_synced_is_kept() {
    let disk = SimDisk::new();
    let publish = |path: &str, sync_file: bool| {
        let mut temp = disk.create_temp(Path::new("/"), Path::new("/")).unwrap();
        temp.write(&[7; 2000]).unwrap();
        if sync_file {
            temp.sync().unwrap();
        }
        temp.publish(Path::new(path)).unwrap();
    };
    publish("/named-only", false);
    publish("/durable", true);
    disk.sync_dir(Path::new("/")).unwrap();
    publish("/synced-only", true);
    let after = disk.power_cut(0);
    assert_eq!(after.files(), [Path::new("/durable"), Path::new("/named-only")]);
    assert_eq!(after.read(Path::new("/durable"), 2000).unwrap(), [7; 2000]);
    assert_eq!(after.len(Path::new("/named-only")).unwrap(), Some(0));
    assert!(disk.list(Path::new("/")).is_err(), "a disk without power answers");
}

#[test]
fn a_power_cut_spares_every_mix_of_names_that_were_not_synced() {
    let mixes: std::collections::BTreeSet<_> = (0..200)
        .map(|seed| {
            let disk = SimDisk::new();
            for path in ["/a", "/b"] {
                disk.create_temp(Path::new("/"), Path::new("/")).unwrap().publish(Path::new(path)).unwrap();
            }
            disk.power_cut(seed).files()
        })
        .collect();
    assert_eq!(mixes.len(), 4);
}

#[test]
fn a_torn_cut_leaves_what_came_first_and_a_reordered_one_what_came_last() {
    let (mut torn_inside, mut last_alone) = (0, 0);
    for seed in 0..200 {
        let disk = || {
            let disk = SimDisk::new();
            for path in ["/a", "/b"] {
                let mut temp = disk.create_temp(Path::new("/"), Path::new("/")).unwrap();
                temp.write(&[7; 1000]).unwrap();
                temp.publish(Path::new(path)).unwrap();
            }
            disk
        };
        let bytes = |disk: &SimDisk, path: &str| disk.read(Path::new(path), 1000).ok();
        let torn = disk().cut(Cut::Torn(seed));
        if let Some(second) = bytes(&torn, "/b") {
            assert_eq!((second, bytes(&torn, "/a")), (vec![7; 1000], Some(vec![7; 1000])));
        }
        let disk = disk();
        disk.sync_dir(Path::new("/")).unwrap();
        let half = bytes(&disk.cut(Cut::Torn(seed)), "/b").unwrap();
        let there = half.iter().take_while(|byte| **byte == 7).count();
        assert!(half[there..].iter().all(|byte| *byte == 0), "zeros follow");
        torn_inside += usize::from(there % 512 != 0 && there < 1000);
        let late = disk.cut(Cut::Reordered(seed));
        let (first, second) = (bytes(&late, "/a").unwrap(), bytes(&late, "/b").unwrap());
        assert_eq!(second, [7; 1000]);
        last_alone += usize::from(first.is_empty());
    }
    assert!(torn_inside > 0 && last_alone > 0, "{torn_inside}, {last_alone}");
}

#[test]
fn every_kind_of_failure_is_told_as_what_it_is() {
    for (fault, errno) in
        [(Fault::ReadOnly, 30), (Fault::NoDescriptors, 24), (Fault::Interrupted, 4), (Fault::Eio, 5)]
    {
        let vfs = FaultVfs::new(Arc::new(fresh(false)), fault, 0);
        let Err(StoreError::Io { source, .. }) = store_on(vfs.clone()).put_new(&name(), &[b"x"]) else {
            panic!("{fault:?} was not told");
        };
        assert_eq!(source.raw_os_error(), Some(errno), "{fault:?}");
        assert!(vfs.fired() && vfs.fired_on().iter().any(|path| path.ends_with("log")), "{fault:?}");
    }
}

#[test]
fn a_look_that_fails_is_an_error_and_an_interrupted_read_is_done_again() {
    let store = |fault, at: u64| {
        let disk = fresh(false);
        store_on(Arc::new(disk.clone())).put_new(&name(), &[b"blob"]).unwrap();
        // Opening the store is the first look.
        store_on(FaultVfs::looking(Arc::new(disk), fault, at + 1)).get(&name(), 9)
    };
    // Opening the file, asking its length, reading it.
    for at in 0..3 {
        assert!(store(Fault::Eio, at).is_err_and(|error| !error.is_not_found()), "{at}");
        assert!(store(Fault::NoDescriptors, at).is_err_and(|error| !error.is_not_found()), "{at}");
        assert_eq!(store(Fault::Interrupted, at).is_ok(), at == 2, "{at}");
    }
    assert_eq!(store(Fault::Eio, 3).unwrap(), b"blob");
}

#[test]
fn temporaries_of_writers_that_died_are_cleared_once_they_are_old_and_nothing_else_is() {
    let day = std::time::Duration::from_secs(86_400);
    let disk = fresh(true);
    store_on(Arc::new(disk.clone())).put_new(&name(), &[b"blob"]).unwrap();
    let killed = FaultVfs::new(Arc::new(disk.clone()), Fault::Kill, 2);
    let other = BlobName::new("packs/a").unwrap();
    assert!(store_on(killed).put_new(&other, &[b"never named"]).is_err());
    let store = store_on(Arc::new(disk.clone()));
    let litter = || disk.files().iter().filter(|path| path.starts_with(format!("{ROOT}/tmp"))).count();
    assert_eq!((store.clear_temporaries(day).unwrap(), litter()), (0, 1), "its writer may be alive");
    disk.let_pass(day);
    assert_eq!((store.clear_temporaries(day).unwrap(), litter()), (1, 0));
    assert_eq!(store.clear_temporaries(day).unwrap(), 0);
    assert_eq!(store.get(&name(), 9).unwrap(), b"blob");
}

#[test]
fn what_is_done_beside_an_operation_is_done_just_before_it() {
    let disk = fresh(false);
    let other = store_on(Arc::new(disk.clone()));
    let blob = name();
    let taken = blob.clone();
    let act = move || assert_eq!(other.put_new(&taken, &[b"other"]).unwrap(), Put::Created);
    // Making the temporary file and writing it come before the sync.
    let store = store_on(FaultVfs::beside(Arc::new(disk), 2, act, None));
    assert_eq!(store.put_new(&blob, &[b"mine"]).unwrap(), Put::Exists);
    assert_eq!(store.get(&blob, 9).unwrap(), b"other");
}

/// Puts a blob while `fault` strikes at operation `at`, cuts the power, and checks what is left.
fn put_and_cut(named: bool, parts: &[&[u8]], fault: Fault, at: u64, seed: u64) {
    let disk = fresh(named);
    let put = store_on(FaultVfs::new(Arc::new(disk.clone()), fault, at)).put_new(&name(), parts);
    let context = format!("{fault:?} at {at}, named {named}, seed {seed}: {put:?}");
    let store = store_on(Arc::new(disk.power_cut(seed)));
    match store.get(&name(), 1 << 20) {
        Ok(bytes) => assert!(bytes == parts.concat(), "{context}: the blob is torn"),
        Err(error) => {
            assert!(error.is_not_found(), "{context}: {error}");
            assert!(!matches!(put, Ok(Put::Created)), "{context}: an acknowledged blob is lost");
        }
    }
    let again = store.put_new(&name(), parts).unwrap();
    assert_eq!(store.get(&name(), 1 << 20).unwrap(), parts.concat(), "{context}, then {again:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_power_cut_at_any_operation_leaves_the_blob_whole_or_absent(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..4),
        named in any::<bool>(),
        seeds in 0u64..1 << 40,
    ) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let operations = count(named, |vfs| { store_on(vfs).put_new(&name(), &parts).unwrap(); });
        for fault in [Fault::Kill, Fault::Torn, Fault::Eio, Fault::Short, Fault::Full, Fault::SyncFails] {
            for at in 0..=operations {
                for seed in [0, 1, seeds + 2] {
                    put_and_cut(named, &parts, fault, at, seed);
                }
            }
        }
    }
}

#[test]
fn a_failed_put_leaves_nothing_under_the_name_unless_it_says_so() {
    for named in [false, true] {
        let operations =
            count(named, |vfs| assert_eq!(store_on(vfs).put_new(&name(), &[b"blob"]).unwrap(), Put::Created));
        for fault in [Fault::Eio, Fault::Short, Fault::Full, Fault::SyncFails] {
            for at in 0..operations {
                let vfs = FaultVfs::new(Arc::new(fresh(named)), fault, at);
                let store = store_on(vfs.clone());
                let Err(error) = store.put_new(&name(), &[b"blob"]) else {
                    // A full disk lets a folder be synced; a short write needs a write to come.
                    assert!(!vfs.fired() || fault == Fault::Full, "{fault:?} at {at} was not noticed");
                    continue;
                };
                let there = store.len(&name()).unwrap().is_some();
                assert_eq!(
                    there,
                    matches!(error, StoreError::Unsettled { .. }),
                    "{fault:?} at {at}: {error}"
                );
                assert_eq!(error.is_full(), fault == Fault::Full, "{fault:?} at {at}: {error}");
            }
        }
    }
}

#[test]
fn a_store_whose_making_was_cut_short_can_be_made_again() {
    for disk in both_disks() {
        let vfs = FaultVfs::counting(Arc::new(disk.clone()));
        LocalStore::create(ROOT, vfs.clone()).unwrap();
        for at in 0..vfs.operations() {
            for seed in 0..SEEDS {
                let disk = SimDisk::new();
                let made = LocalStore::create(ROOT, FaultVfs::new(Arc::new(disk.clone()), Fault::Kill, at));
                assert!(made.is_err(), "killed at {at}");
                let after: Arc<dyn Vfs> = Arc::new(disk.power_cut(seed));
                let store =
                    LocalStore::create(ROOT, after).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
                assert_eq!(store.put_new(&name(), &[b"x"]).unwrap(), Put::Created);
            }
        }
        for seed in 0..SEEDS {
            let disk = SimDisk::new();
            LocalStore::create(ROOT, Arc::new(disk.clone())).unwrap();
            store_on(Arc::new(disk.power_cut(seed)));
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_old_or_the_new_file() {
    let head = Path::new("/repository/store/HEAD");
    let (old, new) = ([1; 1500], [2; 2500]);
    let prepared = || {
        let disk = fresh(false);
        disk.write_replace(head, &old).unwrap();
        disk
    };
    let operations = count(false, |vfs| vfs.write_replace(head, &new).unwrap());
    for fault in [Fault::Kill, Fault::Torn, Fault::SyncFails, Fault::Eio] {
        for (at, seed) in (0..=operations).flat_map(|at| (0..SEEDS).map(move |seed| (at, seed))) {
            let disk = prepared();
            let done = FaultVfs::new(Arc::new(disk.clone()), fault, at).write_replace(head, &new);
            let found = disk.power_cut(seed).read(head, 1 << 20).expect("one of them is there");
            assert!(
                found == new || (found == old && done.is_err()),
                "{fault:?} at {at}, seed {seed}: {done:?}"
            );
        }
    }
}

#[test]
fn a_deletion_that_was_acknowledged_survives_a_power_cut() {
    for seed in 0..SEEDS {
        let disk = fresh(false);
        let store = store_on(Arc::new(disk.clone()));
        store.put_new(&name(), &[b"x"]).unwrap();
        assert!(store.delete(&name()).unwrap());
        assert_eq!(store_on(Arc::new(disk.power_cut(seed))).len(&name()).unwrap(), None);
    }
}

#[test]
fn room_that_was_made_lets_the_next_put_succeed() {
    let vfs = FaultVfs::new(Arc::new(fresh(true)), Fault::Full, 1);
    let store = store_on(vfs.clone());
    assert!(store.put_new(&name(), &[b"x"]).is_err_and(|error| error.is_full()));
    vfs.make_room();
    assert_eq!(store.put_new(&name(), &[b"x"]).unwrap(), Put::Created);
}

#[test]
fn a_failing_read_is_an_error_and_never_a_missing_or_short_blob() {
    for at in 0..2 {
        let vfs = FaultVfs::failing_read(Arc::new(fresh(false)), at);
        let store = store_on(vfs.clone());
        store.put_new(&name(), &[b"blob"]).unwrap();
        let results = [store.get(&name(), 9), store.read_at(&name(), 1, 2)];
        for (number, result) in results.into_iter().enumerate() {
            let failed = matches!(result, Err(StoreError::Io { action: "read", .. }));
            assert_eq!(failed, number as u64 == at, "{result:?}");
        }
        assert!(vfs.fired() && vfs.reads() == 2);
    }
}
