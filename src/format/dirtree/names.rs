//! Sorted names, each as what it adds to the one before.
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer};
use crate::limits::NAME_LEN_MAX;

/// Writes three columns: how many bytes each name shares with the one before, how many it adds, the added bytes.
pub(super) fn encode<'a>(writer: &mut Writer, names: impl Iterator<Item = &'a [u8]> + Clone) {
    let mut before: &[u8] = &[];
    let mut suffixes = Vec::new();
    for name in names {
        let shared = before.iter().zip(name).take_while(|(a, b)| a == b).count();
        writer.count(shared);
        suffixes.push(&name[shared..]);
        before = name;
    }
    suffixes.iter().for_each(|suffix| writer.count(suffix.len()));
    suffixes.iter().for_each(|suffix| writer.bytes(suffix));
}

/// Reads `count` names, strictly ascending. The caller knows that the bytes left are at least as many.
pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
    let lens = (0..count).map(|_| decode_len(reader)).collect::<Result<Vec<_>, _>>()?;
    let lens = lens.into_iter().map(|shared| Ok((shared, decode_len(reader)?)));
    let lens = lens.collect::<Result<Vec<_>, DecodeError>>()?;
    let mut names: Vec<Vec<u8>> = Vec::with_capacity(count);
    for (shared, added) in lens {
        let before = names.last().map_or(&[][..], |name| name);
        let suffix = reader.take(added)?;
        let name = join(reader, before, shared, suffix)?;
        names.push(name);
    }
    Ok(names)
}

/// Reads one name on its own, which may be empty.
pub(super) fn decode_one(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let shared = decode_len(reader)?;
    reader.ensure(shared == 0, "its name shares bytes with none")?;
    let len = decode_len(reader)?;
    Ok(reader.take(len)?.to_vec())
}

fn decode_len(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    reader.count("length of a name", NAME_LEN_MAX, 0)
}

/// The suffix must start with a larger byte than the one in its place before: so names ascend, and share all they can.
fn join(reader: &Reader<'_>, before: &[u8], shared: usize, suffix: &[u8]) -> Result<Vec<u8>, DecodeError> {
    reader.ensure(shared <= before.len(), "a name shares more than there is with the one before")?;
    let ascends = suffix.first() > before.get(shared);
    reader.ensure(ascends, "its names are not strictly ascending, or share less than they could")?;
    Ok([&before[..shared], suffix].concat())
}
