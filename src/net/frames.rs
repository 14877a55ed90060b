//! Frames on streams: written without a copy, read in whatever order they arrive straight to where they shall lie.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::format::DecodeError;
use crate::format::wire::Frame;

/// Frames up to this length are no matter for the pool. Most requests are.
pub(super) const SMALL_LEN: usize = 16 << 10;
/// Most bytes that are handed to a stream at once: so often it is seen that bytes move.
const WRITE_LEN: usize = 128 << 10;

/// Buffers for long frames, used again and again: getting them from the system and giving them back costs more than a copy.
#[derive(Debug)]
pub(super) struct FramePool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Most buffers that are kept.
    keep: usize,
    /// What bounds the long frames in memory, the narrowest first.
    budgets: Vec<Budget>,
}

/// How many long frames may be in memory.
#[derive(Debug, Clone)]
struct Budget {
    /// One permit for each.
    places: Arc<Semaphore>,
    /// How long a frame waits for one.
    patience: Duration,
}

/// There was no room for a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl FramePool {
    /// A pool that keeps at most `keep` buffers of [`Frame::LEN_MAX`] bytes.
    pub(super) fn new(keep: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::default(), keep, budgets: Vec::new() })
    }

    /// A pool of at most `count` buffers: whoever wants another one waits for so long.
    pub(super) fn bounded(count: usize, patience: Duration) -> Arc<Self> {
        let budgets = vec![Budget { places: Arc::new(Semaphore::new(count)), patience }];
        Arc::new(Self { free: Arc::default(), keep: count, budgets })
    }

    /// The same buffers, at most `count` of them.
    pub(super) fn share(&self, count: usize) -> Arc<Self> {
        let patience = self.budgets.first().map_or(Duration::MAX, |budget| budget.patience);
        let own = Budget { places: Arc::new(Semaphore::new(count)), patience };
        let budgets = [&[own], &self.budgets[..]].concat();
        Arc::new(Self { free: Arc::clone(&self.free), keep: self.keep, budgets })
    }

    async fn place(self: &Arc<Self>) -> Result<Place, NoRoom> {
        let mut permits = Vec::with_capacity(self.budgets.len());
        for budget in &self.budgets {
            let permit = timeout(budget.patience, Arc::clone(&budget.places).acquire_owned()).await;
            permits.push(permit.map_err(|_| NoRoom)?.expect("nobody closes the budget"));
        }
        Ok(Place { pool: Arc::clone(self), _permits: permits })
    }

    /// How many long frames could come in now.
    pub(super) fn available(&self) -> usize {
        self.budgets.iter().map(|budget| budget.places.available_permits()).min().unwrap_or(usize::MAX)
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame that is coming in.
struct Incoming {
    bytes: Vec<u8>,
    /// Where the furthest byte ends.
    end: usize,
    /// Of a long frame: its place in the pool.
    place: Option<Place>,
}

/// A buffer's place in its pool.
struct Place {
    pool: Arc<FramePool>,
    /// Held until the buffer is free again.
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Incoming {
    const EMPTY: Self = Self { bytes: Vec::new(), end: 0, place: None };

    /// Puts a piece where it belongs.
    async fn put(&mut self, pool: &Arc<FramePool>, offset: usize, piece: &[u8]) -> Result<(), NoRoom> {
        let end = offset + piece.len();
        if end > self.bytes.len() {
            self.grow(pool, end).await?;
        }
        self.bytes[offset..end].copy_from_slice(piece);
        self.end = self.end.max(end);
        Ok(())
    }

    async fn grow(&mut self, pool: &Arc<FramePool>, end: usize) -> Result<(), NoRoom> {
        if end <= SMALL_LEN {
            self.bytes.resize(end, 0);
            return Ok(());
        }
        let place = pool.place().await?;
        let free = pool.free().pop();
        // Of new memory the system gives what is written to.
        let mut bytes = free.unwrap_or_else(|| vec![0; Frame::LEN_MAX]);
        bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
        self.bytes = bytes;
        self.place = Some(place);
        Ok(())
    }
}

impl AsRef<[u8]> for Incoming {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.end]
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            let mut free = place.pool.free();
            if free.len() < place.pool.keep {
                free.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

/// Why a frame did not come in.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// It is over the limit of the reader.
    TooLong(DecodeError),
    /// There was no room for it.
    NoRoom,
    /// The stream ended.
    Ended(ReadError),
}

/// Reads all bytes of a stream, at most `max`, and counts them in `count` as they come.
///
/// The bytes go back to the pool when the last part of them is dropped.
pub(super) async fn read(
    stream: &mut RecvStream,
    pool: &Arc<FramePool>,
    max: usize,
    count: &AtomicU64,
) -> Result<Bytes, ReadFault> {
    let mut frame = Incoming::EMPTY;
    while let Some(chunk) = stream.read_chunk(usize::MAX, false).await.map_err(ReadFault::Ended)? {
        let end = chunk.offset.saturating_add(chunk.bytes.len() as u64);
        if end > max as u64 {
            let what = "length of a frame";
            return Err(ReadFault::TooLong(DecodeError::Limit { what, found: end, max: max as u64 }));
        }
        count.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
        let put = frame.put(pool, chunk.offset as usize, &chunk.bytes).await;
        put.map_err(|NoRoom| ReadFault::NoRoom)?;
    }
    Ok(Bytes::from_owner(frame))
}

/// Writes a frame and ends the stream, counting in `count` what was handed over.
pub(super) async fn write(
    stream: &mut SendStream,
    parts: [Bytes; 2],
    count: &AtomicU64,
) -> Result<(), WriteError> {
    for mut part in parts {
        while !part.is_empty() {
            let piece = part.split_to(part.len().min(WRITE_LEN));
            let len = piece.len() as u64;
            stream.write_chunk(piece).await?;
            count.fetch_add(len, Ordering::Relaxed);
        }
    }
    stream.finish().map_err(|_| WriteError::ClosedStream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn pieces_lie_where_they_belong_in_whatever_order_they_come() {
        let wanted: Vec<u8> = (0..100_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
        for len in [1, SMALL_LEN - 1, SMALL_LEN, SMALL_LEN + 1, wanted.len()] {
            let mut pieces: Vec<_> = wanted[..len].chunks(777).enumerate().collect();
            for turn in 0..3 {
                match turn {
                    0 => {}
                    1 => pieces.reverse(),
                    _ => pieces.rotate_left(len / 777 / 2),
                }
                let pool = FramePool::new(1);
                let mut frame = Incoming::EMPTY;
                for (number, piece) in &pieces {
                    block_on(frame.put(&pool, number * 777, piece)).unwrap();
                }
                assert_eq!(frame.as_ref(), &wanted[..len], "{len} bytes, turn {turn}");
            }
        }
    }

    #[test]
    fn a_long_frame_needs_room_and_gives_it_back_with_its_last_part() {
        let pool = FramePool::bounded(1, Duration::from_millis(10));
        let mut first = Incoming::EMPTY;
        block_on(first.put(&pool, SMALL_LEN, &[1])).unwrap();
        assert_eq!(pool.available(), 0);
        let mut second = Incoming::EMPTY;
        assert_eq!(block_on(second.put(&pool, SMALL_LEN, &[2])), Err(NoRoom));
        let part = Bytes::from_owner(first).slice(..1);
        assert_eq!(pool.available(), 0, "a part of it lives");
        drop(part);
        assert_eq!((pool.available(), pool.free().len()), (1, 1));
    }

    #[test]
    fn a_share_is_bounded_by_itself_and_by_the_whole() {
        let whole = FramePool::bounded(3, Duration::ZERO);
        let (one, two) = (whole.share(2), whole.share(2));
        let take = |pool: &Arc<FramePool>| block_on(pool.place());
        let held = [take(&one).unwrap(), take(&one).unwrap()];
        assert!(take(&one).is_err(), "its share is used up");
        let last = take(&two).unwrap();
        assert!(take(&two).is_err(), "there is no more at all");
        drop(held);
        assert!(take(&two).is_ok() && take(&one).is_ok());
        drop(last);
        assert_eq!((whole.available(), one.available(), two.available()), (3, 2, 2));
    }

    #[test]
    fn a_buffer_that_is_used_again_shows_nothing_of_before() {
        let pool = FramePool::new(1);
        let mut first = Incoming::EMPTY;
        block_on(first.put(&pool, 0, &[7; 20_000])).unwrap();
        drop(first);
        let mut second = Incoming::EMPTY;
        block_on(second.put(&pool, 0, &[1; 17_000])).unwrap();
        assert_eq!(second.as_ref(), [1; 17_000]);
    }
}
