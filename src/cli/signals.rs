//! Signals: Ctrl-C asks an operation to stop, twice stops at once; SIGUSR1 asks for a line of progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

use super::error::Exit;

/// How long a signal may go unnoticed while nothing else is done.
const STEP: Duration = Duration::from_millis(50);

static CANCELLED: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);
/// Whether an operation is at work that looks at [`cancelled`].
static LISTENING: AtomicBool = AtomicBool::new(false);

/// Starts to receive signals. Without it they end the process at once, as the system does it: also safe for a repository.
pub(crate) fn receive() {
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGUSR1]) {
        std::thread::spawn(move || signals.forever().for_each(take));
    }
}

fn take(signal: i32) {
    if signal == SIGUSR1 {
        ASKED.store(true, Ordering::Relaxed);
    } else if CANCELLED.swap(true, Ordering::Relaxed) || !LISTENING.load(Ordering::Relaxed) {
        std::process::exit(Exit::Interrupted as i32);
    }
}

/// Whether the user wants the operation to stop.
pub(crate) fn cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// Waits so long, or until the user wants the operation to stop.
pub(crate) fn sleep(time: Duration) {
    let end = Instant::now() + time;
    while !cancelled() && Instant::now() < end {
        std::thread::sleep(STEP.min(end.saturating_duration_since(Instant::now())));
    }
}

/// Whether the user asked for a line of progress since the last call.
pub(crate) fn asked() -> bool {
    ASKED.swap(false, Ordering::Relaxed)
}

/// Says whether an operation looks at [`cancelled`]: if none does, a signal ends the process at once.
pub(crate) fn listen(yes: bool) {
    LISTENING.store(yes, Ordering::Relaxed);
}
