//! Repositories at servers: who this client is there, and which servers it knows.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use warp::net::{
    ConnectOptions, HostKeyPolicy, Identity, KnownHosts, NetError, PacedTransport, QuicTransport,
    RemoteStore, ServerUrl, UnknownHost,
};
use warp::store::{OsVfs, StorageBackend};
use warp::sync::{FailCode, Failure, Rights, TransferConfig, Transport};

use super::config;
use super::context::Context;
use super::error::{CliError, Exit};
use super::escape;
use super::remote::LimitArgs;
use super::signals;

/// What helps where a server has no such repository.
const NO_REMOTE_HINT: &str = "who has the right admin makes one there with `warp init --bare warp://HOST/PATH` or, with the keys of a repository that is \
                              here, with `warp remote add --create NAME warp://HOST/PATH`";
/// Takes the keys of servers that were never seen, where nobody can be asked.
const ACCEPT_NEW: &str = "WARP_ACCEPT_NEW_HOST_KEYS";

impl Context {
    /// This client's key for servers, made on first use.
    pub(crate) fn transport_identity(&self) -> Result<Identity, CliError> {
        let path = config::state_dir(self.home())?.join("transport.key");
        Ok(Identity::load_or_create(&OsVfs::new(), &path)?)
    }

    /// Opens a repository at a server; `create`: makes room for it, where nothing is yet.
    pub(crate) fn open_server(
        &self,
        url: &ServerUrl,
        create: bool,
        limits: &LimitArgs,
    ) -> Result<Arc<dyn StorageBackend>, CliError> {
        let identity = self.transport_identity()?;
        let known = config::state_dir(self.home())?.join("known_hosts");
        let known = KnownHosts::new(Arc::new(OsVfs::new()), known);
        let connections = limits.connections();
        let usual = ConnectOptions::new(known, policy());
        let timeout = limits.patience().unwrap_or(usual.timeout);
        let options = ConnectOptions { create, connections, timeout, cancelled: signals::cancelled, ..usual };
        let transport =
            QuicTransport::connect(url, &identity, options).map_err(|error| told(&identity, url, error))?;
        let transport: Arc<dyn Transport> = match limits.throttle() {
            None => Arc::new(transport),
            Some(throttle) => Arc::new(PacedTransport::new(Arc::new(transport), throttle)),
        };
        let store = RemoteStore::open(transport, (&url.repository, create), self.transfer(limits))?;
        Ok(Arc::new(store))
    }

    /// How packs are carried to one end and from it.
    pub(crate) fn transfer(&self, limits: &LimitArgs) -> TransferConfig {
        TransferConfig {
            verification: limits.verification(),
            sleep: signals::sleep,
            observer: super::ui::link_observer(self.globals.verbosity()),
            ..TransferConfig::default()
        }
    }
}

fn policy() -> HostKeyPolicy {
    if std::env::var_os(ACCEPT_NEW).is_some_and(|value| value == "1") {
        return HostKeyPolicy::AcceptNew;
    }
    match io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => HostKeyPolicy::Ask(Box::new(ask)),
        false => HostKeyPolicy::Strict,
    }
}

fn ask(host: &UnknownHost) -> bool {
    // Those of several servers come one after the other.
    static ASKING: Mutex<()> = Mutex::new(());
    let _turn = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut err = io::stderr();
    let question = format!(
        "The server {} was never seen before. Its key is\n  {}\nIt should be what `warp serve` prints there. Go on and remember it? (yes/no) ",
        escape::line(&host.host),
        host.key
    );
    let mut answer = String::new();
    let asked = err.write_all(question.as_bytes()).and_then(|()| err.flush());
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}

fn told(identity: &Identity, url: &ServerUrl, error: NetError) -> CliError {
    let hint = match &error {
        NetError::HostKeyUnknown { .. } => {
            format!("where nobody can be asked, {ACCEPT_NEW}=1 takes a new key, or put it into the URL")
        }
        NetError::Refused { failure, .. } if failure.code == FailCode::Denied => {
            let line = format!("{} {} {}", identity.key(), url.repository, lacking(failure));
            format!("this line in the server's file of access grants it: {line}")
        }
        NetError::Refused { failure, .. } if failure.code == FailCode::NoRepository => {
            let message = format!("there is no repository at {}", escape::line(&url.location()));
            return CliError::new(Exit::NoRepository, message).hint(NO_REMOTE_HINT);
        }
        _ => return error.into(),
    };
    CliError::from(error).hint(hint)
}

/// The rights that a key lacks. One that has none at all needs those by which backups are made.
fn lacking(failure: &Failure) -> Rights {
    let named = u8::try_from(failure.number).ok().and_then(Rights::from_bits);
    match named.filter(|rights| *rights != Rights::NONE) {
        None | Some(Rights::READ) => Rights::READ.and(Rights::APPEND),
        Some(rights) => rights,
    }
}
