use std::sync::Arc;

use super::*;
use crate::cas::read_damaged;
use crate::cas::testkit::{Packs, objects};
use crate::format::pack::Parity;
use crate::merkle::leaf_hash;
use crate::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};
use crate::testing::{RecordingObserver, Rng};
use proptest::prelude::*;

/// What happens to a run of bytes.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Zeros,
    Random,
    Flips,
    /// The run is gone, and what lies behind it moves up.
    Cut,
    /// As many bytes too many.
    Inserted,
}

const KINDS: [Damage; 5] = [Damage::Zeros, Damage::Random, Damage::Flips, Damage::Cut, Damage::Inserted];

fn damaged(bytes: &[u8], kind: Damage, start: usize, len: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let end = start + len;
    match kind {
        Damage::Zeros => out[start..end].fill(0),
        Damage::Random => out[start..end].copy_from_slice(&Rng::new(start as u64).bytes(len)),
        Damage::Flips => out[start..end].iter_mut().for_each(|byte| *byte ^= 0x10),
        Damage::Cut => drop(out.drain(start..end)),
        Damage::Inserted => drop(out.splice(start..start, Rng::new(9).bytes(len))),
    }
    out
}

/// Where a run of `len` bytes of a pack may lie: its ends, around each border between regions, and in between.
fn starts(header: &PackHeader, len: usize) -> Vec<usize> {
    let last = header.total_len() as usize - len;
    let borders = [
        header.first_table_offset(),
        header.first_directory_offset(),
        header.blocks_offset(),
        header.second_directory_offset(),
        header.parity_offset(),
        header.second_table_offset(),
        header.second_table_offset() + header.table_len(),
    ];
    let around = borders.iter().flat_map(|border| {
        let border = *border as usize;
        [border, border.saturating_sub(1), border.saturating_sub(len), border.saturating_sub(len / 2)]
    });
    let between = (0..9).map(|part| last * part / 8);
    let mut all: Vec<_> = around.chain(between).map(|start| start.min(last)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn any_run_that_a_pack_can_lose_heals_to_the_same_bytes_whatever_happened_to_it_and_wherever_it_lies() {
    for len in [1, 300, 1500, 9000, 70_000, 1 << 20, 3 << 20] {
        let packs = Packs::new(Parity::default());
        let (record, bytes) = packs.write(&objects(len));
        let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
        assert_eq!(heal(&bytes, &record).unwrap().bytes, bytes);
        assert!(inspect(&bytes, &record).unwrap().is_whole());
        let run = header.loss_max() as usize;
        assert!(run >= bytes.len() / 32, "{run} of {}", bytes.len());
        for (number, start) in starts(&header, run).into_iter().enumerate() {
            // Of large packs each place meets one kind of damage.
            let kinds =
                KINDS.iter().enumerate().filter(|(kind, _)| bytes.len() < 100_000 || number % 5 == *kind);
            for (_, kind) in kinds {
                let what = format!("{kind:?} of {run} at {start} of {}", bytes.len());
                let rotten = damaged(&bytes, *kind, start, run);
                let healed = heal(&rotten, &record).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(healed.bytes == bytes, "{what}");
                assert_eq!(healed.health, inspect(&rotten, &record).unwrap(), "{what}");
                assert_eq!(healed.health.is_whole(), rotten == bytes, "{what}: {:?}", healed.health);
            }
        }
    }
}

#[test]
fn as_many_scattered_shards_as_there_is_parity_heal_and_one_more_is_named() {
    let packs = Packs::new("10%".parse().unwrap());
    let (record, bytes) = packs.write(&objects(100_000));
    let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
    let (shards, parity) = (header.shards() as usize, usize::from(header.parity_shards));
    let spoil = |count: usize| {
        let mut rotten = bytes.clone();
        for shard in (0..shards).rev().step_by(2).take(count) {
            let place = header.first_directory_offset() as usize + shard * header.shard_len as usize;
            rotten[place + 7] ^= 1;
        }
        rotten
    };
    for count in 0..=parity {
        let healed = heal(&spoil(count), &record).unwrap();
        assert!(healed.bytes == bytes && healed.health.damaged() == count);
    }
    let error = heal(&spoil(parity + 1), &record).unwrap_err();
    let pack = record.uid;
    assert_eq!(error, HealError::TooMany { pack, damaged: parity + 1, shards, parity });
    assert!(error.to_string().starts_with(&format!("packs/{pack}.warp: {} of its", parity + 1)));
    let health = inspect(&spoil(parity + 1), &record).unwrap();
    assert!(!health.can_be_healed() && health.damaged() == parity + 1);
}

#[test]
fn damage_to_both_tables_costs_only_the_shards_of_which_both_marks_are_lost() {
    let packs = Packs::new(Parity::default());
    let (record, bytes) = packs.write(&objects(60_000));
    let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
    let tables = [header.first_table_offset(), header.second_table_offset()].map(|table| table as usize);
    let mut rotten = bytes.clone();
    let half = header.table_len() as usize / 16 * 8;
    rotten[tables[0]..tables[0] + half].fill(0xaa);
    rotten[tables[1] + half - 8..tables[1] + header.table_len() as usize].fill(0xaa);
    let healed = heal(&rotten, &record).unwrap();
    assert!(healed.bytes == bytes);
    assert_eq!((healed.health.damaged(), healed.health.damaged_frame), (1, true));
}

#[test]
fn what_the_log_does_not_name_is_not_healed() {
    let packs = Packs::new(Parity::default());
    let (record, bytes) = packs.write(&objects(5000));
    let (other, _) = packs.write(&objects(5000));
    let refused =
        |bytes: &[u8], record| (heal(bytes, &record).unwrap_err(), inspect(bytes, &record).unwrap_err());
    let both = |error: HealError| (error.clone(), error);
    assert_eq!(refused(&bytes, other), both(HealError::OtherPack { pack: other.uid }));
    for wrong in [
        PackRecord { payload_root: other.payload_root, ..record },
        PackRecord { parity_root: other.parity_root, ..record },
        PackRecord { len: record.len + 1, ..record },
        PackRecord { len: u64::MAX, ..record },
        PackRecord { len: 0, ..record },
    ] {
        assert_eq!(refused(&bytes, wrong), both(HealError::OtherPack { pack: record.uid }), "{wrong:?}");
    }
    let mut headless = bytes.clone();
    headless[100] ^= 1;
    headless[bytes.len() - 100] ^= 1;
    for nothing in [&headless[..], &[], &bytes[..255], &bytes[256..bytes.len() - 256]] {
        assert_eq!(refused(nothing, record), both(HealError::NoHeader { pack: record.uid }));
    }
}

#[test]
fn a_table_that_was_forged_with_its_shard_does_not_pass_for_the_pack() {
    let packs = Packs::new(Parity::default());
    let (record, bytes) = packs.write(&objects(5000));
    let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
    let mut forged = bytes;
    let start = header.first_directory_offset() as usize;
    forged[start] ^= 1;
    let mark = ShardMark::table([&leaf_hash(&forged[start..start + header.shard_len as usize])]);
    for table in [header.first_table_offset(), header.second_table_offset()] {
        forged[table as usize..][..ShardMark::LEN].copy_from_slice(&mark);
    }
    assert_eq!(heal(&forged, &record), Err(HealError::OtherContent { pack: record.uid }));
}

#[test]
fn a_pack_without_parity_has_its_ends_mended_and_nothing_else() {
    let packs = Packs::new(Parity::NONE);
    let (record, bytes) = packs.write(&objects(5000));
    let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
    assert_eq!((header.parity_shards, header.table_len()), (0, 0));
    for rotten in [&bytes[..bytes.len() - 200], &bytes[200..], &[&[0; 256], &bytes[256..]].concat()] {
        assert!(heal(rotten, &record).unwrap().bytes == bytes);
    }
    for place in [256, 3000, bytes.len() - 257] {
        let rotten = damaged(&bytes, Damage::Flips, place, 1);
        assert_eq!(heal(&rotten, &record), Err(HealError::NoParity { pack: record.uid }));
        assert!(!inspect(&rotten, &record).unwrap().can_be_healed());
    }
}

#[test]
fn readers_heal_once_say_so_once_and_read_everything() {
    let packs = Packs::new(Parity::default());
    for len in [1, 4000, 300_000] {
        let objects = objects(len);
        let (record, bytes) = packs.write(&objects);
        let run = bytes.len() / 32;
        let header = PackHeader::decode(&bytes[..PackHeader::LEN]).unwrap();
        for (number, start) in starts(&header, run).into_iter().enumerate() {
            let kind = KINDS[number % KINDS.len()];
            let observer = Arc::new(RecordingObserver::new());
            let reader = packs.reader(&record, damaged(&bytes, kind, start, run));
            reader.tell_of_healing(observer.clone());
            let what = format!("{kind:?} at {start} of {}", bytes.len());
            assert_eq!(
                packs.read(&reader, &record).unwrap_or_else(|error| panic!("{what}: {error}")),
                objects
            );
            assert_eq!(packs.read(&reader, &record).unwrap(), objects);
            assert!(observer.notices().len() <= 1, "{what}: {:?}", observer.notices());
            // Blocks that fail are healed, and that is said.
            let in_blocks = start < header.second_directory_offset() as usize
                && start + run > header.blocks_offset() as usize;
            if in_blocks && run > 0 {
                assert!(observer.notices()[0].contains(&record.uid.to_string()), "{what}");
            }
        }
    }
}

#[test]
fn a_reader_of_a_pack_that_is_lost_says_which_and_how_much_of_it() {
    let packs = Packs::new(Parity::default());
    let (record, bytes) = packs.write(&objects(50_000));
    let half = bytes.len() / 2;
    let reader = packs.reader(&record, damaged(&bytes, Damage::Random, half / 2, half));
    let error = packs.read(&reader, &record).unwrap_err();
    let crate::cas::CasError::Lost { source } = &error else { panic!("{error:?}") };
    assert!(error.is_damage() && source.to_string().contains(&record.uid.to_string()), "{source}");
    assert!(source.to_string().ends_with("at most 2 can be healed"), "{source}");
}

/// A disk with sectors that it cannot read.
#[derive(Debug)]
struct BadSectors {
    store: MemoryStore,
    bad: Range<u64>,
}

impl StorageBackend for BadSectors {
    fn location(&self) -> String {
        self.store.location()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.store.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.store.get(name, max)?;
        self.read_at(name, 0, bytes.len())
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        if offset < self.bad.end && self.bad.start < offset + len as u64 {
            let source = std::io::Error::from_raw_os_error(5);
            return Err(StoreError::Io { action: "read", path: name.to_string(), source });
        }
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

#[test]
fn sectors_that_the_disk_does_not_read_are_healed_like_others() {
    let packs = Packs::new(Parity::default());
    let objects = objects(700_000);
    let (record, bytes) = packs.write(&objects);
    let with = |bad: Range<u64>| {
        let store = MemoryStore::new();
        store.put_new(&pack_name(&record.uid), &[&bytes]).unwrap();
        packs.vault(Arc::new(BadSectors { store, bad }))
    };
    for bad in [0..512, 4096..5000, 300_000..308_000, bytes.len() as u64 - 512..bytes.len() as u64] {
        let reader = with(bad.clone());
        assert_eq!(packs.read(&reader, &record).unwrap(), objects, "{bad:?}");
        let found = read_damaged(reader.store(), &record.uid).unwrap();
        assert!(heal(&found, &record).unwrap().bytes == bytes, "{bad:?}");
    }
    let dead = with(0..u64::MAX);
    let error = read_damaged(dead.store(), &record.uid).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    assert!(matches!(packs.read(&dead, &record), Err(crate::cas::CasError::Store { .. })));
    let missing = read_damaged(dead.store(), &PackId::new([0; 16])).unwrap_err();
    assert!(missing.is_not_found());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_left_of_a_pack_heals_to_the_same_bytes_or_is_an_error(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..900, 0_usize..5), 1..4),
        len in 1_usize..20_000,
        percent in 0_u8..20,
    ) {
        let parity = if percent == 0 { Parity::NONE } else { format!("{percent}%").parse().unwrap() };
        let (record, bytes) = Packs::new(parity).write(&objects(len));
        let mut rotten = bytes.clone();
        for (start, len, kind) in cuts {
            let start = start.index(rotten.len());
            let len = len.min(rotten.len() - start);
            rotten = damaged(&rotten, KINDS[kind], start, len);
        }
        let health = inspect(&rotten, &record);
        match heal(&rotten, &record) {
            Ok(healed) => {
                prop_assert!(healed.bytes == bytes);
                prop_assert_eq!(Ok(healed.health), health);
            }
            Err(HealError::TooMany { damaged, .. }) => prop_assert_eq!(health.unwrap().damaged(), damaged),
            Err(_) => prop_assert!(health.is_err() || percent == 0),
        }
    }
}
