//! The clock: work that is repeated in rounds, on one thread or on several at once.

use std::thread;
use std::time::Instant;

use crate::cli::error::{CliError, Exit};
use crate::cli::signals;

/// Most rounds of a measurement.
const ROUNDS: usize = 5;
/// Most pieces of a round: however small they are, a round ends.
const PIECES_MAX: f64 = 1e6;

/// What one thread does with the piece of the input that has a number.
pub(super) type Worker<'a> = Box<dyn FnMut(usize) -> Result<(), CliError> + Send + 'a>;

/// Work that can be repeated.
pub(super) struct Work<'a> {
    /// How many pieces there are, at least one: the work takes them in order, over and over.
    pub(super) pieces: usize,
    /// What a piece counts for, on average: bytes, or whatever is counted.
    pub(super) amount: f64,
    /// Makes the worker of a thread.
    pub(super) worker: Box<dyn Fn() -> Result<Worker<'a>, CliError> + 'a>,
}

/// How fast work went, in amounts a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Speed {
    pub(super) best: f64,
    pub(super) median: f64,
    pub(super) rounds: usize,
}

impl Speed {
    /// Of rounds that did `amount` each and took these seconds: at least one.
    pub(super) fn of(amount: f64, mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        // A clock that did not move in a round cannot measure it: a nanosecond is below its resolution.
        let speed = |seconds: f64| amount / seconds.max(1e-9);
        let middle = seconds.len() / 2;
        let median = match seconds.len() % 2 {
            1 => seconds[middle],
            _ => (seconds[middle - 1] + seconds[middle]) / 2.0,
        };
        Self { best: speed(seconds[0]), median: speed(median), rounds: seconds.len() }
    }
}

/// Fails if the user wants the measurement to end.
pub(super) fn go_on() -> Result<(), CliError> {
    if signals::cancelled() { Err(CliError::new(Exit::Interrupted, "interrupted")) } else { Ok(()) }
}

/// Measures work on so many threads, each of which does all of it, for about `seconds`: a round to warm up, then up to five
/// of equal length, but no further one once the time is over.
pub(super) fn measure(work: &Work<'_>, threads: usize, seconds: f64) -> Result<Speed, CliError> {
    let mut workers = (0..threads).map(|_| (work.worker)()).collect::<Result<Vec<_>, _>>()?;
    let warm = round(work, &mut workers, 1)?;
    let pieces = (seconds / ROUNDS as f64 / warm.max(1e-9)).clamp(1.0, PIECES_MAX) as usize;
    let mut times = Vec::new();
    while times.len() < ROUNDS && (times.is_empty() || times.iter().sum::<f64>() < seconds) {
        times.push(round(work, &mut workers, pieces)?);
    }
    Ok(Speed::of(work.amount * pieces as f64 * threads as f64, times))
}

/// Lets every worker do so many pieces; returns the seconds until the last one was done.
fn round(work: &Work<'_>, workers: &mut [Worker<'_>], count: usize) -> Result<f64, CliError> {
    go_on()?;
    let pieces = work.pieces;
    let start = Instant::now();
    if let [worker] = workers {
        run(pieces, worker, count)?;
    } else {
        thread::scope(|scope| {
            let spawn = |worker| scope.spawn(move || run(pieces, worker, count));
            let threads: Vec<_> = workers.iter_mut().map(spawn).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a worker does not panic"))
        })?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Does so many pieces, from the first on and again.
fn run(pieces: usize, worker: &mut Worker<'_>, count: usize) -> Result<(), CliError> {
    (0..pieces).cycle().take(count).try_for_each(worker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    #[test]
    fn the_best_round_is_the_shortest_and_the_median_is_in_the_middle() {
        let speed = Speed::of(12.0, vec![4.0, 1.0, 3.0]);
        assert_eq!(speed, Speed { best: 12.0, median: 4.0, rounds: 3 });
        assert_eq!(Speed::of(12.0, vec![4.0, 2.0]).median, 4.0);
        assert!(Speed::of(1.0, vec![0.0]).best.is_finite());
    }

    /// Work of `pause` a piece, which counts what is done.
    fn pausing(pause: Duration, done: &AtomicUsize) -> Work<'_> {
        let worker = move || -> Result<Worker<'_>, CliError> {
            Ok(Box::new(move |_| {
                thread::sleep(pause);
                done.fetch_add(1, Relaxed);
                Ok(())
            }))
        };
        Work { pieces: 1, amount: 1.0, worker: Box::new(worker) }
    }

    #[test]
    fn work_that_takes_longer_than_the_time_is_done_once_after_warming_up() {
        let done = AtomicUsize::new(0);
        let speed = measure(&pausing(Duration::from_millis(20), &done), 1, 0.001).unwrap();
        assert_eq!((speed.rounds, done.into_inner()), (1, 2));
        assert!(speed.best <= 50.0, "{speed:?}");
    }

    #[test]
    fn the_work_of_all_threads_counts() {
        let done = AtomicUsize::new(0);
        let speed = measure(&pausing(Duration::from_millis(5), &done), 4, 0.05).unwrap();
        assert_eq!(done.load(Relaxed) % 4, 0, "every thread does as much");
        // Sleeping threads need no cores.
        assert!((200.0..=800.0).contains(&speed.best), "{speed:?}");
    }

    #[test]
    fn an_error_of_a_worker_ends_the_measurement() {
        let worker = || -> Result<Worker<'_>, CliError> { Ok(Box::new(|_| Err(CliError::failed("broken")))) };
        let work = Work { pieces: 1, amount: 1.0, worker: Box::new(worker) };
        for threads in [1, 3] {
            assert_eq!(measure(&work, threads, 0.01).unwrap_err().message(), "broken");
        }
    }
}
