//! An observer that remembers everything.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::{FileNews, Observer, Phase, Problem};

/// One call of an [`Observer`], in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A phase, with the files and bytes that were announced.
    Phase(Phase, Option<u64>, Option<u64>),
    /// A new total: files and bytes.
    Total(u64, u64),
    /// Work on a file.
    File(PathBuf),
    /// A file that is done, and its length in bytes.
    FileDone(PathBuf, FileNews, u64),
    /// Progress: files and bytes.
    Advance(u64, u64),
    /// A path that failed, and the error with its causes, joined by `: `.
    Problem(PathBuf, String),
    /// A notice.
    Notice(String),
}

/// Records every call; can ask the operation to stop after a number of them.
#[derive(Debug, Default)]
pub struct RecordingObserver {
    events: Mutex<Vec<Event>>,
    cancel_at: Option<usize>,
}

impl RecordingObserver {
    /// An observer that lets the operation finish.
    pub fn new() -> Self {
        Self::default()
    }

    /// An observer that says `cancelled` once it has seen `events` events.
    pub fn cancelling_after(events: usize) -> Self {
        Self { cancel_at: Some(events), ..Self::default() }
    }

    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        self.recorded().clone()
    }

    /// The paths that failed, each with its error and causes.
    pub fn problems(&self) -> Vec<(PathBuf, String)> {
        self.pick(|event| match event {
            Event::Problem(path, error) => Some((path.clone(), error.clone())),
            _ => None,
        })
    }

    /// The notices.
    pub fn notices(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Notice(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The files that were done, sorted by path.
    pub fn files_done(&self) -> Vec<(PathBuf, FileNews)> {
        let mut files = self.pick(|event| match event {
            Event::FileDone(path, news, _) => Some((path.clone(), *news)),
            _ => None,
        });
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files
    }

    fn pick<T>(&self, choose: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.recorded().iter().filter_map(choose).collect()
    }

    fn recorded(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, event: Event) {
        self.recorded().push(event);
    }
}

impl Observer for RecordingObserver {
    fn phase(&self, phase: Phase, files: Option<u64>, bytes: Option<u64>) {
        self.record(Event::Phase(phase, files, bytes));
    }

    fn total(&self, files: u64, bytes: u64) {
        self.record(Event::Total(files, bytes));
    }

    fn file(&self, path: &Path) {
        self.record(Event::File(path.to_owned()));
    }

    fn file_done(&self, path: &Path, news: FileNews, bytes: u64) {
        self.record(Event::FileDone(path.to_owned(), news, bytes));
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.record(Event::Advance(files, bytes));
    }

    fn problem(&self, problem: &Problem<'_>) {
        let causes = std::iter::successors(Some(problem.error), |error| error.source());
        let text: Vec<_> = causes.map(ToString::to_string).collect();
        self.record(Event::Problem(problem.path.to_owned(), text.join(": ")));
    }

    fn notice(&self, text: &str) {
        self.record(Event::Notice(text.to_owned()));
    }

    fn cancelled(&self) -> bool {
        self.cancel_at.is_some_and(|at| self.recorded().len() >= at)
    }
}
