//! Which names repositories and blobs may have at a host.

use crate::format::server_url::check_repository_path;
use crate::format::wire::{FailCode, Failure};
use crate::id::PackId;
use crate::ops::spread::parse_shard_name;
use crate::store::BlobName;

/// What a blob is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Pack(PackId),
    /// A shard of a pack that lies at several hosts, with its number.
    Shard(PackId, u16),
    Segment,
    Log(u64),
    Checkpoint(u64),
    Lost,
}

/// Checks the path of a repository: what it names lies below the root, and is nothing that a repository consists of.
pub(super) fn check_repository(path: &str) -> Result<(), Failure> {
    check_repository_path(path).map_err(|why| Failure::new(FailCode::Malformed, 0, why))
}

/// Checks the name of a blob.
pub(super) fn blob(name: &str) -> Result<(BlobName, Kind), Failure> {
    let malformed = |why: String| Failure::new(FailCode::Malformed, 0, why);
    let blob = BlobName::new(name).map_err(|error| malformed(error.to_string()))?;
    let kind =
        kind(name).ok_or_else(|| malformed(format!("{name:?} names nothing that a repository has")))?;
    Ok((blob, kind))
}

fn kind(name: &str) -> Option<Kind> {
    let (folder, file) = name.split_once('/')?;
    Some(match folder {
        "config" => Kind::Config,
        "packs" => Kind::Pack(file.strip_suffix(".warp")?.parse().ok()?),
        "shards" => {
            let (pack, number) = parse_shard_name(name)?;
            Kind::Shard(pack, number)
        }
        "index" => Kind::Segment,
        "log" => Kind::Log(number(file)?),
        "checkpoint" => Kind::Checkpoint(number(file)?),
        "lost" => Kind::Lost,
        _ => return None,
    })
}

/// Ten digits: there is one name for each number.
fn number(file: &str) -> Option<u64> {
    let number: u64 = file.parse().ok()?;
    (format!("{number:010}") == file).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for good in ["a", "team/a-b_c.d", "A/9"] {
            assert!(check_repository(good).is_ok(), "{good}");
        }
        let long = "a/".repeat(1000) + "a";
        for bad in ["", "/", "a/", "/a", "..", "a/../b", ".a", "a//b", "a\\b", "a b", "a\0", &long] {
            assert!(check_repository(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_of_one_kind_or_of_none() {
        let pack = "packs/0123456789abcdef0123456789abcdef.warp";
        assert!(matches!(blob(pack), Ok((_, Kind::Pack(_)))));
        assert!(matches!(blob("log/0000000007"), Ok((_, Kind::Log(7)))));
        let shard = "shards/0123456789abcdef0123456789abcdef-05";
        assert!(matches!(blob(shard), Ok((_, Kind::Shard(_, 5)))));
        for bad in [
            "log/7",
            "log/00000000007",
            "shards/0123456789abcdef0123456789abcdef-5",
            "shards/0123456789abcdef0123456789abcdef",
            "packs/x.warp",
            "receipts/0000000001",
            "x",
            "tmp/a",
            "a/b/c",
            "log/../x",
        ] {
            assert!(blob(bad).is_err(), "{bad}");
        }
    }
}
