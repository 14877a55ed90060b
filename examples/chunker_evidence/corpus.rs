//! Several versions of the same files, read in pieces.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::Failure;

/// Bytes that are in memory at a time.
const BATCH: usize = 16 << 20;
/// Bytes of a sample.
const SAMPLE: u64 = 256 << 20;

/// Versions of the same files, oldest first.
pub(crate) struct Corpus {
    pub(crate) name: String,
    versions: Vec<Vec<PathBuf>>,
    /// Whether the files of a version are one content instead of a content each.
    joined: bool,
}

/// Pieces of contents, in order.
pub(crate) struct Batch {
    pub(crate) version: usize,
    pub(crate) pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

/// A piece of a content.
pub(crate) struct Piece {
    range: Range<usize>,
    /// Whether the content begins here.
    pub(crate) first: bool,
    /// Whether the content ends here.
    pub(crate) last: bool,
}

impl Batch {
    pub(crate) fn bytes(&self, piece: &Piece) -> &[u8] {
        &self.bytes[piece.range.clone()]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
    }
}

impl Corpus {
    /// From `NAME=PATH,PATH,...` with a folder or file a version, or from a folder that holds the versions v1, v2 and so on.
    pub(crate) fn parse(spec: &str, joined: bool) -> Result<Self, Failure> {
        let (name, paths) = match spec.split_once('=') {
            Some((name, paths)) => (name.to_owned(), paths.split(',').map(PathBuf::from).collect()),
            None => (last_name(Path::new(spec))?, versions_in(Path::new(spec))?),
        };
        let versions: Vec<_> = paths.iter().map(|path| files(path)).collect::<Result<_, _>>()?;
        let name = if joined { format!("{name}, joined") } else { name };
        Ok(Self { name, versions, joined })
    }

    pub(crate) fn versions(&self) -> usize {
        self.versions.len()
    }

    /// Files of all versions together.
    pub(crate) fn files(&self) -> usize {
        self.versions.iter().map(Vec::len).sum()
    }

    /// Gives a part of the first version on, in batches from all over it.
    pub(crate) fn sample(&self, mut each: impl FnMut(&Batch)) -> Result<(), Failure> {
        let mut batch = Batch { version: 0, pieces: Vec::new(), bytes: Vec::with_capacity(BATCH) };
        let files = self.versions.first().into_iter().flatten();
        let sized: Vec<_> =
            files.map(|path| Ok((path, fs::metadata(path)?.len()))).collect::<io::Result<_>>()?;
        let total: u64 = sized.iter().map(|(_, len)| len).sum();
        let every = total.div_ceil(SAMPLE).max(1);
        let mut at = 0;
        for (path, len) in sized {
            for offset in (0..len).step_by(BATCH) {
                if ((at + offset) / BATCH as u64).is_multiple_of(every) {
                    read_part(path, offset, &mut batch)?;
                }
                if batch.bytes.len() >= BATCH {
                    self.give_sample(&mut batch, &mut each);
                }
            }
            at += len;
        }
        self.give_sample(&mut batch, &mut each);
        Ok(())
    }

    fn give_sample(&self, batch: &mut Batch, each: &mut impl FnMut(&Batch)) {
        if self.joined {
            batch.pieces = vec![Piece { range: 0..batch.bytes.len(), first: true, last: true }];
        }
        each(batch);
        batch.clear();
    }

    /// Gives all contents on, in batches.
    pub(crate) fn read(&self, mut each: impl FnMut(&Batch)) -> Result<(), Failure> {
        let mut batch = Batch { version: 0, pieces: Vec::new(), bytes: Vec::with_capacity(BATCH) };
        for (version, files) in self.versions.iter().enumerate() {
            batch.version = version;
            for (nth, path) in files.iter().enumerate() {
                let edges = (!self.joined || nth == 0, !self.joined || nth + 1 == files.len());
                read_file(path, edges, &mut batch, &mut each)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            }
            each(&batch);
            batch.clear();
        }
        Ok(())
    }
}

/// Reads a file into the batch, which is given on whenever it is full. `edges` tells whether a content begins and ends
/// with the file.
fn read_file(
    path: &Path,
    edges: (bool, bool),
    batch: &mut Batch,
    each: &mut impl FnMut(&Batch),
) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut first = edges.0;
    loop {
        let (start, room) = (batch.bytes.len(), BATCH - batch.bytes.len());
        let taken = (&mut file).take(room as u64).read_to_end(&mut batch.bytes)?;
        let at_end = taken < room;
        batch.pieces.push(Piece { range: start..start + taken, first, last: at_end && edges.1 });
        if at_end {
            return Ok(());
        }
        first = false;
        each(batch);
        batch.clear();
    }
}

/// Reads a part of a file into the batch, as a content of its own.
fn read_part(path: &Path, offset: u64, batch: &mut Batch) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let start = batch.bytes.len();
    let taken = file.take(BATCH as u64).read_to_end(&mut batch.bytes)?;
    batch.pieces.push(Piece { range: start..start + taken, first: true, last: true });
    Ok(())
}

fn last_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().ok_or_else(|| format!("{} has no name", path.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

/// The entries named v1, v2 and so on of a folder.
fn versions_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let paths: Vec<_> =
        (1..).map(|n| folder.join(format!("v{n}"))).take_while(|path| path.exists()).collect();
    if paths.is_empty() {
        return Err(format!("{} has no v1", folder.display()).into());
    }
    Ok(paths)
}

/// The regular files below a path, sorted.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    fs::metadata(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut files = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name().follow_root_links(true) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two versions: v1 with an empty file and one of more than a batch, v2 with small ones.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let long: Vec<u8> = (0..BATCH + 1000).map(|at| (at / 1000) as u8).collect();
        for (name, bytes) in [("v1/a", &long[..]), ("v1/b/empty", b""), ("v1/c", b"see"), ("v2/a", b"ay")] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    /// The contents of each version, put together from their pieces.
    fn contents(joined: bool) -> Vec<(usize, Vec<u8>)> {
        let dir = folder();
        let corpus = Corpus::parse(&format!("name={0}/v1,{0}/v2", dir.path().display()), joined).unwrap();
        assert_eq!((corpus.versions(), corpus.files()), (2, 4));
        let (mut contents, mut open) = (Vec::new(), None);
        let each = |batch: &Batch| {
            assert!(batch.bytes.len() <= BATCH);
            for piece in &batch.pieces {
                assert_eq!(piece.first, open.is_none(), "a content begins where the one before it has ended");
                open.get_or_insert_with(Vec::new).extend_from_slice(batch.bytes(piece));
                if piece.last {
                    contents.extend(open.take().map(|content| (batch.version, content)));
                }
            }
        };
        corpus.read(each).unwrap();
        assert!(open.is_none());
        contents
    }

    #[test]
    fn files_are_contents_of_their_own_or_one_content_a_version() {
        let lens = |contents: &[(usize, Vec<u8>)]| -> Vec<_> {
            contents.iter().map(|(version, content)| (*version, content.len())).collect()
        };
        let apart = contents(false);
        assert_eq!(lens(&apart), [(0, BATCH + 1000), (0, 0), (0, 3), (1, 2)]);
        let joined = contents(true);
        assert_eq!(lens(&joined), [(0, BATCH + 1003), (1, 2)]);
        let first: Vec<_> = apart.iter().filter(|(version, _)| *version == 0).map(|(_, c)| &c[..]).collect();
        assert!(joined[0].1 == first.concat());
    }

    #[test]
    fn a_folder_without_versions_is_refused() {
        let dir = folder();
        let spec = |name: &str| dir.path().join(name).display().to_string();
        assert!(Corpus::parse(&spec("v1"), false).is_err());
        assert_eq!(Corpus::parse(&spec(""), false).unwrap().versions(), 2);
    }
}
