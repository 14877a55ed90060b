use super::super::{CryptoError, Keyring, Secret32};
use super::to_hex;
use crate::id::ObjectKind;
use std::collections::HashSet;

/// The keyring with root secret 00, 01, …, 1f and data key 11…11 in epoch 1.
fn fixed() -> Keyring {
    let root = Secret32::new(std::array::from_fn(|at| at as u8));
    Keyring::from_parts(root, vec![(1, Secret32::new([0x11; 32]))]).unwrap()
}

/// The values come from another implementation of BLAKE3 and Ed25519. They never change.
#[test]
fn derivations_are_frozen() {
    let keys = fixed();
    let entry = keys.entry_key(1).unwrap();
    let cache = keys.cache_key();
    let root = keys.root_signer();
    let got = [
        ("chunking", to_hex(keys.chunking_key())),
        ("tree", to_hex(keys.tree_key())),
        ("index", to_hex(keys.index_key())),
        ("log", to_hex(keys.log_key())),
        ("entry", to_hex(entry.secret().as_bytes())),
        ("cache", to_hex(cache.secret().as_bytes())),
        ("shard", to_hex(keys.shard_key().as_bytes())),
        ("ref", keys.ref_id("heads/main").to_hex()),
        ("namespace", keys.namespace_id("heads").to_hex()),
        ("root seed", to_hex(root.seed().as_bytes())),
        ("root key", root.public().to_hex()),
    ];
    let want = [
        ("chunking", "6fdb298a35e766fbb390d130df16cf9f3d4ecfd18649e547c0cc5315b4a697a1"),
        ("tree", "66aee4364de546d14eaf48821ee8d94a064c8266dc487a56931709acb8d953f4"),
        ("index", "49d9dcc5bc5c8c395ff55a7be65ac0745cb910003e6b48277b2356e517520461"),
        ("log", "25c507e08f9d79bd4ff606467f5bfb3e98f8b5b32d033891c662d8a1d6695221"),
        ("entry", "7262a4dba314cbd2e9e1a03b6ba44585499c885807e1f79ec8ed049e5196000d"),
        ("cache", "5b97832c3390d4f0698bb33e182c36e11cd08d28d14b5decd37860b19a31efa3"),
        ("shard", "55d97b353e73dbe10701e748faf2c7aa6b03163f80cabe701e8b9fa29fc7b9bc"),
        ("ref", "79841f71677ff6a02de9f495999297f9"),
        ("namespace", "ccf08deeef819e4879d5f61460f0027e"),
        ("root seed", "a1f3f4e4505cde61ad75fbf8e2450c04e0d8cf46ceb6f225b79e96a6f75f52e2"),
        ("root key", "ddae4c1ffb7ddb88ccd298dde9e3a84e0973060afe6fe7c368154525c7c96ef8"),
    ];
    assert_eq!(got, want.map(|(name, value)| (name, value.to_owned())));
}

/// The ids of `abc`, from another implementation of BLAKE3. They never change.
#[test]
fn ids_are_frozen() {
    let want = [
        (ObjectKind::Chunk, "9ea10b5166361df708b1c95f429e3c36c34a057106653870eb6a86971a40a289"),
        (ObjectKind::FileNode, "1033486dbfc1f658dc5efca72e14a81715294e0a5ed16eb6ab2e254c240952af"),
        (ObjectKind::DirNode, "523d902c6f6a65a5979faeabda3e8b718f42d86c2b3a1bc3cb6a3351c9b8cb55"),
        (ObjectKind::Commit, "54f7258d251bcd507a867d21b87d4ca0d4e45400a8443146a9e17127c3628dd6"),
        (ObjectKind::State, "da2c7066f26092fd5bc0255b0d7854c14fbafc8effbbdae004321f6ab3c8a26e"),
    ];
    let keys = fixed();
    assert_eq!(want.len(), ObjectKind::ALL.len());
    for (kind, id) in want {
        assert_eq!(keys.object_id(kind, b"abc").to_hex(), id, "{kind}");
    }
}

#[test]
fn every_derived_key_and_id_differs_from_every_other() {
    let keys = fixed();
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut new = |bytes: &[u8]| assert!(seen.insert(bytes[..16].to_vec()));
    new(keys.parts().0.as_bytes());
    for key in [keys.chunking_key(), keys.tree_key(), keys.index_key(), keys.log_key()] {
        new(key);
    }
    new(keys.entry_key(1).unwrap().secret().as_bytes());
    new(keys.cache_key().secret().as_bytes());
    new(keys.shard_key().as_bytes());
    for kind in ObjectKind::ALL {
        new(keys.object_id(kind, b"heads").as_bytes());
    }
    new(keys.ref_id("heads").as_bytes());
    new(keys.namespace_id("heads").as_bytes());
    new(keys.root_signer().seed().as_bytes());
}

#[test]
fn two_families_share_no_id() {
    let [one, two] = [Keyring::generate().unwrap(), Keyring::generate().unwrap()];
    assert_ne!(one.object_id(ObjectKind::Chunk, b""), two.object_id(ObjectKind::Chunk, b""));
    assert_ne!(one.ref_id("heads/main"), two.ref_id("heads/main"));
    assert_ne!(one.root_signer().public(), two.root_signer().public());
}

#[test]
fn a_new_epoch_changes_the_seals_and_nothing_else() {
    let before = Keyring::generate().unwrap();
    let mut after = before.clone();
    assert_eq!((before.newest_epoch(), after.add_epoch().unwrap(), after.newest_epoch()), (1, 2, 2));
    assert_eq!(before.epoch_key(1), after.epoch_key(1));
    assert_ne!(after.epoch_key(1), after.epoch_key(2));
    assert_eq!(before.entry_key(1), after.entry_key(1));
    assert_ne!(after.entry_key(1), after.entry_key(2));
    assert_eq!(before.object_id(ObjectKind::Chunk, b"a"), after.object_id(ObjectKind::Chunk, b"a"));
    assert_eq!(before.chunking_key(), after.chunking_key());
}

#[test]
fn unknown_epochs_have_no_key() {
    let keys = fixed();
    for epoch in [0, 2, u32::MAX] {
        assert_eq!(keys.epoch_key(epoch), None);
        assert_eq!(keys.entry_key(epoch), None);
    }
}

#[test]
fn a_keyring_comes_back_from_its_parts() {
    let mut keys = Keyring::generate().unwrap();
    keys.add_epoch().unwrap();
    let (root, epochs) = keys.parts();
    let back = Keyring::from_parts(root.clone(), epochs.to_vec()).unwrap();
    assert_eq!(back.parts(), keys.parts());
    assert_eq!(back.chunking_key(), keys.chunking_key());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    for numbers in [&[][..], &[1, 1], &[2, 1], &[1, 3, 2]] {
        let epochs = numbers.iter().map(|number| (*number, Secret32::new([0; 32]))).collect();
        let result = Keyring::from_parts(Secret32::new([0; 32]), epochs);
        assert!(matches!(result, Err(CryptoError::Keyring { .. })), "{numbers:?}");
    }
    let last = vec![(u32::MAX, Secret32::new([0; 32]))];
    let mut full = Keyring::from_parts(Secret32::new([0; 32]), last).unwrap();
    assert!(matches!(full.add_epoch(), Err(CryptoError::Keyring { .. })));
}

#[test]
fn a_keyring_does_not_print_its_secrets() {
    let keys = fixed();
    assert_eq!(format!("{keys:?}"), "Keyring { newest_epoch: 1, .. }");
    let root = keys.root_signer();
    assert_eq!(format!("{root:?}"), format!("Signer {{ public: {:?}, .. }}", root.public()));
}
