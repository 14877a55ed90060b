//! The user's settings file: where it lies, how it is read and changed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table};

use super::error::{CliError, Exit};
use super::settings::{self, Key, Settings};

/// The settings of a file, and the layer of the chosen profile above them.
#[derive(Debug, Default)]
pub(crate) struct UserConfig {
    pub(crate) profile: Settings,
    pub(crate) base: Settings,
}

impl UserConfig {
    /// Reads the file; a missing one says nothing.
    pub(crate) fn load(path: &Path, profile: Option<&str>, home: Option<&Path>) -> Result<Self, CliError> {
        let text = read_or_empty(path)?;
        let mut base = parse(&text, path)?;
        base.anchor(path.parent().unwrap_or(Path::new("/")), home);
        let mut profiles = std::mem::take(&mut base.profile);
        let profile = match profile {
            None => Settings::default(),
            Some(name) => profiles.remove(name).ok_or_else(|| no_profile(name, path, &profiles))?,
        };
        Ok(Self { profile, base })
    }

    /// Both layers in one.
    pub(crate) fn merged(&self) -> Settings {
        self.profile.clone().over(self.base.clone())
    }
}

fn no_profile(name: &str, path: &Path, known: &std::collections::BTreeMap<String, Settings>) -> CliError {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let hint =
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    CliError::usage(format!("{} has no profile {name:?}", path.display())).hint(hint)
}

fn read_or_empty(path: &Path) -> Result<String, CliError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        result => result.map_err(|error| CliError::file("read", path, error)),
    }
}

/// Reads settings; an error names the file and the line.
fn parse(text: &str, path: &Path) -> Result<Settings, CliError> {
    let parsed: Settings = toml::from_str(text).map_err(|error| {
        CliError::caused(Exit::Usage, format!("{} is not a valid configuration", path.display()), error)
            .hint("`warp config list --keys` shows every key")
    })?;
    match parsed.profile.values().any(|profile| !profile.profile.is_empty()) {
        true => Err(CliError::usage(format!("{}: a profile cannot hold profiles", path.display()))),
        false => Ok(parsed),
    }
}

/// `$XDG_CONFIG_HOME/warp/config.toml`, else `~/.config/warp/config.toml`.
pub(crate) fn path(home: Option<&Path>) -> Result<PathBuf, CliError> {
    Ok(xdg("XDG_CONFIG_HOME", ".config", home)?.join("warp/config.toml"))
}

/// `$XDG_STATE_HOME/warp`, else `~/.local/state/warp`.
pub(crate) fn state_dir(home: Option<&Path>) -> Result<PathBuf, CliError> {
    Ok(xdg("XDG_STATE_HOME", ".local/state", home)?.join("warp"))
}

/// `$XDG_CACHE_HOME/warp`, else `~/.cache/warp`.
pub(crate) fn cache_dir(home: Option<&Path>) -> Result<PathBuf, CliError> {
    Ok(xdg("XDG_CACHE_HOME", ".cache", home)?.join("warp"))
}

fn xdg(variable: &str, below_home: &str, home: Option<&Path>) -> Result<PathBuf, CliError> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(home?.join(below_home))).ok_or_else(|| {
        CliError::failed("this user has no home directory").hint(format!("set HOME or {variable}"))
    })
}

/// `$HOME`, else what the user database says.
pub(crate) fn home() -> Option<PathBuf> {
    use uzers::os::unix::UserExt;
    let set = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(uzers::get_user_by_uid(uzers::get_current_uid())?.home_dir().to_owned()))
}

/// Sets a key, or removes it with `None`, and leaves comments and order as they are.
///
/// # Errors
/// If the result would not be valid settings: the file stays as it was.
pub(crate) fn edit(
    path: &Path,
    profile: Option<&str>,
    key: &Key,
    value: Option<toml_edit::Value>,
) -> Result<(), CliError> {
    let text = read_or_empty(path)?;
    parse(&text, path)?;
    let mut document: DocumentMut = text.parse().map_err(|error| {
        CliError::caused(Exit::Usage, format!("{} is not valid TOML", path.display()), error)
    })?;
    let table = section(&mut document, profile);
    match value {
        Some(value) => put(table, key.name, value),
        None => drop(table.remove(key.name)),
    }
    let text = document.to_string();
    parse(&text, path)?;
    replace(path, &text).map_err(|error| CliError::file("write", path, error))
}

/// Changes a value in its place, with the comment behind it.
fn put(table: &mut Table, name: &str, mut value: toml_edit::Value) {
    // Inserting under a key that is there would take the comment above it away.
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => drop(table.insert(name, Item::Value(value))),
    }
}

fn section<'a>(document: &'a mut DocumentMut, profile: Option<&str>) -> &'a mut Table {
    let Some(profile) = profile else { return document.as_table_mut() };
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let profiles = document.entry("profile").or_insert_with(implicit);
    let profiles = profiles.as_table_mut().expect("settings that parse have a table of profiles");
    let section = profiles.entry(profile).or_insert_with(|| Item::Table(Table::new()));
    section.as_table_mut().expect("settings that parse have tables as profiles")
}

/// A value of TOML as the editor wants it.
pub(crate) fn editable(key: &Key, words: &[String]) -> Result<toml_edit::Value, String> {
    if key.kind == settings::Kind::List {
        return Ok(toml_edit::Value::Array(words.iter().map(String::as_str).collect()));
    }
    let [word] = words else { return Err(format!("{} takes one value", key.name)) };
    Ok(match settings::value_of(key, word)? {
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Integer(value) => value.into(),
        _ => word.as_str().into(),
    })
}

/// Writes the whole file anew, readable by its owner alone: commands in it may hold secrets.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = target.with_extension(format!("toml.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&temporary, &target)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(path: &Path, profile: Option<&str>, name: &str, words: &[&str]) -> Result<(), CliError> {
        let key = settings::key(name).unwrap();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let value = editable(key, &words).map_err(CliError::usage)?;
        edit(path, profile, key, Some(value))
    }

    #[test]
    fn edits_keep_comments_and_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "# mine\nthreads = 4 # cores\n\n[profile.nas] # box\nhost = 'x'\n").unwrap();
        set(&path, None, "threads", &["2"]).unwrap();
        set(&path, Some("nas"), "exclude", &["*.o", "a b"]).unwrap();
        set(&path, None, "git-ignore", &["on"]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(text, @r#"
        # mine
        threads = 2 # cores
        git-ignore = true

        [profile.nas] # box
        host = 'x'
        exclude = ["*.o", "a b"]
        "#);
        edit(&path, None, settings::key("threads").unwrap(), None).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("threads"));
    }

    #[test]
    fn a_first_setting_makes_the_file_and_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config.toml");
        set(&path, Some("p"), "host", &["h"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[profile.p]\nhost = \"h\"\n");
    }

    #[test]
    fn a_wrong_value_or_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "hots = 1\n").unwrap();
        assert_eq!(set(&path, None, "host", &["h"]).unwrap_err().exit, Exit::Usage);
        assert_eq!(set(&path, None, "threads", &["many"]).unwrap_err().exit, Exit::Usage);
        assert_eq!(fs::read_to_string(&path).unwrap(), "hots = 1\n");
    }

    #[test]
    fn a_profile_lies_above_the_rest_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "host = 'a'\nthreads = 4\nrepository = 'r'\n[profile.p]\nhost = 'b'\n").unwrap();
        let merged = UserConfig::load(&path, Some("p"), None).unwrap().merged();
        assert_eq!((merged.host.as_deref(), merged.threads), (Some("b"), Some(4)));
        assert_eq!(merged.repository, Some(folder.path().join("r")));
        let error = UserConfig::load(&path, Some("q"), None).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("it has p"));
    }
}
