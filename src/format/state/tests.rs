use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{self, Read};

fn file(secs: i64, nanos: u32, ino: u64) -> FileState {
    FileState { ctime: Timestamp { secs, nanos }, ino }
}

fn dir(path: &str, dev: u64, files: Vec<FileState>) -> DirState {
    DirState { path: path.into(), dev, files }
}

fn dirs() -> Vec<DirState> {
    vec![
        dir("", 66_306, vec![file(1_700_000_000, 5, 1000), file(1_700_000_001, 999_999_999, 999)]),
        dir("home", 66_306, vec![]),
        dir("home/ada", 50, vec![file(-5, 0, u64::MAX), FileState::UNKNOWN]),
        dir("home/adalbert", 50, vec![file(i64::MIN, 0, 0), file(i64::MAX, 1, u64::MAX)]),
        dir("srv", 0, vec![]),
        dir("srv", 0, vec![]),
        dir("s", 1, vec![]),
    ]
}

fn encode(dirs: &[DirState]) -> Vec<u8> {
    let (mut writer, mut bytes) = (StateWriter::new(), Vec::new());
    dirs.iter().for_each(|dir| writer.push(dir, &mut bytes).unwrap());
    bytes
}

fn decode(bytes: impl Read) -> Result<Vec<DirState>, StateError> {
    StateReader::new(bytes).collect()
}

fn recode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match decode(bytes) {
        Ok(dirs) => Ok(encode(&dirs)),
        Err(StateError::Decode { source }) => Err(source),
        Err(StateError::Read { source }) => panic!("memory gives no error: {source}"),
    }
}

/// Gives one byte at a time, and an interruption before each.
struct Drip<'a>(&'a [u8], bool);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.read(&mut buffer[..1])
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}

#[test]
fn a_stream_has_its_golden_bytes_and_one_encoding() {
    let bytes = encode(&dirs());
    assert_golden(&bytes, "state.hex");
    assert_canonical(&bytes, recode);
    assert_eq!(decode(&bytes[..]).unwrap(), dirs());
    assert_eq!(decode(Drip(&bytes, false)).unwrap(), dirs());
    assert_eq!(encode(&[]), []);
    assert_eq!(decode(&[][..]).unwrap(), []);
}

#[test]
fn a_stream_can_be_written_in_pieces() {
    let (mut writer, mut whole) = (StateWriter::new(), Vec::new());
    for dir in dirs() {
        let mut piece = Vec::new();
        writer.push(&dir, &mut piece).unwrap();
        whole.append(&mut piece);
    }
    assert_eq!(whole, encode(&dirs()));
}

#[test]
fn records_that_cross_the_pieces_of_a_reader_come_back() {
    let files = (0..50_000)
        .map(|n| file(1_700_000_000 + n % 7, (n * 7919 % 1_000_000_000) as u32, n as u64 * 3))
        .collect();
    let long = "x".repeat(DirState::PATH_LEN_MAX);
    let dirs = [dir("many", 1, files), dir(&long, 1, vec![]), dir(&long[1..], 1, vec![file(1, 2, 3)])];
    let bytes = encode(&dirs);
    assert!(bytes.len() > 500_000);
    assert_eq!(decode(&bytes[..]).unwrap(), dirs);
    for len in [10, 65_535, 65_536, 65_537, bytes.len() - 1] {
        assert!(decode(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_file_takes_few_bytes() {
    let files = (0..1000)
        .map(|n| file(1_700_000_000 + n / 100, (n * 7_919_000 % 1_000_000_000) as u32, 5000 + n as u64));
    assert!(encode(&[dir("a", 1, files.collect())]).len() < 7 * 1000);
}

#[test]
fn nothing_follows_an_error_of_the_source_or_of_the_bytes() {
    let mut reader = StateReader::new(Broken);
    assert!(matches!(reader.next(), Some(Err(StateError::Read { .. }))));
    assert!(reader.next().is_none());
    let mut bytes = encode(&dirs());
    bytes[8] = 2;
    let mut reader = StateReader::new(&bytes[..]);
    let newer = DecodeError::Version { what: WHAT, found: 2, max: 1 };
    assert!(matches!(reader.next(), Some(Err(StateError::Decode { source })) if source == newer));
    assert!(reader.next().is_none());
}

#[test]
fn hostile_streams_are_refused_without_much_memory() {
    let head = [&MAGIC[..], &[1, 0]].concat();
    let shares_too_little = [0, 2, b'a', b'b', 0, 1, 2, b'b', b'c', 0];
    assert!(decode(&[&head[..], &shares_too_little[..5]].concat()[..]).is_ok());
    let hostile: [&[u8]; 8] = [
        &shares_too_little,
        &[1, 0],
        &[0, 1, 0, 0],
        &[0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0, 0, 0xfe, 0xff, 0xff, 0xff, 0x01],
        &[0, 0, 1, 0],
        &[0, 0, 2, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0],
    ];
    for record in hostile {
        assert!(decode(&[&head, record].concat()[..]).is_err(), "{record:?}");
    }
}

#[test]
fn records_that_break_a_rule_are_not_written() {
    let bad = [
        dir("a\0", 1, vec![]),
        dir(&"x".repeat(DirState::PATH_LEN_MAX + 1), 1, vec![]),
        dir("a", 1, vec![file(1, 1_000_000_000, 1)]),
    ];
    for dir in bad {
        let (mut writer, mut bytes) = (StateWriter::new(), Vec::new());
        assert!(writer.push(&dir, &mut bytes).is_err());
        assert_eq!(bytes, []);
        writer.push(&dirs()[0], &mut bytes).unwrap();
        assert_eq!(bytes, encode(&dirs()[..1]));
    }
}

fn any_dir() -> impl Strategy<Value = DirState> {
    let files = vec((any::<i64>(), 0..1_000_000_000_u32, any::<u64>()), 0..5);
    ("[ab/]{0,6}", prop_oneof![0..3_u64, any::<u64>()], files).prop_map(|(path, dev, files)| {
        dir(&path, dev, files.into_iter().map(|(secs, nanos, ino)| file(secs, nanos, ino)).collect())
    })
}

proptest! {
    #[test]
    fn streams_round_trip(dirs in vec(any_dir(), 0..9)) {
        prop_assert_eq!(decode(&encode(&dirs)[..]).unwrap(), dirs);
    }
}
