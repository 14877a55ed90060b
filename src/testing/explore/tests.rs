//! The explorer on actors of a few lines, whose schedules can be counted.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use crate::store::BlobName;

const WIDE: Limits = Limits { budget: 9, faults: 0, runs: 10_000, seed: 1 };

fn name(text: &str) -> BlobName {
    BlobName::new(text).unwrap()
}

/// Two actors that put so many blobs each.
fn writers(puts: [usize; 2]) -> Vec<Actor<'static, ()>> {
    let actor = |which: usize| Actor {
        name: ["left", "right"][which],
        act: Box::new(move |handle: Arc<dyn StorageBackend>| {
            for number in 0..puts[which] {
                let _ = handle.put_new(&name(&format!("packs/{which}-{number}")), &[b"x"]);
            }
        }) as Box<dyn Fn(Arc<dyn StorageBackend>) + Send + Sync>,
    };
    vec![actor(0), actor(1)]
}

#[test]
fn with_enough_preemptions_every_order_is_run_once() {
    let store = MemoryStore::new();
    for (puts, orders) in [([1, 1], 2), ([2, 2], 6), ([3, 4], 35)] {
        let check = Box::new(|_: &Ended<()>| Ok(()));
        let scenario = Scenario { store: &store, actors: writers(puts), check };
        let done = Explorer::new(None).exhaust(&scenario, WIDE).unwrap();
        assert_eq!((done.runs, done.left, done.strayed), (orders, 0, 0));
        assert_eq!((done.longest, done.steps), (puts[0] + puts[1], orders * (puts[0] + puts[1])));
    }
    // Without a preemption, one goes after the other.
    let check = Box::new(|_: &Ended<()>| Ok(()));
    let scenario = Scenario { store: &store, actors: writers([3, 4]), check };
    let limits = Limits { budget: 0, ..WIDE };
    assert_eq!(Explorer::new(None).exhaust(&scenario, limits).unwrap().runs, 2);
}

#[test]
fn a_kill_leaves_each_beginning_of_what_the_actor_does() {
    let store = MemoryStore::new();
    let seen = Mutex::new(BTreeSet::new());
    let check = Box::new(|ended: &Ended<()>| {
        let names = ended.store.list("packs/").unwrap().iter().map(|blob| blob.name.to_string()).collect();
        seen.lock().unwrap().insert((ended.disturbed.clone(), names));
        Ok(())
    });
    let scenario = Scenario { store: &store, actors: writers([2, 0]), check };
    Explorer::new(None).exhaust(&scenario, Limits { faults: 1, ..WIDE }).unwrap();
    drop(scenario);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let expected = [
        (vec![false, false], names(&["packs/0-0", "packs/0-1"])),
        (vec![true, false], names(&["packs/0-0"])),
    ];
    assert_eq!(seen.into_inner().unwrap(), BTreeSet::from(expected));
}

/// An actor that adds one to a number in the store: it reads the last entry of a log, and writes the next.
fn counter(retries: bool) -> Box<dyn Fn(Arc<dyn StorageBackend>) + Send + Sync> {
    Box::new(move |handle| {
        let mut number = 0;
        loop {
            while handle.len(&name(&format!("log/{number}"))).unwrap().is_some() {
                number += 1;
            }
            let put = handle.put_new(&name(&format!("log/{number}")), &[b"x"]).unwrap();
            if put == crate::store::Put::Created || !retries {
                break;
            }
        }
    })
}

#[test]
fn a_lost_update_is_found_and_its_schedule_told() {
    let store = MemoryStore::new();
    for (retries, walk) in [(true, false), (false, false), (true, true), (false, true)] {
        let actors = ["one", "two"].map(|name| Actor { name, act: counter(retries) }).into();
        let check = Box::new(|ended: &Ended<()>| match ended.store.list("log/").unwrap().len() {
            2 => Ok(()),
            entries => Err(format!("{entries} entries")),
        });
        let scenario = Scenario { store: &store, actors, check };
        let limits = Limits { budget: 2, faults: 0, runs: 300, seed: 5 };
        let done = match walk {
            false => Explorer::new(None).exhaust(&scenario, limits),
            true => Explorer::new(None).walk(&scenario, Grain::Every, limits),
        };
        if retries {
            done.unwrap();
        } else {
            let found = done.unwrap_err().to_string();
            assert!(found.contains("1 entries") && found.contains("one       Len log/0"), "{found}");
        }
    }
}

#[test]
fn reads_of_what_another_deletes_become_steps_and_others_do_not() {
    let store = MemoryStore::new();
    for blob in ["packs/stays", "packs/goes"] {
        store.overwrite(&name(blob), b"x".to_vec());
    }
    let reads = |handle: Arc<dyn StorageBackend>| {
        for _ in 0..5 {
            let _ = handle.get(&name("packs/stays"), 9);
        }
        handle.get(&name("packs/goes"), 9).is_ok()
    };
    let deletes = |handle: Arc<dyn StorageBackend>| handle.delete(&name("packs/goes")).unwrap();
    let actors = vec![
        Actor { name: "reader", act: Box::new(reads) },
        Actor { name: "deleter", act: Box::new(deletes) },
    ];
    let seen = Mutex::new(BTreeSet::new());
    let check = Box::new(|ended: &Ended<bool>| {
        seen.lock().unwrap().insert(ended.values.clone());
        Ok(())
    });
    let done = Explorer::new(None).exhaust(&Scenario { store: &store, actors, check }, WIDE).unwrap();
    // The first run teaches what is deleted, then two orders are left.
    assert_eq!((done.runs, done.longest), (3, 2));
    assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([vec![true, true], vec![false, true]]));
}

#[test]
fn an_actor_that_panics_is_a_violation() {
    let store = MemoryStore::new();
    let act = Box::new(|_: Arc<dyn StorageBackend>| panic!("as meant"));
    let scenario = Scenario::<()> {
        store: &store,
        actors: vec![Actor { name: "bad", act }],
        check: Box::new(|_| Ok(())),
    };
    let found = Explorer::new(None).exhaust(&scenario, WIDE).unwrap_err();
    assert_eq!(found.what, "bad panicked");
}
