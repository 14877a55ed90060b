//! Looking up very many objects at once: segments are read from one end to the other, instead of one page for each object.

use crate::id::{Locator, ObjectKind};

use super::index::{Index, State, Which};
use super::segment::Segment;
use super::{CasError, Location};

/// Where fewer than one row in so many is asked for, pages are looked for one by one.
const SPARSE: usize = 64;

impl Index {
    /// Tells `found` where each of these objects lies, by its number: the copy that [`find_usable`](Self::find_usable) gives at
    /// any depth. Returns the number of the first one that is in no pack which may be used. `locators` ascend, and are distinct.
    /// `found` may be told of one object more than once.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn find_many(
        &self,
        kind: ObjectKind,
        locators: &[Locator],
        found: &mut dyn FnMut(usize, Location),
    ) -> Result<Option<usize>, CasError> {
        self.with_present_files(|| {
            let state = self.state();
            let small = self.small_rows(&state)?;
            let mut missing: Vec<u32> = Vec::new();
            for (number, locator) in locators.iter().enumerate() {
                match small[Which::Usable as usize].get(&(kind, *locator)) {
                    Some(location) => found(number, *location),
                    None => missing.push(u32::try_from(number).expect("far fewer fit the memory")),
                }
            }
            for segment in state.segments.iter().rev().filter(|segment| segment.record.rows > 0) {
                if missing.is_empty() {
                    break;
                }
                missing = match missing.len().saturating_mul(SPARSE) < segment.record.rows as usize {
                    true => self.find_some(&state, segment, kind, (locators, missing), found)?,
                    false => self.find_along(&state, segment, kind, (locators, missing), found)?,
                };
            }
            Ok(missing.first().map(|number| *number as usize))
        })
    }

    /// Looks for each object in a segment; returns those that are not there.
    fn find_some(
        &self,
        state: &State,
        segment: &Segment,
        kind: ObjectKind,
        (locators, mut missing): (&[Locator], Vec<u32>),
        found: &mut dyn FnMut(usize, Location),
    ) -> Result<Vec<u32>, CasError> {
        let fits = |location: &Location| state.holds(&location.pack, Which::Usable);
        let mut failed = None;
        missing.retain(|&number| match self.find_in(segment, kind, &locators[number as usize], fits) {
            Ok(Some(location)) => {
                found(number as usize, location);
                false
            }
            Ok(None) => true,
            Err(error) => {
                failed.get_or_insert(error);
                true
            }
        });
        failed.map_or(Ok(missing), Err)
    }

    /// Goes through a segment and the objects side by side; returns those that are not there.
    fn find_along(
        &self,
        state: &State,
        segment: &Segment,
        kind: ObjectKind,
        (locators, missing): (&[Locator], Vec<u32>),
        found: &mut dyn FnMut(usize, Location),
    ) -> Result<Vec<u32>, CasError> {
        let (mut left, mut next) = (Vec::new(), missing.iter().copied().peekable());
        segment.for_each_row(self.vault(), &mut |row, location| {
            while let Some(number) = next.next_if(|number| locators[*number as usize] < row.locator) {
                left.push(number);
            }
            let is_wanted = |number: &u32| locators[*number as usize] == row.locator && row.kind == kind;
            let fits = |location: &Location| state.holds(&location.pack, Which::Usable);
            if let Some(location) = location.filter(fits)
                && let Some(number) = next.next_if(is_wanted)
            {
                found(number as usize, location);
            }
        })?;
        left.extend(next);
        Ok(left)
    }
}
