//! Who may do what: a file with a line for each permission.
//!
//! ```text
//! # key (or *)       repository (or PREFIX/*, or *)   rights                  namespaces of refs (all without)
//! ed25519:AAAA…      team/laptop                      read,append
//! ed25519:BBBB…      *                                read,append,ref-force,gc,admin
//! ed25519:CCCC…      ci/*                             read,append             0f3a…,77b2…
//! ```
//!
//! A server does not know the names of refs, so namespaces are those opaque ids that `warp branch --namespaces` shows.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use crate::format::wire::Rights;
use crate::id::NamespaceId;
use crate::sync::PeerKey;

use super::{AccessSource, locked};

/// Most bytes of a file of access.
const FILE_LEN_MAX: u64 = 16 << 20;
/// How long a look at the file counts: so soon does a change of it hold.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the rules of access cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line is no rule.
    #[error("{} line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The rules of access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// `None`: everybody.
    key: Option<PeerKey>,
    repository: String,
    rights: Rights,
    namespaces: Option<BTreeSet<NamespaceId>>,
}

/// What a key may do with a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    parts: Vec<(Rights, Option<BTreeSet<NamespaceId>>)>,
}

impl Grant {
    /// All rights that it has with any ref.
    pub fn rights(&self) -> Rights {
        self.parts.iter().fold(Rights::NONE, |all, (rights, _)| all.and(*rights))
    }

    /// Whether it has `right` with the refs of a namespace.
    pub fn covers(&self, right: Rights, namespace: &NamespaceId) -> bool {
        let within = |namespaces: &Option<BTreeSet<_>>| {
            namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
        };
        self.parts.iter().any(|(rights, namespaces)| rights.has(right) && within(namespaces))
    }
}

impl Access {
    /// Everything for everybody: for tests, and for a server that only its owner can reach.
    pub fn open_to_all() -> Self {
        let rule = Rule { key: None, repository: "*".to_owned(), rights: Rights::ALL, namespaces: None };
        Self { rules: vec![rule] }
    }

    /// Adds a rule: `repository` is a path, `PREFIX/*` or `*`.
    #[must_use]
    pub fn with(mut self, key: PeerKey, repository: &str, rights: Rights) -> Self {
        let rule = Rule { key: Some(key), repository: repository.to_owned(), rights, namespaces: None };
        self.rules.push(rule);
        self
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// The number of the first line that is no rule, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let (access, faults) = Self::parse_each(text);
        faults.into_iter().next().map_or(Ok(access), Err)
    }

    /// What the lines grant that are rules, and which are none: their numbers, and why.
    fn parse_each(text: &str) -> (Self, Vec<(usize, String)>) {
        let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
        let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let (mut rules, mut faults) = (Vec::new(), Vec::new());
        for (line, number) in lines {
            match rule(line) {
                Ok(rule) => rules.push(rule),
                Err(why) => faults.push((number, why)),
            }
        }
        (Self { rules }, faults)
    }

    /// What a key may do with a repository.
    pub fn grant(&self, key: &PeerKey, repository: &str) -> Grant {
        let fits =
            |rule: &&Rule| rule.key.is_none_or(|of| of == *key) && is_meant(&rule.repository, repository);
        let parts = self.rules.iter().filter(fits).map(|rule| (rule.rights, rule.namespaces.clone()));
        Grant { parts: parts.collect() }
    }
}

fn is_meant(pattern: &str, repository: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(folder) => repository.starts_with(folder),
        None => pattern == repository,
    }
}

fn rule(line: &str) -> Result<Rule, String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (key, repository, rights, namespaces) = match fields[..] {
        [key, repository, rights] => (key, repository, rights, None),
        [key, repository, rights, namespaces] => (key, repository, rights, Some(namespaces)),
        _ => return Err("expected: KEY REPOSITORY RIGHTS [NAMESPACES]".to_owned()),
    };
    let key = match key {
        "*" => None,
        key => Some(key.parse().map_err(|error: crate::sync::ParseKeyError| error.to_string())?),
    };
    let is_pattern = repository == "*" || repository.ends_with("/*");
    let plain = repository.trim_end_matches('*').trim_end_matches('/');
    if plain.contains('*') || (!is_pattern && super::names::check_repository(repository).is_err()) {
        return Err(format!("{repository:?} is neither a repository's path nor PREFIX/* nor *"));
    }
    let namespaces = namespaces.map(|namespaces| {
        let parsed = namespaces.split(',').map(|id| id.parse::<NamespaceId>());
        parsed.collect::<Result<_, _>>().map_err(|error| error.to_string())
    });
    Ok(Rule {
        key,
        repository: repository.to_owned(),
        rights: rights_of(rights)?,
        namespaces: namespaces.transpose()?,
    })
}

fn rights_of(text: &str) -> Result<Rights, String> {
    let unknown = |name: &str| format!("{name:?} is no right: known are {}", Rights::NAMES.join(", "));
    text.split(',').try_fold(Rights::NONE, |all, name| match name {
        "all" => Ok(Rights::ALL),
        name => Rights::by_name(name).map(|right| all.and(right)).ok_or_else(|| unknown(name)),
    })
}

/// The rules of access, as fresh as their file.
#[derive(Debug)]
pub(super) struct AccessFile {
    path: Option<PathBuf>,
    now: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    access: Arc<Access>,
    /// When the file was changed last, and how long it was; `None`: it is not there.
    stamp: Option<(SystemTime, u64)>,
    looked: Instant,
}

impl AccessFile {
    pub(super) fn new(source: AccessSource) -> Result<Self, AccessError> {
        let (path, access, stamp) = match source {
            AccessSource::Fixed(access) => (None, access, None),
            AccessSource::File(path) => {
                let stamp = stamp(&path);
                let (access, faults) = load(&path)?;
                faults.into_iter().next().map_or(Ok(()), Err)?;
                (Some(path), access, stamp)
            }
        };
        let now = Loaded { access: Arc::new(access), stamp, looked: Instant::now() };
        Ok(Self { path, now: Mutex::new(now) })
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads the file now. What its good lines grant holds, whatever the error says of others.
    pub(super) fn reload(&self) -> Result<(), AccessError> {
        let Some(path) = &self.path else { return Ok(()) };
        let stamp = stamp(path);
        let (access, faults) = load(path)?;
        *locked(&self.now) = Loaded { access: Arc::new(access), stamp, looked: Instant::now() };
        faults.into_iter().next().map_or(Ok(()), Err)
    }

    pub(super) fn grant(&self, key: &PeerKey, repository: &str) -> Grant {
        self.fresh().grant(key, repository)
    }

    /// The rules. A line that cannot be understood grants nothing, since rights add up, and a file that cannot be read takes all rights away: either
    /// rather than keep what was taken back.
    fn fresh(&self) -> Arc<Access> {
        let mut now = locked(&self.now);
        if let Some(path) = &self.path
            && now.looked.elapsed() >= LOOK_EVERY
        {
            now.looked = Instant::now();
            let stamp = stamp(path);
            if stamp != now.stamp {
                now.stamp = stamp;
                now.access = Arc::new(load_or_tell(path));
            }
        }
        Arc::clone(&now.access)
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// What a file grants that has changed; its faults go into the log.
fn load_or_tell(path: &Path) -> Access {
    match load(path) {
        Ok((access, faults)) => {
            for error in faults {
                tracing::error!(%error, "this line grants nothing");
            }
            access
        }
        Err(error) => {
            tracing::error!(%error, "nobody may do anything until the file of access can be read again");
            Access::default()
        }
    }
}

/// What a file grants, and what is wrong with others of its lines.
fn load(path: &Path) -> Result<(Access, Vec<AccessError>), AccessError> {
    let failed = |source| AccessError::Read { path: path.to_owned(), source };
    let bytes = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Ok(meta) if meta.len() > FILE_LEN_MAX => return Err(failed(io::ErrorKind::FileTooLarge.into())),
        _ => std::fs::read_to_string(path).map_err(failed)?,
    };
    let (access, faults) = Access::parse_each(&bytes);
    let fault = |(line, why)| AccessError::Line { path: path.to_owned(), line, why };
    Ok((access, faults.into_iter().map(fault).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PeerKey {
        PeerKey::new([n; 32])
    }

    #[test]
    fn rules_add_up_and_meant_are_a_path_a_folder_or_all() {
        let text = format!(
            "# who\n\n{} team/a read,append\n{} team/* read\n* pub read\n{} * all\n",
            key(1),
            key(1),
            key(2)
        );
        let access = Access::parse(&text).unwrap();
        let rights = |n, path| access.grant(&key(n), path).rights();
        assert_eq!(rights(1, "team/a"), Rights::READ.and(Rights::APPEND));
        assert_eq!(rights(1, "team/b"), Rights::READ);
        assert_eq!((rights(1, "teams"), rights(1, "team")), (Rights::NONE, Rights::NONE));
        assert_eq!(
            (rights(1, "pub"), rights(3, "pub"), rights(3, "x")),
            (Rights::READ, Rights::READ, Rights::NONE)
        );
        assert_eq!(rights(2, "x/y"), Rights::ALL);
    }

    #[test]
    fn a_namespace_limits_what_its_own_line_grants() {
        let (a, b) = (NamespaceId::new([1; 16]), NamespaceId::new([2; 16]));
        let text = format!("{} r read,append {a}\n{} r ref-force {b}\n", key(1), key(1));
        let grant = Access::parse(&text).unwrap().grant(&key(1), "r");
        assert!(grant.covers(Rights::APPEND, &a) && grant.covers(Rights::REF_FORCE, &b));
        assert!(!grant.covers(Rights::APPEND, &b) && !grant.covers(Rights::REF_FORCE, &a));
    }

    #[test]
    fn what_is_no_rule_is_named_by_its_line() {
        let good = format!("{} r read", key(1));
        for bad in [
            "x r read",
            "* r",
            "* r write",
            "* r/../s read",
            "* a*b read",
            "* r read xyz",
            "* r read 00 more",
        ] {
            let error = Access::parse(&format!("{good}\n{bad}\n")).unwrap_err();
            assert_eq!(error.0, 2, "{bad}: {}", error.1);
        }
    }

    #[test]
    fn a_change_of_the_file_holds_within_a_second_and_a_broken_line_grants_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access");
        std::fs::write(&path, format!("{} r read\n", key(1))).unwrap();
        let file = AccessFile::new(AccessSource::File(path.clone())).unwrap();
        assert_eq!(file.grant(&key(1), "r").rights(), Rights::READ);
        for (text, wanted) in [("", Rights::NONE), ("* r all\n", Rights::ALL), ("* r what\n", Rights::NONE)] {
            std::fs::write(&path, text).unwrap();
            locked(&file.now).looked -= LOOK_EVERY;
            assert_eq!(file.grant(&key(1), "r").rights(), wanted, "{text:?}");
        }
        // Others are not shut out by it.
        std::fs::write(&path, format!("{} r append\n* r what\n* r read\n", key(1))).unwrap();
        assert!(file.reload().is_err());
        assert_eq!(file.grant(&key(1), "r").rights(), Rights::READ.and(Rights::APPEND));
        assert!(
            AccessFile::new(AccessSource::File(path.clone())).is_err(),
            "a server does not begin with one"
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        locked(&file.now).looked -= LOOK_EVERY;
        assert_eq!(file.grant(&key(1), "r").rights(), Rights::NONE);
        assert!(AccessFile::new(AccessSource::File(dir.path().join("none"))).is_ok());
    }
}
