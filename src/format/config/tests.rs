use super::*;
use crate::format::testkit::{assert_canonical, assert_damage_is_found, assert_golden};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn slot(id: u32, kind: SlotKind) -> KeySlot {
    KeySlot {
        id,
        kind,
        label: "laptop".into(),
        created: 1_700_000_000,
        kdf: KdfParams { memory_kib: 64 * 1024, passes: 3, lanes: 1 },
        salt: [1; 32],
        commitment: [2; 32],
        nonce: [3; 24],
        wrapped: [4; 48],
    }
}

fn config() -> Config {
    Config {
        generation: 3,
        family: FamilyId::new([5; 16]),
        instance: InstanceId::new([6; 16]),
        cipher: Cipher::XChaCha20Poly1305,
        chunker: ChunkerParams { algorithm: 2, unit: 65_536 },
        root_key: [7; 32],
        worktree: true,
        slots: vec![slot(1, SlotKind::Password), slot(4, SlotKind::KeyFile)],
        keyring_nonce: [8; 24],
        keyring: vec![9; 100],
        settings: vec![("compression".into(), "auto".into()), ("parity".into(), "3".into())],
    }
}

fn keyring() -> KeyringBytes {
    KeyringBytes { root_secret: [1; 32], epochs: vec![(1, [2; 32]), (5, [3; 32])] }
}

/// A copy with this body and a right checksum.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(MAGIC);
    writer.u16(VERSION);
    writer.reserved(2);
    writer.u32(body.len() as u32);
    writer.bytes(body);
    writer.checksum();
    writer.into_bytes()
}

#[test]
fn a_copy_has_its_golden_bytes_and_no_damage_goes_unseen() {
    let mut small = config();
    small.slots.truncate(1);
    small.keyring.truncate(8);
    let bytes = small.encode().unwrap();
    assert_golden(&bytes, "config.hex");
    assert_damage_is_found(&bytes, |bytes| Config::decode(bytes)?.encode());
    assert_eq!(Config::decode(&bytes), Ok(small));
}

#[test]
fn every_chunker_stands_at_its_frozen_place() {
    let mut config = config();
    config.slots.truncate(1);
    config.keyring.truncate(8);
    config.chunker = ChunkerParams { algorithm: 3, unit: 16_384 };
    let bytes = config.encode().unwrap();
    assert_golden(&bytes, "config_seqcdc.hex");
    // Numbers of newer versions are read as they are.
    for algorithm in [1, 2, 4, u16::MAX] {
        config.chunker.algorithm = algorithm;
        let found = Config::decode(&config.encode().unwrap()).unwrap();
        assert_eq!(found.chunker, config.chunker);
    }
}

#[test]
fn a_body_with_a_right_checksum_has_one_encoding() {
    assert_canonical(&config().encode_body(), |body| Ok(Config::decode(&sealed(body))?.encode_body()));
}

#[test]
fn damage_is_told_apart_from_another_file_and_from_a_newer_version() {
    let whole = config().encode().unwrap();
    let with = |place: usize, byte| {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        Config::decode(&bytes)
    };
    assert_eq!(with(50, 0xee), Err(DecodeError::Checksum { what: WHAT }));
    assert_eq!(with(0, b'w'), Err(DecodeError::Magic { what: WHAT }));
    assert_eq!(with(8, 2), Err(DecodeError::Version { what: WHAT, found: 2, max: 1 }));
    assert!(matches!(Config::decode(&whole[..100]), Err(DecodeError::Truncated { .. })));
    assert!(matches!(
        Config::decode(&[&whole[..], b" "].concat()),
        Err(DecodeError::Trailing { extra: 1, .. })
    ));
    assert!(matches!(Config::decode(&vec![0; limits::CONFIG_LEN_MAX + 1]), Err(DecodeError::Limit { .. })));
}

#[test]
fn configurations_that_break_a_rule_are_neither_written_nor_read() {
    let refuse = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        assert!(config.encode().is_err(), "{config:?}");
        assert!(Config::decode(&sealed(&config.encode_body())).is_err(), "{config:?}");
    };
    refuse(|c| c.slots.clear());
    refuse(|c| c.cipher = Cipher::None);
    refuse(|c| c.chunker.algorithm = 0);
    refuse(|c| c.chunker.unit = 0);
    refuse(|c| c.slots.reverse());
    refuse(|c| c.slots[1].id = c.slots[0].id);
    refuse(|c| c.slots = (0..65).map(|id| slot(id, SlotKind::Password)).collect());
    refuse(|c| c.slots[0].label = "l".repeat(256));
    refuse(|c| c.slots[0].kdf.memory_kib = 7);
    refuse(|c| c.slots[0].kdf.memory_kib = u32::MAX);
    refuse(|c| c.slots[0].kdf.passes = 0);
    refuse(|c| c.slots[0].kdf.passes = 65);
    refuse(|c| c.slots[0].kdf.lanes = 0);
    refuse(|c| c.slots[0].kdf.lanes = u32::MAX);
    refuse(|c| c.keyring = vec![0; Config::KEYRING_LEN_MAX + 1]);
    refuse(|c| c.settings.reverse());
    refuse(|c| c.settings[0].0.clear());
    refuse(|c| c.settings[1].0 = c.settings[0].0.clone());
    refuse(|c| c.settings[0].1 = "v".repeat(Config::SETTING_VALUE_LEN_MAX + 1));
    refuse(|c| c.settings[1].0 = "v".repeat(Config::SETTING_NAME_LEN_MAX + 1));
}

#[test]
fn the_largest_configuration_fits_its_limit() {
    let slot = |id| KeySlot { label: "l".repeat(KeySlot::LABEL_LEN_MAX), ..slot(id, SlotKind::Password) };
    let setting = |n: usize| (format!("{n:064}"), "v".repeat(Config::SETTING_VALUE_LEN_MAX));
    let config = Config {
        slots: (0..limits::KEY_SLOTS_MAX as u32).map(slot).collect(),
        keyring: vec![0; Config::KEYRING_LEN_MAX],
        settings: (0..Config::SETTINGS_MAX).map(setting).collect(),
        ..config()
    };
    assert_eq!(Config::decode(&config.encode().unwrap()), Ok(config));
    let epochs = (0..KeyringBytes::EPOCHS_MAX as u32).map(|epoch| (epoch, [1; 32])).collect();
    let keyring = KeyringBytes { root_secret: [0; 32], epochs };
    assert!(keyring.encode().unwrap().len() + 16 <= Config::KEYRING_LEN_MAX);
}

#[test]
fn a_keyring_has_its_golden_bytes_and_one_encoding() {
    let bytes = keyring().encode().unwrap();
    assert_golden(&bytes, "keyring.hex");
    assert_canonical(&bytes, |bytes| Ok(KeyringBytes::decode(bytes)?.encode()?.to_vec()));
    assert!(KeyringBytes::decode(&bytes).unwrap() == keyring());
    assert_eq!(bytes.capacity(), bytes.len());
}

#[test]
fn a_keyring_without_epochs_or_with_twins_is_neither_written_nor_read() {
    for epochs in [vec![], vec![(2, [1; 32]), (2, [2; 32])], vec![(2, [1; 32]), (1, [2; 32])]] {
        assert!(KeyringBytes { root_secret: [0; 32], epochs }.encode().is_err());
    }
    let mut bytes = keyring().encode().unwrap().to_vec();
    bytes[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(KeyringBytes::decode(&bytes), Err(DecodeError::Limit { .. })));
}

proptest! {
    #[test]
    fn configurations_round_trip(
        generation: u64, algorithm in 1..u16::MAX, unit in 1..u32::MAX, labels in vec("[a-zé]{0,9}", 0..4), keyring: Vec<u8>, encrypted: bool,
        settings in btree_map("[a-z.]{1,9}", "[a-zé]{0,9}", 0..4), worktree: bool, created: i64,
    ) {
        let slot = |(id, label)| KeySlot { label, created, ..slot(id, SlotKind::KeyFile) };
        let slots: Vec<_> = (1..).zip(labels).map(slot).collect();
        let encrypted = encrypted && !slots.is_empty();
        let config = Config {
            generation,
            cipher: if encrypted { Cipher::XChaCha20Poly1305 } else { Cipher::None },
            chunker: ChunkerParams { algorithm, unit },
            slots: if encrypted { slots } else { vec![] },
            keyring,
            settings: settings.into_iter().collect(),
            worktree,
            ..config()
        };
        prop_assert_eq!(Config::decode(&config.encode().unwrap()), Ok(config));
    }
}
