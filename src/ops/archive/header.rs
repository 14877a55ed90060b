//! Headers of a tar archive: ustar, with pax records for what does not fit.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::format::dirtree::{DirEntry, Timestamp, Xattr};

/// Length of a block.
pub(super) const BLOCK: usize = 512;
/// Largest number of a mode, owner or device in a header: seven octal digits.
const SMALL_MAX: u64 = 0o7_777_777;
/// Largest size or time in a header: eleven octal digits.
const LARGE_MAX: u64 = 0o77_777_777_777;
const NAME_LEN: usize = 100;
const OWNER_LEN: usize = 31;

/// What an entry is in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member<'a> {
    /// A file with this many bytes.
    File(u64),
    /// A file with holes.
    Sparse {
        /// Bytes of map and data in the archive.
        stored: u64,
        /// Bytes of the file.
        real: u64,
    },
    Dir,
    Symlink(&'a [u8]),
    /// Another name of the member of this name.
    HardLink(&'a [u8]),
    Fifo,
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
}

/// Records of one pax header.
#[derive(Debug, Default)]
struct Pax {
    records: Vec<u8>,
    /// A text in them is not UTF-8.
    binary: bool,
}

impl Pax {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut len = rest;
        while len != rest + len.to_string().len() {
            len = rest + len.to_string().len();
        }
        self.records.extend_from_slice(format!("{len} ").as_bytes());
        for part in [key, b"=", value, b"\n"] {
            self.records.extend_from_slice(part);
        }
    }

    fn text(&mut self, key: &[u8], value: &[u8]) {
        self.binary |= std::str::from_utf8(value).is_err();
        self.put(key, value);
    }

    /// Puts a text into a field of the header or, if it does not fit there, into a record.
    fn field(&mut self, key: &[u8], value: &[u8], field: &mut [u8]) {
        // Readers take a short field as it is, so text in no known encoding is safest there.
        let is_plain = value.is_ascii() || std::str::from_utf8(value).is_err();
        if value.len() > field.len() || !is_plain {
            self.text(key, value);
        }
        let len = value.len().min(field.len());
        field[..len].copy_from_slice(&value[..len]);
    }

    /// A number for the header; one above `max` goes into a record, and 0 into the header.
    fn number(&mut self, key: &[u8], value: u64, max: u64) -> u64 {
        if value <= max {
            return value;
        }
        self.put(key, value.to_string().as_bytes());
        0
    }

    fn time(&mut self, time: Timestamp) -> u64 {
        let whole = u64::try_from(time.secs).ok().filter(|secs| *secs <= LARGE_MAX);
        if time.nanos != 0 || whole.is_none() {
            self.put(b"mtime", decimal(time).as_bytes());
        }
        whole.unwrap_or(0)
    }

    fn xattr(&mut self, xattr: &Xattr) {
        let mut key = b"SCHILY.xattr.".to_vec();
        for &byte in &xattr.name {
            match byte {
                // A key ends at the first `=`; GNU tar writes names like this, too.
                b'=' => key.extend_from_slice(b"%3D"),
                b'%' => key.extend_from_slice(b"%25"),
                _ => key.push(byte),
            }
        }
        self.put(&key, &xattr.value);
    }

    fn into_bytes(self) -> Vec<u8> {
        if !self.binary {
            return self.records;
        }
        let mut first = Self::default();
        first.put(b"hdrcharset", b"BINARY");
        [first.records, self.records].concat()
    }
}

/// Writes the header of a member named `name`.
pub(super) fn write(
    out: &mut dyn Write,
    name: &[u8],
    entry: &DirEntry,
    member: Member<'_>,
) -> io::Result<()> {
    let mut pax = Pax::default();
    let mut header = Header::new_ustar();
    set_member(&mut header, &mut pax, name, member)?;
    header.set_mode(entry.mode & 0o7777);
    header.set_uid(pax.number(b"uid", entry.owner.uid.into(), SMALL_MAX));
    header.set_gid(pax.number(b"gid", entry.owner.gid.into(), SMALL_MAX));
    header.set_mtime(pax.time(entry.mtime));
    let ustar = header.as_ustar_mut().expect("made as one");
    pax.field(b"uname", &entry.owner.user, &mut ustar.uname[..OWNER_LEN]);
    pax.field(b"gname", &entry.owner.group, &mut ustar.gname[..OWNER_LEN]);
    if !matches!(member, Member::HardLink(_)) {
        entry.xattrs.iter().for_each(|xattr| pax.xattr(xattr));
    }
    header.set_cksum();
    write_pax(out, name, &header, &pax.into_bytes())?;
    out.write_all(header.as_bytes())
}

fn set_member(header: &mut Header, pax: &mut Pax, name: &[u8], member: Member<'_>) -> io::Result<()> {
    let (kind, size) = match member {
        Member::File(size) => (EntryType::Regular, size),
        Member::Sparse { stored, .. } => (EntryType::Regular, stored),
        Member::Dir => (EntryType::Directory, 0),
        Member::Symlink(_) => (EntryType::Symlink, 0),
        Member::HardLink(_) => (EntryType::Link, 0),
        Member::Fifo => (EntryType::Fifo, 0),
        Member::CharDevice(..) => (EntryType::Char, 0),
        Member::BlockDevice(..) => (EntryType::Block, 0),
    };
    header.set_entry_type(kind);
    header.set_size(pax.number(b"size", size, LARGE_MAX));
    let ustar = header.as_ustar_mut().expect("made as one");
    match member {
        Member::Sparse { real, .. } => {
            pax.put(b"GNU.sparse.major", b"1");
            pax.put(b"GNU.sparse.minor", b"0");
            pax.text(b"GNU.sparse.name", name);
            pax.put(b"GNU.sparse.realsize", real.to_string().as_bytes());
            Pax::default().field(b"path", &aside(name, b"GNUSparseFile.0"), &mut ustar.name);
        }
        _ => pax.field(b"path", name, &mut ustar.name),
    }
    match member {
        Member::Symlink(target) | Member::HardLink(target) => {
            pax.field(b"linkpath", target, &mut ustar.linkname[..NAME_LEN]);
        }
        Member::CharDevice(major, minor) | Member::BlockDevice(major, minor) => {
            let major = pax.number(b"SCHILY.devmajor", major.into(), SMALL_MAX);
            let minor = pax.number(b"SCHILY.devminor", minor.into(), SMALL_MAX);
            header.set_device_major(u32::try_from(major).expect("it was one"))?;
            header.set_device_minor(u32::try_from(minor).expect("it was one"))?;
        }
        _ => {}
    }
    Ok(())
}

/// Writes the records that stand before a member's header, if there are any.
fn write_pax(out: &mut dyn Write, name: &[u8], of: &Header, records: &[u8]) -> io::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    header.set_size(records.len() as u64);
    header.set_mtime(of.mtime()?);
    let ustar = header.as_ustar_mut().expect("made as one");
    Pax::default().field(b"path", &aside(name, b"PaxHeaders"), &mut ustar.name);
    header.set_cksum();
    out.write_all(header.as_bytes())?;
    out.write_all(records)?;
    out.write_all(padding(records.len() as u64))
}

/// The zeros behind `len` bytes that complete a block.
pub(super) fn padding(len: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = usize::try_from(len % BLOCK as u64).expect("below a block");
    if over == 0 { &[] } else { &ZEROS[over..] }
}

/// A name for what belongs to a member but is not it, in the `folder` beside it. Readers that know pax never show it.
fn aside(name: &[u8], folder: &[u8]) -> Vec<u8> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let last = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let last: Vec<u8> = last.iter().map(|&byte| if byte.is_ascii() { byte } else { b'_' }).take(60).collect();
    [folder, b"/", &last].concat()
}

/// Seconds with all digits of the fraction that count.
fn decimal(time: Timestamp) -> String {
    let (sign, secs, nanos) = match time.secs {
        secs if secs >= 0 => ("", secs.unsigned_abs(), time.nanos),
        secs if time.nanos == 0 => ("-", secs.unsigned_abs(), 0),
        secs => ("-", (secs + 1).unsigned_abs(), 1_000_000_000 - time.nanos),
    };
    let text = format!("{sign}{secs}.{nanos:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_its_own_length() {
        for len in 0..2000 {
            let mut pax = Pax::default();
            pax.put(b"path", &vec![b'x'; len]);
            let text = String::from_utf8(pax.records).unwrap();
            let (told, rest) = text.split_once(' ').unwrap();
            assert_eq!(told.parse(), Ok(text.len()));
            assert_eq!(rest.len(), "path=\n".len() + len);
        }
    }

    #[test]
    fn times_before_and_after_1970_are_decimal_numbers() {
        let shown = |secs, nanos| decimal(Timestamp { secs, nanos });
        assert_eq!(shown(0, 0), "0");
        assert_eq!(shown(10, 0), "10");
        assert_eq!(shown(1, 1), "1.000000001");
        assert_eq!(shown(-1, 0), "-1");
        assert_eq!(shown(-1, 500_000_000), "-0.5");
        assert_eq!(shown(-2, 250_000_000), "-1.75");
        assert_eq!(shown(i64::MIN, 999_999_999), "-9223372036854775807.000000001");
    }
}
