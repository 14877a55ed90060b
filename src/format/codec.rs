#![doc = include_str!("codec.md")]
use super::DecodeError;

/// Most bytes that a LEB128 number of 64 bits takes.
const VARINT_LEN_MAX: usize = 10;
/// Length of the checksum at the end of a self-checking format, in bytes.
pub const CHECKSUM_LEN: usize = 32;

/// Appends fields to a byte string.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for `len` bytes.
    pub fn with_capacity(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len) }
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends two bytes, little-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends four bytes, little-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends eight bytes, little-endian, two's complement.
    pub fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends a number of one to ten bytes, the low seven bits first.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Appends a signed number; those near zero, of either sign, are short.
    pub fn zigzag(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Appends how many items follow.
    pub fn count(&mut self, count: usize) {
        self.varint(count as u64);
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a byte string behind its length.
    pub fn prefixed(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes(bytes);
    }

    /// Appends `len` zero bytes: place that a later version may use.
    pub fn reserved(&mut self, len: usize) {
        self.bytes.resize(self.bytes.len() + len, 0);
    }

    /// Appends the BLAKE3 hash of everything before it.
    pub fn checksum(&mut self) {
        let hash = blake3::hash(&self.bytes);
        self.bytes(hash.as_bytes());
    }
}

/// Takes fields from the front of a byte string. Every error names `what` is read.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which should be a `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The error for a field that breaks the rule `why`.
    pub fn invalid(&self, why: &'static str) -> DecodeError {
        DecodeError::Invalid { what: self.what, why }
    }

    /// Errors with [`DecodeError::Invalid`] and the rule `why` unless it `holds`.
    pub fn ensure(&self, holds: bool, why: &'static str) -> Result<(), DecodeError> {
        if holds { Ok(()) } else { Err(self.invalid(why)) }
    }

    /// Takes `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(DecodeError::Truncated { what: self.what, needed: (len - self.rest.len()) as u64 });
        };
        self.rest = rest;
        Ok(head)
    }

    /// Takes `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("take gives what was asked for"))
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Takes four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Takes eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Takes eight bytes, little-endian, two's complement.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// Takes a byte that is 0 or 1.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.invalid("a flag is neither 0 nor 1")),
        }
    }

    /// Takes a number as [`Writer::varint`] writes it; a longer form of the same number is refused.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let len = self.rest.iter().take(VARINT_LEN_MAX).take_while(|byte| **byte & 0x80 != 0).count() + 1;
        self.ensure(len <= VARINT_LEN_MAX, "a number has more than 64 bits")?;
        let bytes = self.take(len)?;
        let last = bytes[len - 1];
        self.ensure(len < VARINT_LEN_MAX || last == 1, "a number has more than 64 bits")?;
        self.ensure(len == 1 || last != 0, "a number is longer than it needs to be")?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
    }

    /// Takes a number of at most 32 bits as [`Writer::varint`] writes it.
    pub fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        let value = self.varint()?;
        u32::try_from(value).map_err(|_| self.invalid("a number has more than 32 bits"))
    }

    /// Takes a signed number as [`Writer::zigzag`] writes it.
    pub fn zigzag(&mut self) -> Result<i64, DecodeError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Takes how many items follow: at most `max`, and no more than fit the bytes that are left if each takes at
    /// least `item_len_min` of them. So memory for them may be taken at once. `what` names the items in errors.
    pub fn count(
        &mut self,
        what: &'static str,
        max: usize,
        item_len_min: usize,
    ) -> Result<usize, DecodeError> {
        let found = self.varint()?;
        limit(what, found, max as u64)?;
        let needed = found.saturating_mul(item_len_min as u64);
        match needed.checked_sub(self.remaining() as u64) {
            None | Some(0) => Ok(found as usize),
            Some(needed) => Err(DecodeError::Truncated { what: self.what, needed }),
        }
    }

    /// Takes a byte string behind its length, which is at most `max`. `what` names it in errors.
    pub fn prefixed(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.count(what, max, 1)?;
        self.take(len)
    }

    /// Takes a UTF-8 string behind its length in bytes, which is at most `max`. `what` names it in errors.
    pub fn text(&mut self, what: &'static str, max: usize) -> Result<String, DecodeError> {
        let bytes = self.prefixed(what, max)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::Invalid { what, why: "it is not UTF-8" }),
        }
    }

    /// Takes `len` bytes that must be zero.
    pub fn reserved(&mut self, len: usize) -> Result<(), DecodeError> {
        let zero = self.take(len)?.iter().all(|byte| *byte == 0);
        self.ensure(zero, "reserved bytes are not zero")
    }

    /// Takes the magic number.
    pub fn magic(&mut self, magic: &[u8; 8]) -> Result<(), DecodeError> {
        if self.take(8)? == magic { Ok(()) } else { Err(DecodeError::Magic { what: self.what }) }
    }

    /// Takes a version of two bytes, from 1 to `max`.
    pub fn version(&mut self, max: u16) -> Result<u16, DecodeError> {
        let found = self.u16()?;
        self.supported(found, max)
    }

    /// Takes a version of one byte, from 1 to `max`.
    pub fn short_version(&mut self, max: u8) -> Result<u8, DecodeError> {
        let found = self.u8()?;
        self.supported(found.into(), max.into()).map(|_| found)
    }

    fn supported(&self, found: u16, max: u16) -> Result<u16, DecodeError> {
        if (1..=max).contains(&found) {
            Ok(found)
        } else {
            Err(DecodeError::Version { what: self.what, found, max })
        }
    }

    /// Ends the reading: nothing may be left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() as u64 {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { what: self.what, extra }),
        }
    }
}

/// Takes off and compares the checksum that [`Writer::checksum`] puts behind a `what`; the rest comes back.
pub fn verify_checksum<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let Some((body, sum)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(DecodeError::Truncated { what, needed: (CHECKSUM_LEN - bytes.len()) as u64 });
    };
    if blake3::hash(body) == *sum { Ok(body) } else { Err(DecodeError::Checksum { what }) }
}

/// Errors with [`DecodeError::Limit`] if `found` is over `max`. `what` names the number.
pub fn limit(what: &'static str, found: u64, max: u64) -> Result<(), DecodeError> {
    if found <= max { Ok(()) } else { Err(DecodeError::Limit { what, found, max }) }
}

/// Errors with [`DecodeError::Invalid`] unless all `items` differ. `what` names them.
pub(crate) fn ensure_distinct<T: std::hash::Hash + Eq>(
    what: &'static str,
    items: impl ExactSizeIterator<Item = T>,
) -> Result<(), DecodeError> {
    if items.len() < 2 {
        return Ok(());
    }
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    for item in items {
        if !seen.insert(item) {
            return Err(DecodeError::Invalid { what, why: "one stands there twice" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn varint(bytes: &[u8]) -> Result<u64, DecodeError> {
        let mut reader = Reader::new("number", bytes);
        let value = reader.varint()?;
        reader.finish().map(|()| value)
    }

    #[test]
    fn a_varint_has_the_published_bytes() {
        for (value, bytes) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut writer = Writer::new();
            writer.varint(value);
            assert_eq!(writer.as_slice(), bytes);
        }
        let mut writer = Writer::new();
        writer.varint(u64::MAX);
        assert_eq!(writer.as_slice(), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn a_varint_that_is_too_long_or_too_large_is_refused() {
        let ones = |n| vec![0xff; n];
        let hostile = [
            vec![0x80, 0],
            vec![0xff, 0x80, 0],
            [ones(9), vec![2]].concat(),
            [ones(9), vec![0x81, 0]].concat(),
            ones(10),
            ones(64),
        ];
        for bytes in hostile {
            assert!(matches!(varint(&bytes), Err(DecodeError::Invalid { .. })), "{bytes:?}");
        }
        for bytes in [vec![], vec![0x80], ones(9)] {
            assert!(matches!(varint(&bytes), Err(DecodeError::Truncated { needed: 1, .. })), "{bytes:?}");
        }
    }

    #[test]
    fn a_count_that_cannot_fit_the_bytes_is_refused_before_anything_is_allocated() {
        let mut writer = Writer::new();
        writer.varint(1 << 40);
        let mut reader = Reader::new("list", writer.as_slice());
        assert!(matches!(reader.clone().count("items", 1000, 1), Err(DecodeError::Limit { max: 1000, .. })));
        assert!(matches!(reader.count("items", usize::MAX, usize::MAX), Err(DecodeError::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn numbers_round_trip(value: u64, shift in 0..64_u32) {
            let value = value >> shift;
            let mut writer = Writer::new();
            writer.varint(value);
            writer.zigzag(value as i64);
            writer.zigzag((value as i64).wrapping_neg());
            let mut reader = Reader::new("numbers", writer.as_slice());
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.zigzag(), Ok(value as i64));
            prop_assert_eq!(reader.zigzag(), Ok((value as i64).wrapping_neg()));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn every_string_is_the_encoding_of_at_most_one_number(bytes: Vec<u8>) {
            if let Ok(value) = varint(&bytes) {
                let mut writer = Writer::new();
                writer.varint(value);
                prop_assert_eq!(writer.into_bytes(), bytes);
            }
        }
    }
}
