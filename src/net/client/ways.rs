//! How many requests are under way.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A number of ways, each of which one request takes. Threads wait for them, not tasks.
#[derive(Debug)]
pub(super) struct Ways {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A way that is taken; dropping it frees it.
#[derive(Debug)]
pub(super) struct Way(Arc<Ways>);

impl Ways {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count), freed: Condvar::new() })
    }

    /// Takes a way; waits while there is none.
    pub(super) fn take(self: &Arc<Self>) -> Way {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Way(Arc::clone(self))
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn never_more_are_under_way_than_there_are_ways() {
        let (ways, now, most) = (Ways::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let way = ways.take();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(way);
                });
            }
        });
        assert_eq!((most.into_inner(), *ways.free.lock().unwrap()), (3, 3));
    }
}
