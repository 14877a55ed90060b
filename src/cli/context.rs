//! What a command works on: settings, the repository that they lead to, and what paths and revisions mean there.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use warp::format::config::KdfParams;
use warp::id::CommitId;
use warp::net::{ParseUrlError, ServerUrl};
use warp::ops;
use warp::repo::{
    Client, Credentials, ErrorKind, Head, Probe, RepoError, Repository, ResolveContext, VersionInfo, WorkDir,
};
use warp::store::{LocalStore, OsVfs, StorageBackend, StoreError};

use super::args::{GlobalArgs, LatestArgs};
use super::config::{self, UserConfig};
use super::error::{CliError, Exit, NO_REPOSITORY_HINT};
use super::password::Source;
use super::remote::LimitArgs;
use super::settings::Settings;
use super::ui::Ui;
use super::{escape, time};

/// Name of the folder that makes the folder around it a working directory.
pub(crate) const DOT_WARP: &str = WorkDir::FOLDER;
/// How often a password is asked for at a terminal.
const ATTEMPTS: u32 = 3;
/// Cost of deriving a key from a password: RFC 9106's second recommended choice, on one lane more or less.
const KDF: KdfParams = KdfParams { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

/// The command line's surroundings.
pub(crate) struct Context {
    pub(crate) globals: GlobalArgs,
    /// Environment over profile over the rest of the file.
    pub(crate) settings: Settings,
    env: Settings,
    user: UserConfig,
    home: Option<PathBuf>,
    cwd: PathBuf,
}

/// Where a repository lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// The repository itself.
    pub(crate) dir: PathBuf,
    /// The folder around it, if it is a `.warp`.
    pub(crate) root: Option<PathBuf>,
}

impl Context {
    /// Reads the environment and the user's settings.
    pub(crate) fn new(globals: GlobalArgs) -> Result<Self, CliError> {
        let home = config::home();
        let env = Settings::from_env(|name| std::env::var_os(name)).map_err(CliError::usage)?;
        let user = match config::path(home.as_deref()) {
            Ok(path) => UserConfig::load(&path, profile(&globals).as_deref(), home.as_deref())?,
            Err(_) => UserConfig::default(),
        };
        let cwd = std::env::current_dir().map_err(|error| CliError::file("find", Path::new("."), error))?;
        Ok(Self { settings: env.clone().over(user.merged()), globals, env, user, home, cwd })
    }

    /// The layers of settings with their names, the strongest first.
    pub(crate) fn layers(&self) -> [(&'static str, &Settings); 3] {
        [("environment", &self.env), ("profile", &self.user.profile), ("file", &self.user.base)]
    }

    /// How many threads work; 0: one for each core.
    pub(crate) fn threads(&self) -> usize {
        self.globals.threads.or(self.settings.threads).unwrap_or(0)
    }

    /// Home of the user.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Name of this host.
    pub(crate) fn host(&self) -> String {
        let system = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.settings.host.clone().unwrap_or_else(system)
    }

    /// `user@host`.
    pub(crate) fn who(&self) -> String {
        let name = uzers::get_current_username().map(|name| name.to_string_lossy().into_owned());
        format!("{}@{}", name.unwrap_or_else(|| uzers::get_current_uid().to_string()), self.host())
    }

    /// A path below the current directory.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        lexical(&self.cwd.join(path))
    }

    /// Where a password comes from: the command line, the environment, the settings, a terminal.
    fn password_source(&self) -> Source {
        let flags = Settings {
            key_file: self.globals.key_file.clone(),
            password_file: self.globals.password_file.clone(),
            password_command: self.globals.password_command.clone(),
            ..Settings::default()
        };
        let variable = || std::env::var_os("WARP_PASSWORD").map(|_| Source::Variable("WARP_PASSWORD"));
        let given = Source::of(&flags).or_else(|| Source::of(&self.env)).or_else(variable);
        given.or_else(|| Source::of(&self.settings)).unwrap_or(Source::Prompt)
    }

    /// The password of something that is not the repository at hand.
    pub(crate) fn credentials(&self, question: &str) -> Result<Credentials, CliError> {
        self.password_source().read(question, false)
    }

    /// The password of a repository that is being made.
    pub(crate) fn new_credentials(&self) -> Result<Credentials, CliError> {
        self.password_source().read("Password for the new repository: ", true)
    }

    /// Finds the repository: `-r`, `WARP_REPOSITORY`, settings, the nearest `.warp` upwards.
    pub(crate) fn locate(&self) -> Result<Location, CliError> {
        let named = self.globals.repo.as_ref().or(self.settings.repository.as_ref());
        if let Some(dir) = named {
            return Ok(match group_url(dir).is_some() || server_url(dir)?.is_some() {
                true => Location { dir: dir.clone(), root: None },
                false => named_location(&self.cwd.join(dir)),
            });
        }
        let mut upwards = self.cwd.ancestors().filter(|folder| folder.join(DOT_WARP).is_dir());
        upwards.next().map(named_location).ok_or_else(|| {
            let message = format!(
                "no repository: {} and no folder above it holds a {DOT_WARP}",
                escape::path(&self.cwd)
            );
            CliError::new(Exit::NoRepository, message).hint(NO_REPOSITORY_HINT)
        })
    }

    /// Who works on a repository, and from where.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        Ok(Client {
            state_dir: config::state_dir(self.home.as_deref())?,
            cache_dir: Some(config::cache_dir(self.home.as_deref())?),
            vfs: Arc::new(OsVfs::new()),
            who: self.who(),
            host: self.host(),
            now: time::now,
            utc_offset: time::utc_offset(time::now()),
            accept_rollback: self.globals.accept_rollback,
        })
    }

    /// Finds the repository and opens its store, which needs no password.
    pub(crate) fn store(&self) -> Result<(Location, Arc<dyn StorageBackend>), CliError> {
        let location = self.locate()?;
        if let Some(url) = group_url(&location.dir) {
            let store = self.open_remote(&self.remote_url(url)?, false, &LimitArgs::default())?;
            return Ok((location, store));
        }
        if let Some(url) = server_url(&location.dir)? {
            let store = self.open_server(&url, false, &LimitArgs::default())?;
            return Ok((location, store));
        }
        let store = LocalStore::open(&location.dir, Arc::new(OsVfs::new()));
        if matches!(store, Err(StoreError::NotAStore { .. })) && lacks_only_config(&location.dir) {
            let location = location.dir.display().to_string();
            return Err(RepoError::ConfigLost { location }.into());
        }
        Ok((location, Arc::new(store?)))
    }

    /// Finds and opens the repository, asking for its password if it has one.
    pub(crate) fn open(&self, ui: &mut Ui) -> Result<Opened, CliError> {
        Ok(self.open_with_secret(ui)?.0)
    }

    /// The same, and returns what opened it.
    pub(crate) fn open_with_secret(&self, ui: &mut Ui) -> Result<(Opened, Credentials), CliError> {
        let open = |store, credentials: &Credentials, client| {
            Ok((Repository::open(store, credentials, client)?, credentials.clone()))
        };
        let (location, probe, (repo, credentials)) = self.open_with(ui, open)?;
        repo.chunks().vault().tell_of_healing(ui.warner());
        for notice in repo.notices() {
            ui.warn(format_args!("{}", escape::text(notice)));
        }
        let workdir = location.root.filter(|_| probe.worktree).map(WorkDir::open);
        Ok((Opened { repo, workdir, cwd: self.cwd.clone() }, credentials))
    }

    /// Finds the repository and opens it as `open` does, asking for its password if it has one; at a terminal a wrong one may be
    /// corrected.
    pub(crate) fn open_with<T>(
        &self,
        ui: &mut Ui,
        open: impl Fn(Arc<dyn StorageBackend>, &Credentials, Client) -> Result<T, RepoError>,
    ) -> Result<(Location, Probe, T), CliError> {
        let (location, store) = self.store()?;
        let probe = Repository::probe(store.as_ref())?;
        if !probe.encrypted {
            let opened = open(store, &Credentials::None, self.client()?)?;
            return Ok((location, probe, opened));
        }
        let source = self.password_source();
        let question = format!("Password for {}: ", escape::path(&location.dir));
        let mut attempt = 1;
        loop {
            let credentials = source.read(&question, false)?;
            match open(Arc::clone(&store), &credentials, self.client()?) {
                Err(error) if again(&error, &source) && attempt < ATTEMPTS => {
                    attempt += 1;
                    ui.status(format_args!("Wrong password, try again"));
                }
                opened => return Ok((location, probe, opened?)),
            }
        }
    }
}

fn again(error: &warp::repo::RepoError, source: &Source) -> bool {
    error.kind() == ErrorKind::WrongPassword && *source == Source::Prompt
}

/// The place of a repository, if it is at a server.
pub(crate) fn server_url(place: &Path) -> Result<Option<ServerUrl>, CliError> {
    let text = place.to_str().filter(|text| ServerUrl::is_meant(text));
    text.map(str::parse).transpose().map_err(|error: ParseUrlError| CliError::usage(error.to_string()))
}

/// The place of a repository, if it is a group's.
fn group_url(place: &Path) -> Option<&str> {
    place.to_str().filter(|text| warp::repo::RemoteUrl::is_group(text))
}

/// The profile that the command line or the environment names.
pub(crate) fn profile(globals: &GlobalArgs) -> Option<String> {
    let variable = || std::env::var("WARP_PROFILE").ok().filter(|name| !name.is_empty());
    globals.profile.clone().or_else(variable)
}

/// Cost of deriving a new key. The feature `testing` makes it cheap where `WARP_TESTING_KDF=1` asks for it.
pub(crate) fn kdf() -> KdfParams {
    #[cfg(feature = "testing")]
    if std::env::var_os("WARP_TESTING_KDF").is_some_and(|value| value == "1") {
        return KdfParams { memory_kib: 8, passes: 1, lanes: 1 };
    }
    KDF
}

/// Whether this is what remains of a repository whose configuration was removed, folder and all.
pub(crate) fn lacks_only_config(dir: &Path) -> bool {
    let has = |folder| dir.join(folder).is_dir();
    has("packs") && ["log", "index", "checkpoint", "lost", "tmp"].into_iter().any(has)
}

/// `DIR` where it holds a `.warp`, a `.warp` itself, or a stand-alone repository.
pub(crate) fn named_location(dir: &Path) -> Location {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if dir.join(DOT_WARP).is_dir() {
        return Location { root: Some(dir.clone()), dir: dir.join(DOT_WARP) };
    }
    let around = dir.parent().filter(|_| dir.file_name() == Some(OsStr::new(DOT_WARP)));
    Location { root: around.map(Path::to_owned), dir: dir.clone() }
}

/// An open repository, and the working directory around it, if there is one.
pub(crate) struct Opened {
    pub(crate) repo: Repository,
    pub(crate) workdir: Option<WorkDir>,
    cwd: PathBuf,
}

impl Opened {
    /// A repository that was just made inside the working directory `root`.
    pub(crate) fn at(repo: Repository, root: &Path) -> Self {
        Self { repo, workdir: Some(WorkDir::open(root)), cwd: root.to_owned() }
    }

    /// Where the working directory stands.
    pub(crate) fn head(&self) -> Result<Option<Head>, CliError> {
        Ok(self.workdir.as_ref().map(WorkDir::head).transpose()?)
    }

    /// The working directory, or an error that says what to use instead.
    pub(crate) fn need_workdir(&self, instead: &str) -> Result<&WorkDir, CliError> {
        self.workdir.as_ref().ok_or_else(|| {
            let message = format!("{} has no working directory", escape::line(&self.repo.location()));
            CliError::failed(message).hint(instead)
        })
    }

    /// The revision that a command means when none is named.
    pub(crate) fn default_revision(&self) -> &'static str {
        if self.workdir.is_some() { "HEAD" } else { "latest" }
    }

    /// The commit of a revision; `latest` obeys the filters.
    pub(crate) fn resolve(&self, revision: &str, latest: &LatestArgs) -> Result<CommitId, CliError> {
        let context = ResolveContext {
            head: self.head()?,
            now: time::now(),
            host: latest.host.clone(),
            paths: latest
                .path
                .iter()
                .map(|path| lexical(&self.cwd.join(path)).into_os_string().into_vec())
                .collect(),
            tags: latest.tag.clone(),
        };
        Ok(self.repo.resolve(revision, &context)?)
    }

    /// The commit of a revision, with its content.
    pub(crate) fn version(&self, revision: &str, latest: &LatestArgs) -> Result<VersionInfo, CliError> {
        Ok(self.repo.version(self.resolve(revision, latest)?)?)
    }

    /// Where a branch stands; `None` if there is none of this name.
    pub(crate) fn branch(&self, name: &str) -> Option<CommitId> {
        self.repo.timeline().branch(name)
    }

    /// The commit that HEAD stands on; `None` before the first one.
    pub(crate) fn head_commit(&self) -> Result<Option<CommitId>, CliError> {
        Ok(match self.head()? {
            Some(Head::Branch(name)) => self.branch(&name),
            Some(Head::Detached(id)) => Some(id),
            None => None,
        })
    }

    /// The live files that a commit is compared with: the working directory, or the paths that it was made of.
    pub(crate) fn live(&self, commit: CommitId) -> Result<ops::Source, CliError> {
        Ok(match &self.workdir {
            Some(workdir) => ops::Source::WorkDir(workdir.root().to_owned()),
            None => {
                let paths = self.repo.version(commit)?.commit.paths;
                ops::Source::Paths(paths.into_iter().map(|path| OsString::from_vec(path).into()).collect())
            }
        })
    }

    /// Where the live tree's root lies on this host.
    pub(crate) fn live_root(&self) -> &Path {
        self.workdir.as_ref().map_or(Path::new("/"), WorkDir::root)
    }

    /// A path of the command line as a path of the tree: without a leading `/`; empty is the root. In a working
    /// directory it is relative to the current directory, in a stand-alone repository to the root.
    pub(crate) fn tree_path(&self, path: &OsStr) -> Result<Vec<u8>, CliError> {
        let root = self.live_root();
        let base = if self.workdir.is_some() && self.cwd.starts_with(root) { &self.cwd } else { root };
        let full = lexical(&base.join(path));
        let below = full.strip_prefix(root).map_err(|_| {
            CliError::usage(format!("{} is outside of the working directory", escape::path(Path::new(path))))
        })?;
        Ok(below.as_os_str().as_bytes().to_vec())
    }

    /// [`Self::tree_path`] of each.
    pub(crate) fn tree_paths(&self, paths: &[OsString]) -> Result<Vec<Vec<u8>>, CliError> {
        paths.iter().map(|path| self.tree_path(path)).collect()
    }

    /// Splits `REV:PATH`. The path is one of the tree, from its root; `REV:./PATH` starts at the current directory.
    pub(crate) fn split_spec(&self, spec: &OsStr) -> Result<(String, Option<Vec<u8>>), CliError> {
        let bytes = spec.as_bytes();
        let (revision, path) = match colon(bytes) {
            Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
            None => (bytes, None),
        };
        let text = std::str::from_utf8(revision);
        let text =
            text.map_err(|_| CliError::usage(format!("{} is not a revision", escape::name(revision))))?;
        let revision = if text.is_empty() { self.default_revision() } else { text };
        let path = path.map(|path| match path {
            b"." => self.tree_path(OsStr::from_bytes(path)),
            relative if relative.starts_with(b"./") || relative.starts_with(b"../") => {
                self.tree_path(OsStr::from_bytes(relative))
            }
            whole => Ok(rooted(whole)),
        });
        Ok((revision.to_owned(), path.transpose()?))
    }
}

/// The colon behind a revision: not one within `@{…}`.
fn colon(spec: &[u8]) -> Option<usize> {
    let mut depth = 0;
    spec.iter().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        *byte == b':' && depth <= 0
    })
}

/// A path from the tree's root, without the slashes and dots that mean nothing.
fn rooted(path: &[u8]) -> Vec<u8> {
    let full = lexical(&Path::new("/").join(OsStr::from_bytes(path)));
    full.strip_prefix("/").unwrap_or(&full).as_os_str().as_bytes().to_vec()
}

/// Resolves `.` and `..` in an absolute path by their text alone.
fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_within_a_date_does_not_split() {
        assert_eq!(colon(b"main:src"), Some(4));
        assert_eq!(colon(b"main@{2026-11-22 13:58}:src:x"), Some(23));
        assert_eq!(colon(b"main@{13:58}"), None);
    }

    #[test]
    fn tree_paths_have_no_dots_and_no_leading_slash() {
        for (path, wanted) in [("/a/./b/", "a/b"), ("a/../b", "b"), ("../../a", "a"), ("", ""), ("/", "")] {
            assert_eq!(rooted(path.as_bytes()), wanted.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_repository_is_named_by_itself_or_by_the_folder_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join(DOT_WARP)).unwrap();
        let wanted = Location { dir: root.join(DOT_WARP), root: Some(root.clone()) };
        assert_eq!(named_location(&root), wanted);
        assert_eq!(named_location(&root.join(DOT_WARP)), wanted);
        let bare = root.join("bare");
        assert_eq!(named_location(&bare), Location { dir: bare, root: None });
    }
}
