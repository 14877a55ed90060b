//! When an entry came, and who brought it: what the host knows, whatever the entry says of itself.
//!
//! Whoever takes commits from a host takes along what it noted of those that came through keys which may only append: else such a key's commits
//! would count in full where they were taken to. These receipts are named by their bytes, so that they stand beside those of other hosts, and of a host
//! that the receiver may itself be.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::format::receipt::Receipt;
use crate::format::wire::Rights;
use crate::id::CommitId;
use crate::store::{BlobName, StorageBackend, StoreError};

/// Where they lie.
pub(super) const FOLDER: &str = "receipts/";
/// Hex digits of the hash by which one is named that was taken along.
const TAKEN_LEN: usize = 32;
/// Receipts that are read at once, before it is looked whether more are needed.
const BATCH: usize = 64;

/// What a host noted of commits.
pub(in crate::ops) type Receipts = HashMap<CommitId, Receipt>;

pub(super) fn name(number: u64) -> BlobName {
    BlobName::new(&format!("{FOLDER}{number:010}")).expect("digits make a legal name")
}

/// The name of a receipt that was taken along, by its bytes.
fn taken_name(bytes: &[u8]) -> BlobName {
    let hash = blake3::hash(bytes).to_hex();
    BlobName::new(&format!("{FOLDER}{}", &hash[..TAKEN_LEN])).expect("digits make a legal name")
}

/// The name of a receipt, if a text is one.
pub(super) fn parse_name(text: &str) -> Option<BlobName> {
    let rest = text.strip_prefix(FOLDER)?;
    let is_own = rest.parse().is_ok_and(|number| name(number).as_str() == text);
    let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let is_taken = rest.len() == TAKEN_LEN && rest.bytes().all(is_hex);
    if is_own || is_taken { BlobName::new(text).ok() } else { None }
}

/// Whether it was noted at another host.
fn is_taken(name: &BlobName) -> bool {
    name.as_str().len() == FOLDER.len() + TAKEN_LEN
}

/// The receipts of a repository, by commit: the first one of each, that is, of its own host if that has one. What is damaged is left out.
///
/// With `wanted`, the newest entries are read first, and no more than until all of these commits are found.
pub(in crate::ops) fn read_receipts(
    store: &dyn StorageBackend,
    wanted: Option<&HashSet<CommitId>>,
) -> Result<Receipts, StoreError> {
    let mut names: Vec<BlobName> = store
        .list(FOLDER)?
        .into_iter()
        .filter(|blob| blob.len > Receipt::EMPTY_LEN && parse_name(blob.name.as_str()).is_some())
        .map(|blob| blob.name)
        .collect();
    names.sort_by_key(|name| (is_taken(name), std::cmp::Reverse(name.clone())));
    let mut open: Option<HashSet<CommitId>> = wanted.cloned();
    let mut found = BTreeMap::new();
    for batch in names.chunks(BATCH) {
        if open.as_ref().is_some_and(HashSet::is_empty) {
            break;
        }
        for (name, receipt) in read_batch(store, batch)? {
            if let Some(open) = &mut open {
                for commit in &receipt.commits {
                    open.remove(commit);
                }
            }
            let rank = if is_taken(&name) { (1, receipt.time.secs) } else { (0, 0) };
            found.insert((rank, name), receipt);
        }
    }
    let mut receipts = HashMap::new();
    for receipt in found.into_values() {
        let is_meant = |commit: &&CommitId| wanted.is_none_or(|wanted| wanted.contains(*commit));
        for commit in receipt.commits.iter().filter(is_meant) {
            receipts.entry(*commit).or_insert_with(|| receipt.clone());
        }
    }
    Ok(receipts)
}

fn read_batch(
    store: &dyn StorageBackend,
    names: &[BlobName],
) -> Result<Vec<(BlobName, Receipt)>, StoreError> {
    let mut found = Vec::with_capacity(names.len());
    store.get_many(names, Receipt::LEN_MAX, &mut |name, got| {
        match got {
            Ok(bytes) => found.extend(Receipt::decode(&bytes).ok().map(|receipt| (name.clone(), receipt))),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    Ok(found)
}

/// Takes along what `from` has of commits that keys brought which may only append. Nothing is said of any other commit, whatever stands there: a host
/// has no word about what it did not bring.
pub(in crate::ops) fn take_receipts(
    from: &dyn StorageBackend,
    to: &dyn StorageBackend,
    commits: &HashSet<CommitId>,
) -> Result<(), StoreError> {
    let mut taken: BTreeMap<(u64, [u8; 32]), Receipt> = BTreeMap::new();
    for (commit, receipt) in read_receipts(from, Some(commits))? {
        if receipt.rights.has(Rights::GC) {
            continue;
        }
        let empty = || Receipt { commits: Vec::new(), ..receipt.clone() };
        taken.entry((receipt.number, *receipt.hash.as_bytes())).or_insert_with(empty).commits.push(commit);
    }
    for mut receipt in taken.into_values() {
        receipt.commits.sort_unstable();
        let bytes = receipt.encode();
        to.put_new(&taken_name(&bytes), &[&bytes])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dirtree::Timestamp;
    use crate::id::EntryHash;
    use crate::store::MemoryStore;

    fn commit(n: u8) -> CommitId {
        CommitId::new([n; 32])
    }

    fn put(store: &MemoryStore, number: u64, rights: Rights, commits: &[u8]) {
        let receipt = Receipt {
            number,
            hash: EntryHash::new([number as u8; 32]),
            time: Timestamp { secs: 100 + number as i64, nanos: 0 },
            key: [7; 32],
            rights,
            commits: commits.iter().map(|n| commit(*n)).collect(),
        };
        assert_eq!(receipt.encode().len() as u64 == Receipt::EMPTY_LEN, commits.is_empty());
        store.put_new(&name(number), &[&receipt.encode()]).unwrap();
    }

    fn numbers(receipts: &Receipts) -> BTreeMap<CommitId, u64> {
        receipts.iter().map(|(commit, receipt)| (*commit, receipt.number)).collect()
    }

    #[test]
    fn only_what_is_said_of_commits_that_come_and_of_keys_that_only_append_is_taken_along() {
        let (from, to) = (MemoryStore::new(), MemoryStore::new());
        put(&from, 1, Rights::ALL, &[1]);
        put(&from, 2, Rights::APPEND, &[2, 3]);
        put(&from, 3, Rights::ALL, &[]);
        put(&from, 4, Rights::READ.and(Rights::APPEND), &[4]);
        for _ in 0..2 {
            take_receipts(&from, &to, &[1, 2, 4].map(commit).into()).unwrap();
            assert_eq!(to.names(FOLDER).unwrap().len(), 2);
        }
        let taken = read_receipts(&to, None).unwrap();
        assert_eq!(numbers(&taken), BTreeMap::from([(commit(2), 2), (commit(4), 4)]));
        // They go on from there, and a host reads its own before those that were taken along.
        let third = MemoryStore::new();
        take_receipts(&to, &third, &[2, 3].map(commit).into()).unwrap();
        assert_eq!(numbers(&read_receipts(&third, None).unwrap()), BTreeMap::from([(commit(2), 2)]));
        put(&third, 9, Rights::ALL, &[2]);
        assert_eq!(numbers(&read_receipts(&third, None).unwrap()), BTreeMap::from([(commit(2), 9)]));
    }

    #[test]
    fn the_first_of_several_receipts_counts_and_no_more_are_read_than_are_needed() {
        let store = MemoryStore::new();
        (1..=300).for_each(|number| put(&store, number, Rights::APPEND, &[(number % 100) as u8]));
        assert_eq!(numbers(&read_receipts(&store, None).unwrap())[&commit(50)], 50);
        // Of those that a fetch looks for, the newest are read: 50 stands among the last 64 only once.
        let some = read_receipts(&store, Some(&[50].map(commit).into())).unwrap();
        assert_eq!(numbers(&some), BTreeMap::from([(commit(50), 250)]));
    }

    #[test]
    fn names_of_receipts_are_those_of_hosts_and_of_what_was_taken_along() {
        for good in ["receipts/0000000001", "receipts/00112233445566778899aabbccddeeff"] {
            assert_eq!(parse_name(good).unwrap().as_str(), good);
        }
        for bad in ["receipts/1", "receipts/", "receipts/00112233445566778899AABBCCDDEEFF", "log/0000000001"]
        {
            assert!(parse_name(bad).is_none(), "{bad}");
        }
    }
}
