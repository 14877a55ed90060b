//! The configuration in the store: numbered generations, each created if absent, each in two copies.

use std::time::Duration;

use crate::format::DecodeError;
use crate::format::config::Config;
use crate::limits::CONFIG_LEN_MAX;
use crate::store::{BlobName, Put, StorageBackend, StoreError};

use super::RepoError;
use super::log::LOST;

/// How often, and after what time, a copy that is missing is looked for again.
const SETTLE_TRIES: u32 = 4;
const SETTLE_TIME: Duration = Duration::from_millis(50);

fn names(generation: u64) -> [BlobName; 2] {
    ["", ".copy"]
        .map(|end| BlobName::new(&format!("config/{generation:010}{end}")).expect("digits make a legal name"))
}

fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("config/")?.trim_end_matches(".copy").parse().ok()
}

/// A configuration that was read.
pub(super) struct Loaded {
    pub(super) config: Config,
    /// The copy of it that is not there: its writer died before it came to that.
    pub(super) missing: Option<BlobName>,
}

/// Reads the newest generation of which a copy is whole.
pub(super) fn load(store: &dyn StorageBackend) -> Result<Config, RepoError> {
    load_all(store).map(|loaded| loaded.config)
}

/// The same, and tells whether a copy is missing.
pub(super) fn load_all(store: &dyn StorageBackend) -> Result<Loaded, RepoError> {
    let location = store.location();
    let listed = match store.list("config/") {
        Ok(listed) => listed,
        Err(StoreError::NotFound { .. } | StoreError::NotAStore { .. }) => Vec::new(),
        Err(source) => return Err(RepoError::Store { location, source }),
    };
    let mut generations: Vec<u64> =
        listed.iter().filter_map(|blob| generation_of(blob.name.as_str())).collect();
    generations.sort_unstable();
    generations.dedup();
    if generations.is_empty() {
        return Err(match has_log(store)? {
            true => RepoError::ConfigLost { location },
            false => RepoError::NoRepository { location },
        });
    }
    let mut newer = None;
    for name in generations.into_iter().rev().flat_map(names) {
        match read(store, &name) {
            Ok(Ok(config)) => {
                let is_listed = |name: &BlobName| listed.iter().any(|blob| blob.name == *name);
                let missing = names(config.generation).into_iter().find(|name| !is_listed(name));
                return Ok(Loaded { config, missing });
            }
            Ok(Err(source @ DecodeError::Version { .. })) => {
                newer = newer.or(Some(RepoError::Format { file: name.as_str().to_owned(), source }));
            }
            Ok(Err(_)) => {}
            Err(StoreError::NotFound { .. } | StoreError::TooLarge { .. }) => {}
            Err(source) => return Err(RepoError::Store { location, source }),
        }
    }
    Err(newer.unwrap_or(RepoError::ConfigLost { location }))
}

/// The copies of the newest generation.
#[derive(Default)]
pub(super) struct Examined {
    /// The first one that is whole.
    pub(super) config: Option<Config>,
    /// What is wrong with them, each with its name in the store.
    pub(super) faults: Vec<(String, RepoError)>,
    /// One is not there: it may be about to come.
    is_half: bool,
}

/// Looks at both copies of the newest generation.
pub(super) fn examine(store: &dyn StorageBackend) -> Result<Examined, RepoError> {
    let mut tries = 0;
    loop {
        let examined = examine_once(store)?;
        // A writer stores one copy after the other: one that is at work needs a moment.
        if !examined.is_half || tries == SETTLE_TRIES {
            return Ok(examined);
        }
        tries += 1;
        std::thread::sleep(SETTLE_TIME);
    }
}

fn examine_once(store: &dyn StorageBackend) -> Result<Examined, RepoError> {
    let (generation, mut examined) = (newest_generation(store)?, Examined::default());
    if generation == 0 {
        let lost = RepoError::ConfigLost { location: store.location() };
        examined.faults.push(("config".to_owned(), lost));
        return Ok(examined);
    }
    for name in names(generation) {
        if let Err(fault) = examined.copy(store, &name) {
            examined.faults.push((name.as_str().to_owned(), fault));
        }
    }
    Ok(examined)
}

impl Examined {
    fn copy(&mut self, store: &dyn StorageBackend, name: &BlobName) -> Result<(), RepoError> {
        let file = || name.as_str().to_owned();
        let copy = read(store, name).map_err(|source| {
            self.is_half |= source.is_not_found();
            RepoError::Store { location: store.location(), source }
        })?;
        let copy = copy.map_err(|source| RepoError::Format { file: file(), source })?;
        match &self.config {
            Some(first) if *first != copy => Err(RepoError::CopiesDiffer { file: file() }),
            _ => {
                self.config = Some(copy);
                Ok(())
            }
        }
    }
}

fn read(store: &dyn StorageBackend, name: &BlobName) -> Result<Result<Config, DecodeError>, StoreError> {
    store.get(name, CONFIG_LEN_MAX as u64).map(|bytes| Config::decode(&bytes))
}

/// Whether there is a log, or what a log speaks of: then there was a configuration.
pub(super) fn has_log(store: &dyn StorageBackend) -> Result<bool, RepoError> {
    Ok(has_blobs(store, "log/")? || has_content(store)?)
}

/// Whether there is anything that a log must have spoken of: packs, or what a recovery put aside.
pub(super) fn has_content(store: &dyn StorageBackend) -> Result<bool, RepoError> {
    Ok(has_blobs(store, "packs/")? || has_blobs(store, LOST)?)
}

fn has_blobs(store: &dyn StorageBackend, folder: &str) -> Result<bool, RepoError> {
    match store.list(folder) {
        Ok(listed) => Ok(!listed.is_empty()),
        Err(StoreError::NotFound { .. } | StoreError::NotAStore { .. }) => Ok(false),
        Err(source) => Err(RepoError::Store { location: store.location(), source }),
    }
}

/// The highest generation that has a file, whole or not; 0: none.
pub(super) fn newest_generation(store: &dyn StorageBackend) -> Result<u64, RepoError> {
    let listed = store.list("config/");
    let listed = listed.map_err(|source| RepoError::Store { location: store.location(), source })?;
    Ok(listed.iter().filter_map(|blob| generation_of(blob.name.as_str())).max().unwrap_or(0))
}

/// Stores a new generation; `false`: another process stored this one first.
pub(super) fn store(store: &dyn StorageBackend, config: &Config) -> Result<bool, RepoError> {
    let failed = |source| RepoError::Store { location: store.location(), source };
    let bytes = config
        .encode()
        .map_err(|source| RepoError::Format { file: "the configuration".to_owned(), source })?;
    let [first, copy] = names(config.generation);
    if store.put_new(&first, &[&bytes]).map_err(failed)? == Put::Exists {
        return Ok(false);
    }
    store.put_new(&copy, &[&bytes]).map_err(failed)?;
    for blob in store.list("config/").map_err(failed)? {
        if generation_of(blob.name.as_str()).is_some_and(|generation| generation < config.generation) {
            store.delete(&blob.name).map_err(failed)?;
        }
    }
    Ok(true)
}

/// Writes a copy that is missing. Whoever else writes it, a writer that was only slow, writes the same.
pub(super) fn complete(
    store: &dyn StorageBackend,
    config: &Config,
    missing: &BlobName,
) -> Result<(), RepoError> {
    // Another one has taken its place meanwhile, with both copies.
    if newest_generation(store)? != config.generation || !names(config.generation).contains(missing) {
        return Ok(());
    }
    let bytes = config
        .encode()
        .map_err(|source| RepoError::Format { file: "the configuration".to_owned(), source })?;
    let put = store.put_new(missing, &[&bytes]);
    put.map(drop).map_err(|source| RepoError::Store { location: store.location(), source })
}

/// Changes the configuration by compare-and-swap: `change` is applied to the newest generation until one attempt wins.
pub(super) fn update(
    backend: &dyn StorageBackend,
    change: &mut dyn FnMut(&mut Config) -> Result<(), RepoError>,
) -> Result<Config, RepoError> {
    for _ in 0..16 {
        let mut config = load(backend)?;
        change(&mut config)?;
        config.generation += 1;
        if store(backend, &config)? {
            return Ok(config);
        }
    }
    Err(RepoError::Busy)
}
