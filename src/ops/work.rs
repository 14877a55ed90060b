//! Work that several threads share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Lets `threads` threads each make a tool and do all items with it, one by one in their order, until `stopped`.
pub(super) fn share<T: Sync, Tool>(
    threads: usize,
    items: &[T],
    stopped: &(dyn Fn() -> bool + Sync),
    tool: &(impl Fn() -> Option<Tool> + Sync),
    work: &(impl Fn(&mut Tool, &T) + Sync),
) {
    let next = AtomicUsize::new(0);
    let run = || {
        let Some(mut tool) = tool() else { return };
        while !stopped() {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            work(&mut tool, item);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
}
