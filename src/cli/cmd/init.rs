use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use warp::chonkers::ChonkersConfig;
use warp::compress::Level;
use warp::repo::{CreateOptions, Credentials, ErrorKind, Head, Repository, WorkDir, check_ref_name};
use warp::store::{LocalStore, OsVfs};

use crate::cli::context::{self, Context, DOT_WARP};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// Make a repository
///
/// Without --bare it goes into a `.warp` folder inside DIR, which becomes a working directory: `warp commit` there
/// records all of DIR. With --bare, DIR itself becomes a repository that `warp -r DIR commit PATH…` fills.
///
/// A repository is encrypted. Its password is asked for twice; it also comes from WARP_PASSWORD, --password-file,
/// --password-command or --key-file. Nobody can read the repository without it: keep a `warp key export` in a safe place.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp init                              keep versions of the current directory
  warp init ~/thesis                     of another one
  warp init --bare /mnt/disk/backup      a repository on its own, for many hosts and paths")]
pub(crate) struct Args {
    /// Where; without it what -r says, or the current directory
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Make a stand-alone repository, without a working directory
    #[arg(long)]
    bare: bool,

    /// Do not encrypt: everybody who can read the folder reads all files
    #[arg(long, conflicts_with_all = ["password_file", "password_command", "key_file"])]
    no_encryption: bool,

    /// Name of the first branch
    #[arg(long, value_name = "NAME", default_value = "main", conflicts_with = "bare")]
    initial_branch: String,

    /// How finely files are cut; it cannot be changed later
    #[arg(long, value_name = "SIZE", value_enum, default_value_t = ChunkSize::Default)]
    chunk_size: ChunkSize,

    /// How commits compress: auto, off, or a zstd level from 1 to 22
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    compression: Option<Level>,
}

/// How finely files are cut.
#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum ChunkSize {
    /// Pieces of about 45 KiB: for most
    Default,
    /// Pieces four times as large: for terabytes of large files
    Backup,
    /// Pieces a quarter as large: finds more that repeats, at the price of a larger index
    Fine,
}

impl ChunkSize {
    /// The absolute unit of the chunker, in bytes.
    fn unit(self) -> u32 {
        match self {
            Self::Default => ChonkersConfig::default(),
            Self::Backup => ChonkersConfig::backup(),
            Self::Fine => ChonkersConfig::fine(),
        }
        .unit()
    }
}

#[derive(Serialize)]
struct Initialized {
    message_type: &'static str,
    id: String,
    repository: String,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let dir = match (&args.dir, &ctx.globals.repo) {
        (Some(_), Some(_)) => return Err(CliError::usage("name the directory once: as DIR or with -r")),
        (Some(dir), None) | (None, Some(dir)) => ctx.absolute(dir),
        (None, None) => ctx.absolute(Path::new(".")),
    };
    let dir = if args.bare { dir } else { dir.join(DOT_WARP) };
    // Before anybody is asked for a password: is there room for a repository?
    let vfs = Arc::new(OsVfs::new());
    check_room(&dir, &vfs)?;
    check_ref_name(&args.initial_branch)?;
    let credentials = if args.no_encryption { Credentials::None } else { ctx.new_credentials()? };
    let store = LocalStore::create(&dir, vfs)?;
    let repo = Repository::create(Arc::new(store), options(ctx, args, credentials), ctx.client()?)?;
    if let (false, Some(root)) = (args.bare, dir.parent()) {
        WorkDir::open(root).set_head(&Head::Branch(args.initial_branch.clone()))?;
    }
    report(ui, &repo, args)?;
    Ok(Exit::Done)
}

/// A repository may go into a folder that is not there, that is empty, or where an `init` was interrupted.
fn check_room(dir: &Path, vfs: &Arc<OsVfs>) -> Result<(), CliError> {
    match LocalStore::open(dir, vfs.clone()) {
        Ok(store) => match Repository::probe(&store) {
            Ok(_) => Err(CliError::failed(format!("there is a repository in {} already", escape::path(dir)))),
            Err(error) if error.kind() == ErrorKind::NoRepository => Ok(()),
            Err(error) => Err(error.into()),
        },
        Err(_) if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) => {
            Err(CliError::failed(format!("{} is not empty", escape::path(dir)))
                .hint("name a folder of its own"))
        }
        Err(_) => Ok(()),
    }
}

fn options(ctx: &Context, args: &Args, credentials: Credentials) -> CreateOptions {
    let compression = args.compression.as_ref().map(|level| ("compression".to_owned(), level.to_string()));
    CreateOptions {
        credentials,
        label: ctx.who(),
        kdf: context::kdf(),
        worktree: !args.bare,
        chunk_unit: args.chunk_size.unit(),
        settings: compression.into_iter().collect(),
    }
}

fn report(ui: &mut Ui, repo: &Repository, args: &Args) -> Result<(), CliError> {
    if ui.is_json() {
        let id = repo.instance().to_hex();
        let done = Initialized { message_type: "initialized", id, repository: repo.location() };
        return Ok(ui.json(&done)?);
    }
    let sealed = if args.no_encryption { "unencrypted" } else { "encrypted" };
    let location = escape::line(&repo.location());
    ui.status(format_args!("Initialized empty {sealed} warp repository in {location}"));
    if !args.no_encryption {
        ui.status(format_args!(
            "Without its password nobody can read it. `warp key export` prints a recovery sheet."
        ));
    }
    Ok(())
}
