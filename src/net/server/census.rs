//! Who is connected, and how often.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::ServerLimits;
use super::limits::Parts;
use super::metrics::Refusal;
use crate::net::frames::FramePool;
use crate::sync::PeerKey;

/// Counts connections by key and address.
#[derive(Debug)]
pub(super) struct Census {
    most: usize,
    per_key: usize,
    per_address: usize,
    beginning: AtomicUsize,
    pool: Arc<FramePool>,
    /// What of the budgets one key may have.
    share: Parts,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    keys: HashMap<PeerKey, (usize, Arc<Share>)>,
    addresses: HashMap<IpAddr, usize>,
}

/// What all connections of one key have of the server's memory.
#[derive(Debug)]
pub(super) struct Share {
    /// Long frames that come in.
    pub(super) pool: Arc<FramePool>,
    /// One permit for each stream whose request is read or answered.
    pub(super) streams: Arc<Semaphore>,
}

/// A connection that has not said hello yet.
#[derive(Debug)]
pub(super) struct Begins(Arc<Census>);

/// A connection from an address, from its first packet to its end.
#[derive(Debug)]
pub(super) struct Arrived {
    census: Arc<Census>,
    address: IpAddr,
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    census: Arc<Census>,
    key: PeerKey,
    pub(super) share: Arc<Share>,
}

impl Census {
    pub(super) fn new(limits: &ServerLimits, pool: Arc<FramePool>) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            per_key: limits.per_key,
            per_address: limits.per_address,
            beginning: AtomicUsize::new(0),
            pool,
            share: limits.parts().share(),
            counts: Mutex::default(),
        })
    }

    /// How many connections have not said hello yet.
    pub(super) fn beginning(&self) -> usize {
        self.beginning.load(Ordering::Relaxed)
    }

    /// Counts a connection that begins, unless there are enough from its address.
    pub(super) fn arrive(self: &Arc<Self>, address: IpAddr) -> Result<(Begins, Arrived), Refusal> {
        let address = network(address);
        let mut counts = self.counts();
        let count = counts.addresses.entry(address).or_default();
        if *count >= self.per_address {
            return Err(Refusal::PerAddress);
        }
        *count += 1;
        self.beginning.fetch_add(1, Ordering::Relaxed);
        Ok((Begins(Arc::clone(self)), Arrived { census: Arc::clone(self), address }))
    }

    /// Lets a connection in, or says which limit forbids it.
    pub(super) fn admit(self: &Arc<Self>, key: PeerKey) -> Result<Admitted, Refusal> {
        let mut counts = self.counts();
        if counts.all >= self.most {
            return Err(Refusal::Connections);
        }
        let (count, share) = counts.keys.entry(key).or_insert_with(|| (0, self.new_share()));
        if *count >= self.per_key {
            return Err(Refusal::PerKey);
        }
        *count += 1;
        let share = Arc::clone(share);
        counts.all += 1;
        Ok(Admitted { census: Arc::clone(self), key, share })
    }

    fn new_share(&self) -> Arc<Share> {
        let pool = self.pool.share(self.share.long_frames);
        Arc::new(Share { pool, streams: Arc::new(Semaphore::new(self.share.streams)) })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begins {
    fn drop(&mut self) {
        self.0.beginning.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        one_less(&mut self.census.counts().addresses, &self.address, |count| count);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.all -= 1;
        one_less(&mut counts.keys, &self.key, |(count, _)| count);
    }
}

/// Counts one less; what is down to nothing is forgotten, or the table would grow with every stranger.
fn one_less<K: Eq + Hash, V>(counts: &mut HashMap<K, V>, key: &K, count: impl Fn(&mut V) -> &mut usize) {
    if let Some(value) = counts.get_mut(key) {
        *count(value) -= 1;
        if *count(value) == 0 {
            counts.remove(key);
        }
    }
}

/// An IPv4 address, or the network that one customer gets of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(n: u8) -> PeerKey {
        PeerKey::new([n; 32])
    }

    fn census(limits: &ServerLimits) -> Arc<Census> {
        Census::new(limits, FramePool::bounded(8, Duration::ZERO))
    }

    #[test]
    fn each_limit_is_named_and_leaving_makes_room() {
        let census = census(&ServerLimits { connections: 3, per_key: 2, ..ServerLimits::default() });
        let first = census.admit(key(1)).unwrap();
        let mut others = vec![census.admit(key(1)).unwrap()];
        assert!(Arc::ptr_eq(&first.share, &others[0].share), "connections of one key share");
        assert_eq!(census.admit(key(1)).unwrap_err(), Refusal::PerKey);
        others.push(census.admit(key(2)).unwrap());
        assert_eq!(census.admit(key(3)).unwrap_err(), Refusal::Connections);
        drop(first);
        others.push(census.admit(key(1)).unwrap());
        drop(others);
        let counts = census.counts();
        assert_eq!((counts.all, counts.keys.len()), (0, 0));
    }

    #[test]
    fn one_address_cannot_take_all_beginnings() {
        let census = census(&ServerLimits { per_address: 2, ..ServerLimits::default() });
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let both = [census.arrive(here).unwrap(), census.arrive(here).unwrap()];
        assert_eq!(census.arrive(here).unwrap_err(), Refusal::PerAddress);
        drop(census.arrive(there).unwrap());
        let [(begins, arrived), other] = both;
        drop(begins);
        assert_eq!(census.arrive(here).unwrap_err(), Refusal::PerAddress, "it is still there");
        drop((arrived, other));
        assert_eq!((census.beginning(), census.counts().addresses.len()), (0, 0));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
