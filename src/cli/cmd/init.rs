use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;
use warp::chonkers::ChonkersConfig;
use warp::chunk::seqcdc::SeqCdcConfig;
use warp::compress::Level;
use warp::format::pack::Parity;
use warp::net::ServerUrl;
use warp::repo::{
    ChunkerConfig, ChunkerKind, CreateOptions, Credentials, ErrorKind, Head, Repository, WorkDir,
    check_ref_name,
};
use warp::store::{LocalStore, OsVfs};

use crate::cli::context::{self, Context, DOT_WARP, server_url};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::remote::LimitArgs;
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
  warp init --bare /mnt/disk/backup      a repository on its own, for many hosts and paths
  warp init --chunker seqcdc             cut files with SeqCDC instead of Chonkers")]
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

    /// What cuts files into pieces; it cannot be changed later
    #[arg(long, value_name = "NAME", value_enum, default_value_t = ChunkerName::Chonkers)]
    chunker: ChunkerName,

    /// How finely files are cut; it cannot be changed later
    #[arg(long, value_name = "SIZE", value_enum, default_value_t = ChunkSize::Default)]
    chunk_size: ChunkSize,

    /// How commits compress: auto, off, or a zstd level from 1 to 22
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    compression: Option<Level>,

    /// Share of each pack that may be damaged and is healed all the same, 1% to 50%, or none [default: 3%]
    ///
    /// Parity takes about that much more room. With 3% any contiguous 32nd of a pack may be lost.
    #[arg(long, value_name = "SHARE")]
    parity: Option<Parity>,
}

/// What cuts files.
#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum ChunkerName {
    /// An edit moves a bounded number of cuts, whatever the content: for most
    Chonkers,
    /// Cuts where bytes rise: less work for each byte, but no bound on what an edit moves
    Seqcdc,
    /// SeqCDC as its authors published it, without a key: for comparison only
    SeqcdcPublished,
}

impl ChunkerName {
    fn kind(self) -> ChunkerKind {
        match self {
            Self::Chonkers => ChunkerKind::Chonkers,
            Self::Seqcdc => ChunkerKind::SeqCdc,
            Self::SeqcdcPublished => ChunkerKind::SeqCdcPublished,
        }
    }
}

/// How finely files are cut.
#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum ChunkSize {
    /// Pieces of about 45 KiB with chonkers, 16 KiB with seqcdc: for most
    Default,
    /// Pieces four times as large: for terabytes of large files
    Backup,
    /// Pieces of about 11 KiB with chonkers, 8 KiB with seqcdc: finds more that repeats, at the price of a larger index
    Fine,
}

impl ChunkSize {
    /// The unit of a chunker, in bytes.
    fn unit(self, kind: ChunkerKind) -> u32 {
        let (chonkers, seqcdc) = match self {
            Self::Default => (ChonkersConfig::default(), SeqCdcConfig::default()),
            Self::Backup => (ChonkersConfig::backup(), SeqCdcConfig::backup()),
            Self::Fine => (ChonkersConfig::fine(), SeqCdcConfig::fine()),
        };
        if kind == ChunkerKind::Chonkers { chonkers.unit() } else { seqcdc.mean() }
    }
}

#[derive(Serialize)]
struct Initialized {
    message_type: &'static str,
    id: String,
    repository: String,
    chunker: &'static str,
    chunk_unit: u32,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let named = args.dir.as_ref().or(ctx.globals.repo.as_ref());
    if let Some(url) = named.map(|dir| server_url(dir)).transpose()?.flatten() {
        return at_server(ui, ctx, args, &url);
    }
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
    let chunker = chunker(args)?;
    let credentials = if args.no_encryption { Credentials::None } else { ctx.new_credentials()? };
    let store = LocalStore::create(&dir, vfs)?;
    let repo = Repository::create(Arc::new(store), options(ctx, args, chunker, credentials), ctx.client()?)?;
    if let (false, Some(root)) = (args.bare, dir.parent()) {
        WorkDir::open(root).set_head(&Head::Branch(args.initial_branch.clone()))?;
    }
    report(ui, &repo, args, chunker)?;
    Ok(Exit::Done)
}

/// Makes a repository at a server.
fn at_server(ui: &mut Ui, ctx: &Context, args: &Args, url: &ServerUrl) -> Result<Exit, CliError> {
    if !args.bare {
        return Err(CliError::usage("a server keeps no working directories: say --bare"));
    }
    check_ref_name(&args.initial_branch)?;
    let chunker = chunker(args)?;
    let store = ctx.open_server(url, true, &LimitArgs::default())?;
    match Repository::probe(&*store) {
        Ok(_) => {
            return Err(CliError::failed(format!(
                "there is a repository at {} already",
                escape::line(&url.to_string())
            )));
        }
        Err(error) if error.kind() == ErrorKind::NoRepository => {}
        Err(error) => return Err(error.into()),
    }
    let credentials = if args.no_encryption { Credentials::None } else { ctx.new_credentials()? };
    let repo = Repository::create(store, options(ctx, args, chunker, credentials), ctx.client()?)?;
    report(ui, &repo, args, chunker)?;
    Ok(Exit::Done)
}

/// A repository may go into a folder that is not there, that is empty, or where an `init` was interrupted.
pub(crate) fn check_room(dir: &Path, vfs: &Arc<OsVfs>) -> Result<(), CliError> {
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

fn chunker(args: &Args) -> Result<ChunkerConfig, CliError> {
    let kind = args.chunker.kind();
    let of = |size: ChunkSize| ChunkerConfig::new(kind, size.unit(kind));
    of(args.chunk_size).map_err(|error| {
        let sizes = ChunkSize::value_variants().iter().filter(|size| of(**size).is_ok());
        let names = sizes.filter_map(|size| Some(size.to_possible_value()?.get_name().to_owned()));
        let names: Vec<_> = names.collect();
        CliError::usage(error.to_string()).hint(format!("say --chunk-size {}", names.join(" or ")))
    })
}

fn options(ctx: &Context, args: &Args, chunker: ChunkerConfig, credentials: Credentials) -> CreateOptions {
    let compression = args.compression.as_ref().map(|level| ("compression".to_owned(), level.to_string()));
    let parity = args.parity.map(|parity| ("parity".to_owned(), parity.to_string()));
    CreateOptions {
        credentials,
        label: ctx.who(),
        kdf: context::kdf(),
        worktree: !args.bare,
        chunker,
        settings: compression.into_iter().chain(parity).collect(),
    }
}

fn report(ui: &mut Ui, repo: &Repository, args: &Args, chunker: ChunkerConfig) -> Result<(), CliError> {
    if ui.is_json() {
        let id = repo.instance().to_hex();
        let done = Initialized {
            message_type: "initialized",
            id,
            repository: repo.location(),
            chunker: chunker.kind().name(),
            chunk_unit: chunker.unit(),
        };
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
