//! Groups of hosts: each checks what it takes, and has no keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use warp::erasure::ErasureConfig;
use warp::net::RemoteStore;
use warp::observe::Silent;
use warp::ops::host::{Access, AccessSource, Host, HostHandler, HostOptions, Shelf};
use warp::ops::spread::{MendRequest, Seat, SpreadOptions, SpreadStore, mend};
use warp::ops::{self, ForgetRequest, GarbageCollector, GcConfig};
use warp::repo::Repository;
use warp::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};
use warp::sync::{Reply, Request, TransferConfig, VerificationMode};
use warp::testing::{RecordingObserver, SimNet, SimNetConfig, SimTransport};

use crate::common::{create, password};
use crate::hosts_world::{OWNER, REPOSITORY, World, patient};
use crate::world::{MEMBERS, restored, told};

/// How a host is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Straight,
    Dead,
    /// Flips a bit of every shard on its way.
    Lies,
}

fn seat(number: usize, world: &World, way: Way) -> Seat {
    let place = format!("host {number}");
    let flip = |request: &Request, reply: Reply| match (request, reply) {
        (Request::Get { name, .. } | Request::Read { name, .. }, Reply::Blob { len, bytes })
            if name.starts_with("shards/") =>
        {
            let mut bytes = bytes.to_vec();
            bytes.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            Reply::Blob { len, bytes: Bytes::from(bytes) }
        }
        (_, reply) => reply,
    };
    let store: Result<Arc<dyn StorageBackend>, String> = match way {
        Way::Straight => Ok(Arc::new(world.remote(OWNER).unwrap())),
        Way::Dead => Err("no answer".to_owned()),
        Way::Lies => {
            let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(flip));
            Ok(Arc::new(world.remote_over(&net, patient()).unwrap()))
        }
    };
    Seat { place, store }
}

fn group(hosts: &[World], way: impl Fn(usize) -> Way) -> (Arc<SpreadStore>, Arc<RecordingObserver>) {
    let observer = Arc::new(RecordingObserver::new());
    let seats = hosts.iter().enumerate().map(|(number, world)| seat(number, world, way(number))).collect();
    let options =
        SpreadOptions { observer: Arc::clone(&observer) as _, ..SpreadOptions::new(ErasureConfig::RS_4_2) };
    (Arc::new(SpreadStore::open(seats, options).unwrap()), observer)
}

fn hosts() -> Vec<World> {
    (0..MEMBERS).map(|_| World::new()).collect()
}

#[test]
fn four_hosts_bring_a_repository_back_while_two_are_dead_and_name_one_that_lies() {
    let hosts = hosts();
    let repo = create(group(&hosts, |_| Way::Straight).0, hosts[0].client());
    let tree = hosts[0].tree(1, 3_000_000);
    let commit = hosts[0].commit(&repo, &tree).unwrap();
    drop(repo);

    let two_dead = |number| if [1, 4].contains(&number) { Way::Dead } else { Way::Straight };
    let (store, observer) = group(&hosts, two_dead);
    let repo = Repository::open(store, &password(), hosts[0].client()).unwrap();
    assert_eq!(restored(&repo, commit, &tree), Ok(()));
    for dead in ["host 1 failed", "host 4 failed"] {
        assert!(observer.notices().iter().any(|text| text.starts_with(dead)), "{:?}", observer.notices());
    }

    let one_lies = |number| match number {
        1 => Way::Dead,
        2 => Way::Lies,
        _ => Way::Straight,
    };
    let (store, observer) = group(&hosts, one_lies);
    let repo = Repository::open(store, &password(), hosts[0].client()).unwrap();
    assert_eq!(restored(&repo, commit, &tree), Ok(()));
    let liar = "host 2 is damaged or lies";
    assert!(observer.notices().iter().any(|text| text.starts_with(liar)), "{:?}", observer.notices());
}

#[test]
fn a_host_takes_no_shard_that_is_wrong_and_no_entry_whose_pack_it_has_no_shard_of() {
    let hosts = hosts();
    let (store, _) = group(&hosts, |_| Way::Straight);
    let repo = create(Arc::clone(&store) as _, hosts[0].client());
    hosts[0].commit(&repo, &hosts[0].tree(1, 100_000)).unwrap();
    let remote = hosts[3].remote(OWNER).unwrap();
    let name = remote.names("shards/").unwrap()[0].clone();
    let good = remote.get(&name, u64::MAX).unwrap();
    let other = BlobName::new(&format!("shards/{:032x}-03", 5)).unwrap();
    for at in [0, 20, 100, good.len() - 1] {
        let mut wrong = good.clone();
        wrong[at] ^= 1;
        assert!(remote.put_new(&other, &[&wrong]).is_err(), "byte {at}");
    }
    assert!(remote.put_new(&other, &[&good]).is_err(), "it is a shard of another pack");
    let refused = told(&remote.replace(&name, &good).unwrap_err());
    assert!(refused.contains("stays"), "{refused}");

    // One shard is taken away behind the host's back; the entry that names its pack then comes anew.
    let last = remote.names("log/").unwrap().pop().unwrap();
    let entry = remote.get(&last, u64::MAX).unwrap();
    let behind = hosts[3].store();
    for shard in behind.names("shards/").unwrap() {
        assert!(behind.delete(&shard).unwrap());
    }
    assert!(behind.delete(&last).unwrap());
    drop((repo, store, remote));
    assert!(hosts[3].remote(OWNER).unwrap().put_new(&last, &[&entry]).is_err());
}

#[test]
fn a_lost_host_is_rebuilt_on_a_new_one_also_where_old_entries_name_packs_that_are_gone() {
    let mut hosts = hosts();
    let repo = create(group(&hosts, |_| Way::Straight).0, hosts[0].client());
    let first = hosts[1].commit(&repo, &hosts[1].tree(1, 400_000)).unwrap();
    let tree = hosts[1].tree(2, 400_000);
    let commit = hosts[1].commit(&repo, &tree).unwrap();
    let forget = ForgetRequest { commits: vec![first], ..ForgetRequest::default() };
    ops::forget(&repo, &forget, &Silent).unwrap();
    let gone = GarbageCollector::new(&repo, GcConfig { grace: 0, ..GcConfig::default() }).run(&Silent);
    assert!(gone.is_ok(), "{gone:?}");
    drop(repo);
    for lost in [2, 0] {
        hosts[lost] = World::new();
        let (store, _) = group(&hosts, |_| Way::Straight);
        let repo = Repository::open(Arc::clone(&store) as _, &password(), hosts[1].client()).unwrap();
        let look = |repair| mend(&store, &repo.state(), MendRequest { read: true, repair }, &Silent).unwrap();
        assert!(!look(false).is_clean());
        let report = look(true);
        assert!(report.is_clean(), "{lost}: {report:?}");
        assert!(look(false).is_clean(), "{lost}");
    }
    let (store, observer) = group(&hosts, |_| Way::Straight);
    let repo = Repository::open(store, &password(), hosts[1].client()).unwrap();
    assert_eq!(restored(&repo, commit, &tree), Ok(()));
    hosts[1].commit(&repo, &hosts[1].tree(3, 50_000)).unwrap();
    assert_eq!(observer.notices(), [] as [String; 0]);
}

/// What lies at a host, and how often the names of its shards were listed.
#[derive(Debug, Clone)]
struct Listed {
    inner: Arc<MemoryStore>,
    times: Arc<AtomicU64>,
}

impl StorageBackend for Listed {
    fn location(&self) -> String {
        "listed".to_owned()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.inner.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        self.inner.get(name, max)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.inner.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.inner.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.inner.list(prefix)
    }

    fn names(&self, prefix: &str) -> Result<Vec<BlobName>, StoreError> {
        self.times.fetch_add(u64::from(prefix == "shards/"), Ordering::Relaxed);
        self.inner.names(prefix)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.inner.delete(name)
    }
}

impl Shelf for Listed {
    fn open(&self, _: &str) -> Result<Option<Arc<dyn StorageBackend>>, StoreError> {
        Ok(Some(Arc::new(self.clone())))
    }

    fn create(&self, _: &str) -> Result<Arc<dyn StorageBackend>, StoreError> {
        Ok(Arc::new(self.clone()))
    }
}

/// Another host over what lies at one, as after a restart.
fn started_anew(world: &World) -> (Arc<RemoteStore>, Listed) {
    let listed = Listed { inner: world.store(), times: Arc::default() };
    let now = || warp::format::dirtree::Timestamp { secs: 1_800_000_000, nanos: 0 };
    let options = HostOptions { access: AccessSource::Fixed(Access::open_to_all()), quota: None, now };
    let host = Host::new(Box::new(listed.clone()), options).unwrap();
    let net = SimNet::new(Arc::new(HostHandler(host)), OWNER, REPOSITORY, SimNetConfig::default());
    let transport = Arc::new(SimTransport(Arc::new(net)));
    let remote = RemoteStore::open(transport, (REPOSITORY, false), TransferConfig::default()).unwrap();
    (Arc::new(remote), listed)
}

#[test]
fn a_host_that_was_started_anew_lists_its_shards_once_and_heeds_those_that_come_and_go() {
    let hosts = hosts();
    let local = create(Arc::new(MemoryStore::new()), hosts[0].client());
    for version in 1..=5 {
        hosts[0].commit(&local, &hosts[0].tree(version, 200_000)).unwrap();
    }
    let (store, _) = group(&hosts, |_| Way::Straight);
    let repo = local.create_sibling(store, false, hosts[0].client()).unwrap();
    ops::copy_all(&local, &repo, (None, VerificationMode::default()), &Silent).unwrap();
    assert!(repo.state().packs.len() >= 5, "one entry names many packs");
    drop(repo);

    let (remote, listed) = started_anew(&hosts[3]);
    let behind = &listed.inner;
    // The last entry comes anew, as after a cut before it was stored.
    let once_more = || {
        let last = behind.names("log/").unwrap().pop().unwrap();
        let entry = behind.get(&last, u64::MAX).unwrap();
        behind.delete(&last).unwrap();
        let put = remote.put_new(&last, &[&entry]);
        // What was refused stands again for the next attempt.
        behind.put_new(&last, &[&entry]).unwrap();
        put
    };
    let times = || listed.times.load(Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(once_more().unwrap(), Put::Created);
        assert_eq!(times(), 1, "once for all packs and entries");
    }

    // A shard that comes later is known without another look.
    let before = behind.names("shards/").unwrap();
    let seat_of = |number: usize| match number {
        3 => Seat { place: "host 3".to_owned(), store: Ok(Arc::clone(&remote) as _) },
        _ => seat(number, &hosts[number], Way::Straight),
    };
    let options = SpreadOptions::new(ErasureConfig::RS_4_2);
    let store = SpreadStore::open((0..MEMBERS).map(seat_of).collect(), options).unwrap();
    let repo = Repository::open(Arc::new(store), &password(), hosts[0].client()).unwrap();
    hosts[0].commit(&repo, &hosts[0].tree(6, 200_000)).unwrap();
    drop(repo);
    assert_eq!(once_more().unwrap(), Put::Created);
    assert_eq!(times(), 1);

    // One that was taken away behind the host's back is missed, and found when it is back.
    let mut new = behind.names("shards/").unwrap();
    new.retain(|name| !before.contains(name));
    let bytes = behind.get(&new[0], u64::MAX).unwrap();
    behind.delete(&new[0]).unwrap();
    for _ in 0..2 {
        assert!(once_more().is_err());
    }
    behind.put_new(&new[0], &[&bytes]).unwrap();
    assert_eq!(once_more().unwrap(), Put::Created);
}
