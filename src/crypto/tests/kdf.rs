use super::super::kdf::*;
use super::super::{CryptoError, Secret32};
use super::{hex, to_hex};
use crate::limits;

/// The cheapest parameters that every build allows.
const CHEAP: KdfParams = KdfParams { memory_kib: 64 * 1024, passes: 1, lanes: 1 };

/// RFC 9106, section 5.3: with parameters and inputs that only the crate below takes.
#[test]
fn argon2id_gives_the_vector_of_the_rfc() {
    use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
    let mut params = ParamsBuilder::new();
    params.m_cost(32).t_cost(3).p_cost(4).output_len(32).data(AssociatedData::new(&[4; 12]).unwrap());
    let params = params.build().unwrap();
    let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut out = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut out).unwrap();
    assert_eq!(to_hex(&out), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

/// Against OpenSSL's Argon2id.
#[test]
fn derivations_are_frozen() {
    let salt = std::array::from_fn(|at| at as u8);
    let derived = derive(KdfParams::DEFAULT, &salt, b"correct horse battery staple").unwrap();
    let want = "6ed12d7d594a6ae56c7ad1725982ae0d41317bd2b239dd1e0916d913d4da0757";
    assert_eq!(to_hex(derived.as_bytes()), want);
    let derived = derive(KdfParams { lanes: 4, ..CHEAP }, &[7; 32], b"").unwrap();
    let want = "caa008d2b73c3cb939f7e5cccfa4359a5a999bb5185618867f4bc18d49fd4045";
    assert_eq!(to_hex(derived.as_bytes()), want);
    let commitment = commitment(&Secret32::new(salt));
    let want = "883ab8f045aeb24895e5285c81a1de67a1f1fd981ce574b69ee24cab548a673d";
    assert_eq!(to_hex(&commitment), want);
}

#[test]
fn costs_outside_the_bounds_are_refused_before_any_memory_is_taken() {
    let KdfParams { memory_kib, passes, lanes } = CHEAP;
    let wrong = [
        KdfParams { memory_kib: limits::KDF_MEMORY_KIB.start() - 1, ..CHEAP },
        KdfParams { memory_kib: limits::KDF_MEMORY_KIB.end() + 1, ..CHEAP },
        KdfParams { memory_kib: u32::MAX, passes, lanes },
        KdfParams { passes: 0, ..CHEAP },
        KdfParams { passes: limits::KDF_PASSES.end() + 1, ..CHEAP },
        KdfParams { lanes: 0, memory_kib, passes },
        KdfParams { lanes: limits::KDF_LANES.end() + 1, ..CHEAP },
    ];
    for params in wrong {
        let result = derive(params, &[0; 32], b"");
        assert!(matches!(result, Err(CryptoError::KdfBounds { .. })), "{params:?}: {result:?}");
    }
    KdfParams::DEFAULT.check().unwrap();
}

#[test]
fn a_slot_opens_with_its_secret_and_with_no_other() {
    let master = Secret32::generate().unwrap();
    let slot = seal_slot(&master, b"secret", CHEAP, b"slot 1").unwrap();
    assert_eq!(open_slot(&slot, b"secret", CHEAP, b"slot 1").unwrap(), master);
    for wrong in [&b""[..], b"Secret", b"secret ", b"secret\0"] {
        let result = open_slot(&slot, wrong, CHEAP, b"slot 1");
        assert!(matches!(result, Err(CryptoError::WrongSecret)), "{wrong:?}: {result:?}");
    }
}

#[test]
fn a_damaged_slot_is_told_from_a_wrong_secret() {
    let master = Secret32::generate().unwrap();
    let good = seal_slot(&master, b"secret", CHEAP, b"slot 1").unwrap();
    let open = |slot: &Slot, aad: &[u8]| open_slot(slot, b"secret", CHEAP, aad);

    let mut bad = good.clone();
    bad.wrapped[0] ^= 1;
    assert!(matches!(open(&bad, b"slot 1"), Err(CryptoError::Damaged)));
    let mut bad = good.clone();
    bad.nonce[23] ^= 1;
    assert!(matches!(open(&bad, b"slot 1"), Err(CryptoError::Damaged)));
    assert!(matches!(open(&good, b"slot 2"), Err(CryptoError::Damaged)));

    let mut bad = good.clone();
    bad.commitment[31] ^= 1;
    assert!(matches!(open(&bad, b"slot 1"), Err(CryptoError::WrongSecret)));
    let mut bad = good;
    bad.salt[0] ^= 1;
    assert!(matches!(open(&bad, b"slot 1"), Err(CryptoError::WrongSecret)));
}

#[test]
fn two_slots_for_one_secret_share_nothing() {
    let master = Secret32::generate().unwrap();
    let [one, two] = [(); 2].map(|()| seal_slot(&master, b"secret", CHEAP, b"").unwrap());
    assert_ne!(one.salt, two.salt);
    assert_ne!(one.commitment, two.commitment);
    assert_ne!(one.wrapped, two.wrapped);
}

#[test]
fn a_slot_is_sealed_under_the_frozen_derivation() {
    use super::super::aead::{Cipher, SealKey, open};
    let master = Secret32::new([3; 32]);
    let slot = seal_slot(&master, b"secret", CHEAP, b"slot").unwrap();
    let derived = derive(CHEAP, &slot.salt, b"secret").unwrap();
    let under = Secret32::new(blake3::derive_key("warp 1 slot key", derived.as_bytes()));
    let part = [&slot.nonce[..], &slot.wrapped].concat();
    let opened = open(Cipher::XChaCha20Poly1305, &SealKey::from(under), b"slot", &part).unwrap();
    assert_eq!(opened, master.as_bytes());
    let root = Secret32::new(std::array::from_fn(|at| at as u8));
    let want = hex("18fe052bdc8c7670d409f48f938fdb5ea1ee9a4381e666f41cdb56ebab021fbc");
    assert_eq!(root.derive("warp 1 slot key").as_bytes(), &want);
}

#[test]
fn a_keyring_opens_only_under_its_master_key_and_place() {
    let master = Secret32::new([3; 32]);
    let good = seal_keyring(&master, b"bytes of a keyring", b"config").unwrap();
    assert_eq!(open_keyring(&master, &good, b"config").unwrap().as_slice(), b"bytes of a keyring");
    let refused = |master: &Secret32, keyring: &SealedKeyring, aad: &[u8]| {
        matches!(open_keyring(master, keyring, aad), Err(CryptoError::Tampered))
    };
    assert!(refused(&Secret32::new([4; 32]), &good, b"config"));
    assert!(refused(&master, &good, b"other"));
    for byte in 0..good.sealed.len() {
        let mut bad = good.clone();
        bad.sealed[byte] ^= 0x10;
        assert!(refused(&master, &bad, b"config"), "byte {byte}");
    }
    let short = SealedKeyring { sealed: Vec::new(), ..good };
    assert!(refused(&master, &short, b"config"));
}

#[test]
fn a_keyring_is_sealed_under_the_frozen_derivation() {
    use super::super::aead::{Cipher, SealKey, open};
    let master = Secret32::new(std::array::from_fn(|at| at as u8));
    let under = hex("fd90311576f517963ca2aacbd397a80d50bb0dd047e2dd2fe8817705e1c0b0e8");
    let made = seal_keyring(&master, b"keyring", b"config").unwrap();
    let part = [&made.nonce[..], &made.sealed].concat();
    let key = SealKey::from(Secret32::new(under));
    assert_eq!(open(Cipher::XChaCha20Poly1305, &key, b"config", &part).unwrap(), b"keyring");
}
