//! The new log, cut into entries of a bounded length.

use crate::format::log::{DeviceRecord, PackRecord, SegmentRecord};
use crate::id::CommitId;
use crate::repo::{Draft, RefMove};

use super::history::History;

/// What an entry takes beside its lists.
const ENTRY: usize = 1024;
/// What records take, not counting what is counted with each.
const DEVICE: usize = 256;
const PACK: usize = 101;
const SEGMENT: usize = 60;
const COMMIT: usize = 36;
const REF: usize = 128;

/// Fills entries one after the other.
struct Entries {
    drafts: Vec<Draft>,
    used: usize,
    max: usize,
}

impl Entries {
    /// The entry that has room for `len` more bytes.
    fn with_room(&mut self, len: usize) -> &mut Draft {
        if self.drafts.is_empty() || self.used + len > self.max {
            self.drafts.push(Draft { message: "recover".to_owned(), ..Draft::default() });
            self.used = ENTRY;
        }
        self.used += len;
        self.drafts.last_mut().expect("one was just pushed")
    }
}

/// Entries of about `max` bytes at most, in their order: whoever signs, what there is, what is live, and where refs stand.
pub(super) fn drafts(
    devices: Vec<DeviceRecord>,
    (packs, segments): (&[PackRecord], &[SegmentRecord]),
    history: &History,
    max: usize,
) -> Vec<Draft> {
    let mut entries = Entries { drafts: Vec::new(), used: 0, max };
    for device in devices {
        entries.with_room(DEVICE).devices.push(device);
    }
    for pack in packs {
        entries.with_room(PACK).packs_added.push(*pack);
    }
    for segment in segments {
        entries.with_room(SEGMENT).segments_added.push(*segment);
    }
    for commit in &history.commits {
        let len = COMMIT + commit.parents.len() * CommitId::LEN;
        entries.with_room(len).commits.push(commit.clone());
    }
    for id in &history.gone {
        entries.with_room(CommitId::LEN).forgotten.push(*id);
    }
    for to in history.moves() {
        let len = REF + RefMove::clone(&to).name.len();
        entries.with_room(len).refs.push(to);
    }
    entries.drafts
}
