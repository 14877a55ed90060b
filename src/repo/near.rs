//! What a client keeps of far repositories, so that it need not be fetched each time: parts of the index and the state of the
//! log, in one folder a repository.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cas::{NearParts, SegmentPart};
use crate::id::SegmentId;
use crate::limits::ENVELOPE_LEN_MAX;
use crate::store::Vfs;

/// The file of the log's state.
const STATE: &str = "log";
/// Most bytes of it: those of a checkpoint, and what stands before it.
const STATE_LEN_MAX: u64 = ENVELOPE_LEN_MAX + 16;

/// Parts of index segments as files, named by segment and part. Whatever fails costs only fetching them again.
#[derive(Debug)]
pub(super) struct NearFiles {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    is_swept: AtomicBool,
}

impl NearFiles {
    pub(super) fn new(vfs: Arc<dyn Vfs>, dir: PathBuf) -> Self {
        Self { vfs, dir, is_swept: AtomicBool::new(false) }
    }

    /// What [`keep_state`](Self::keep_state) kept last.
    pub(super) fn state(&self) -> Option<Vec<u8>> {
        self.vfs.read(&self.dir.join(STATE), STATE_LEN_MAX).ok()
    }

    /// Keeps the state of the log, sealed.
    pub(super) fn keep_state(&self, bytes: &[u8]) {
        self.write(self.dir.join(STATE), bytes);
    }

    fn write(&self, path: PathBuf, bytes: &[u8]) {
        if self.vfs.create_dirs(&self.dir).is_ok() {
            let _ = self.vfs.write_replace(&path, bytes);
        }
    }

    fn path(&self, segment: &SegmentId, part: SegmentPart) -> PathBuf {
        self.dir.join(format!("{segment}-{}", part as u8))
    }
}

impl NearParts for NearFiles {
    fn get(&self, segment: &SegmentId, part: SegmentPart, len: usize) -> Option<Vec<u8>> {
        let bytes = self.vfs.read(&self.path(segment, part), len as u64).ok()?;
        (bytes.len() == len).then_some(bytes)
    }

    fn keep(&self, segment: &SegmentId, part: SegmentPart, bytes: &[u8]) {
        self.write(self.path(segment, part), bytes);
    }

    /// Looks once through the folder: what others leave meanwhile the next process finds.
    fn retain(&self, is_wanted: &dyn Fn(&SegmentId) -> bool) {
        if self.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        for name in self.vfs.names(&self.dir).unwrap_or_default() {
            let segment = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
            if segment.is_some_and(|segment| !is_wanted(&segment)) {
                let _ = self.vfs.remove(&self.dir.join(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SimDisk;

    const HERE: SegmentId = SegmentId::new([1; 16]);
    const GONE: SegmentId = SegmentId::new([2; 16]);

    fn files(disk: &SimDisk) -> NearFiles {
        NearFiles::new(Arc::new(disk.clone()), "/cache/of-one".into())
    }

    #[test]
    fn a_part_is_what_was_kept_of_just_this_length() {
        let disk = SimDisk::new();
        let near = files(&disk);
        assert_eq!(near.get(&HERE, SegmentPart::Footer, 4), None);
        near.keep(&HERE, SegmentPart::Footer, b"foot");
        near.keep(&HERE, SegmentPart::Header, b"head");
        assert_eq!(near.get(&HERE, SegmentPart::Footer, 4), Some(b"foot".to_vec()));
        assert_eq!(near.get(&HERE, SegmentPart::Header, 4), Some(b"head".to_vec()));
        for wrong in [0, 3, 5] {
            assert_eq!(near.get(&HERE, SegmentPart::Footer, wrong), None, "{wrong}");
        }
        assert_eq!(near.get(&HERE, SegmentPart::Deltas, 4), None);
    }

    #[test]
    fn parts_of_segments_that_are_gone_are_dropped_once() {
        let disk = SimDisk::new();
        for segment in [HERE, GONE] {
            files(&disk).keep(&segment, SegmentPart::Features, b"rows");
        }
        let near = files(&disk);
        near.retain(&|segment| *segment == HERE);
        assert_eq!(near.get(&GONE, SegmentPart::Features, 4), None);
        near.retain(&|_| false);
        assert_eq!(near.get(&HERE, SegmentPart::Features, 4), Some(b"rows".to_vec()));
    }
}
