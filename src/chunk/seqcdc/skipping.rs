//! The published algorithm, 64 positions at a time.

use super::BLOCK;
use super::params::SeqCdcParams;
use super::scalar;
use crate::isa::Isa;

/// Landings that are fetched ahead of the one that is looked at.
const AHEAD: usize = 8;

/// Of 64 positions, one bit each: whose byte is greater, and whose is less, than the byte before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) rises: u64,
    pub(super) falls: u64,
}

/// Length of the chunk that starts `bytes`.
#[inline]
pub(super) fn next_len(params: &SeqCdcParams, isa: Isa, bytes: &[u8]) -> usize {
    if bytes.len().min(params.max()) <= BLOCK {
        return scalar::skipping_len(params, bytes);
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => super::avx512::skipping_len(params, bytes),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => super::avx2::skipping_len(params, bytes),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => super::neon::skipping_len(params, bytes),
        _ => scalar::skipping_len(params, bytes),
    }
}

/// The algorithm over what an instruction set can do: `steps` compares, `select` tells the place of a mask's n-th bit,
/// `fetch` brings the cache line at an index nearer, whether or not it is in `bytes`. More than 64 bytes may be looked at.
#[inline(always)]
pub(super) fn len_by(
    params: &SeqCdcParams,
    bytes: &[u8],
    steps: impl Fn(&[u8; BLOCK + 1]) -> Steps,
    select: impl Fn(u64, u32) -> u32,
    fetch: impl Fn(&[u8], usize),
) -> usize {
    let n = bytes.len().min(params.max());
    let stride = params.skip() + 2 * params.falls() as usize;
    let mut search = Search { i: params.min(), run: 0, falls: 0 };
    fetch_ahead(&fetch, bytes, search.i, stride);
    while search.i + BLOCK <= n {
        let block = bytes[search.i - 1..].first_chunk().expect("the loop's condition");
        let steps = steps(block);
        if steps.rises | steps.falls == 0 {
            // Equal bytes, as in a hole: they count for nothing.
            search.i += BLOCK;
            continue;
        }
        match search.block(params, steps, &select) {
            Event::Cut(at) => return at,
            Event::Skip => fetch_far(&fetch, bytes, search.i, stride),
            Event::None => {}
        }
    }
    while search.i < n {
        // The last block ends at the end; what of it has been looked at is shifted out, and reads as equal bytes.
        let start = n - BLOCK;
        let block = bytes[start - 1..].first_chunk().expect("n is greater than a block");
        let Steps { rises, falls } = steps(block);
        let done = search.i - start;
        let steps = Steps { rises: rises >> done, falls: falls >> done };
        if let Event::Cut(at) = search.block(params, steps, &select) {
            return at;
        }
    }
    n
}

/// Fetches the landings that are likely, from the one at `i` on.
#[inline(always)]
fn fetch_ahead(fetch: &impl Fn(&[u8], usize), bytes: &[u8], i: usize, stride: usize) {
    for landing in 0..AHEAD {
        fetch_lines(fetch, bytes, i + landing * stride);
    }
}

/// Fetches the landing that is likely [`AHEAD`] skips after the one at `i`.
#[inline(always)]
fn fetch_far(fetch: &impl Fn(&[u8], usize), bytes: &[u8], i: usize, stride: usize) {
    fetch_lines(fetch, bytes, i + AHEAD * stride);
}

#[inline(always)]
fn fetch_lines(fetch: &impl Fn(&[u8], usize), bytes: &[u8], at: usize) {
    fetch(bytes, at);
    fetch(bytes, at + BLOCK);
    fetch(bytes, at + 2 * BLOCK);
}

/// Where the search is: the next position, rises since the last fall, falls since the last skip.
struct Search {
    i: usize,
    run: u32,
    falls: u32,
}

enum Event {
    /// No more than that the search went on.
    None,
    /// A skip stands behind the search.
    Skip,
    /// The chunk ends here.
    Cut(usize),
}

impl Search {
    /// Looks at 64 positions from `i` on, up to the first event.
    #[inline(always)]
    fn block(&mut self, params: &SeqCdcParams, steps: Steps, select: &impl Fn(u64, u32) -> u32) -> Event {
        let cut = self.first_cut(params.rises(), steps, select);
        let falls = self.falls + steps.falls.count_ones();
        if falls >= params.falls() {
            let at = select(steps.falls, params.falls() - self.falls - 1);
            if cut.is_none_or(|cut| at < cut) {
                *self = Self { i: self.i + at as usize + 1 + params.skip(), run: 0, falls: 0 };
                return Event::Skip;
            }
        }
        if let Some(cut) = cut {
            return Event::Cut(self.i + cut as usize);
        }
        let open = rises_after_the_last_fall(steps);
        let run = if steps.falls == 0 { self.run } else { 0 };
        *self = Self { i: self.i + BLOCK, run: run + open.count_ones(), falls };
        Event::None
    }

    /// The place of the first rise that completes a run.
    #[inline(always)]
    fn first_cut(&self, wanted: u32, steps: Steps, select: &impl Fn(u64, u32) -> u32) -> Option<u32> {
        let head = steps.rises & (steps.falls.wrapping_sub(1) & !steps.falls);
        if self.run + head.count_ones() >= wanted {
            return Some(select(head, wanted - self.run - 1));
        }
        let completed = completed_runs(wanted, steps);
        if completed == 0 { None } else { Some(completed.trailing_zeros()) }
    }
}

/// The rises that are at least the `wanted`-th since the last fall of this block.
#[inline(always)]
fn completed_runs(wanted: u32, steps: Steps) -> u64 {
    let equal = !(steps.rises | steps.falls);
    let mut runs = steps.rises;
    let mut longer = || {
        // From a rise, the sum carries through equal positions to the next one, whatever it is; bits of equal
        // positions that no carry reached stay and are masked.
        runs = (runs << 1).wrapping_add(equal) & steps.rises;
    };
    if wanted == 5 {
        // The published number, without a loop.
        longer();
        longer();
        longer();
        longer();
    } else {
        for _ in 1..wanted.min(BLOCK as u32 + 1) {
            longer();
        }
    }
    runs
}

#[inline(always)]
fn rises_after_the_last_fall(steps: Steps) -> u64 {
    let above = u64::MAX.checked_shl(BLOCK as u32 - steps.falls.leading_zeros());
    steps.rises & if steps.falls == 0 { u64::MAX } else { above.unwrap_or(0) }
}

/// The place of the n-th bit of `mask`, counted from 0, for processors that have no instruction for it.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(super) fn select(mask: u64, n: u32) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Bits in each byte and all before it.
    let pairs = mask - ((mask >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let bytes = ((nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(ONES);
    // The high bit of each byte whose count is at most n: those before the one that is looked for.
    let before = (((u64::from(n) * ONES) | (0x80 * ONES)) - bytes) & (0x80 * ONES);
    let byte = 8 * before.count_ones();
    let mut rest = mask >> byte;
    let counted = ((bytes << 8) >> byte) & 0xff;
    for _ in counted..u64::from(n) {
        rest &= rest - 1;
    }
    byte + rest.trailing_zeros()
}
