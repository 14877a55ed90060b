//! A shard of a pack that arrives from one end to the other and is checked on the way, without keys: nothing of it is kept but its header.

use crate::format::DecodeError;
use crate::format::shard::ShardHeader;
use crate::id::PackId;

use super::CasError;

/// Takes the bytes of a shard file in order.
#[derive(Debug)]
pub struct ShardStream {
    pack: PackId,
    number: u16,
    head: Vec<u8>,
    /// What the header says; `None`: it has not come yet.
    header: Option<ShardHeader>,
    hasher: blake3::Hasher,
    len: u64,
}

impl ShardStream {
    /// Expects this shard.
    pub fn new(pack: PackId, number: u16) -> Self {
        Self { pack, number, head: Vec::new(), header: None, hasher: blake3::Hasher::new(), len: 0 }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// When the header is none, or of another shard, or the shard is longer than it says.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), CasError> {
        while !bytes.is_empty() {
            let Some(header) = &self.header else {
                bytes = self.take_head(bytes)?;
                continue;
            };
            self.len += bytes.len() as u64;
            if self.len > header.pack.shard_len() {
                return Err(self.wrong_length(header));
            }
            self.hasher.update(bytes);
            return Ok(());
        }
        Ok(())
    }

    /// Takes what belongs to the header, and returns the rest.
    fn take_head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], CasError> {
        let file = self.file();
        let failed = |source: DecodeError| CasError::Format { file: file.clone(), part: "header", source };
        let wanted = match self.head.len() < ShardHeader::HEAD_LEN {
            true => ShardHeader::HEAD_LEN,
            false => ShardHeader::len_from_head(&self.head).map_err(failed)?,
        };
        let (now, later) = bytes.split_at(bytes.len().min(wanted - self.head.len()));
        self.head.extend_from_slice(now);
        if self.head.len() == wanted && wanted > ShardHeader::HEAD_LEN {
            let header = ShardHeader::decode(&self.head).map_err(failed)?;
            if header.pack.uid != self.pack || header.number != self.number {
                return Err(CasError::Foreign { file, part: "header" });
            }
            self.header = Some(header);
        }
        Ok(later)
    }

    /// Checks the shard against its hash in the header, which it returns.
    ///
    /// # Errors
    /// [`CasError::Length`], [`CasError::Hash`].
    pub fn finish(self) -> Result<ShardHeader, CasError> {
        let Some(header) = &self.header else {
            let (found, expected) = (self.head.len() as u64, ShardHeader::HEAD_LEN as u64);
            return Err(CasError::Length { file: self.file(), found, expected });
        };
        if self.len != header.pack.shard_len() {
            return Err(self.wrong_length(header));
        }
        if self.hasher.finalize() != *header.hash().as_bytes() {
            return Err(CasError::Hash { file: self.file(), part: "shard" });
        }
        Ok(header.clone())
    }

    fn wrong_length(&self, header: &ShardHeader) -> CasError {
        let found = self.head.len() as u64 + self.len;
        CasError::Length { file: self.file(), found, expected: header.pack.file_len() }
    }

    fn file(&self) -> String {
        format!("shards/{}-{:02}", self.pack, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::shard::ShardedPack;
    use crate::id::Root;

    const PACK: PackId = PackId::new([5; 16]);

    fn file() -> Vec<u8> {
        let shard: Vec<u8> = (0..128).collect();
        let mut hashes = vec![Root::new([0; 32]); 3];
        hashes[1] = Root::new(*blake3::hash(&shard).as_bytes());
        let pack = ShardedPack { uid: PACK, len: 200, data: 2, parity: 1, hashes };
        [ShardHeader::new(pack, 1, &[1; 32]).unwrap().encode(), shard].concat()
    }

    fn stream(number: u16, bytes: &[u8], piece: usize) -> Result<ShardHeader, CasError> {
        let mut stream = ShardStream::new(PACK, number);
        bytes.chunks(piece).try_for_each(|piece| stream.update(piece))?;
        stream.finish()
    }

    #[test]
    fn a_whole_shard_passes_in_pieces_of_any_length() {
        for piece in [1, 7, 40, 200, 1000] {
            assert_eq!(stream(1, &file(), piece).unwrap().pack.len, 200);
        }
        assert!(matches!(stream(0, &file(), 9), Err(CasError::Foreign { .. })));
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_byte_more_is_refused() {
        let mut bytes = file();
        for place in 0..bytes.len() {
            bytes[place] ^= 1 << (place % 8);
            assert!(stream(1, &bytes, 50).is_err(), "byte {place}");
            bytes[place] ^= 1 << (place % 8);
            assert!(stream(1, &bytes[..place], 50).is_err(), "cut at {place}");
        }
        bytes.push(0);
        assert!(stream(1, &bytes, 50).is_err());
    }
}
