use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use signal_hook::consts::SIGHUP;
use warp::net::{Identity, Server, ServerLimits, Stopper};
use warp::ops::host::{AccessSource, FolderShelf, Host, HostHandler, HostOptions};
use warp::store::OsVfs;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;
use crate::cli::{config, escape, signals, size, time};

/// How often it is looked whether somebody wants the server to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Hold repositories for other machines
///
/// Answers `warp clone`, `push`, `pull`, `fetch` and `audit` of warp://HOST/PATH, where PATH is a repository below --root. The server has
/// no password and no keys of the repositories: it sees sizes and times, checks what it stores, and serves it to whom the access file
/// allows it. Clients are known by their keys (`warp key transport`), the server by its own, which it prints when it begins: compare it
/// when a client asks, or put it behind the URL. It listens at a UDP port.
///
/// The access file has a line for each permission: a key or *, a repository or PREFIX/* or *, and rights, such as `ed25519:KEY team/laptop
/// read,append`. The rights are read, append, ref-force, gc and admin. Lines add up. Without the file nobody may do anything.
///
/// A fourth column limits what its line grants to some branches and tags: ids with commas between them, as `warp branch --namespaces` of the
/// repository shows them, for the server does not know names. One is of all tags, one of branches such as `main`, one of branches such as `ann/…`.
///
/// SIGTERM and SIGINT stop it once it has finished what runs, SIGHUP makes it read the access file anew.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp serve --root /srv/warp                               on all addresses, UDP port 8919
  warp serve --root /srv/warp --listen 127.0.0.1:9000
  warp serve --root /srv/warp --metrics 127.0.0.1:9090      figures for Prometheus
  warp serve --root /srv/warp --log-format json --quota 500G")]
pub(crate) struct Args {
    /// Folder of the repositories
    #[arg(long, value_name = "DIR")]
    root: PathBuf,

    /// Address or name, and UDP port, to listen at; [::] takes IPv4 as well
    #[arg(long, value_name = "ADDR", default_value = "[::]:8919")]
    listen: String,

    /// File of the server's own key, made on first use [default: host.key in $XDG_STATE_HOME/warp, else in ~/.local/state/warp]
    #[arg(long, value_name = "FILE")]
    host_key: Option<PathBuf>,

    /// File that says who may do what [default: `access` in --root]
    #[arg(long, value_name = "FILE")]
    access: Option<PathBuf>,

    /// Serve figures for Prometheus at this TCP address, which must be a loopback one
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,

    /// How the log on standard error is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,

    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_connections: u32,

    /// Most bytes of one repository, as in 500G [default: no limit but the disk]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    quota: Option<u64>,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum LogFormat {
    /// A line for people
    Text,
    /// An object for programs, one a line
    Json,
}

#[derive(Serialize)]
struct Serving {
    message_type: &'static str,
    address: String,
    key: String,
    metrics: Option<String>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let root = ctx.absolute(&args.root);
    if !root.is_dir() {
        let message = format!("{} is not a directory", escape::path(&root));
        return Err(CliError::usage(message).hint("make it first: repositories will lie below it"));
    }
    let listen = address("--listen", &args.listen)?;
    let metrics = args.metrics.as_ref().map(|text| address("--metrics", text)).transpose()?;
    log(args.log_format, ui.is_quiet());
    let host_key = match &args.host_key {
        Some(path) => ctx.absolute(path),
        None => config::state_dir(ctx.home())?.join("host.key"),
    };
    let identity = Identity::load_or_create(&OsVfs::new(), &host_key)?;
    let access = args.access.as_ref().map_or_else(|| root.join("access"), |path| ctx.absolute(path));
    let host = host(&root, access, args.quota)?;
    let limits = ServerLimits { connections: args.max_connections as usize, ..ServerLimits::default() };
    let handler = HostHandler(Arc::clone(&host));
    let server = Server::bind(listen, &identity, Arc::new(handler), limits)?;
    let metrics = metrics.map(|address| server.serve_metrics(address)).transpose()?;
    // While this lives, SIGTERM and Ctrl-C ask instead of ending the process.
    let listening = ui.observer();
    tell(ui, &server, metrics)?;
    let running = Arc::new(AtomicBool::new(true));
    let watcher = watch(server.stopper(), Arc::clone(&running));
    reload(host);
    server.run();
    running.store(false, Ordering::Relaxed);
    let _ = watcher.join();
    drop(listening);
    Ok(Exit::Done)
}

/// The address that an option says: as it is, or the first that a name has.
fn address(option: &str, text: &str) -> Result<SocketAddr, CliError> {
    let found = match text.parse() {
        Ok(address) => return Ok(address),
        Err(_) => text.to_socket_addrs().map(|mut found| found.next()),
    };
    let wrong = format!("{option} {} is no address with a port", escape::line(text));
    let hint = "write ADDRESS:PORT or NAME:PORT, as in 127.0.0.1:8919, [::1]:8919 or localhost:8919";
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(CliError::usage(wrong).hint(hint)),
        Err(error) => Err(CliError::caused(Exit::Usage, wrong, error).hint(hint)),
    }
}

/// What holds the repositories.
fn host(root: &Path, access: PathBuf, quota: Option<u64>) -> Result<Arc<Host>, CliError> {
    if !access.exists() {
        tracing::warn!(file = %access.display(), "there is no access file yet: nobody may do anything");
    }
    let options = HostOptions { access: AccessSource::File(access), quota, now: time::now };
    let host = Host::new(Box::new(FolderShelf::new(root, Arc::new(OsVfs::new()))), options);
    host.map_err(|error| CliError::caused(Exit::Failed, "cannot tell who may do what", error))
}

fn tell(ui: &mut Ui, server: &Server, metrics: Option<SocketAddr>) -> Result<(), CliError> {
    let (address, key) = (server.local_addr()?.to_string(), server.key().to_string());
    let metrics = metrics.map(|address| address.to_string());
    if ui.is_json() {
        ui.json(&Serving { message_type: "serving", address, key, metrics })?;
    } else {
        writeln!(ui.out(), "listening at {address} (UDP)")?;
        writeln!(ui.out(), "host key {key}")?;
        if let Some(metrics) = metrics {
            writeln!(ui.out(), "metrics at http://{metrics}/metrics")?;
        }
    }
    Ok(ui.out().flush()?)
}

/// Sends what happens to standard error. A program that has a log already keeps it.
fn log(format: LogFormat, quiet: bool) {
    let level = if quiet { tracing::Level::WARN } else { tracing::Level::INFO };
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false);
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

/// Stops the server when somebody asks for it.
fn watch(stopper: Stopper, running: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while running.load(Ordering::Relaxed) {
            if signals::cancelled() {
                return stopper.stop();
            }
            thread::sleep(LOOK_EVERY);
        }
    })
}

/// Reads the access file anew at each SIGHUP.
fn reload(host: Arc<Host>) {
    let Ok(mut hangups) = signal_hook::iterator::Signals::new([SIGHUP]) else { return };
    thread::spawn(move || {
        for _ in hangups.forever() {
            match host.reload() {
                Ok(()) => tracing::info!("the access file was read anew"),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "what is wrong in the access file grants nothing"
                    );
                }
            }
        }
    });
}
