#![doc = include_str!("server_url.md")]
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::peer_key::PeerKey;
use crate::limits::{REPOSITORY_NAME_LEN_MAX, REPOSITORY_PART_LEN_MAX};

/// The UDP port of a server, unless its owner says otherwise.
pub const DEFAULT_PORT: u16 = 8919;

/// What every URL begins with.
const SCHEME: &str = "warp://";
/// Most bytes of a host's name (RFC 1035).
const HOST_LEN_MAX: usize = 253;

/// A repository at a server.
///
/// ```
/// let url: warp::net::ServerUrl = "warp://backup.example/home/ann".parse()?;
/// assert_eq!((url.host.as_str(), url.port, url.repository.as_str()), ("backup.example", 8919, "home/ann"));
/// assert_eq!(url.authority(), "backup.example:8919");
/// assert_eq!(url.to_string(), "warp://backup.example/home/ann");
/// # Ok::<(), warp::net::ParseUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// Name or address of the server, in small letters; an IPv6 address without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// Path of the repository at the server, without a slash at either end.
    pub repository: String,
    /// The key that the server must show; `None`: the one that is known of it.
    pub key: Option<PeerKey>,
}

/// A text that is no URL of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no repository at a server: {why}; expected warp://HOST[:PORT]/REPOSITORY[#ed25519:KEY]")]
pub struct ParseUrlError {
    /// The text.
    pub text: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

impl ServerUrl {
    /// Whether a text is meant as such a URL.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// `HOST:PORT`, as known hosts have it.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// The URL with its port and without its key, for messages.
    pub fn location(&self) -> String {
        format!("{SCHEME}{}/{}", self.authority(), self.repository)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with warp://")?;
        let (rest, key) = match rest.split_once('#') {
            Some((rest, key)) => (rest, Some(parse_key(key)?)),
            None => (rest, None),
        };
        let named = rest.split_once('/');
        let (authority, path) = named.ok_or("it names no repository, as in warp://host/repository")?;
        let (host, port) = parse_authority(authority)?;
        let path = path.trim_end_matches('/');
        check_repository_path(path)?;
        Ok(Self { host: host.to_ascii_lowercase(), port, repository: path.to_owned(), key })
    }
}

fn parse_key(text: &str) -> Result<PeerKey, &'static str> {
    text.parse().map_err(|_| "behind # it takes ed25519: and 43 characters of base64 for URLs")
}

fn parse_authority(text: &str) -> Result<(&str, u16), &'static str> {
    if text.contains('@') {
        return Err("it names a user, and a server knows its users by their keys");
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
            host.parse::<Ipv6Addr>().map_err(|_| "what stands in brackets is no IPv6 address")?;
            (host, port)
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            check_host(host)?;
            (host, port)
        }
    };
    Ok((host, parse_port(port)?))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    match (1..=HOST_LEN_MAX).contains(&host.len()) && host.bytes().all(is_known) {
        true => Ok(()),
        false => Err("its host is no name and no address; an IPv6 address stands in brackets"),
    }
}

/// Reads what stands behind a host: nothing, or a colon and a number.
fn parse_port(text: &str) -> Result<u16, &'static str> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    let digits = text.strip_prefix(':').ok_or("behind its address stands something but a port")?;
    // A number may begin with a plus sign, a port not.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
    port.ok_or("its port is no number from 1 to 65535")
}

/// Checks the path of a repository at a server: what it names lies below the server's root, and is nothing that a repository
/// consists of. Servers hold their clients to the same rule.
///
/// # Errors
/// Which rule it breaks.
pub fn check_repository_path(path: &str) -> Result<(), &'static str> {
    let is_legal = |part: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=REPOSITORY_PART_LEN_MAX).contains(&part.len())
            && !part.starts_with('.')
            && part.bytes().all(is_known)
    };
    if path.len() > REPOSITORY_NAME_LEN_MAX {
        return Err("the repository's path is longer than 1024 bytes");
    }
    match path.split('/').all(is_legal) {
        true => Ok(()),
        false => {
            Err("a part of the repository's path is empty, is longer than 100 bytes, begins with a dot, or \
                      holds something but letters, digits, '.', '_' and '-'")
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        Self::parse(text).map_err(|why| ParseUrlError { text: text.to_owned(), why })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bracketed())?;
        if self.port != DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "/{}", self.repository)?;
        self.key.map_or(Ok(()), |key| write!(f, "#{key}"))
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
            ("warp://nas.example:99/alice/photos/", "nas.example:99", "alice/photos", None),
            ("warp://[::1]:65535/r", "[::1]:65535", "r", None),
            ("warp://[::1]:7/x", "[::1]:7", "x", None),
            ("warp://[FE80::1]/r/", "[fe80::1]:8919", "r", None),
            (&format!("warp://10.0.0.1/r#{key}"), "10.0.0.1:8919", "r", Some(key)),
        ];
        for (text, authority, repository, key) in cases {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(
                (url.authority().as_str(), url.repository.as_str(), url.key),
                (authority, repository, key)
            );
            assert_eq!(url.location(), format!("warp://{authority}/{repository}"));
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
        for text in ["warp://h/r", "warp://[::1]:7/a/b", &format!("warp://h:1/r#{key}")] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), text);
        }
        assert_eq!("warp://h:8919/r".parse(), "warp://H/r//".parse::<ServerUrl>());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_is_written_as_it_is_read(text in "warp://[a-zA-Z0-9:@/#%.\\[\\]_-]{0,40}") {
            if let Ok(url) = text.parse::<ServerUrl>() {
                proptest::prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        let long = [
            format!("warp://h/{}", "r".repeat(101)),
            format!("warp://h/{}", "r/".repeat(512) + "r"),
            format!("warp://{}/r", "h".repeat(254)),
        ];
        let bad = [
            "",
            "h/r",
            "ssh://h/r",
            "warp:h/r",
            "warp://",
            "warp://h",
            "warp://h/",
            "warp:///r",
            "warp://h:0/r",
            "warp://h:65536/r",
            "warp://h:+1/r",
            "warp://h:/r",
            "warp://u@h/r",
            "warp://h_1/r",
            "warp://::1/r",
            "warp://[::1/r",
            "warp://[h]/r",
            "warp://[::1]x/r",
            "warp://[::1]8/r",
            "warp://h/../r",
            "warp://h/./r",
            "warp://h/.a",
            "warp://h/a//b",
            "warp://h//a",
            "warp://h/a b",
            "warp://h/a?b",
            "warp://h/a\nb",
            "warp://h/r#",
            "warp://h/r#rsa:00",
            "warp://h/r#ed25519:AA",
        ];
        for text in bad.into_iter().chain(long.iter().map(String::as_str)) {
            let error = text.parse::<ServerUrl>().expect_err(text);
            assert!(error.text == text && !error.why.is_empty(), "{error}");
        }
        let longest = format!("warp://{}/{}", "h".repeat(253), "r".repeat(100));
        assert!(longest.parse::<ServerUrl>().is_ok(), "the limits themselves are allowed");
    }
}
