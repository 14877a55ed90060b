//! Lasting settings of a user: keys, their types, and how layers of them combine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Path,
    Bool,
    Number,
    List,
}

/// One key of the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
}

impl Key {
    /// The environment variable of the same meaning.
    pub(crate) fn env(&self) -> String {
        format!("WARP_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

macro_rules! settings {
    ($($field:ident: $type:ty = $name:literal $kind:ident $about:literal,)*) => {
        /// A layer of settings: a file, a profile in it, or the environment. What it does not say is `None`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct Settings {
            $(
                #[doc = $about]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $field: Option<$type>,
            )*
            /// Named layers above the file's own; only a file has them.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub(crate) profile: BTreeMap<String, Settings>,
        }

        /// Every key, in the order in which they are listed.
        pub(crate) const KEYS: &[Key] = &[$(Key { name: $name, kind: Kind::$kind, about: $about }),*];

        impl Settings {
            fn fill(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* profile: self.profile }
            }
        }
    };
}

settings! {
    repository: PathBuf = "repository" Path "The repository, when neither -r nor WARP_REPOSITORY names one",
    password_file: PathBuf = "password-file" Path "File with the password",
    password_command: String = "password-command" Text "Command that prints the password",
    key_file: PathBuf = "key-file" Path "Key file that opens the repository",
    compression: String = "compression" Text "auto, off, or a zstd level",
    exclude: Vec<String> = "exclude" List "Patterns of what not to commit",
    exclude_file: Vec<PathBuf> = "exclude-file" List "Files with such patterns",
    exclude_caches: bool = "exclude-caches" Bool "Leave out directories with a CACHEDIR.TAG",
    exclude_if_present: Vec<String> = "exclude-if-present" List "Leave out directories that hold such a file",
    exclude_larger_than: String = "exclude-larger-than" Text "Leave out larger files, as in 1GiB",
    one_file_system: bool = "one-file-system" Bool "Do not cross mount points",
    git_ignore: bool = "git-ignore" Bool "Obey .gitignore",
    host: String = "host" Text "Name of this host",
    author: String = "author" Text "Who commits",
    threads: usize = "threads" Number "How many threads work; 0: one for each core",
    progress: bool = "progress" Bool "Show progress on a terminal",
    color: String = "color" Text "auto, always or never",
}

/// The key of this name.
pub(crate) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Settings {
    /// This layer above another: what it does not say, the lower one says. Where a password comes from is one
    /// setting: a layer that names any source hides the lower ones.
    pub(crate) fn over(self, mut lower: Self) -> Self {
        if self.has_password_source() {
            lower.password_file = None;
            lower.password_command = None;
            lower.key_file = None;
        }
        self.fill(lower)
    }

    pub(crate) fn has_password_source(&self) -> bool {
        self.password_file.is_some() || self.password_command.is_some() || self.key_file.is_some()
    }

    /// The values of this layer, by key, as TOML.
    pub(crate) fn values(&self) -> toml::Table {
        let mut table = toml::Table::try_from(self).unwrap_or_default();
        table.remove("profile");
        table
    }

    /// The layer of the environment: `WARP_` and the key in capitals, with `_` for `-`.
    ///
    /// # Errors
    /// If a variable's text is not what its key wants.
    pub(crate) fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let mut table = toml::Table::new();
        for key in KEYS {
            let variable = key.env();
            if let Some(text) = get(&variable).filter(|text| !text.is_empty()) {
                let text = text.into_string().map_err(|_| format!("{variable} is not UTF-8"))?;
                let value = value_of(key, &text).map_err(|why| format!("{variable}: {why}"))?;
                table.insert(key.name.to_owned(), value);
            }
        }
        table.try_into().map_err(|error: toml::de::Error| format!("the environment: {}", error.message()))
    }

    /// Makes paths absolute: `~/` is the home directory, others are below `base`.
    pub(crate) fn anchor(&mut self, base: &Path, home: Option<&Path>) {
        let single = [&mut self.repository, &mut self.password_file, &mut self.key_file];
        let several = self.exclude_file.iter_mut().flatten();
        for path in single.into_iter().flatten().chain(several) {
            *path = match (path.strip_prefix("~"), home) {
                (Ok(rest), Some(home)) => home.join(rest),
                _ => base.join(&*path),
            };
        }
        self.profile.values_mut().for_each(|profile| profile.anchor(base, home));
    }
}

/// Reads one value as its key wants it; a list is written like words of a shell.
pub(crate) fn value_of(key: &Key, text: &str) -> Result<toml::Value, String> {
    Ok(match key.kind {
        Kind::Text | Kind::Path => toml::Value::from(text),
        Kind::Bool => {
            toml::Value::from(boolean(text).ok_or_else(|| format!("{text:?} is neither true nor false"))?)
        }
        Kind::Number => toml::Value::from(i64::from(
            text.parse::<u32>().map_err(|_| format!("{text:?} is not a number"))?,
        )),
        Kind::List => {
            toml::Value::from(shlex::split(text).ok_or_else(|| format!("{text:?} has an open quote"))?)
        }
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_upper_layer_wins_key_by_key() {
        let merged =
            layer("host = 'a'\nexclude = ['x']").over(layer("host = 'b'\nthreads = 2\nexclude = ['y']"));
        assert_eq!(merged, layer("host = 'a'\nthreads = 2\nexclude = ['x']"));
    }

    #[test]
    fn a_password_source_hides_every_source_below() {
        let merged =
            layer("password-command = 'pass'").over(layer("password-file = 'f'\nkey-file = 'k'\nhost = 'h'"));
        assert_eq!(merged, layer("password-command = 'pass'\nhost = 'h'"));
        let merged = layer("host = 'h'").over(layer("password-file = 'f'"));
        assert_eq!(merged, layer("password-file = 'f'\nhost = 'h'"));
    }

    #[test]
    fn the_environment_is_read_by_type() {
        let env = |name: &str| {
            let value = match name {
                "WARP_THREADS" => "3",
                "WARP_GIT_IGNORE" => "yes",
                "WARP_EXCLUDE" => "'a b' c",
                "WARP_HOST" => "",
                _ => return None,
            };
            Some(OsString::from(value))
        };
        assert_eq!(
            Settings::from_env(env).unwrap(),
            layer("threads = 3\ngit-ignore = true\nexclude = ['a b', 'c']")
        );
        let wrong = Settings::from_env(|name| (name == "WARP_THREADS").then(|| "many".into()));
        assert_eq!(wrong.unwrap_err(), "WARP_THREADS: \"many\" is not a number");
    }

    #[test]
    fn every_key_of_the_list_is_a_field_of_its_type() {
        for key in KEYS {
            let text = match key.kind {
                Kind::Number => "7",
                Kind::Bool => "true",
                _ => "x",
            };
            let mut table = toml::Table::new();
            table.insert(key.name.to_owned(), value_of(key, text).unwrap());
            let settings: Settings = table.clone().try_into().unwrap_or_else(|e| panic!("{}: {e}", key.name));
            assert_eq!(settings.values(), table);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error =
            toml::from_str::<Settings>("host = 'a'\n\n[profile.x]\nhots = 'b'").unwrap_err().to_string();
        assert!(error.contains("line 4") && error.contains("hots"), "{error}");
    }

    #[test]
    fn paths_are_anchored_at_home_or_at_the_file() {
        let mut settings = layer("repository = '~/r'\npassword-file = 'p'\nexclude-file = ['/abs', 'rel']");
        settings.anchor(Path::new("/etc/warp"), Some(Path::new("/home/ann")));
        let wanted = "repository = '/home/ann/r'\npassword-file = '/etc/warp/p'\nexclude-file = ['/abs', '/etc/warp/rel']";
        assert_eq!(settings, layer(wanted));
    }
}
