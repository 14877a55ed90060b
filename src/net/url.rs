//! Names of remote repositories: `warp://HOST[:PORT]/REPOSITORY[#ed25519:KEY]`.

use std::fmt;
use std::str::FromStr;

use crate::limits::REPOSITORY_NAME_LEN_MAX;
use crate::sync::PeerKey;

/// The UDP port of a server, unless its owner says otherwise.
pub const DEFAULT_PORT: u16 = 8919;

/// What every URL begins with.
const SCHEME: &str = "warp://";
/// Most bytes of a host's name (RFC 1035).
const HOST_LEN_MAX: usize = 253;

/// A repository at a server.
///
/// ```
/// let url: warp::net::RemoteUrl = "warp://backup.example/home/ann".parse()?;
/// assert_eq!((url.host.as_str(), url.port, url.repository.as_str()), ("backup.example", 8919, "home/ann"));
/// assert_eq!(url.authority(), "backup.example:8919");
/// # Ok::<(), warp::net::ParseUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl {
    /// Name or address of the server; an IPv6 address without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// Path of the repository at the server, without a slash before it.
    pub repository: String,
    /// The key that the server must show.
    pub pin: Option<PeerKey>,
}

/// A text that is no URL of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a remote repository: {why}; expected warp://HOST[:PORT]/REPOSITORY[#ed25519:KEY]")]
pub struct ParseUrlError {
    text: String,
    why: &'static str,
}

impl RemoteUrl {
    /// `HOST:PORT`, as known hosts have it.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Whether a text is meant as such a URL.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The URL without its key, for messages.
    pub fn location(&self) -> String {
        format!("{SCHEME}{}/{}", self.authority(), self.repository)
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with warp://")?;
        let (rest, pin) = match rest.split_once('#') {
            Some((rest, key)) => (rest, Some(key.parse().map_err(|_| "what stands behind # is not a key")?)),
            None => (rest, None),
        };
        let (authority, repository) = rest.split_once('/').ok_or("it names no repository")?;
        let (host, port) = parse_authority(authority)?;
        let repository = parse_repository(repository)?;
        Ok(Self { host: host.to_ascii_lowercase(), port, repository, pin })
    }
}

fn parse_authority(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("its address has no closing bracket")?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| "what stands in brackets is not an IPv6 address")?;
            (host, port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > HOST_LEN_MAX || !host.chars().all(is_named) {
        return Err("it names no host");
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, DEFAULT_PORT)),
        Some(port) => {
            let port = port.parse().ok().filter(|port| *port > 0).ok_or("its port is not from 1 to 65535")?;
            Ok((host, port))
        }
        None => Err("something stands behind its address"),
    }
}

fn parse_repository(text: &str) -> Result<String, &'static str> {
    let text = text.trim_end_matches('/');
    let fault = |part: &str| part.is_empty() || part == "." || part == "..";
    if text.len() > REPOSITORY_NAME_LEN_MAX {
        return Err("the repository's path is too long");
    }
    if text.split('/').any(fault) || text.chars().any(char::is_control) {
        return Err("it names no repository");
    }
    Ok(text.to_owned())
}

impl FromStr for RemoteUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        Self::parse(text).map_err(|why| ParseUrlError { text: text.to_owned(), why })
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location())?;
        self.pin.map_or(Ok(()), |pin| write!(f, "#{pin}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_alike() {
        let key = PeerKey::new([5; 32]);
        let cases = [
            ("warp://h/r", "h:8919", "r", None),
            ("warp://Host.Example:1/a/b", "host.example:1", "a/b", None),
            ("warp://[::1]:65535/r", "[::1]:65535", "r", None),
            ("warp://[fe80::1]/r/", "[fe80::1]:8919", "r", None),
            (&format!("warp://10.0.0.1/r#{key}"), "10.0.0.1:8919", "r", Some(key)),
        ];
        for (text, authority, repository, pin) in cases {
            let url: RemoteUrl = text.parse().unwrap();
            assert_eq!(
                (url.authority().as_str(), url.repository.as_str(), url.pin),
                (authority, repository, pin)
            );
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        let long = format!("warp://h/{}", "r".repeat(1025));
        let bad = [
            "",
            "h/r",
            "ssh://h/r",
            "warp://",
            "warp://h",
            "warp://h/",
            "warp:///r",
            "warp://h:0/r",
            "warp://h:65536/r",
            "warp://h:/r",
            "warp://[::1/r",
            "warp://[h]/r",
            "warp://[::1]x/r",
            "warp://h/../r",
            "warp://h/a//b",
            "warp://h/r#",
            "warp://h/r#ed25519:AA",
            "warp://u@h/r",
            "warp://h/a\nb",
            "warp://::1/r",
            &long,
        ];
        for text in bad {
            assert!(text.parse::<RemoteUrl>().is_err(), "{text}");
        }
    }
}
