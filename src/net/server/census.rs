//! Who is connected, and how often.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ServerLimits;
use super::metrics::Refusal;
use crate::sync::PeerKey;

/// Counts connections by key and address.
#[derive(Debug)]
pub(super) struct Census {
    most: usize,
    per_key: usize,
    per_address: usize,
    beginning: AtomicUsize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    keys: HashMap<PeerKey, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// A connection that has not said hello yet.
#[derive(Debug)]
pub(super) struct Begins(Arc<Census>);

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    census: Arc<Census>,
    key: PeerKey,
    address: IpAddr,
}

impl Census {
    pub(super) fn new(limits: &ServerLimits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            per_key: limits.per_key,
            per_address: limits.per_address,
            beginning: AtomicUsize::new(0),
            counts: Mutex::default(),
        })
    }

    /// How many connections have not said hello yet.
    pub(super) fn beginning(&self) -> usize {
        self.beginning.load(Ordering::Relaxed)
    }

    pub(super) fn begins(self: &Arc<Self>) -> Begins {
        self.beginning.fetch_add(1, Ordering::Relaxed);
        Begins(Arc::clone(self))
    }

    /// Lets a connection in, or says which limit forbids it.
    pub(super) fn admit(self: &Arc<Self>, key: PeerKey, address: IpAddr) -> Result<Admitted, Refusal> {
        let address = network(address);
        let mut counts = self.counts();
        if counts.all >= self.most {
            return Err(Refusal::Connections);
        }
        if counts.keys.get(&key).is_some_and(|count| *count >= self.per_key) {
            return Err(Refusal::PerKey);
        }
        if counts.addresses.get(&address).is_some_and(|count| *count >= self.per_address) {
            return Err(Refusal::PerAddress);
        }
        counts.all += 1;
        *counts.keys.entry(key).or_default() += 1;
        *counts.addresses.entry(address).or_default() += 1;
        Ok(Admitted { census: Arc::clone(self), key, address })
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

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.all -= 1;
        one_less(&mut counts.keys, &self.key);
        one_less(&mut counts.addresses, &self.address);
    }
}

/// Counts one less; what is down to nothing is forgotten, or the table would grow with every stranger.
fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
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
    use super::*;

    fn key(n: u8) -> PeerKey {
        PeerKey::new([n; 32])
    }

    #[test]
    fn each_limit_is_named_and_leaving_makes_room() {
        let limits = ServerLimits { connections: 4, per_key: 2, per_address: 3, ..ServerLimits::default() };
        let census = Census::new(&limits);
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = census.admit(key(1), here).unwrap();
        let mut others = vec![census.admit(key(1), here).unwrap()];
        assert_eq!(census.admit(key(1), there).unwrap_err(), Refusal::PerKey);
        others.push(census.admit(key(2), here).unwrap());
        assert_eq!(census.admit(key(3), here).unwrap_err(), Refusal::PerAddress);
        others.push(census.admit(key(3), there).unwrap());
        assert_eq!(census.admit(key(4), there).unwrap_err(), Refusal::Connections);
        drop(first);
        others.push(census.admit(key(1), here).unwrap());
        drop(others);
        let counts = census.counts();
        assert_eq!((counts.all, counts.keys.len(), counts.addresses.len()), (0, 0, 0));
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
