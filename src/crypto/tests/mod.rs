//! Vectors of others, frozen derivations, and everything that must be refused.

mod aead;
mod kdf;
mod keys;
mod recovery;
mod sign;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
