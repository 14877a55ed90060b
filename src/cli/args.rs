//! Arguments that several commands share.

use std::ffi::OsString;
use std::path::PathBuf;

use warp::ops::{ScanSettings, Selection};

use super::context::{Context, Opened};
use super::error::CliError;
use super::size;
use super::ui::{ColorChoice, Verbosity};

/// Heading of the options that every command takes.
const GLOBAL: &str = "Global options";
/// Heading of the options that say what is read.
const SCAN: &str = "What to leave out";
/// Heading of the options that say which commit `latest` is.
const LATEST: &str = "Which commit `latest` is";

/// Options of every command
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = GLOBAL)]
pub(crate) struct GlobalArgs {
    /// The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH
    ///
    /// Without it: the variable WARP_REPOSITORY, the setting `repository`, the nearest folder upwards that holds a `.warp`.
    #[arg(short, long, global = true, value_name = "PLACE", display_order = 900)]
    pub(crate) repo: Option<PathBuf>,

    /// Read the password from a file
    ///
    /// A newline at its end is no part of the password. Also: the variable WARP_PASSWORD_FILE. A password is looked for
    /// on the command line, then in the environment, where WARP_PASSWORD may hold the password itself, then in the
    /// settings; at last it is asked for, if there is a terminal.
    #[arg(long, global = true, value_name = "FILE", display_order = 901, conflicts_with_all = ["password_command", "key_file"])]
    pub(crate) password_file: Option<PathBuf>,

    /// Run a command that prints the password
    ///
    /// It is run without a shell. Also: the variable WARP_PASSWORD_COMMAND.
    #[arg(long, global = true, value_name = "CMD", display_order = 902, conflicts_with = "key_file")]
    pub(crate) password_command: Option<String>,

    /// Open the repository with a key file
    ///
    /// Also: the variable WARP_KEY_FILE.
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    pub(crate) key_file: Option<PathBuf>,

    /// Use the settings of this profile of the configuration
    ///
    /// Also: the variable WARP_PROFILE.
    #[arg(long, global = true, value_name = "NAME", display_order = 904)]
    pub(crate) profile: Option<String>,

    /// Print nothing but data, warnings and errors
    #[arg(short, long, global = true, display_order = 905)]
    pub(crate) quiet: bool,

    /// Say more: once for new and changed files, twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 906)]
    pub(crate) verbose: u8,

    /// Show no progress
    #[arg(long, global = true, display_order = 907)]
    pub(crate) no_progress: bool,

    /// Print JSON: one object a line, or for log one array
    ///
    /// Names and fields are restic's where they fit, which is why `log` prints an array (but with --reflog lines). What is
    /// asked for as it is stays so: the content of a file, an archive, a script for a shell.
    #[arg(long, global = true, display_order = 908)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, display_order = 909)]
    pub(crate) color: Option<ColorChoice>,

    /// Work with this many threads; 0: one for each core
    #[arg(long, global = true, value_name = "N", display_order = 910)]
    pub(crate) threads: Option<usize>,

    /// Take a repository that is older than when it was last seen
    ///
    /// warp remembers the newest state of every repository and refuses an older one: somebody may have brought it back
    /// to hide what came later. Say this once after you restored the repository itself from a copy.
    #[arg(long, global = true, display_order = 911)]
    pub(crate) accept_rollback: bool,
}

impl GlobalArgs {
    pub(crate) fn verbosity(&self) -> Verbosity {
        Verbosity { quiet: self.quiet, verbose: self.verbose, json: self.json, no_progress: self.no_progress }
    }
}

/// What a scan of live files leaves out
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = SCAN)]
pub(crate) struct ScanArgs {
    /// Leave out what matches a pattern, as in a .gitignore; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    exclude: Vec<String>,

    /// Read such patterns from a file, one a line; may be repeated
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,

    /// Leave out directories that are marked as caches by a CACHEDIR.TAG
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exclude_caches: Option<bool>,

    /// Leave out directories that hold a file of this name; may be repeated
    #[arg(long, value_name = "NAME")]
    exclude_if_present: Vec<OsString>,

    /// Leave out files larger than this, as in 100M or 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    exclude_larger_than: Option<u64>,

    /// Stay on the file system of each path
    #[arg(short = 'x', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    one_file_system: Option<bool>,

    /// Obey .gitignore files, not only .warpignore
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    git_ignore: Option<bool>,
}

impl ScanArgs {
    /// These options over the settings; patterns of both count.
    pub(crate) fn settings(&self, ctx: &Context) -> Result<ScanSettings, CliError> {
        let user = &ctx.settings;
        let larger =
            user.exclude_larger_than.as_deref().map(size::parse).transpose().map_err(CliError::usage)?;
        let marks = user.exclude_if_present.iter().flatten().map(OsString::from);
        Ok(ScanSettings {
            excludes: user.exclude.iter().flatten().chain(&self.exclude).cloned().collect(),
            exclude_files: user.exclude_file.iter().flatten().chain(&self.exclude_file).cloned().collect(),
            exclude_caches: self.exclude_caches.or(user.exclude_caches).unwrap_or(false),
            exclude_if_present: marks.chain(self.exclude_if_present.iter().cloned()).collect(),
            exclude_larger_than: self.exclude_larger_than.or(larger),
            one_file_system: self.one_file_system.or(user.one_file_system).unwrap_or(false),
            git_ignore: self.git_ignore.or(user.git_ignore).unwrap_or(false),
        })
    }
}

/// Which commit `latest` is
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = LATEST)]
pub(crate) struct LatestArgs {
    /// Only commits of this host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// Only commits with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,

    /// Only commits of this path; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<PathBuf>,
}

/// Which part of a tree is meant
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SelectArgs {
    /// Only what matches a pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,

    /// Not what matches a pattern; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    exclude: Vec<String>,
}

impl SelectArgs {
    /// The selection of these patterns and of `paths` of the command line.
    pub(crate) fn selection(&self, opened: &Opened, paths: &[OsString]) -> Result<Selection, CliError> {
        let paths = opened.tree_paths(paths)?;
        Ok(Selection { paths, includes: self.include.clone(), excludes: self.exclude.clone() })
    }
}

/// The selection of paths alone.
pub(crate) fn selected(opened: &Opened, paths: &[OsString]) -> Result<Selection, CliError> {
    SelectArgs::default().selection(opened, paths)
}
