use super::super::aead::*;
use super::super::{CryptoError, Secret32};
use super::{hex, to_hex};
use proptest::prelude::*;

const CIPHERS: [Cipher; 2] = [Cipher::None, Cipher::XChaCha20Poly1305];

fn key(byte: u8) -> SealKey {
    SealKey::from(Secret32::new([byte; 32]))
}

fn sealed(cipher: Cipher, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    seal(cipher, &key(5), [9; 24], aad, plaintext, &mut out);
    out
}

fn is_refused(result: Result<Vec<u8>, CryptoError>) -> bool {
    matches!(result, Err(CryptoError::Tampered))
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn xchacha20_poly1305_gives_the_vector_of_the_draft() {
    let key =
        SealKey::from(Secret32::new(hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")));
    let nonce: [u8; 24] = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
    let aad: [u8; 12] = hex("50515253c0c1c2c3c4c5c6c7");
    let text =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let want = concat!(
        "404142434445464748494a4b4c4d4e4f5051525354555657",
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
        "21f9664c97637da9768812f615c68b13b52e",
        "c0875924c1c7987947deafd8780acf49",
    );
    let mut out = Vec::new();
    seal(Cipher::XChaCha20Poly1305, &key, nonce, &aad, text, &mut out);
    assert_eq!(to_hex(&out), want);
    assert_eq!(open(Cipher::XChaCha20Poly1305, &key, &aad, &out).unwrap(), text);
}

#[test]
fn the_tag_of_parts_in_clear_is_frozen() {
    let out = sealed(Cipher::None, b"where", b"what");
    let want = [&[9; 24][..], b"what", &hex::<16>("86af49204b403b1752feb1560a10e97a")].concat();
    assert_eq!(out, want);
}

#[test]
fn every_changed_bit_is_refused() {
    for cipher in CIPHERS {
        let good = sealed(cipher, b"where", b"some bytes of a block");
        for bit in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(is_refused(open(cipher, &key(5), b"where", &bad)), "{cipher:?}, bit {bit}");
        }
    }
}

#[test]
fn every_other_length_is_refused() {
    for cipher in CIPHERS {
        let good = sealed(cipher, b"where", b"some bytes of a block");
        for len in 0..good.len() {
            assert!(is_refused(open(cipher, &key(5), b"where", &good[..len])), "{cipher:?}, {len}");
            assert!(is_refused(open(cipher, &key(5), b"where", &good[len + 1..])), "{cipher:?}, {len}");
        }
        assert!(is_refused(open(cipher, &key(5), b"where", &[&good[..], b"x"].concat())));
    }
}

#[test]
fn another_key_place_or_cipher_is_refused() {
    for cipher in CIPHERS {
        let good = sealed(cipher, b"where", b"what");
        assert_eq!(open(cipher, &key(5), b"where", &good).unwrap(), b"what");
        assert!(is_refused(open(cipher, &key(6), b"where", &good)));
        for aad in [&b""[..], b"wher", b"wherf", b"where\0", b"wherewhat"] {
            assert!(is_refused(open(cipher, &key(5), aad, &good)), "{cipher:?} {aad:?}");
        }
        let other = CIPHERS[usize::from(cipher == Cipher::None)];
        assert!(is_refused(open(other, &key(5), b"where", &good)));
    }
}

#[test]
fn bytes_moved_between_place_and_text_are_refused() {
    let good = sealed(Cipher::None, b"ab", b"cd");
    let moved = [&good[..24], &b"bcd"[..], &good[28..]].concat();
    assert!(is_refused(open(Cipher::None, &key(5), b"a", &moved)));
}

#[test]
fn a_refused_part_is_left_as_it_was() {
    for cipher in CIPHERS {
        let mut bad = sealed(cipher, b"", b"some bytes of a block");
        *bad.last_mut().unwrap() ^= 1;
        let before = bad.clone();
        assert!(open_in_place(cipher, &key(5), b"", &mut bad).is_err());
        assert_eq!(bad, before);
    }
}

#[test]
fn a_wrapped_key_opens_only_under_its_epoch_key_and_place() {
    let (epoch, pack) = (Secret32::new([1; 32]), SealKey::generate().unwrap());
    let good = wrap_key(&epoch, &pack, b"pack").unwrap();
    assert_eq!(unwrap_key(&epoch, &good, b"pack").unwrap(), pack);
    assert_ne!(wrap_key(&epoch, &pack, b"pack").unwrap(), good, "the nonce is random");
    let refused = |key: &Secret32, wrap: &WrappedKey, aad: &[u8]| {
        matches!(unwrap_key(key, wrap, aad), Err(CryptoError::Tampered))
    };
    assert!(refused(&Secret32::new([2; 32]), &good, b"pack"));
    assert!(refused(&epoch, &good, b"other"));
    for bit in 0..8 * 72 {
        let mut bad = good;
        let byte = bit / 8;
        *(if byte < 24 { &mut bad.nonce[byte] } else { &mut bad.sealed[byte - 24] }) ^= 1 << (bit % 8);
        assert!(refused(&epoch, &bad, b"pack"), "bit {bit}");
    }
}

#[test]
fn a_wrapped_key_is_sealed_under_the_frozen_derivation() {
    let (epoch, pack) = (Secret32::new([0x11; 32]), key(7));
    let wrapped = wrap_key(&epoch, &pack, b"pack").unwrap();
    let under: [u8; 32] = hex("38b31910332b3386ea300b6ded06ce5d4964b316e62b5c0fbb31c588e2a7b19b");
    let part = [&wrapped.nonce[..], &wrapped.sealed].concat();
    let opened = open(Cipher::XChaCha20Poly1305, &SealKey::from(Secret32::new(under)), b"pack", &part);
    assert_eq!(opened.unwrap(), [7; 32]);
}

#[test]
fn keys_do_not_print_themselves() {
    assert_eq!(format!("{:?}", key(0xa5)), "SealKey(Secret32(..))");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_opens_again_wherever_it_stands_in_its_buffer(
        before in prop::collection::vec(any::<u8>(), 0..50),
        text in prop::collection::vec(any::<u8>(), 0..3000),
        aad in prop::collection::vec(any::<u8>(), 0..100),
        cipher in prop::sample::select(&CIPHERS[..]),
        nonce: [u8; 24],
    ) {
        let mut buf = [&before[..], &[0; 24], &text].concat();
        seal_in_place(cipher, &key(5), nonce, &aad, &mut buf, before.len());
        prop_assert_eq!(buf.len(), before.len() + text.len() + OVERHEAD);
        prop_assert_eq!(&buf[..before.len()], &before[..]);
        let mut copied = before.clone();
        seal(cipher, &key(5), nonce, &aad, &text, &mut copied);
        prop_assert_eq!(&copied, &buf);
        prop_assert_eq!(&open(cipher, &key(5), &aad, &buf[before.len()..]).unwrap(), &text);
        prop_assert_eq!(open_in_place(cipher, &key(5), &aad, &mut buf[before.len()..]).unwrap(), &text[..]);
    }
}
