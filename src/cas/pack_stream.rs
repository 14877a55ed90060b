//! A pack that arrives from one end to the other and is checked on the way, without keys: nothing of it is kept but hashes.

use std::num::NonZeroUsize;

use crate::format::pack::{PackHeader, ShardMark};
use crate::id::{PackId, Root};
use crate::merkle::{NodeHash, ShardHasher};

use super::CasError;
use super::pack_writer::root;
use super::vault::pack_name;

/// Takes the bytes of a pack in order.
#[derive(Debug)]
pub struct PackStream {
    pack: PackId,
    at: u64,
    head: Vec<u8>,
    /// What the header says, and what was gathered since; `None`: it has not come yet.
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    header: PackHeader,
    payload: ShardHasher,
    parity: ShardHasher,
    /// The two shard tables.
    tables: [Vec<u8>; 2],
    trailer: Vec<u8>,
}

impl PackStream {
    /// Expects the pack of this name.
    pub fn new(pack: PackId) -> Self {
        Self { pack, at: 0, head: Vec::with_capacity(PackHeader::LEN), body: None }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// When the header is none, or not one of this pack, or the pack is longer than it says.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), CasError> {
        while !bytes.is_empty() {
            let Some(body) = &mut self.body else {
                let (now, later) = bytes.split_at(bytes.len().min(PackHeader::LEN - self.head.len()));
                self.head.extend_from_slice(now);
                bytes = later;
                self.at += now.len() as u64;
                if self.head.len() == PackHeader::LEN {
                    self.body = Some(self.begin()?);
                }
                continue;
            };
            let room = body.room(self.at).ok_or_else(|| too_long(&self.pack, &body.header))?;
            let len = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(len);
            body.take(self.at, now);
            self.at += len as u64;
            bytes = later;
        }
        Ok(())
    }

    fn begin(&self) -> Result<Body, CasError> {
        let file = || pack_name(&self.pack).as_str().to_owned();
        let header = PackHeader::decode(&self.head);
        let header = header.map_err(|source| CasError::Format { file: file(), part: "header", source })?;
        if header.uid != self.pack {
            return Err(CasError::Foreign { file: file(), part: "header" });
        }
        let shard_len = NonZeroUsize::new(header.shard_len as usize).expect("a header's check");
        let hasher = || ShardHasher::new(shard_len);
        let (tables, trailer) = Default::default();
        Ok(Body { header, payload: hasher(), parity: hasher(), tables, trailer })
    }

    /// Checks everything against the roots in the header, which it returns: nothing but the sealed parts can be other than the writer
    /// made them, and those are below the root.
    ///
    /// # Errors
    /// [`CasError::Length`], [`CasError::Hash`]: it is not what a writer makes.
    pub fn finish(self) -> Result<PackHeader, CasError> {
        let (file, found) = (pack_name(&self.pack).as_str().to_owned(), self.at);
        let Some(Body { header, payload, parity, tables, trailer }) = self.body else {
            return Err(CasError::Length { file, found, expected: PackHeader::LEN as u64 * 2 });
        };
        let expected = header.total_len();
        if found != expected {
            return Err(CasError::Length { file, found, expected });
        }
        let changed = |part| CasError::Hash { file: file.clone(), part };
        let mut leaves: Vec<NodeHash> = payload.into_leaves();
        if root(&leaves) != header.payload_root {
            return Err(changed("payload"));
        }
        if trailer != self.head {
            return Err(changed("second header"));
        }
        if header.parity_shards == 0 {
            return if header.parity_root == Root::new([0; 32]) {
                Ok(header)
            } else {
                Err(changed("parity"))
            };
        }
        let of_parity = parity.into_leaves();
        if root(&of_parity) != header.parity_root {
            return Err(changed("parity"));
        }
        leaves.extend(of_parity);
        let table = ShardMark::table(&leaves);
        if tables.iter().any(|found| *found != table) {
            return Err(changed("shard table"));
        }
        Ok(header)
    }
}

impl Body {
    /// Where each part ends.
    fn ends(&self) -> [u64; 5] {
        let header = &self.header;
        [
            header.first_directory_offset(),
            header.parity_offset(),
            header.second_table_offset(),
            header.second_table_offset() + header.table_len(),
            header.total_len(),
        ]
    }

    /// How many bytes are left of the part that begins, or goes on, at this place.
    fn room(&self, at: u64) -> Option<u64> {
        self.ends().into_iter().find(|end| at < *end).map(|end| end - at)
    }

    fn take(&mut self, at: u64, bytes: &[u8]) {
        match self.ends().iter().position(|end| at < *end) {
            Some(0) => self.tables[0].extend_from_slice(bytes),
            Some(1) => self.payload.update(bytes),
            Some(2) => self.parity.update(bytes),
            Some(3) => self.tables[1].extend_from_slice(bytes),
            _ => self.trailer.extend_from_slice(bytes),
        }
    }
}

fn too_long(pack: &PackId, header: &PackHeader) -> CasError {
    let expected = header.total_len();
    CasError::Length { file: pack_name(pack).as_str().to_owned(), found: expected + 1, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cas::testkit::{Packs, objects};
    use crate::format::pack::Parity;
    use crate::testing::Rng;

    fn stream(pack: PackId, bytes: &[u8], piece: usize) -> Result<PackHeader, CasError> {
        let mut stream = PackStream::new(pack);
        bytes.chunks(piece).try_for_each(|piece| stream.update(piece))?;
        stream.finish()
    }

    #[test]
    fn a_whole_pack_passes_in_pieces_of_any_length() {
        for parity in [Parity::NONE, Parity::default()] {
            let (record, bytes) = Packs::new(parity).write(&objects(200_000));
            for piece in [1, 255, 4096, 1 << 20] {
                let header = stream(record.uid, &bytes, piece).unwrap();
                assert_eq!(
                    (header.payload_root, header.parity_root),
                    (record.payload_root, record.parity_root)
                );
            }
        }
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_byte_more_is_refused() {
        let (record, bytes) = Packs::new(Parity::default()).write(&objects(3000));
        let mut damaged = bytes.clone();
        for place in 0..bytes.len() {
            damaged[place] ^= 1 << (place % 8);
            assert!(stream(record.uid, &damaged, 1 << 20).is_err(), "byte {place}");
            damaged[place] ^= 1 << (place % 8);
        }
        let mut rng = Rng::new(1);
        for _ in 0..200 {
            assert!(stream(record.uid, &bytes[..rng.below(bytes.len())], 777).is_err());
        }
        assert!(stream(record.uid, &[&bytes[..], &[0]].concat(), 777).is_err());
        assert!(stream(PackId::new([1; 16]), &bytes, 777).is_err());
    }
}
