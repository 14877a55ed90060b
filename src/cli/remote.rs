//! Other repositories: where they lie, and how they are opened with the keys at hand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use warp::erasure::ErasureConfig;
use warp::ops::spread::{Seat, SpreadOptions, SpreadStore};
use warp::repo::{Credentials, Head, RemoteUrl, RepoError, Repository, WorkDir};
use warp::store::{Limits, LocalStore, OsVfs, StorageBackend, Throttle, ThrottledStore};
use warp::sync::{TransferConfig, VerificationMode};

use super::cmd::check_room;
use super::context::{Context, Opened, named_location};
use super::error::{CliError, Exit};
use super::escape;
use super::password::Source;
use super::signals;
use super::size;
use super::ui::Ui;

/// How fast bytes may go
#[derive(clap::Args, Debug, Default, Clone)]
pub(crate) struct RateArgs {
    /// Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M
    #[arg(long, value_name = "RATE", value_parser = size::parse_rate)]
    limit_upload: Option<u64>,

    /// Receive at most so much a second, said in the same way
    #[arg(long, value_name = "RATE", value_parser = size::parse_rate)]
    limit_download: Option<u64>,
}

/// How packs are carried
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct LimitArgs {
    #[command(flatten)]
    rates: RateArgs,

    /// What is proved on the way: none, final, per-chunk, or "sampling N%"
    ///
    /// final compares the Merkle root over each pack once it has come; per-chunk takes a proof with every piece, sampling with so many of a hundred,
    /// and refuses the first wrong one as it comes; what is fetched is then read whole, and healed if its parity can. A server checks every pack as a whole before its log may name it, whatever is said here.
    #[arg(long, value_name = "MODE", default_value = "final")]
    verify: VerificationMode,

    /// Connections to a server
    ///
    /// One is encrypted by one core at each end, which is enough for most networks; more help between machines with more cores on faster ones.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=8))]
    connections: u8,

    /// How many members of a group may miss what is written.
    #[arg(skip)]
    allow_missing: usize,

    /// How long a server may take to answer at all; `None`: as long as is usual.
    #[arg(skip)]
    patience: Option<Duration>,

    /// What all connections of the command share.
    #[arg(skip)]
    throttle: OnceLock<Option<Arc<Throttle>>>,
}

/// How long a group waits for a member before it does without: several times what a far and lossy line takes.
const MEMBER_PATIENCE: Duration = Duration::from_secs(4);

/// How packs are carried, unless somebody wants it otherwise.
impl Default for LimitArgs {
    fn default() -> Self {
        Self::from(&RateArgs::default())
    }
}

impl From<&RateArgs> for LimitArgs {
    /// For what carries no packs.
    fn from(rates: &RateArgs) -> Self {
        Self {
            rates: rates.clone(),
            verify: VerificationMode::default(),
            connections: 1,
            allow_missing: 0,
            patience: None,
            throttle: OnceLock::new(),
        }
    }
}

impl LimitArgs {
    /// What is proved on the way.
    pub(crate) fn verification(&self) -> VerificationMode {
        self.verify
    }

    /// The same, and so many members of a group may miss what is written.
    pub(crate) fn allowing(&self, allow_missing: usize) -> Self {
        Self { allow_missing, ..self.clone() }
    }

    /// How long a server may take to answer at all.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Connections to a server.
    pub(crate) fn connections(&self) -> usize {
        self.connections.into()
    }

    /// The limits, which everything shares that is opened with them.
    pub(crate) fn throttle(&self) -> Option<Arc<Throttle>> {
        let new = || {
            let (upload, download) = (self.rates.limit_upload, self.rates.limit_download);
            let is_limited = upload.is_some() || download.is_some();
            is_limited.then(|| Arc::new(Throttle::new(Limits { upload, download }, signals::cancelled)))
        };
        self.throttle.get_or_init(new).clone()
    }

    /// A store of this machine within the limits.
    fn throttled(&self, store: LocalStore) -> Arc<dyn StorageBackend> {
        match self.throttle() {
            None => Arc::new(store),
            Some(throttle) => Arc::new(ThrottledStore::new(Arc::new(store), throttle)),
        }
    }
}

/// The password of a repository with other keys
#[derive(clap::Args, Debug, Default)]
pub(crate) struct RemotePassword {
    /// Read the password of a remote that has other keys from a file
    ///
    /// Also: the variable WARP_REMOTE_PASSWORD, which may hold the password itself. Without them the password is looked for where
    /// that of this repository is.
    #[arg(long, value_name = "FILE")]
    remote_password_file: Option<PathBuf>,
}

impl RemotePassword {
    fn source(&self) -> Option<Source> {
        const NAME: &str = "WARP_REMOTE_PASSWORD";
        let variable = || std::env::var_os(NAME).map(|_| Source::Variable(NAME));
        self.remote_password_file.clone().map(Source::File).or_else(variable)
    }
}

/// Another repository, open.
pub(crate) struct Remote {
    /// Its name, if it has one here.
    pub(crate) name: Option<String>,
    /// Where it lies, as it is shown.
    pub(crate) place: String,
    pub(crate) repo: Repository,
    /// Full name of the branch that a working directory around it is on.
    pub(crate) checked_out: Option<String>,
}

/// What a command means by another repository.
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    pub(crate) url: RemoteUrl,
}

impl Context {
    /// Reads where a repository lies; a path is taken from the current directory.
    pub(crate) fn remote_url(&self, text: &str) -> Result<RemoteUrl, CliError> {
        let url: RemoteUrl = text.parse().map_err(|error| CliError::usage(format!("{error}")))?;
        Ok(url.below(&self.absolute(Path::new("."))))
    }

    /// Opens the store of another repository; `create`: makes it, where nothing is yet.
    pub(crate) fn open_remote(
        &self,
        url: &RemoteUrl,
        create: bool,
        limits: &LimitArgs,
    ) -> Result<Arc<dyn StorageBackend>, CliError> {
        match url {
            RemoteUrl::Path(path) if create => {
                let vfs = Arc::new(OsVfs::new());
                check_room(path, &vfs)?;
                Ok(limits.throttled(LocalStore::create(path, vfs)?))
            }
            RemoteUrl::Path(path) => {
                Ok(limits.throttled(LocalStore::open(&named_location(path).dir, Arc::new(OsVfs::new()))?))
            }
            RemoteUrl::Server(url) => self.open_server(url, create, limits),
            RemoteUrl::Group { .. } => Ok(Arc::new(self.open_group(url, create, limits)?)),
        }
    }

    /// Opens the stores of a group. One that cannot be opened is told of and done without, but where all are to be made.
    pub(crate) fn open_group(
        &self,
        url: &RemoteUrl,
        create: bool,
        limits: &LimitArgs,
    ) -> Result<SpreadStore, CliError> {
        let RemoteUrl::Group { config, members } = url else {
            return Err(CliError::usage(format!("{} is no group", escape::line(&url.to_string()))));
        };
        let patience = (!create).then_some(MEMBER_PATIENCE);
        limits.throttle();
        let hurried = LimitArgs { patience, ..limits.clone() };
        let seat = |member: &RemoteUrl| match self.open_remote(member, create, &hurried) {
            Err(error) if create => Err(error),
            opened => Ok((member.to_string(), opened)),
        };
        // One that is dead is waited for while others are connected to.
        let seats = thread::scope(|scope| {
            let opening: Vec<_> = members.iter().map(|member| scope.spawn(move || seat(member))).collect();
            let lost = |_| CliError::failed("a thread that connects has died");
            opening.into_iter().map(|seat| seat.join().map_err(lost)?).collect::<Result<Vec<_>, _>>()
        })?;
        check_made(*config, &seats)?;
        let seat = |(place, store): (String, Result<_, CliError>)| Seat {
            place,
            store: store.map_err(|error| error.message()),
        };
        let seats = seats.into_iter().map(seat).collect();
        let transfer = TransferConfig { erasure: Some(*config), ..self.transfer(limits) };
        let options = SpreadOptions::of(&transfer).expect("it says how packs are spread");
        Ok(SpreadStore::open(seats, SpreadOptions { allow_missing: limits.allow_missing, ..options })?)
    }

    /// The group of the first places of a command line, and what stands behind them.
    pub(crate) fn group_of(
        &self,
        config: ErasureConfig,
        words: Vec<String>,
    ) -> Result<(RemoteUrl, Vec<String>), CliError> {
        let mut words = words;
        if words.len() < config.shards() {
            let message =
                format!("--spread {config} takes {} places, and {} are named", config.shards(), words.len());
            return Err(CliError::usage(message));
        }
        let rest = words.split_off(config.shards());
        if let Some((word, number)) = words.iter().zip(1..).find(|(word, _)| !is_place(word)) {
            let message = format!(
                "--spread {config} takes {} places, and word {number} is none: {}",
                config.shards(),
                escape::line(word)
            );
            return Err(CliError::usage(message).hint(PLACE_HINT));
        }
        let members = words.iter().map(|word| self.remote_url(word)).collect::<Result<_, _>>()?;
        let url = RemoteUrl::group(config, members).map_err(|error| CliError::usage(error.to_string()))?;
        Ok((url, rest))
    }

    /// The branch that a working directory around another repository is on, as far as that can be told.
    pub(crate) fn head_of(url: &RemoteUrl) -> Option<String> {
        let RemoteUrl::Path(path) = url else { return None };
        match WorkDir::open(named_location(path).root?).head() {
            Ok(Head::Branch(name)) => Some(name),
            _ => None,
        }
    }

    /// The repository that a name or place means; without one: `origin`, or the only remote.
    pub(crate) fn find_remote(&self, opened: &Opened, named: Option<&str>) -> Result<Named, CliError> {
        let remotes = opened.repo.remotes();
        let default = || match &remotes[..] {
            [(only, _)] => only.as_str(),
            _ => "origin",
        };
        let text = named.unwrap_or_else(default);
        if let Some((name, url)) = remotes.iter().find(|(name, _)| name == text) {
            return Ok(Named { name: Some(name.clone()), url: self.remote_url(url)? });
        }
        if is_place(text) {
            return Ok(Named { name: None, url: self.remote_url(text)? });
        }
        let error = CliError::failed(format!("there is no remote {}", escape::name(text.as_bytes())));
        Err(error.hint("`warp remote` lists them; `warp remote add NAME URL` makes one known"))
    }

    /// Opens another repository of the family: with the keys at hand or, where these were changed there, with its password.
    pub(crate) fn open_named(
        &self,
        ui: &mut Ui,
        opened: &Opened,
        named: Named,
        limits: &LimitArgs,
    ) -> Result<Remote, CliError> {
        self.open_with_keys(ui, opened, named, (limits, None))
    }

    /// The same, and opens one with other keys with its own password.
    pub(crate) fn open_any(
        &self,
        ui: &mut Ui,
        opened: &Opened,
        named: Named,
        (limits, password): (&LimitArgs, &RemotePassword),
    ) -> Result<Remote, CliError> {
        self.open_with_keys(ui, opened, named, (limits, Some(password)))
    }

    fn open_with_keys(
        &self,
        ui: &mut Ui,
        opened: &Opened,
        named: Named,
        (limits, password): (&LimitArgs, Option<&RemotePassword>),
    ) -> Result<Remote, CliError> {
        let Named { name, url } = named;
        let store = self.open_remote(&url, false, limits)?;
        let place = url.to_string();
        let repo = match (opened.repo.open_sibling(Arc::clone(&store), self.client()?), password) {
            (Err(RepoError::Rotated { .. }), _) => self.open_rotated(ui, store, &place)?,
            (Err(RepoError::OtherFamily { .. }), Some(password)) => {
                self.open_foreign(store, &place, password)?
            }
            (Err(error @ RepoError::OtherFamily { .. }), None) => {
                return Err(CliError::from(error).hint(OTHER_FAMILY_HINT));
            }
            (repo, _) => repo?,
        };
        for notice in repo.notices() {
            ui.warn(format_args!("{}: {}", escape::line(&place), escape::text(notice)));
        }
        if let Some(name) = &name {
            opened.repo.pin_remote(name, &repo)?;
        }
        let checked_out = Self::head_of(&url).map(|branch| format!("heads/{branch}"));
        Ok(Remote { name, place, repo, checked_out })
    }

    fn open_rotated(
        &self,
        ui: &mut Ui,
        store: Arc<dyn StorageBackend>,
        place: &str,
    ) -> Result<Repository, CliError> {
        ui.status(format_args!("The keys of {} were rotated: its password is needed", escape::line(place)));
        let credentials = self.credentials(&format!("Password for {}: ", escape::line(place)))?;
        Ok(Repository::open(store, &credentials, self.client()?)?)
    }

    /// Opens a repository with other keys.
    fn open_foreign(
        &self,
        store: Arc<dyn StorageBackend>,
        place: &str,
        password: &RemotePassword,
    ) -> Result<Repository, CliError> {
        let question = format!("Password for {}: ", escape::line(place));
        let credentials = match Repository::probe(&*store)?.encrypted {
            false => Credentials::None,
            true => match password.source() {
                Some(source) => source.read(&question, false)?,
                None => self.credentials(&question)?,
            },
        };
        let opened = Repository::open(store, &credentials, self.client()?);
        opened.map_err(|error| match error {
            error @ RepoError::WrongPassword { .. } => CliError::from(error).hint(REMOTE_PASSWORD_HINT),
            error => error.into(),
        })
    }

    /// Opens a repository by itself, asking for its password if it has one.
    pub(crate) fn open_alone(
        &self,
        store: Arc<dyn StorageBackend>,
        place: &str,
    ) -> Result<Repository, CliError> {
        let credentials = match Repository::probe(&*store)?.encrypted {
            true => self.credentials(&format!("Password for {}: ", escape::line(place)))?,
            false => Credentials::None,
        };
        Ok(Repository::open(store, &credentials, self.client()?)?)
    }
}

/// Whether a word is a place, and not a name.
fn is_place(word: &str) -> bool {
    word.contains('/') || word.starts_with('.')
}

/// Refuses a group that nobody has made yet: all of its members say the same.
fn check_made<T>(config: ErasureConfig, seats: &[(String, Result<T, CliError>)]) -> Result<(), CliError> {
    let is_missing =
        |store: &Result<T, CliError>| store.as_ref().is_err_and(|error| error.exit == Exit::NoRepository);
    if !seats.iter().all(|(_, store)| is_missing(store)) {
        return Ok(());
    }
    let places: Vec<String> = seats.iter().map(|(place, _)| escape::line(place)).collect();
    let message =
        format!("there is no repository at any of the {} places: {}", places.len(), places.join(", "));
    let hint = format!("`warp remote add --create --spread {config} NAME PLACE…` makes the group");
    Err(CliError::new(Exit::NoRepository, message).hint(hint))
}

/// How places are told from names.
const PLACE_HINT: &str = "a place has a slash in it or begins with a dot, as in ./usb, /mnt/nas or warp://HOST/PATH; refspecs follow behind all places";
/// What helps where keys are not shared.
const OTHER_FAMILY_HINT: &str = "`warp clone` and `warp remote add --create` make repositories that share their keys; `warp push` \
                                 from the other one to this one makes its commits anew here";
/// What helps where two repositories have two passwords.
const REMOTE_PASSWORD_HINT: &str =
    "it has keys of its own: give its password with WARP_REMOTE_PASSWORD or --remote-password-file";
