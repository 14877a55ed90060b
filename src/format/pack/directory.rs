//! The plaintext of a pack's directory.
use super::{Bases, BlockCodec, BlockEntry, DeltaEntry, ObjectEntry, PackDirectory};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, limit};
use crate::id::{Locator, ObjectKind};
use crate::limits;

const WHAT: &str = "pack directory";
const VERSION: u8 = 1;
/// Longest sealed block in bytes.
const STORED_LEN_MAX: usize = limits::BLOCK_LEN_MAX + limits::BLOCK_OVERHEAD_MAX;
/// A stored length, a codec and a count take at least this many bytes.
const BLOCK_BYTES_MIN: usize = 3;
/// A length and a locator.
const OBJECT_BYTES_MIN: usize = 1 + Locator::LEN;
/// A number, a length, a depth, a count and a base.
const DELTA_BYTES_MIN: usize = 4 + Locator::LEN;

impl PackDirectory {
    /// The bytes to compress and seal.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut writer = Writer::with_capacity(16 + 8 * self.blocks.len() + 20 * self.objects.len());
        writer.u8(VERSION);
        writer.count(self.blocks.len());
        writer.count(self.objects.len());
        writer.count(self.deltas.len());
        self.encode_blocks(&mut writer);
        self.encode_objects(&mut writer);
        self.encode_deltas(&mut writer);
        Ok(writer.into_bytes())
    }

    fn encode_blocks(&self, writer: &mut Writer) {
        self.blocks.iter().for_each(|block| writer.varint(block.stored_len.into()));
        self.blocks.iter().for_each(|block| writer.u8(block.codec as u8));
        self.blocks.iter().for_each(|block| writer.varint(block.objects.into()));
    }

    fn encode_objects(&self, writer: &mut Writer) {
        for run in self.objects.chunk_by(|a, b| a.kind == b.kind) {
            writer.u8(run[0].kind as u8);
            writer.count(run.len());
        }
        self.objects.iter().for_each(|object| writer.varint(object.len.into()));
        self.objects.iter().for_each(|object| writer.bytes(object.locator.as_bytes()));
    }

    fn encode_deltas(&self, writer: &mut Writer) {
        let mut next = 0;
        for delta in &self.deltas {
            writer.varint(u64::from(delta.object) - next);
            next = u64::from(delta.object) + 1;
        }
        self.deltas.iter().for_each(|delta| writer.varint(delta.len.into()));
        self.deltas.iter().for_each(|delta| writer.u8(delta.depth));
        self.deltas.iter().for_each(|delta| writer.u8(delta.bases.count()));
        self.deltas.iter().for_each(|delta| delta.bases.encode(writer));
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let blocks = reader.count("number of blocks", limits::PACK_BLOCKS_MAX, BLOCK_BYTES_MIN)?;
        let objects = reader.count("number of objects", limits::PACK_OBJECTS_MAX, OBJECT_BYTES_MIN)?;
        let deltas = reader.count("number of deltas", objects, DELTA_BYTES_MIN)?;
        let directory = Self {
            blocks: decode_blocks(&mut reader, blocks)?,
            objects: decode_objects(&mut reader, objects)?,
            deltas: decode_deltas(&mut reader, deltas)?,
        };
        reader.finish()?;
        directory.check()?;
        Ok(directory)
    }

    /// Length of all sealed blocks in bytes: what a header's `blocks_len` says.
    pub fn blocks_len(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.stored_len)).sum()
    }

    /// Checks the geometry: every length and count within its limit, the blocks' objects add up, deltas ascend.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        limit("number of blocks", self.blocks.len() as u64, limits::PACK_BLOCKS_MAX as u64)?;
        limit("number of objects", self.objects.len() as u64, limits::PACK_OBJECTS_MAX as u64)?;
        let mut rest = &self.objects[..];
        for block in &self.blocks {
            let (inside, behind) = rest
                .split_at_checked(block.objects as usize)
                .ok_or_else(|| rule.invalid("its blocks have more objects than it lists"))?;
            check_block(block, inside)?;
            rest = behind;
        }
        rule.ensure(rest.is_empty(), "it lists more objects than its blocks have")?;
        self.check_deltas()
    }

    fn check_deltas(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.deltas.is_sorted_by(|a, b| a.object < b.object), "its deltas are not sorted")?;
        for delta in &self.deltas {
            rule.ensure((delta.object as usize) < self.objects.len(), "a delta is of no object")?;
            limit("length of an object", delta.len.into(), limits::OBJECT_LEN_MAX as u64)?;
            limit("depth of a delta", delta.depth.into(), limits::DELTA_DEPTH_MAX.into())?;
            rule.ensure(delta.depth > 0, "a delta has no depth")?;
        }
        Ok(())
    }
}

fn check_block(block: &BlockEntry, objects: &[ObjectEntry]) -> Result<(), DecodeError> {
    let rule = Reader::new(WHAT, &[]);
    limit("length of a sealed block", block.stored_len.into(), STORED_LEN_MAX as u64)?;
    limit("number of objects of a block", objects.len() as u64, limits::BLOCK_OBJECTS_MAX as u64)?;
    rule.ensure(block.stored_len > 0 && !objects.is_empty(), "a block is empty")?;
    let mut len = 0;
    for object in objects {
        limit("length of an object", object.len.into(), limits::OBJECT_LEN_MAX as u64)?;
        len += u64::from(object.len);
    }
    limit("length of a block", len, limits::BLOCK_LEN_MAX as u64)
}

fn decode_blocks(reader: &mut Reader<'_>, count: usize) -> Result<Vec<BlockEntry>, DecodeError> {
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        blocks.push(BlockEntry { stored_len: reader.varint_u32()?, codec: BlockCodec::Stored, objects: 0 });
    }
    for block in &mut blocks {
        let codec = reader.u8()?;
        block.codec =
            BlockCodec::from_u8(codec).ok_or_else(|| reader.invalid("a block's codec is unknown"))?;
    }
    for block in &mut blocks {
        block.objects = reader.varint_u32()?;
    }
    Ok(blocks)
}

fn decode_objects(reader: &mut Reader<'_>, count: usize) -> Result<Vec<ObjectEntry>, DecodeError> {
    let mut objects: Vec<ObjectEntry> = Vec::with_capacity(count);
    while objects.len() < count {
        let number = reader.u8()?;
        let kind =
            ObjectKind::from_u8(number).ok_or_else(|| reader.invalid("an object's kind is unknown"))?;
        let run = reader.varint()?;
        let fits = (1..=(count - objects.len()) as u64).contains(&run);
        reader.ensure(fits, "a run of kinds is empty or too long")?;
        reader.ensure(objects.last().is_none_or(|last| last.kind != kind), "a run of kinds is cut in two")?;
        let object = ObjectEntry { locator: Locator::new([0; Locator::LEN]), kind, len: 0 };
        objects.resize(objects.len() + run as usize, object);
    }
    for object in &mut objects {
        object.len = reader.varint_u32()?;
    }
    for object in &mut objects {
        object.locator = Locator::new(reader.array()?);
    }
    Ok(objects)
}

fn decode_deltas(reader: &mut Reader<'_>, count: usize) -> Result<Vec<DeltaEntry>, DecodeError> {
    let mut deltas = Vec::with_capacity(count);
    let none = Bases::new(&[Locator::new([0; Locator::LEN])]).expect("one base");
    let mut next = 0_u32;
    for _ in 0..count {
        let object = next.checked_add(reader.varint_u32()?).filter(|object| *object < u32::MAX);
        let object = object.ok_or_else(|| reader.invalid("a delta is of no object"))?;
        deltas.push(DeltaEntry { object, len: 0, depth: 0, bases: none });
        next = object + 1;
    }
    for delta in &mut deltas {
        delta.len = reader.varint_u32()?;
    }
    for delta in &mut deltas {
        delta.depth = reader.u8()?;
    }
    let counts = reader.take(count)?;
    for (delta, &count) in deltas.iter_mut().zip(counts) {
        delta.bases = Bases::decode(reader, count)?;
    }
    Ok(deltas)
}
