//! Many small blobs at once: receipts of a host.

use std::sync::Arc;
use std::time::Duration;

use warp::format::dirtree::Timestamp;
use warp::format::receipt::Receipt;
use warp::id::EntryHash;
use warp::limits::PIECE_LEN;
use warp::net::RemoteStore;
use warp::observe::Silent;
use warp::ops::{self, ForgetRequest};
use warp::repo::{Repository, RetentionPolicy};
use warp::store::{BlobName, StorageBackend, StoreError};
use warp::sync::{Reply, Request, Rights};
use warp::testing::{SimNet, SimNetConfig};

use crate::common::password;
use crate::world::{OWNER, World, impatient, patient};

/// How many there are.
const MANY: u64 = 400;
/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);

fn receipt(number: u64) -> Receipt {
    Receipt {
        number,
        hash: EntryHash::new([3; 32]),
        time: Timestamp { secs: 1_800_000_000, nanos: 0 },
        key: [4; 32],
        rights: Rights::READ.and(Rights::APPEND),
        commits: Vec::new(),
    }
}

fn name(number: u64) -> BlobName {
    BlobName::new(&format!("receipts/{number:010}")).unwrap()
}

/// A repository at a host that has taken many entries; one receipt was lost.
fn world() -> World {
    let world = World::new();
    let repo = world.create();
    world.commit(&repo, &world.tree(1, 20_000)).unwrap();
    let (store, last) = (world.store(), world.behind().state().number);
    for number in (last + 1..=MANY).filter(|number| *number != 100) {
        store.put_new(&name(number), &[&receipt(number).encode()]).unwrap();
    }
    world
}

fn over(world: &World, config: SimNetConfig) -> (Arc<SimNet>, RemoteStore) {
    let net = Arc::new(world.net(OWNER, SimNetConfig { delay: ROUND_TRIP / 2, ..config }));
    let store = world.remote_over(&net, patient()).unwrap();
    (net, store)
}

/// All of them, and the receipt that is not there.
fn read_all(store: &RemoteStore) -> Result<u64, StoreError> {
    let names: Vec<BlobName> = (1..=MANY).map(name).collect();
    let mut at = 0;
    store.get_many(&names, Receipt::LEN_MAX, &mut |of, got| {
        at += 1;
        assert_eq!(*of, name(at), "they come in order");
        match got {
            Err(error) if error.is_not_found() => assert_eq!(at, 100),
            got => assert_eq!(Receipt::decode(&got?).unwrap().number, at),
        }
        Ok(())
    })?;
    Ok(at)
}

#[test]
fn many_small_blobs_take_few_round_trips() {
    let world = world();
    let (net, store) = over(&world, SimNetConfig::default());
    let begun = net.now();
    assert_eq!(read_all(&store).unwrap(), MANY);
    let took = net.now() - begun;
    let trips = took.as_micros() / ROUND_TRIP.as_micros();
    println!("{MANY} blobs in {trips} round trips");
    assert!(trips <= u128::from(MANY / 16 + 2), "{trips} round trips for {MANY} blobs");
}

#[test]
fn forgetting_by_a_policy_does_not_wait_for_each_receipt() {
    let world = world();
    let (net, store) = over(&world, SimNetConfig::default());
    let repo = Repository::open(Arc::new(store), &password(), world.client()).unwrap();
    let begun = net.now();
    let policy = RetentionPolicy { last: Some(warp::repo::Quota::Newest(1)), ..RetentionPolicy::default() };
    let request = ForgetRequest { policy, dry_run: true, ..ForgetRequest::default() };
    ops::forget(&repo, &request, &Silent).unwrap();
    let took = net.now() - begun;
    assert!(took < ROUND_TRIP * (MANY / 8) as u32, "{took:?}");
}

#[test]
fn cuts_and_messages_that_overtake_each_other_change_nothing_of_it() {
    let (world, mut cuts) = (world(), 0);
    for seed in 0..20 {
        let jitter = Duration::from_millis(15);
        let config = SimNetConfig {
            jitter,
            cut_one_in: 50,
            loss: 3,
            twice_one_in: 10,
            seed,
            ..SimNetConfig::default()
        };
        let (net, store) = over(&world, config);
        assert_eq!(read_all(&store).unwrap(), MANY, "seed {seed}");
        cuts += net.cuts();
    }
    assert!(cuts > 100, "{cuts} cuts");
}

#[test]
fn a_cut_that_is_not_waited_out_ends_it_with_an_error() {
    let world = world();
    let net = Arc::new(world.net(OWNER, SimNetConfig { cut_at: Some(150), ..SimNetConfig::default() }));
    let store = world.remote_over(&net, impatient()).unwrap();
    let error = read_all(&store).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    let messages = net.messages();
    assert!(read_all(&store).is_err(), "the other end was given up");
    assert_eq!(net.messages(), messages, "and is asked no more");
}

#[test]
fn a_blob_that_is_longer_than_was_asked_for_is_named_and_the_others_are_read() {
    let world = world();
    let lie = |request: &Request, reply: Reply| match (request, reply) {
        (Request::Get { name, .. }, Reply::Blob { .. }) if name.ends_with("0000000250") => {
            Reply::Blob { len: Receipt::LEN_MAX + 1, bytes: vec![0; PIECE_LEN].into() }
        }
        (_, reply) => reply,
    };
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(lie));
    let store = world.remote_over(&net, impatient()).unwrap();
    let names: Vec<BlobName> = (240..=260).map(name).collect();
    let mut faults = Vec::new();
    let mut take = |of: &BlobName, got: Result<Vec<u8>, StoreError>| {
        faults.extend(got.err().map(|error| (of.clone(), error)));
        Ok(())
    };
    store.get_many(&names, Receipt::LEN_MAX, &mut take).unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].0, name(250));
    let StoreError::Io { source, .. } = &faults[0].1 else { panic!("{faults:?}") };
    assert!(source.to_string().contains("lies about receipts/0000000250"), "{source}");
}
