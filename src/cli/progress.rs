//! Progress: counts from many threads, drawn by one.

use std::borrow::Cow;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use warp::observe::{FileNews, Observer, Phase, Problem};

use super::ui::Verbosity;
use super::{error, escape, json, signals, size};

/// Time between two looks at the counters.
const TICK: Duration = Duration::from_millis(100);
/// An operation that ends before this shows no bar.
const PATIENCE: Duration = Duration::from_millis(300);
/// Ticks between two JSON lines.
const JSON_EVERY: u32 = 10;
/// What a phase is called, by its number.
const PHASES: [&str; 10] = [
    "working",
    "scanning",
    "storing",
    "finishing",
    "planning",
    "restoring",
    "verifying",
    "comparing",
    "marking",
    "checking",
];

/// Bytes that connections have carried so far.
static CARRIED: AtomicU64 = AtomicU64::new(0);

/// Counts bytes that a connection has carried.
pub(crate) fn carried(bytes: u64) {
    CARRIED.fetch_add(bytes, Relaxed);
}

/// What a progress display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Nothing,
    Bar,
    Json,
}

/// The observer of one operation. Dropping it takes the display away.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    ticker: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

struct Shared {
    counts: Counts,
    bar: ProgressBar,
    level: Verbosity,
    /// The drawing thread wants to know a current path: the only time that [`Observer::file`] takes the lock.
    wants_path: AtomicBool,
    path: Mutex<Vec<u8>>,
    problems: AtomicU64,
    started: Instant,
}

#[derive(Default)]
struct Counts {
    phase: AtomicU8,
    files: AtomicU64,
    bytes: AtomicU64,
    total_files: AtomicU64,
    total_bytes: AtomicU64,
    /// What connections had carried when the phase began.
    carried_before: AtomicU64,
}

impl Counts {
    /// How many bytes of the phase are done. Packs are counted when they are there, and what of them is under way a piece at a time.
    fn done(&self) -> u64 {
        let (bytes, total) = (self.bytes.load(Relaxed), self.total_bytes.load(Relaxed));
        let carried = CARRIED.load(Relaxed).saturating_sub(self.carried_before.load(Relaxed));
        match self.phase.load(Relaxed) == number(Phase::Store) {
            true => bytes.max(carried.min(total)),
            false => bytes,
        }
    }
}

impl Progress {
    pub(crate) fn start(show: Show, level: Verbosity) -> Self {
        let bar = match show {
            Show::Bar => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
            _ => ProgressBar::hidden(),
        };
        let shared = Arc::new(Shared {
            counts: Counts::default(),
            bar,
            level,
            wants_path: AtomicBool::new(true),
            path: Mutex::default(),
            problems: AtomicU64::new(0),
            started: Instant::now(),
        });
        signals::listen(true);
        let (stop, stopped) = mpsc::channel();
        let drawn = Arc::clone(&shared);
        let ticker = std::thread::spawn(move || drawn.tick_until(&stopped, show));
        Self { shared, ticker: Some((stop, ticker)) }
    }

    /// Runs `f` with the bar out of the way: for questions.
    pub(crate) fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        self.shared.bar.suspend(f)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, ticker)) = self.ticker.take() {
            drop(stop);
            let _ = ticker.join();
        }
        self.shared.bar.finish_and_clear();
        signals::listen(false);
    }
}

impl Shared {
    fn tick_until(&self, stopped: &mpsc::Receiver<()>, show: Show) {
        let (mut tick, mut told) = (0u32, self.level.quiet);
        while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
            tick = tick.wrapping_add(1);
            match show {
                Show::Bar if self.started.elapsed() >= PATIENCE => self.draw(),
                Show::Json if tick.is_multiple_of(JSON_EVERY) => self.print(&json::line(&self.status())),
                _ => {}
            }
            if signals::asked() {
                self.say(&self.line());
            }
            if signals::cancelled() && !std::mem::replace(&mut told, true) && !self.level.json {
                self.say("stopping; a second signal stops at once, which is also safe for the repository");
            }
            self.wants_path.store(true, Relaxed);
        }
    }

    fn draw(&self) {
        let counts = &self.counts;
        let (bytes, total) = (counts.done(), counts.total_bytes.load(Relaxed));
        match total {
            0 => self.bar.unset_length(),
            total => self.bar.set_length(total.max(bytes)),
        }
        self.bar.set_style(style(total > 0));
        self.bar.set_position(bytes);
        self.bar.set_prefix(self.phase());
        self.bar.set_message(format!("{} {}", self.files(), shorten(&self.current(), path_width())));
        self.bar.tick();
    }

    fn phase(&self) -> &'static str {
        PHASES.get(usize::from(self.counts.phase.load(Relaxed))).unwrap_or(&PHASES[0])
    }

    fn files(&self) -> String {
        let (files, total) = (self.counts.files.load(Relaxed), self.counts.total_files.load(Relaxed));
        if total > 0 { format!("{files}/{total} files") } else { size::count(files, "file", "files") }
    }

    fn current(&self) -> String {
        self.path.lock().map(|path| shown(&path).into_owned()).unwrap_or_default()
    }

    /// The whole state in one line, for SIGUSR1.
    fn line(&self) -> String {
        let (bytes, total) = (self.counts.done(), self.counts.total_bytes.load(Relaxed));
        let of = if total > 0 { format!(" of {}", size::human(total)) } else { String::new() };
        let elapsed = super::time::duration(self.started.elapsed().as_millis() as u64);
        let bytes = size::human(bytes);
        format!("{}: {}, {bytes}{of}, {elapsed}: {}", self.phase(), self.files(), self.current())
    }

    fn status(&self) -> json::Status {
        let counts = &self.counts;
        let path = self.path.lock().map(|path| path.clone()).unwrap_or_default();
        json::Status::new(json::Amounts {
            seconds: self.started.elapsed().as_secs(),
            files: counts.files.load(Relaxed),
            total_files: counts.total_files.load(Relaxed),
            bytes: counts.done(),
            total_bytes: counts.total_bytes.load(Relaxed),
            problems: self.problems.load(Relaxed),
            path,
        })
    }

    /// One line on standard error, above the bar.
    fn say(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        });
    }

    /// One line on standard output: JSON only, which has no bar.
    fn print(&self, line: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn tell_file(&self, path: &Path, news: FileNews, bytes: u64) {
        let (least, text) = match news {
            FileNews::New => (1, "new"),
            FileNews::Changed => (1, "modified"),
            FileNews::Unchanged => (2, "unchanged"),
            _ => (2, "done"),
        };
        if self.level.verbose < least {
        } else if self.level.json {
            self.print(&json::line(&json::VerboseStatus::new(text, path.as_os_str().as_bytes(), bytes)));
        } else {
            self.say(&format!("{text:<9} {}", escape::path(path)));
        }
    }
}

impl Observer for Progress {
    fn phase(&self, phase: Phase, files: Option<u64>, bytes: Option<u64>) {
        let counts = &self.shared.counts;
        counts.phase.store(number(phase), Relaxed);
        for (counter, value) in [
            (&counts.files, 0),
            (&counts.bytes, 0),
            (&counts.total_files, files.unwrap_or(0)),
            (&counts.total_bytes, bytes.unwrap_or(0)),
        ] {
            counter.store(value, Relaxed);
        }
        counts.carried_before.store(CARRIED.load(Relaxed), Relaxed);
        self.shared.bar.reset_eta();
    }

    fn total(&self, files: u64, bytes: u64) {
        self.shared.counts.total_files.store(files, Relaxed);
        self.shared.counts.total_bytes.store(bytes, Relaxed);
    }

    fn file(&self, path: &Path) {
        if !self.shared.wants_path.load(Relaxed) {
            return;
        }
        if let Ok(mut current) = self.shared.path.try_lock() {
            current.clear();
            current.extend_from_slice(path.as_os_str().as_bytes());
            self.shared.wants_path.store(false, Relaxed);
        }
    }

    fn file_done(&self, path: &Path, news: FileNews, bytes: u64) {
        if self.shared.level.verbose > 0 && !self.shared.level.quiet {
            self.shared.tell_file(path, news, bytes);
        }
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.shared.counts.files.fetch_add(files, Relaxed);
        self.shared.counts.bytes.fetch_add(bytes, Relaxed);
    }

    fn problem(&self, problem: &Problem<'_>) {
        self.shared.problems.fetch_add(1, Relaxed);
        let message = error::one_line(problem.error);
        let line = match self.shared.level.json {
            true => json::line(&json::ProblemLine::new(
                message,
                problem.path.as_os_str().as_bytes(),
                self.shared.phase(),
            )),
            false => format!("error: {}: {message}", escape::path(problem.path)),
        };
        self.shared.say(&line);
    }

    fn notice(&self, text: &str) {
        match (self.shared.level.json, self.shared.level.quiet) {
            (true, _) => self.shared.say(&json::line(&json::Warning::new(escape::text(text).into_owned()))),
            (false, false) => self.shared.say(&format!("note: {}", escape::line(text))),
            (false, true) => {}
        }
    }

    fn cancelled(&self) -> bool {
        signals::cancelled()
    }
}

fn number(phase: Phase) -> u8 {
    match phase {
        Phase::Scan => 1,
        Phase::Store => 2,
        Phase::Finish => 3,
        Phase::Plan => 4,
        Phase::Restore => 5,
        Phase::Verify => 6,
        Phase::Compare => 7,
        Phase::Mark => 8,
        Phase::Check => 9,
        _ => 0,
    }
}

fn style(known: bool) -> ProgressStyle {
    let template = match known {
        true => "{prefix} {percent:>3}% {bytes}/{total_bytes} {bytes_per_sec} ETA {eta} {wide_msg}",
        false => "{prefix} {bytes} {bytes_per_sec} {elapsed} {wide_msg}",
    };
    ProgressStyle::with_template(template).expect("both templates are valid")
}

fn shown(path: &[u8]) -> Cow<'_, str> {
    if path.is_empty() { Cow::Borrowed("") } else { escape::name(path) }
}

/// Columns that a terminal leaves for the current path.
fn path_width() -> usize {
    let columns =
        rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| usize::from(size.ws_col));
    columns.saturating_sub(72).max(16)
}

/// The end of a path, which tells most.
fn shorten(path: &str, width: usize) -> Cow<'_, str> {
    let length = path.chars().count();
    if length <= width {
        return Cow::Borrowed(path);
    }
    let tail: String = path.chars().skip(length + 1 - width).collect();
    Cow::Owned(format!("…{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Progress {
        Progress::start(Show::Nothing, Verbosity::default())
    }

    #[test]
    fn counts_from_many_threads_add_up() {
        let progress = silent();
        progress.phase(Phase::Store, Some(4000), Some(8000));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.advance(1, 2)));
            }
        });
        let status = progress.shared.status();
        assert_eq!((status.files_done, status.bytes_done, status.percent_done), (4000, 8000, 1.0));
        assert!(progress.shared.line().starts_with("storing: 4000/4000 files, 7.8 KiB of 7.8 KiB, "));
    }

    #[test]
    fn a_current_path_is_taken_only_when_it_is_asked_for() {
        let progress = silent();
        progress.shared.wants_path.store(true, Relaxed);
        progress.file(Path::new("first"));
        progress.shared.wants_path.store(false, Relaxed);
        progress.file(Path::new("second"));
        assert_eq!(progress.shared.current(), "first");
    }

    #[test]
    fn the_templates_of_the_bar_are_valid() {
        for known in [false, true] {
            let bar = ProgressBar::hidden().with_style(style(known));
            bar.set_position(1);
            bar.tick();
        }
    }

    #[test]
    fn long_paths_keep_their_end() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "…cdefg");
    }
}
