//! Reading packs: the header and directory from whichever end is whole, blocks by number.

use std::sync::Arc;

use crate::compress::Decompressor;
use crate::format::DecodeError;
use crate::format::pack::{BlockCodec, DeltaEntry, ObjectEntry, PackDirectory, PackHeader};
use crate::id::{ObjectKind, PackId};

use crate::store::StoreError;

use super::vault::{FileKey, Part, Vault, pack_name};
use super::{CasError, OpenBlock};

/// Where everything lies in one pack.
#[derive(Debug)]
pub struct PackMap {
    uid: PackId,
    key: FileKey,
    blocks: Vec<BlockPlace>,
    objects: Vec<ObjectEntry>,
    /// Where each object begins in its block's plaintext.
    starts: Vec<u32>,
    deltas: Vec<DeltaEntry>,
}

#[derive(Debug, Clone, Copy)]
struct BlockPlace {
    offset: u64,
    stored_len: u32,
    plain_len: u32,
    codec: BlockCodec,
    first: u32,
    objects: u32,
}

/// Where a pack's bytes come from: the store, or memory after they were healed.
struct Bytes<'a> {
    len: &'a dyn Fn() -> Result<u64, CasError>,
    read: &'a dyn Fn(u64, usize) -> Result<Vec<u8>, CasError>,
}

/// Where an object lies in the plaintext of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectPlace {
    pub(super) entry: ObjectEntry,
    pub(super) start: usize,
}

impl PackMap {
    /// Reads a pack's header and directory: those in front or, where these are damaged, those at the end. Where neither are
    /// whole, the pack is healed, if that can be.
    ///
    /// # Errors
    /// When the store fails, or the pack is damaged beyond what its parity can heal. Of a pack that cannot be healed the error is
    /// that of the copy in front.
    pub fn load(vault: &Vault, uid: &PackId) -> Result<Self, CasError> {
        let name = pack_name(uid);
        let stored = Bytes {
            len: &|| Ok(vault.store().len(&name)?.unwrap_or(0)),
            read: &|offset, len| Ok(vault.store().read_at(&name, offset, len)?),
        };
        let loaded = Self::load_from(vault, uid, &stored);
        vault.healer().retry(vault, uid, loaded, |healed| {
            let bytes = Bytes {
                len: &|| Ok(healed.len() as u64),
                read: &|offset, len| Ok(healed.read_at(offset, len)?.to_vec()),
            };
            Self::load_from(vault, uid, &bytes)
        })
    }

    /// The same of a pack whose file the caller holds.
    ///
    /// # Errors
    /// When its header and directory at both ends are damaged, or those of another pack.
    pub fn of_file(vault: &Vault, uid: &PackId, file: &[u8]) -> Result<Self, CasError> {
        let read = |offset: u64, len: usize| {
            let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(len)?));
            let short = || StoreError::Short {
                name: pack_name(uid).to_string(),
                location: "memory".to_owned(),
                len: file.len() as u64,
                offset,
                wanted: len as u64,
            };
            Ok(range.and_then(|range| file.get(range)).ok_or_else(short)?.to_vec())
        };
        Self::load_from(vault, uid, &Bytes { len: &|| Ok(file.len() as u64), read: &read })
    }

    fn load_from(vault: &Vault, uid: &PackId, bytes: &Bytes<'_>) -> Result<Self, CasError> {
        Self::load_front(vault, uid, bytes).or_else(|front| match &front {
            CasError::Store { source } if !matches!(source, StoreError::Short { .. }) => Err(front),
            _ => Self::load_back(vault, uid, bytes).map_err(|_| front),
        })
    }

    fn load_front(vault: &Vault, uid: &PackId, bytes: &Bytes<'_>) -> Result<Self, CasError> {
        let header = read_header(uid, bytes, 0)?;
        let [first, second] = [header.first_directory_offset(), header.second_directory_offset()];
        Self::with_header(vault, uid, bytes, &header, first)
            .or_else(|error| Self::with_header(vault, uid, bytes, &header, second).map_err(|_| error))
    }

    fn load_back(vault: &Vault, uid: &PackId, bytes: &Bytes<'_>) -> Result<Self, CasError> {
        let len = (bytes.len)()?;
        let header = read_header(uid, bytes, len.saturating_sub(PackHeader::LEN as u64))?;
        let [first, second] = [header.first_directory_offset(), header.second_directory_offset()];
        Self::with_header(vault, uid, bytes, &header, second)
            .or_else(|error| Self::with_header(vault, uid, bytes, &header, first).map_err(|_| error))
    }

    fn with_header(
        vault: &Vault,
        uid: &PackId,
        bytes: &Bytes<'_>,
        header: &PackHeader,
        offset: u64,
    ) -> Result<Self, CasError> {
        let file = || pack_name(uid).as_str().to_owned();
        if header.uid != *uid || header.family != vault.family() || header.cipher != vault.cipher() {
            return Err(CasError::Foreign { file: file(), part: "header" });
        }
        let key = vault.file_key(Part::PackKey, *uid.as_bytes(), header.epoch, &header.key, &file())?;
        let mut sealed = (bytes.read)(offset, header.directory_len as usize)?;
        let plain = vault.open(&key, Part::Directory, 0, &mut sealed).map_err(|source| CasError::Sealed {
            file: file(),
            part: "directory",
            source,
        })?;
        let directory = decode_directory(plain, &file)?;
        Ok(Self::new(*uid, key, directory, header.blocks_offset()))
    }

    /// The map of a single block of a pack that is not complete.
    pub(super) fn of_block(uid: PackId, key: FileKey, directory: &PackDirectory, number: u16) -> Self {
        let at = usize::from(number);
        let first: u32 = directory.blocks[..at].iter().map(|block| block.objects).sum();
        let block = directory.blocks[at];
        let range = first..first + block.objects;
        let deltas = directory.deltas.iter().filter(|delta| range.contains(&delta.object));
        let of_block = PackDirectory {
            blocks: vec![block],
            objects: directory.objects[range.start as usize..range.end as usize].to_vec(),
            deltas: deltas.map(|delta| DeltaEntry { object: delta.object - first, ..*delta }).collect(),
        };
        let mut map = Self::new(uid, key, of_block, 0);
        let place = map.blocks[0];
        map.blocks = vec![BlockPlace { objects: 0, plain_len: 0, ..place }; at];
        map.blocks.push(place);
        map
    }

    fn new(uid: PackId, key: FileKey, directory: PackDirectory, mut offset: u64) -> Self {
        let (mut first, mut blocks) = (0, Vec::with_capacity(directory.blocks.len()));
        let mut starts = Vec::with_capacity(directory.objects.len());
        for entry in &directory.blocks {
            let objects = &directory.objects[first as usize..(first + entry.objects) as usize];
            let mut plain_len = 0;
            for object in objects {
                starts.push(plain_len);
                plain_len += object.len;
            }
            let &crate::format::pack::BlockEntry { stored_len, codec, objects } = entry;
            blocks.push(BlockPlace { offset, stored_len, plain_len, codec, first, objects });
            offset += u64::from(stored_len);
            first += objects;
        }
        let PackDirectory { objects, deltas, .. } = directory;
        Self { uid, key, blocks, objects, starts, deltas }
    }

    /// The pack's name.
    pub fn uid(&self) -> PackId {
        self.uid
    }

    /// How many blocks the pack has.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The objects of one block, in order; none for a block that does not exist.
    pub fn objects(&self, block: u16) -> &[ObjectEntry] {
        self.blocks
            .get(usize::from(block))
            .map_or(&[], |place| &self.objects[place.first as usize..][..place.objects as usize])
    }

    /// Bytes that a block takes in the pack; 0 for one that does not exist.
    pub fn stored_len(&self, block: u16) -> u64 {
        self.blocks.get(usize::from(block)).map_or(0, |place| u64::from(place.stored_len))
    }

    /// Where a block begins in the file; 0 for one that does not exist.
    pub fn offset(&self, block: u16) -> u64 {
        self.blocks.get(usize::from(block)).map_or(0, |place| place.offset)
    }

    /// Opens a block of which the caller has read the sealed bytes.
    ///
    /// # Errors
    /// When it is damaged, or there is no such block.
    pub fn open_sealed(
        self: &Arc<Self>,
        vault: &Vault,
        block: u16,
        sealed: &mut [u8],
        decompressor: &mut Decompressor,
    ) -> Result<OpenBlock, CasError> {
        let plain = self.unseal(vault, block, sealed, decompressor)?;
        Ok(OpenBlock::new(Arc::clone(self), block, plain))
    }

    /// All deltas of the pack, by the numbers of their objects in it.
    pub fn deltas(&self) -> &[DeltaEntry] {
        &self.deltas
    }

    /// Bytes that the object in `slot` of `block` takes in the pack: of a delta its frame, of another the share of the
    /// sealed block that its length is of the plaintext. 0 where no object lies.
    pub fn taken(&self, block: u16, slot: u16) -> u64 {
        let Some(object) = self.objects(block).get(usize::from(slot)) else { return 0 };
        let len = u64::from(object.len);
        if self.delta(block, slot).is_some() {
            return len;
        }
        let BlockPlace { stored_len, plain_len, .. } = self.blocks[usize::from(block)];
        let (stored_len, plain_len) = (u64::from(stored_len), u64::from(plain_len));
        (len * stored_len + plain_len / 2).checked_div(plain_len).unwrap_or(0)
    }

    /// What the object in `slot` of `block` is a delta of; `None` if it is none.
    pub fn delta(&self, block: u16, slot: u16) -> Option<&DeltaEntry> {
        let place = self.blocks.get(usize::from(block)).filter(|place| u32::from(slot) < place.objects)?;
        let object = place.first + u32::from(slot);
        let at = self.deltas.binary_search_by_key(&object, |delta| delta.object).ok()?;
        Some(&self.deltas[at])
    }

    /// Where the object in `slot` of `block` lies in the block's plaintext.
    pub(super) fn place(&self, block: u16, slot: u16) -> Option<ObjectPlace> {
        let objects = self.objects(block);
        let entry = *objects.get(usize::from(slot))?;
        let first = self.blocks.get(usize::from(block))?.first as usize;
        let start = self.starts[first + usize::from(slot)] as usize;
        Some(ObjectPlace { entry, start })
    }

    /// Reads, opens and decompresses one block; where it is damaged, the pack is healed, if that can be.
    pub(super) fn read_block(
        &self,
        vault: &Vault,
        number: u16,
        decompressor: &mut Decompressor,
    ) -> Result<Vec<u8>, CasError> {
        let BlockPlace { offset, stored_len, .. } = *self.block_place(number)?;
        let len = stored_len as usize;
        let sealed = vault.store().read_at(&pack_name(&self.uid), offset, len).map_err(CasError::from);
        let opened = sealed.and_then(|mut sealed| self.unseal(vault, number, &mut sealed, decompressor));
        vault.healer().retry(vault, &self.uid, opened, |healed| {
            let mut sealed = healed.read_at(offset, len)?.to_vec();
            self.unseal(vault, number, &mut sealed, decompressor)
        })
    }

    fn block_place(&self, number: u16) -> Result<&BlockPlace, CasError> {
        self.blocks.get(usize::from(number)).ok_or_else(|| CasError::Format {
            file: pack_name(&self.uid).as_str().to_owned(),
            part: "directory",
            source: DecodeError::Limit {
                what: "number of a block",
                found: number.into(),
                max: self.blocks.len() as u64,
            },
        })
    }

    /// Opens and decompresses the bytes of one block.
    pub(super) fn unseal(
        &self,
        vault: &Vault,
        number: u16,
        sealed: &mut [u8],
        decompressor: &mut Decompressor,
    ) -> Result<Vec<u8>, CasError> {
        let place = self.block_place(number)?;
        let file = || pack_name(&self.uid).as_str().to_owned();
        let plain = vault
            .open(&self.key, Part::Block, number.into(), sealed)
            .map_err(|source| CasError::Sealed { file: file(), part: "block", source })?;
        let plain_len = place.plain_len as usize;
        match place.codec {
            BlockCodec::Stored if plain.len() == plain_len => Ok(plain.to_vec()),
            BlockCodec::Stored => Err(CasError::Format {
                file: file(),
                part: "block",
                source: DecodeError::Invalid { what: "block", why: "its length is not that of its objects" },
            }),
            BlockCodec::Zstd => {
                let mut out = Vec::with_capacity(plain_len);
                decompressor
                    .decompress(plain, plain_len, &mut out)
                    .map_err(|source| CasError::Compressed { file: file(), part: "block", source })?;
                Ok(out)
            }
        }
    }

    /// Every object with the number of its block and slot.
    pub fn rows(&self) -> impl Iterator<Item = (ObjectEntry, u16, u16)> + '_ {
        (0..self.blocks.len()).flat_map(move |block| {
            let block = u16::try_from(block).expect("the directory's limit");
            self.objects(block).iter().enumerate().map(move |(slot, entry)| {
                (*entry, block, u16::try_from(slot).expect("the directory's limit"))
            })
        })
    }

    /// Whether any object of the kind is in the pack.
    pub fn holds(&self, kind: ObjectKind) -> bool {
        self.objects.iter().any(|object| object.kind == kind)
    }
}

fn read_header(uid: &PackId, bytes: &Bytes<'_>, offset: u64) -> Result<PackHeader, CasError> {
    let bytes = (bytes.read)(offset, PackHeader::LEN)?;
    PackHeader::decode(&bytes).map_err(|source| CasError::Format {
        file: pack_name(uid).as_str().to_owned(),
        part: "header",
        source,
    })
}

fn decode_directory(plain: &[u8], file: &dyn Fn() -> String) -> Result<PackDirectory, CasError> {
    let format = |source| CasError::Format { file: file(), part: "directory", source };
    let (head, rest) = plain
        .split_first_chunk::<5>()
        .ok_or(DecodeError::Truncated { what: "directory", needed: 5 })
        .map_err(format)?;
    let [codec, len @ ..] = *head;
    match BlockCodec::from_u8(codec) {
        Some(BlockCodec::Stored) => PackDirectory::decode(rest).map_err(format),
        Some(BlockCodec::Zstd) => {
            let mut plain = Vec::new();
            Decompressor::new()
                .and_then(|mut zstd| zstd.decompress(rest, u32::from_le_bytes(len) as usize, &mut plain))
                .map_err(|source| CasError::Compressed { file: file(), part: "directory", source })?;
            PackDirectory::decode(&plain).map_err(format)
        }
        None => Err(format(DecodeError::Invalid { what: "directory", why: "unknown compression" })),
    }
}
