use super::super::sign::{Signer, verify};
use super::super::{CryptoError, Secret32};
use super::{hex, to_hex};
use crate::id::DeviceId;

/// RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
const VECTORS: [(&str, &str, &[u8], &str); 3] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        b"",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        &[0x72],
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        &[0xaf, 0x82],
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
];

#[test]
fn ed25519_gives_the_vectors_of_the_rfc() {
    for (seed, public, message, signature) in VECTORS {
        let signer = Signer::from_seed(&Secret32::new(hex(seed)));
        assert_eq!(signer.public().to_hex(), public);
        assert_eq!(to_hex(signer.seed().as_bytes()), seed);
        assert_eq!(to_hex(&signer.sign(message)), signature);
        verify(&signer.public(), message, &hex(signature)).unwrap();
    }
}

#[test]
fn every_changed_bit_of_a_signature_and_every_other_message_or_signer_is_refused() {
    let signer = Signer::generate().unwrap();
    let good = signer.sign(b"message");
    for bit in 0..512 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        let result = verify(&signer.public(), b"message", &bad);
        assert!(matches!(result, Err(CryptoError::Signature { .. })), "bit {bit}: {result:?}");
    }
    assert!(verify(&signer.public(), b"messagf", &good).is_err());
    assert!(verify(&Signer::generate().unwrap().public(), b"message", &good).is_err());
}

#[test]
fn points_of_small_order_sign_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    for public in [identity, [0; 32]] {
        assert!(verify(&DeviceId::new(public), b"anything", &signature).is_err());
    }
}

#[test]
fn bytes_that_are_no_point_are_refused_as_a_key() {
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let result = verify(&DeviceId::new(bytes), b"", &[0; 64]);
    assert!(matches!(result, Err(CryptoError::PublicKey { .. })), "{result:?}");
}
