//! Other repositories that a repository knows by name, and how their places are written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::erasure::ErasureConfig;
use crate::format::config::Config;
use crate::format::server_url::{ParseUrlError, ServerUrl};
use crate::id::{CommitId, InstanceId};

use super::log::Draft;
use super::state::RefMove;
use super::{RepoError, Repository, check_ref_name};

/// Most bytes of a remote's name: with what is around it, it must fit a setting's name.
const NAME_LEN_MAX: usize = 48;

/// Where a repository lies, as people write it:
///
/// - a path, absolute or relative;
/// - `file://` and an absolute path, in which `%` and two hex digits stand for a byte;
/// - `warp://HOST[:PORT]/PATH[#ed25519:KEY]`: a server, the path of the repository on it, and the public key that the server must
///   have, as `warp serve` prints it; see [`server_url`](crate::format::server_url);
/// - `spread:K+M` and behind it K + M places, with spaces between them: a group of repositories, in their order. Paths that hold spaces are written with
///   `file://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteUrl {
    /// A folder of this machine.
    Path(PathBuf),
    /// A repository of a server.
    Server(ServerUrl),
    /// Several places that hold one repository together.
    Group {
        /// How many of them bring it back, and how many more there are.
        config: ErasureConfig,
        /// As many as that; none is a group.
        members: Vec<Self>,
    },
}

/// What the place of a group begins with.
const GROUP: &str = "spread:";

/// Why a text is no place of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no place of a repository: {why}")]
pub struct RemoteUrlError {
    /// The text.
    pub url: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

impl FromStr for RemoteUrl {
    type Err = RemoteUrlError;

    fn from_str(text: &str) -> Result<Self, RemoteUrlError> {
        let wrong = |why| RemoteUrlError { url: text.to_owned(), why };
        if let Some(rest) = text.strip_prefix(GROUP) {
            return group(rest).map_err(|why| RemoteUrlError { url: text.to_owned(), why });
        }
        match text.split_once("://") {
            _ if text.is_empty() => Err(wrong("it is empty")),
            _ if text.contains(['\0', '\n', '\r']) => Err(wrong("it holds a control character")),
            Some(("warp", _)) => {
                text.parse().map(Self::Server).map_err(|error: ParseUrlError| wrong(error.why))
            }
            Some(("file", rest)) => file(rest).map_err(wrong),
            Some((scheme, _)) if is_scheme(scheme) => Err(wrong("only paths, file:// and warp:// are known")),
            _ => Ok(Self::Path(text.into())),
        }
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Group { config, members } => {
                write!(f, "{GROUP}{config}")?;
                members.iter().try_for_each(|member| write!(f, " {}", Word(member)))
            }
            Self::Server(url) => url.fmt(f),
        }
    }
}

impl RemoteUrl {
    /// Whether a text is meant to be the place of a group.
    pub fn is_group(text: &str) -> bool {
        text.starts_with(GROUP)
    }

    /// A group of these places.
    ///
    /// # Errors
    /// If they are not as many as the code has shards, or one of them is a group itself.
    pub fn group(config: ErasureConfig, members: Vec<Self>) -> Result<Self, RemoteUrlError> {
        let is_member = |member: &Self| !matches!(member, Self::Group { .. });
        let why = match (members.len() == config.shards(), members.iter().all(is_member)) {
            (true, true) => return Ok(Self::Group { config, members }),
            (false, _) => "a group takes as many places as it has shards: 6 for 4+2",
            (_, false) => "a group is no member of a group",
        };
        Err(RemoteUrlError { url: format!("{GROUP}{config}"), why })
    }

    /// The same, with a relative path below `base`.
    pub fn below(self, base: &Path) -> Self {
        match self {
            Self::Path(path) => Self::Path(base.join(path)),
            Self::Group { config, members } => Self::Group {
                config,
                members: members.into_iter().map(|member| member.below(base)).collect(),
            },
            server => server,
        }
    }
}

/// A place as one word: a path that would be several, or something else than a path, is written with `file://`.
struct Word<'a>(&'a RemoteUrl);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::ffi::OsStrExt;
        let RemoteUrl::Path(path) = self.0 else { return self.0.fmt(f) };
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'%';
        if path.to_str().is_some() && path.as_os_str().as_bytes().iter().all(is_plain) || !path.is_absolute()
        {
            return self.0.fmt(f);
        }
        f.write_str("file://")?;
        path.as_os_str().as_bytes().iter().try_for_each(|byte| match is_plain(byte) {
            true => write!(f, "{}", char::from(*byte)),
            false => write!(f, "%{byte:02x}"),
        })
    }
}

fn group(rest: &str) -> Result<RemoteUrl, &'static str> {
    let mut words = rest.split_ascii_whitespace();
    let code = words.next().filter(|_| !rest.starts_with(|c: char| c.is_ascii_whitespace()));
    let config = code.and_then(|code| code.parse().ok());
    let config = config.ok_or("behind spread: it takes a code, such as 4+2")?;
    let members: Result<_, _> =
        words.map(|word| word.parse().map_err(|error: RemoteUrlError| error.why)).collect();
    RemoteUrl::group(config, members?).map_err(|error| error.why)
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn file(rest: &str) -> Result<RemoteUrl, &'static str> {
    use std::os::unix::ffi::OsStringExt;
    let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("file:// takes an absolute path, as in file:///mnt/backup");
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let mut byte = *first;
        if byte == b'%' {
            let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let digits = digits.ok_or("a % takes two hex digits behind it")?;
            byte = u8::from_str_radix(digits, 16).map_err(|_| "a % takes two hex digits behind it")?;
            rest = &behind[2..];
        }
        if byte == 0 {
            return Err("no path holds a zero byte");
        }
        bytes.push(byte);
    }
    Ok(RemoteUrl::Path(std::ffi::OsString::from_vec(bytes).into()))
}

/// The name of a remote in the name of its setting; `None`: it is another setting.
pub(super) fn remote_of(setting: &str) -> Option<&str> {
    setting.strip_prefix("remote.")?.strip_suffix(".url")
}

fn setting_of(remote: &str) -> String {
    format!("remote.{remote}.url")
}

/// Refuses names that cannot stand in the names of branches, or in a setting's.
///
/// # Errors
/// [`RepoError::RemoteName`].
pub fn check_remote_name(name: &str) -> Result<(), RepoError> {
    let is_legal = check_ref_name(name).is_ok() && !name.contains('/') && name.len() <= NAME_LEN_MAX;
    if is_legal { Ok(()) } else { Err(RepoError::RemoteName { name: name.to_owned() }) }
}

/// Checks a remote's setting.
pub(super) fn check_remote(name: &str, url: Option<&str>) -> Result<(), RepoError> {
    check_remote_name(name)?;
    let parsed = url.map(str::parse::<RemoteUrl>).transpose();
    parsed.map(drop).map_err(|error| RepoError::Setting { name: setting_of(name), why: error.to_string() })
}

/// A configuration for others: what other repositories this one knows is no concern of theirs.
pub(super) fn without_remotes(mut config: Config) -> Config {
    config.settings.retain(|(name, _)| remote_of(name).is_none());
    config
}

impl Repository {
    /// All remotes, by name, and how their places were written.
    pub fn remotes(&self) -> Vec<(String, String)> {
        let settings = self.settings().into_iter();
        settings.filter_map(|(name, url)| Some((remote_of(&name)?.to_owned(), url))).collect()
    }

    /// How a remote's place was written; `None`: there is no remote of this name.
    pub fn remote(&self, name: &str) -> Option<String> {
        self.setting(&setting_of(name))
    }

    /// Makes a remote known.
    ///
    /// # Errors
    /// [`RepoError::RemoteExists`]; [`RepoError::RemoteName`]; [`RepoError::Setting`] for a place that is none.
    pub fn remote_add(&self, name: &str, url: &str) -> Result<(), RepoError> {
        if self.remote(name).is_some() {
            return Err(RepoError::RemoteExists { name: name.to_owned() });
        }
        self.set_setting(&setting_of(name), Some(url))
    }

    /// Gives a remote another place.
    ///
    /// # Errors
    /// [`RepoError::NoRemote`]; [`RepoError::Setting`] for a place that is none.
    pub fn remote_set_url(&self, name: &str, url: &str) -> Result<(), RepoError> {
        self.need_remote(name)?;
        self.set_setting(&setting_of(name), Some(url))?;
        self.unpin(name)
    }

    /// Forgets a remote, and where its branches stood.
    ///
    /// # Errors
    /// [`RepoError::NoRemote`].
    pub fn remote_remove(&self, name: &str) -> Result<(), RepoError> {
        self.need_remote(name)?;
        self.move_tracking(name, None)?;
        self.set_setting(&setting_of(name), None)?;
        self.unpin(name)
    }

    /// Renames a remote, and what is remembered of its branches.
    ///
    /// # Errors
    /// [`RepoError::NoRemote`]; [`RepoError::RemoteExists`]; [`RepoError::RemoteName`].
    pub fn remote_rename(&self, old: &str, new: &str) -> Result<(), RepoError> {
        let url = self.need_remote(old)?;
        self.remote_add(new, &url)?;
        self.move_tracking(old, Some(new))?;
        self.set_setting(&setting_of(old), None)?;
        self.unpin(new)?;
        self.unpin(old)
    }

    /// Makes sure that a remote is the repository that it was when this client first opened it under its name. Another one of the same
    /// keys in its place, an older copy that has gone its own way, for example, would be no rollback of a log that was seen.
    ///
    /// # Errors
    /// [`RepoError::OtherInstance`], unless the client takes what is older; when the client's folder cannot be used.
    pub fn pin_remote(&self, name: &str, remote: &Self) -> Result<(), RepoError> {
        let (file, now) = (self.pin_of(name), remote.instance());
        let known = self.client().kept(&file, InstanceId::LEN as u64).filter(|known| !known.is_empty());
        match known {
            Some(known) if known == now.as_bytes() => Ok(()),
            Some(_) if !self.client().accept_rollback => {
                Err(RepoError::OtherInstance { name: name.to_owned(), location: remote.location() })
            }
            _ => self.client().keep(&file, now.as_bytes()),
        }
    }

    /// From now on a remote may be another repository.
    fn unpin(&self, name: &str) -> Result<(), RepoError> {
        match self.client().kept(&self.pin_of(name), InstanceId::LEN as u64) {
            None => Ok(()),
            Some(_) => self.client().keep(&self.pin_of(name), b""),
        }
    }

    fn pin_of(&self, name: &str) -> String {
        format!("remote-{}-{name}", self.instance())
    }

    fn need_remote(&self, name: &str) -> Result<String, RepoError> {
        self.remote(name).ok_or_else(|| RepoError::NoRemote { name: name.to_owned() })
    }

    /// Moves what is remembered of a remote's branches to another name, or forgets it.
    fn move_tracking(&self, remote: &str, to: Option<&str>) -> Result<(), RepoError> {
        let prefix = format!("remotes/{remote}/");
        let is_there = |name: &String| name.starts_with(&prefix);
        if !self.refresh()?.refs.keys().any(is_there) {
            return Ok(());
        }
        self.append(&mut |state| {
            let mut refs = Vec::new();
            for (name, id) in state.refs.iter().filter(|(name, _)| is_there(name)) {
                refs.push(RefMove { name: name.clone(), old: Some(*id), new: None });
                if let Some(to) = to {
                    let name = format!("remotes/{to}/{}", &name[prefix.len()..]);
                    let old = state.refs.get(&name).copied();
                    refs.push(RefMove { name, old, new: Some(*id) });
                }
            }
            let message = match to {
                Some(to) => format!("remote: renamed {remote} to {to}"),
                None => format!("remote: removed {remote}"),
            };
            Ok(Draft { refs, message, ..Draft::default() })
        })?;
        Ok(())
    }

    /// Moves a ref from where it must stand, or makes one.
    ///
    /// # Errors
    /// [`RepoError::RefMoved`] if it stands elsewhere; [`RepoError::NoRevision`] if `new` is no live commit.
    pub fn ref_move(
        &self,
        full_name: &str,
        (old, new): (Option<CommitId>, CommitId),
        message: &str,
    ) -> Result<(), RepoError> {
        self.append(&mut |state| {
            if !state.is_live(&new) {
                let why = "it is no live commit".to_owned();
                return Err(RepoError::NoRevision { spec: new.to_hex(), why });
            }
            let refs = vec![RefMove { name: full_name.to_owned(), old, new: Some(new) }];
            Ok(Draft { refs, message: message.to_owned(), ..Draft::default() })
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::peer_key::PeerKey;

    fn at(host: &str, port: u16, path: &str) -> RemoteUrl {
        let (host, repository) = (host.to_owned(), path.to_owned());
        RemoteUrl::Server(ServerUrl { host, port, repository, key: None })
    }

    #[test]
    fn places_are_read_by_the_rules() {
        for (text, wanted) in [
            ("/mnt/backup", RemoteUrl::Path("/mnt/backup".into())),
            ("../other", RemoteUrl::Path("../other".into())),
            ("a:b", RemoteUrl::Path("a:b".into())),
            ("file:///mnt/a%20b", RemoteUrl::Path("/mnt/a b".into())),
            ("file://localhost/mnt", RemoteUrl::Path("/mnt".into())),
            ("warp://nas/photos", at("nas", 8919, "photos")),
            ("warp://nas.example:99/alice/photos/", at("nas.example", 99, "alice/photos")),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        let key = PeerKey::new([0xab; 32]);
        let pinned: RemoteUrl = format!("warp://h/r#{key}").parse().unwrap();
        assert!(matches!(pinned, RemoteUrl::Server(ServerUrl { key: Some(found), .. }) if found == key));
        for text in ["warp://h/r", "warp://[::1]:7/a/b", &format!("warp://h:1/r#{key}"), "/mnt"] {
            let url: RemoteUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.to_string().parse()), (text, Ok(url)));
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_for_a_place_is_written_as_it_is_read(text in "(warp|file)?(://)?[a-z0-9:@/#%.\\[\\]_-]{0,40}|.{0,30}") {
            if let Ok(url) = text.parse::<RemoteUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }

    #[test]
    fn a_group_is_its_code_and_its_places_in_one_line() {
        let text = "spread:2+1 /mnt/a file:///mnt/b%20c warp://h/r";
        let url: RemoteUrl = text.parse().unwrap();
        let members =
            vec![RemoteUrl::Path("/mnt/a".into()), RemoteUrl::Path("/mnt/b c".into()), at("h", 8919, "r")];
        assert_eq!(url, RemoteUrl::Group { config: ErasureConfig::new(2, 1).unwrap(), members });
        assert_eq!(url.to_string(), text);
        for wrong in [
            "spread:",
            "spread:2",
            "spread:2+1",
            "spread:2+1 a b",
            "spread:2+1 a b c d",
            "spread:2+1 a b http://c",
            "spread: 2+1 a b c",
        ] {
            assert!(wrong.parse::<RemoteUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in [
            "",
            "http://h/r",
            "sftp://h/r",
            "warp://h",
            "warp://h:+1/r",
            "warp://u@h/r",
            "warp://h/../r",
            "warp://h/r#ed25519:12",
            "warp:// h/r",
            "file://h/r",
            "file://r",
            "file:///a%",
            "file:///a%+1",
            "file:///a%00",
            "a\nb",
        ] {
            assert!(wrong.parse::<RemoteUrl>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_remotes_fit_refs_and_settings() {
        for good in ["origin", "nas-2", "a.b"] {
            assert!(check_remote_name(good).is_ok(), "{good}");
            assert_eq!(remote_of(&setting_of(good)), Some(good));
        }
        for bad in ["", "a/b", "-x", "a b", "..", &"x".repeat(49)] {
            assert!(check_remote_name(bad).is_err(), "{bad}");
        }
    }
}
