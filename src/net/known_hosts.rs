//! Keys of servers that this client has seen: first use is asked about, a change is refused, as ssh does it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::failed;
use super::{NetError, ServerUrl};
use crate::store::Vfs;
use crate::sync::PeerKey;

/// Most bytes of the file: some 10,000 hosts.
const FILE_LEN_MAX: u64 = 1 << 20;

/// A server that was never seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownHost {
    /// `HOST:PORT`.
    pub host: String,
    /// The key that it shows.
    pub key: PeerKey,
}

/// What to do about a server whose key is not known.
pub enum HostKeyPolicy {
    /// Ask; `true` takes the key and remembers it.
    Ask(Box<dyn Fn(&UnknownHost) -> bool + Send + Sync>),
    /// Take the key and remember it.
    AcceptNew,
    /// Refuse.
    Strict,
}

impl fmt::Debug for HostKeyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask(_) => "Ask",
            Self::AcceptNew => "AcceptNew",
            Self::Strict => "Strict",
        })
    }
}

/// The file of known hosts: a line `HOST:PORT ed25519:KEY` for each; empty ones and those that begin with `#` say nothing.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
}

/// A line of the file.
struct Entry {
    line: usize,
    host: String,
    key: PeerKey,
}

impl KnownHosts {
    /// The known hosts in a file, which need not be there.
    pub fn new(vfs: Arc<dyn Vfs>, path: PathBuf) -> Self {
        Self { vfs, path }
    }

    /// Says whether a server that shows `key` may be talked to. What is taken for the first time is remembered.
    ///
    /// # Errors
    /// If it shows another key than its URL or the file says, if nobody says yes, or if the file cannot be read or written.
    pub fn check(&self, url: &ServerUrl, key: PeerKey, policy: &HostKeyPolicy) -> Result<(), NetError> {
        let host = url.authority();
        if let Some(pinned) = url.key {
            let mismatch = NetError::PinMismatch { host, found: key, pinned };
            return if pinned == key { Ok(()) } else { Err(mismatch) };
        }
        let known = self.keys(&host)?;
        if known.iter().any(|entry| entry.key == key) {
            return Ok(());
        }
        if let Some(Entry { line, key: known, .. }) = known.into_iter().next() {
            return Err(NetError::HostKeyChanged { host, found: key, known, path: self.path.clone(), line });
        }
        let unknown = UnknownHost { host, key };
        let is_taken = match policy {
            HostKeyPolicy::Ask(ask) => ask(&unknown),
            HostKeyPolicy::AcceptNew => true,
            HostKeyPolicy::Strict => false,
        };
        match is_taken {
            true => self.remember(&unknown),
            false => Err(NetError::HostKeyUnknown { host: unknown.host, found: key }),
        }
    }

    /// Adds a line for a host.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn remember(&self, host: &UnknownHost) -> Result<(), NetError> {
        let file = |source| NetError::File { path: self.path.clone(), source };
        let mut text = self.text()?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("{} {}\n", host.host, host.key));
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.vfs.create_dirs(dir).map_err(file)?;
        self.vfs.write_replace(&self.path, text.as_bytes()).map_err(file)
    }

    /// The lines about a host.
    fn keys(&self, host: &str) -> Result<Vec<Entry>, NetError> {
        let mut entries = self.entries()?;
        entries.retain(|entry| entry.host == host);
        Ok(entries)
    }

    fn entries(&self) -> Result<Vec<Entry>, NetError> {
        let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let text = self.text()?;
        let lines = text.lines().enumerate().filter(|(_, line)| says(line));
        let entry = |(number, line): (usize, &str)| {
            let bad = || NetError::KnownHosts { path: self.path.clone(), line: number + 1 };
            let (host, key) = line.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
            let key = key.trim().parse().map_err(|_| bad())?;
            Ok(Entry { line: number + 1, host: host.to_owned(), key })
        };
        lines.map(entry).collect()
    }

    fn text(&self) -> Result<String, NetError> {
        let file =
            |source| NetError::File { path: self.path.clone(), source: failed("read", &self.path, source) };
        match self.vfs.read(&self.path, FILE_LEN_MAX) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| file(io::ErrorKind::InvalidData.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(file(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OsVfs;

    const ONE: PeerKey = PeerKey::new([1; 32]);
    const TWO: PeerKey = PeerKey::new([2; 32]);

    struct Bench {
        dir: tempfile::TempDir,
        hosts: KnownHosts,
    }

    fn bench() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let hosts = KnownHosts::new(Arc::new(OsVfs::new()), dir.path().join("state/known_hosts"));
        Bench { dir, hosts }
    }

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_host_is_asked_about_once_and_then_known() {
        let Bench { hosts, .. } = &bench();
        let host = url("warp://h:7/r");
        let no = HostKeyPolicy::Ask(Box::new(|_| false));
        assert!(matches!(hosts.check(&host, ONE, &no), Err(NetError::HostKeyUnknown { .. })));
        let yes = HostKeyPolicy::Ask(Box::new(|asked| {
            assert_eq!(*asked, UnknownHost { host: "h:7".to_owned(), key: ONE });
            true
        }));
        hosts.check(&host, ONE, &yes).unwrap();
        let never = HostKeyPolicy::Ask(Box::new(|_| panic!("asked about a known host")));
        hosts.check(&host, ONE, &never).unwrap();
        hosts.check(&host, ONE, &HostKeyPolicy::Strict).unwrap();
    }

    #[test]
    fn a_changed_key_is_refused_by_every_policy_and_the_line_is_named() {
        let Bench { dir, hosts } = &bench();
        hosts.check(&url("warp://other/r"), TWO, &HostKeyPolicy::AcceptNew).unwrap();
        hosts.check(&url("warp://h/r"), ONE, &HostKeyPolicy::AcceptNew).unwrap();
        let ask = HostKeyPolicy::Ask(Box::new(|_| true));
        for policy in [&HostKeyPolicy::AcceptNew, &HostKeyPolicy::Strict, &ask] {
            let error = hosts.check(&url("warp://h/r"), TWO, policy).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, NetError::HostKeyChanged { line: 2, .. }), "{text}");
            assert!(text.contains(&TWO.to_string()) && text.contains("known_hosts"), "{text}");
        }
        let text = std::fs::read_to_string(dir.path().join("state/known_hosts")).unwrap();
        assert_eq!(text, format!("other:8919 {TWO}\nh:8919 {ONE}\n"));
    }

    #[test]
    fn another_port_is_another_host() {
        let Bench { hosts, .. } = &bench();
        hosts.check(&url("warp://h:1/r"), ONE, &HostKeyPolicy::AcceptNew).unwrap();
        let unknown = hosts.check(&url("warp://h:2/r"), ONE, &HostKeyPolicy::Strict);
        assert!(matches!(unknown, Err(NetError::HostKeyUnknown { .. })));
    }

    #[test]
    fn a_key_in_the_url_counts_in_place_of_the_file() {
        let Bench { dir, hosts } = &bench();
        hosts.check(&url("warp://h/r"), ONE, &HostKeyPolicy::AcceptNew).unwrap();
        let pinned = url(&format!("warp://h/r#{TWO}"));
        hosts.check(&pinned, TWO, &HostKeyPolicy::Strict).unwrap();
        let error = hosts.check(&pinned, ONE, &HostKeyPolicy::AcceptNew).unwrap_err();
        assert!(matches!(error, NetError::PinMismatch { found: ONE, pinned: TWO, .. }), "{error}");
        let text = std::fs::read_to_string(dir.path().join("state/known_hosts")).unwrap();
        assert_eq!(text.lines().count(), 1, "a pin is not remembered");
    }

    #[test]
    fn comments_are_kept_and_a_line_that_is_none_is_named() {
        let Bench { dir, hosts } = &bench();
        let path = dir.path().join("state/known_hosts");
        std::fs::create_dir(dir.path().join("state")).unwrap();
        std::fs::write(&path, "# mine\n\n").unwrap();
        hosts.check(&url("warp://h/r"), ONE, &HostKeyPolicy::AcceptNew).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# mine\n\nh:8919 "));
        std::fs::write(&path, "# mine\nh:8919\n").unwrap();
        let error = hosts.check(&url("warp://h/r"), ONE, &HostKeyPolicy::AcceptNew).unwrap_err();
        assert!(matches!(error, NetError::KnownHosts { line: 2, .. }), "{error}");
    }

    #[test]
    fn several_keys_of_a_host_are_all_good() {
        let Bench { dir, hosts } = &bench();
        std::fs::create_dir(dir.path().join("state")).unwrap();
        let text = format!("h:8919 {ONE}\nh:8919\t {TWO} \n");
        std::fs::write(dir.path().join("state/known_hosts"), text).unwrap();
        for key in [ONE, TWO] {
            hosts.check(&url("warp://h/r"), key, &HostKeyPolicy::Strict).unwrap();
        }
    }
}
