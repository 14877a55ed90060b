//! The chunker of [`SeqCdc::new`](super::SeqCdc::new): of all places where bytes have risen, the one with the least hash.
//!
//! Whether a position is a place, and its hash, depend on the bytes before it alone. Beside the published algorithm:
//!
//! - nothing is skipped, so two copies of content fall into step again soon;
//! - a choice of many places instead of the first one makes lengths even, and the mean nearly the same on all data;
//! - equal bytes end a run instead of being transparent, which spares the compaction of masks;
//! - data that hardly ever rises (few different bytes, samples, counters) is cut by content too.
//!
//! The bound on places bounds the time on data that is nothing but places; other data never comes near it. The windows
//! of four are hashed along with the search for places until there is one: a second pass would cost more.

use super::params::SeqCdcConfig;
use super::{BLOCK, is_constant, scalar};
use crate::isa::Isa;

/// Rises in a row that make a place.
const RUN: usize = 5;
/// Bytes that decide whether a position is a place.
const REACH: usize = RUN + 2;
/// Bytes of the search for every place that is considered.
const BYTES_PER_PLACE: usize = 32;

/// Positions for which a block shows the whole run.
pub(super) const STEP: usize = BLOCK - RUN;
/// Bytes of 64 windows of four.
pub(super) const WINDOWS: usize = BLOCK + 3;
/// Bytes of two blocks.
pub(super) const PAIR: usize = STEP + WINDOWS;
/// Blocks that are looked at together once there is a place.
const GROUP: usize = 16;
/// Bytes of a group.
const GROUP_BYTES: usize = (GROUP - 1) * STEP + WINDOWS;
/// How far before their use bytes are fetched.
const FETCH_AHEAD: usize = 16 << 10;

/// The parameters and the key.
#[derive(Clone, Copy)]
pub(super) struct Places {
    min: usize,
    max: usize,
    key: Key,
}

/// What is derived from the key.
#[derive(Clone, Copy)]
struct Key {
    /// Of the hash of sixteen bytes: what is added to them, and an odd number that they are multiplied with.
    place: [u64; 2],
    window: WindowKey,
}

/// Of the hash of four bytes: what the first and the last two are multiplied with, odd numbers; and what is added.
pub(super) type WindowKey = [u16; 3];

impl Places {
    pub(super) fn new(config: SeqCdcConfig, key: &[u8; 32]) -> Self {
        Self::with_bounds(config.min(), config.max(), key)
    }

    /// Chunks of `min` to `max` bytes: at least 16, and far enough apart that a block has fewer places than may
    /// be considered.
    pub(super) fn with_bounds(min: usize, max: usize, key: &[u8; 32]) -> Self {
        debug_assert!(min >= 16 && max - min >= BYTES_PER_PLACE * BLOCK / RUN, "{min} to {max}");
        let mut reader =
            blake3::Hasher::new_keyed(&blake3::derive_key("warp 1 seqcdc chunker", key)).finalize_xof();
        let mut draw = || {
            let mut bytes = [0; 8];
            reader.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let place = [draw(), draw() | 1];
        let key = Key { place, window: [draw() as u16 | 1, draw() as u16 | 1, draw() as u16] };
        Self { min, max, key }
    }

    pub(super) fn min(&self) -> usize {
        self.min
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Length of the chunk that starts `bytes`.
    #[inline]
    pub(super) fn next_len(&self, isa: Isa, bytes: &[u8]) -> usize {
        let bytes = &bytes[..bytes.len().min(self.max)];
        if bytes.len() <= self.min {
            return bytes.len();
        }
        if bytes.len() - self.min + 4 < PAIR {
            return self.len_by_definition(bytes);
        }
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::places_len(self, bytes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::places_len(self, bytes),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => super::neon::places_len(self, bytes),
            _ => self.len_by_definition(bytes),
        }
    }

    /// The rules, as they stand in the module's documentation. `bytes` is more than `min` and at most `max` long.
    fn len_by_definition(&self, bytes: &[u8]) -> usize {
        let hashed = self.places(bytes).take(self.limit()).map(|at| (self.hash(bytes, at), at));
        if let Some((_, at)) = hashed.min_by_key(|(hash, _)| *hash) {
            return at; // the first of equal ones
        }
        if is_constant(&bytes[self.min - REACH..]) {
            return bytes.len();
        }
        self.min + scalar::least(&bytes[self.min - 4..], self.key.window)
    }

    /// The places from `min` on, ascending.
    fn places(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        // The pair before the run that ends at `min`, and all behind it.
        let pairs = bytes[self.min - REACH..].windows(2).zip(self.min + 2 - REACH..);
        let mut run = 0;
        let ends = pairs.filter_map(move |(pair, at)| {
            run = if pair[0] < pair[1] { run + 1 } else { 0 };
            (run == RUN).then_some(at)
        });
        ends.filter(|at| *at >= self.min)
    }

    /// The same over what an instruction set can do: `rises` tells which of 64 bytes are greater than the one before;
    /// `lower` takes the hashes of the windows of two blocks, given the number of the first, into the least ones so far, of
    /// which there are `none` at first; `lanes` gives those with the number of the pair where each stood first. `fetch` brings the cache
    /// line at an index nearer, whether or not it is in the bytes.
    #[inline(always)]
    pub(super) fn len_by<L: Copy, I: IntoIterator<Item = (i16, i16)>>(
        &self,
        bytes: &[u8],
        rises: impl Fn(&[u8; BLOCK + 1]) -> u64,
        none: L,
        lower: impl Fn(L, &[u8; PAIR], i16) -> L,
        lanes: impl Fn(L) -> I,
        fetch: impl Fn(&[u8], usize),
    ) -> usize {
        let seen = &bytes[self.min - REACH..];
        if is_constant(seen) {
            return bytes.len();
        }
        let mut choice = Choice { hash: 0, at: 0, next: 0, left: self.limit() };
        let block = seen.first_chunk().expect("a block");
        choice.consider(self, bytes, self.min - REACH + 2, ends_of_runs(rises(block)));

        let windows = &bytes[self.min - 4..];
        let (mut lowest, mut number) = (none, 0);
        // Until there is a place, the windows of four are looked at too.
        while choice.at == 0 && number < blocks(windows.len()) {
            let start = pair_start(windows.len(), number);
            let pair = windows[start..].first_chunk().expect("a pair");
            fetch(pair, FETCH_AHEAD);
            fetch(pair, FETCH_AHEAD + BLOCK);
            lowest = lower(lowest, pair, number as i16);
            // One behind the other, and not both at once: the compiler would pack the two masks into a vector, whose
            // instructions compete with the hashes for the same ports.
            for at in [0, STEP] {
                let block = pair[at..].first_chunk().expect("a pair has two blocks");
                let ends = ends_of_runs(rises(rising(block)));
                if ends != 0 {
                    choice.consider(self, bytes, self.min + start + at, ends);
                }
            }
            number += 2;
        }
        if choice.at > 0 {
            return self.choose(bytes, choice, number, rises, fetch);
        }
        self.min + self.first_window(windows, lanes(lowest))
    }

    /// The best place, given that of the first `done` blocks.
    #[inline(always)]
    fn choose(
        &self,
        bytes: &[u8],
        mut choice: Choice,
        done: usize,
        rises: impl Fn(&[u8; BLOCK + 1]) -> u64,
        fetch: impl Fn(&[u8], usize),
    ) -> usize {
        let windows = &bytes[self.min - 4..];
        let mut number = done;
        while let Some(group) = windows.get(number * STEP..).and_then(|left| left.first_chunk()) {
            let ends = ends_in_group(group, &rises, &fetch);
            let mut some = (0..GROUP).fold(0, |some, k| some | u32::from(ends[k] != 0) << k);
            while some != 0 {
                let k = some.trailing_zeros() as usize % GROUP;
                if !choice.consider(self, bytes, self.min + (number + k) * STEP, ends[k]) {
                    return choice.at;
                }
                some &= some - 1;
            }
            number += GROUP;
        }
        for number in number..blocks(windows.len()) {
            let start = start_of(windows.len(), number);
            let block = windows[start..].first_chunk().expect("a block");
            if !choice.consider(self, bytes, self.min + start, ends_of_runs(rises(rising(block)))) {
                break;
            }
        }
        choice.at
    }

    /// The first window of four bytes with the least hash, given the least ones and their blocks.
    #[inline(always)]
    fn first_window(&self, windows: &[u8], lanes: impl IntoIterator<Item = (i16, i16)>) -> usize {
        // The hash decides, then the block.
        let lanes = lanes.into_iter().map(|(hash, number)| i32::from(hash) << 16 | i32::from(number));
        let lane = lanes.fold(i32::MAX, i32::min);
        let start = pair_start(windows.len(), (lane & 0xffff) as usize);
        start + scalar::first_with(&windows[start..], self.key.window, (lane >> 16) as i16)
    }

    /// The key of the hash of four bytes.
    pub(super) fn window_key(&self) -> WindowKey {
        self.key.window
    }

    /// Most places that are considered.
    fn limit(&self) -> usize {
        (self.max - self.min) / BYTES_PER_PLACE
    }

    /// The hash of a place: of the sixteen bytes before it.
    #[inline(always)]
    fn hash(&self, bytes: &[u8], at: usize) -> u64 {
        let window: &[u8; 16] = bytes[..at].last_chunk().expect("a chunk has sixteen bytes");
        let window = u128::from_le_bytes(*window);
        let [addend, factor] = self.key.place;
        let far = (window as u64).wrapping_add(addend).wrapping_mul(factor);
        (far ^ (far >> 32)).wrapping_add((window >> 64) as u64).wrapping_mul(factor)
    }
}

/// Number of blocks that `len` bytes are looked at in.
#[inline(always)]
fn blocks(len: usize) -> usize {
    (len - WINDOWS).div_ceil(STEP) + 1
}

/// Where a block starts. The last one ends at the end, and sees again some of what the one before it saw.
#[inline(always)]
fn start_of(len: usize, number: usize) -> usize {
    (number * STEP).min(len - WINDOWS)
}

/// Where a pair of blocks starts, given the number of the first.
#[inline(always)]
fn pair_start(len: usize, number: usize) -> usize {
    (number * STEP).min(len - PAIR)
}

/// The part of a block whose places end with its windows.
#[inline(always)]
fn rising(block: &[u8; WINDOWS]) -> &[u8; BLOCK + 1] {
    block.last_chunk().expect("a block is longer")
}

/// The places in each block of a group.
#[inline(always)]
fn ends_in_group(
    group: &[u8; GROUP_BYTES],
    rises: &impl Fn(&[u8; BLOCK + 1]) -> u64,
    fetch: &impl Fn(&[u8], usize),
) -> [u64; GROUP] {
    std::array::from_fn(|k| {
        fetch(group, FETCH_AHEAD + k * STEP);
        let block = group[k * STEP..].first_chunk().expect("a group has room for its blocks");
        ends_of_runs(rises(rising(block)))
    })
}

/// The rises that complete a run, among those whose run the mask shows whole.
#[inline(always)]
fn ends_of_runs(rises: u64) -> u64 {
    const { assert!(RUN == 5) };
    let two = rises & rises << 1;
    let four = two & two << 2;
    (four & rises << 4 & !(rises << 5)) & u64::MAX << RUN
}

/// The best place so far.
struct Choice {
    hash: u64,
    /// Zero if there is none yet.
    at: usize,
    /// Places before this one have been considered.
    next: usize,
    /// Places that may still be considered.
    left: usize,
}

impl Choice {
    /// Considers the places `at` + t for every bit t of `ends`, as far as they have not been; tells whether more may come.
    #[inline(always)]
    fn consider(&mut self, places: &Places, bytes: &[u8], at: usize, mut ends: u64) -> bool {
        while ends != 0 {
            let at = at + ends.trailing_zeros() as usize;
            ends &= ends - 1;
            if at < self.next {
                continue;
            }
            self.next = at + 1;
            let hash = places.hash(bytes, at);
            if self.at == 0 || hash < self.hash {
                (self.hash, self.at) = (hash, at);
            }
            self.left -= 1;
            if self.left == 0 {
                return false;
            }
        }
        true
    }
}
