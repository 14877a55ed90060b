//! Which shards of packs lie at a host.

use std::collections::BTreeSet;

use crate::id::PackId;
use crate::ops::spread::parse_shard_name;
use crate::store::BlobName;

/// The shards that lie in a repository: listed when they are first asked for, since most hosts never ask, and from then on told of each
/// that comes or goes. One that is listed and gone does no harm, since whoever asks reads it; one that is missing here would be
/// thought lost.
#[derive(Debug, Default)]
pub(super) struct Shards(Option<BTreeSet<(PackId, u16)>>);

impl Shards {
    /// The numbers of a pack's shards, in order. `list` lists the folder, if that was not done yet.
    ///
    /// # Errors
    /// That of `list`; the next call lists again.
    pub(super) fn of<E>(
        &mut self,
        pack: &PackId,
        list: impl FnOnce() -> Result<Vec<BlobName>, E>,
    ) -> Result<Vec<u16>, E> {
        if self.0.is_none() {
            let names = list()?;
            self.0 = Some(names.iter().filter_map(|name| parse_shard_name(name.as_str())).collect());
        }
        let of_pack = (*pack, 0)..=(*pack, u16::MAX);
        Ok(self.0.iter().flat_map(|all| all.range(of_pack.clone())).map(|(_, number)| *number).collect())
    }

    /// A shard was stored.
    pub(super) fn came(&mut self, pack: PackId, number: u16) {
        if let Some(all) = &mut self.0 {
            all.insert((pack, number));
        }
    }

    /// A shard was deleted.
    pub(super) fn went(&mut self, pack: PackId, number: u16) {
        if let Some(all) = &mut self.0 {
            all.remove(&(pack, number));
        }
    }

    /// Something is missing: somebody may have put it there behind this host's back by the time it is asked for again.
    pub(super) fn doubt(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::ops::spread::shard_name;

    const ONE: PackId = PackId::new([1; 16]);
    const TWO: PackId = PackId::new([2; 16]);

    fn never() -> Result<Vec<BlobName>, Infallible> {
        panic!("it was listed before")
    }

    fn two() -> Result<Vec<BlobName>, Infallible> {
        let stray = BlobName::new("shards/stray").unwrap();
        Ok(vec![shard_name(&ONE, 3), shard_name(&TWO, 0), shard_name(&TWO, 5), stray])
    }

    #[test]
    fn the_folder_is_listed_once_and_what_comes_and_goes_is_heeded() {
        let mut shards = Shards::default();
        // Before anything was listed there is nothing to keep right.
        shards.came(ONE, 9);
        shards.went(TWO, 5);
        assert_eq!(shards.of(&ONE, two), Ok(vec![3]));
        assert_eq!(shards.of(&TWO, never), Ok(vec![0, 5]));
        shards.went(TWO, 0);
        shards.went(ONE, 3);
        shards.came(ONE, 4);
        shards.came(ONE, 4);
        assert_eq!(shards.of(&TWO, never), Ok(vec![5]));
        assert_eq!(shards.of(&ONE, never), Ok(vec![4]));
        assert_eq!(shards.of(&PackId::new([3; 16]), never), Ok(vec![]));
    }

    #[test]
    fn a_listing_that_failed_or_is_doubted_is_made_anew() {
        let mut shards = Shards::default();
        assert_eq!(shards.of(&ONE, || Err("no answer")), Err("no answer"));
        assert_eq!(shards.of(&ONE, || Ok::<_, &str>(Vec::new())), Ok(vec![]));
        shards.doubt();
        assert_eq!(shards.of(&ONE, two), Ok(vec![3]));
    }
}
