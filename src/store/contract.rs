//! What every [`StorageBackend`] must do, as one suite that each of them runs.

use std::sync::Barrier;

use super::{BlobInfo, BlobName, Put, StorageBackend, StoreError};

/// How many threads race for one name.
const RACERS: usize = 8;

/// Runs the whole suite on an empty store.
///
/// # Panics
/// If the store breaks the contract.
pub fn run(store: &dyn StorageBackend) {
    assert_eq!(store.list("log/").expect("an empty folder lists"), [], "the store must be empty");
    a_blob_is_its_parts_in_order(store);
    a_taken_name_keeps_its_blob(store);
    a_repair_takes_the_place_of_a_blob(store);
    reads_are_exact_or_short(store);
    what_is_not_there_is_not_found(store);
    many_come_one_after_the_other(store);
    listings_are_sorted_and_complete(store);
    deleting_frees_the_name(store);
    one_racer_wins(store);
    odd_prefixes_are_refused(store);
}

fn name(text: &str) -> BlobName {
    BlobName::new(text).expect("the suite uses good names")
}

fn put(store: &dyn StorageBackend, text: &str, bytes: &[u8]) -> Put {
    store.put_new(&name(text), &[bytes]).unwrap_or_else(|error| panic!("put {text}: {error}"))
}

fn a_blob_is_its_parts_in_order(store: &dyn StorageBackend) {
    let parts: [&[u8]; 4] = [b"he", b"", b"l", b"lo"];
    assert_eq!(store.put_new(&name("packs/parts.warp"), &parts).expect("put"), Put::Created);
    assert_eq!(store.get(&name("packs/parts.warp"), 5).expect("get"), b"hello");
    assert_eq!(store.put_new(&name("packs/empty"), &[]).expect("put"), Put::Created);
    assert_eq!(store.get(&name("packs/empty"), 0).expect("get"), b"");
    assert_eq!(put(store, "top", b"level"), Put::Created);
    assert_eq!(store.get(&name("top"), 5).expect("get"), b"level");
    let large: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(put(store, "packs/large", &large), Put::Created);
    assert!(
        store.get(&name("packs/large"), u64::MAX).expect("get") == large,
        "a large blob came back changed"
    );
}

fn a_taken_name_keeps_its_blob(store: &dyn StorageBackend) {
    assert_eq!(put(store, "config/1", b"first"), Put::Created);
    assert_eq!(put(store, "config/1", b"second, longer"), Put::Exists);
    assert_eq!(store.get(&name("config/1"), 99).expect("get"), b"first");
    assert_eq!(store.len(&name("config/1")).expect("len"), Some(5));
}

fn a_repair_takes_the_place_of_a_blob(store: &dyn StorageBackend) {
    assert_eq!(put(store, "log/damaged", b"wrong, and longer"), Put::Created);
    assert_eq!(store.read_at(&name("log/damaged"), 0, 5).expect("read"), b"wrong");
    store.replace(&name("log/damaged"), b"right").expect("replace");
    assert_eq!(store.get(&name("log/damaged"), 99).expect("get"), b"right");
    assert_eq!(put(store, "log/damaged", b"other"), Put::Exists);
    assert!(store.delete(&name("log/damaged")).expect("delete"));
}

fn reads_are_exact_or_short(store: &dyn StorageBackend) {
    for folder in ["packs", "log"] {
        let blob = name(&format!("{folder}/0123456789"));
        store.put_new(&blob, &[b"0123456789"]).expect("put");
        assert_eq!(store.read_at(&blob, 0, 10).expect("all"), b"0123456789");
        assert_eq!(store.read_at(&blob, 3, 4).expect("middle"), b"3456");
        assert_eq!(store.read_at(&blob, 10, 0).expect("nothing at the end"), b"");
        for (offset, len) in
            [(0, 11), (10, 1), (11, 0), (9, usize::MAX), (u64::MAX, 1), (u64::MAX, usize::MAX)]
        {
            let error = store.read_at(&blob, offset, len).expect_err("beyond the end");
            assert!(matches!(error, StoreError::Short { len: 10, .. }), "{offset}+{len}: {error:?}");
        }
        let error = store.get(&blob, 9).expect_err("longer than asked for");
        assert!(matches!(error, StoreError::TooLarge { len: 10, max: 9, .. }), "{error:?}");
        assert!(store.delete(&blob).expect("delete"));
    }
}

fn what_is_not_there_is_not_found(store: &dyn StorageBackend) {
    for missing in ["packs/none", "nowhere/none", "none"].map(name) {
        assert!(store.get(&missing, 9).is_err_and(|error| error.is_not_found()), "{missing}");
        assert!(store.read_at(&missing, 0, 0).is_err_and(|error| error.is_not_found()), "{missing}");
        assert_eq!(store.len(&missing).expect("len"), None, "{missing}");
        assert!(!store.delete(&missing).expect("delete"), "{missing}");
    }
}

fn many_come_one_after_the_other(store: &dyn StorageBackend) {
    for folder in ["config", "log"] {
        let names: Vec<BlobName> = (0..5).map(|n| name(&format!("{folder}/many-{n}"))).collect();
        for (n, blob) in names.iter().enumerate().filter(|(n, _)| *n != 2) {
            assert_eq!(store.put_new(blob, &[&vec![n as u8; n]]).expect("put"), Put::Created);
        }
        let mut met = Vec::new();
        let take = &mut |blob: &BlobName, got| {
            met.push((blob.clone(), got));
            Ok(())
        };
        store.get_many(&names, 3, take).expect("nothing is refused");
        assert!(met.iter().map(|(blob, _)| blob).eq(&names), "{met:?}");
        for (n, (_, got)) in met.into_iter().enumerate() {
            match got {
                Ok(bytes) => assert!(n != 2 && bytes == vec![n as u8; n], "{n}: {bytes:?}"),
                Err(error) if n == 2 => assert!(error.is_not_found(), "{error:?}"),
                Err(error) => {
                    assert!(matches!(error, StoreError::TooLarge { len: 4, max: 3, .. }), "{error:?}")
                }
            }
        }
        let mut calls = 0;
        let stopped = store.get_many(&names[1..], 9, &mut |_, got| {
            calls += 1;
            got.map(drop)
        });
        assert!(stopped.is_err_and(|error| error.is_not_found()) && calls == 2, "{calls} calls");
        store.get_many(&[], 9, &mut |_, got| got.map(drop)).expect("nothing was asked for");
        for blob in &names {
            store.delete(blob).expect("delete");
        }
    }
}

fn listings_are_sorted_and_complete(store: &dyn StorageBackend) {
    let names = ["log/0000000002", "log/0000000010", "log/0000000001", "log/0000000001.copy"];
    for (len, text) in names.into_iter().enumerate() {
        assert_eq!(put(store, text, &vec![0; len]), Put::Created);
    }
    put(store, "logs/other", b"");
    let row = |text: &str, len| BlobInfo { name: name(text), len };
    let expected = [row(names[2], 2), row(names[3], 3), row(names[0], 0), row(names[1], 1)];
    assert_eq!(store.list("log/").expect("list"), expected);
    let expected: Vec<_> = expected.into_iter().map(|blob| blob.name).collect();
    assert_eq!(store.names("log/").expect("names"), expected);
    assert_eq!(store.list("logs/").expect("list"), [row("logs/other", 0)]);
    assert_eq!(store.list("nowhere/").expect("list"), []);
}

fn deleting_frees_the_name(store: &dyn StorageBackend) {
    let blob = name("packs/gone");
    put(store, "packs/gone", b"old");
    assert_eq!(store.read_at(&blob, 0, 3).expect("read"), b"old");
    assert!(store.delete(&blob).expect("delete"));
    assert!(store.read_at(&blob, 0, 3).is_err_and(|error| error.is_not_found()));
    assert_eq!(put(store, "packs/gone", b"new"), Put::Created);
    assert_eq!(store.read_at(&blob, 0, 3).expect("read"), b"new");
}

fn one_racer_wins(store: &dyn StorageBackend) {
    for round in 0..20 {
        let (blob, start) = (name(&format!("index/race-{round}")), Barrier::new(RACERS));
        let race = |racer: usize| {
            start.wait();
            let half = vec![racer as u8; 5000];
            store.put_new(&blob, &[&half, &half]).expect("put")
        };
        let results: Vec<Put> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
            racers.into_iter().map(|racer| racer.join().expect("no racer panics")).collect()
        });
        let winners: Vec<_> = (0..RACERS).filter(|racer| results[*racer] == Put::Created).collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        let bytes = store.get(&blob, 10_000).expect("get");
        assert!(bytes == vec![winners[0] as u8; 10_000], "round {round}: not the winner's bytes");
    }
}

fn odd_prefixes_are_refused(store: &dyn StorageBackend) {
    for prefix in ["", "/", "log", "../", "a/b/", "tmp/", "./", "Log/"] {
        let error = store.list(prefix).expect_err(prefix);
        assert!(matches!(error, StoreError::BadName { .. }), "{prefix:?}: {error:?}");
    }
}
