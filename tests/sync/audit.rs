//! Audits over the network: of a host that is honest, and of ones that lost something and say that they did not.

use std::sync::Arc;

use warp::cas::pack_name;
use warp::observe::Silent;
use warp::ops::{self, AuditReport, AuditRequest};
use warp::repo::Repository;
use warp::store::{MemoryStore, StorageBackend};
use warp::sync::{Reply, Request, VerificationMode};
use warp::testing::{RecordingObserver, SimNetConfig};

use crate::common::password;
use crate::world::{OWNER, World, impatient};

fn world() -> World {
    let world = World::new();
    let repo = world.create();
    for version in 1..4 {
        world.commit(&repo, &world.tree(version, 2_000_000)).unwrap();
    }
    world
}

/// An audit, and how many bytes went over the line for it.
fn audit(
    world: &World,
    request: &AuditRequest,
    tamper: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
) -> (AuditReport, u64) {
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(tamper));
    let store = Arc::new(world.remote_over(&net, impatient()).unwrap());
    let repo = Repository::open(store, &password(), world.client()).unwrap();
    let before = net.bytes();
    (ops::audit(&repo, None, request, &Silent).unwrap(), net.bytes() - before)
}

fn all() -> AuditRequest {
    AuditRequest { samples: u64::MAX, ..AuditRequest::default() }
}

#[test]
fn an_honest_host_passes_and_a_sample_costs_little_more_than_its_shards() {
    let world = world();
    let (report, _) = audit(&world, &all(), |_, reply| reply);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let request = AuditRequest { samples: 5, ..AuditRequest::default() };
    let (report, bytes) = audit(&world, &request, |_, reply| reply);
    assert_eq!((report.checked, report.faults.len()), (5, 0));
    assert!(bytes < 5 * (64 << 10) + 20_000, "{bytes}");
}

#[test]
fn a_host_that_answers_with_another_shard_an_old_path_or_nothing_is_found() {
    let world = world();
    let lies: [fn(&Request, Reply) -> Reply; 4] = [
        |_, reply| match reply {
            Reply::Shards(mut shards) => {
                shards.bytes = vec![0; shards.bytes.len()].into();
                Reply::Shards(shards)
            }
            reply => reply,
        },
        |_, reply| match reply {
            Reply::Shards(mut shards) => {
                shards.paths[0].pop();
                Reply::Shards(shards)
            }
            reply => reply,
        },
        |_, reply| match reply {
            Reply::Shards(mut shards) => {
                shards.leaf_count += 1;
                Reply::Shards(shards)
            }
            reply => reply,
        },
        |request, reply| match request {
            Request::Prove { .. } => {
                Reply::Failed(warp::sync::Failure::new(warp::sync::FailCode::NotFound, 0, "gone"))
            }
            _ => reply,
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (report, _) = audit(&world, &all(), lie);
        let is_all_wrong = report.faults.iter().all(|fault| fault.asked > 0 && fault.unproved == fault.asked);
        assert!(is_all_wrong, "lie {number}: {:?}", report.faults);
        assert_eq!(report.faults.len() as u64, report.packs, "lie {number}");
    }
}

#[test]
fn a_pack_that_is_lost_whole_is_named_whatever_the_host_says_of_its_length() {
    let world = world();
    let lost = pack_name(world.behind().state().pack_order.first().unwrap());
    world.store().delete(&lost).unwrap();
    let (report, _) = audit(&world, &all(), |_, reply| reply);
    assert!(!report.faults.is_empty());
    assert!(report.faults.iter().all(|fault| fault.file == lost.as_str()), "{:?}", report.faults);
}

#[test]
fn bytes_that_are_wrong_at_a_host_are_one_shard_of_one_pack() {
    let world = world();
    let name = pack_name(world.behind().state().pack_order.first().unwrap());
    let mut bytes = world.store().get(&name, u64::MAX).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    world.store().overwrite(&name, bytes);
    let (report, _) = audit(&world, &all(), |_, reply| reply);
    let [fault] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert_eq!((fault.file.as_str(), fault.unproved, fault.shards.len()), (name.as_str(), 1, 1));
}

#[test]
fn a_pack_of_which_a_piece_cannot_be_proved_is_read_whole_and_healed_and_fails_only_where_that_does() {
    let world = world();
    let name = pack_name(world.behind().state().pack_order.first().unwrap());
    let good = world.store().get(&name, u64::MAX).unwrap();
    let spoilt = |places: &[usize]| {
        let mut bytes = good.clone();
        places.iter().for_each(|place| bytes[*place] ^= 1);
        world.store().overwrite(&name, bytes);
    };
    let modes = ["per-chunk", "sampling 100%", "final"].map(|mode| mode.parse().unwrap());
    let cloned = |mode: VerificationMode| {
        let (from, observer) = (world.open(OWNER).unwrap(), RecordingObserver::new());
        let to = from.create_sibling(Arc::new(MemoryStore::new()), false, world.client()).unwrap();
        let done = ops::copy_all(&from, &to, (None, mode), &observer);
        done.map(|done| (done, to, observer.notices()))
    };
    spoilt(&[good.len() / 2]);
    for mode in modes {
        let (done, to, notices) = cloned(mode).unwrap();
        assert_eq!(done.carried.healed, [name.as_str()], "{mode}");
        let told = notices
            .iter()
            .filter(|text| text.contains(name.as_str()) && text.contains("is read whole"))
            .count();
        assert_eq!(told, usize::from(mode.proves_pieces()), "{mode}: {notices:?}");
        world.assert_clean(&to);
    }
    let everywhere: Vec<usize> = (10_000..good.len() - 10_000).step_by(5_000).collect();
    spoilt(&everywhere);
    for mode in modes {
        assert!(cloned(mode).is_err(), "{mode}");
    }
}
