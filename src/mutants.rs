//! Faults that tests switch on: each takes out one of the rules that keep writers from losing each other's data.
//!
//! A model checker that finds nothing proves something only if it would find what is wrong. So the rules can be taken out, one at
//! a time, in the code that runs, and `tests/explore` shows that each of them is missed. Without feature `testing` no rule can
//! be: `is_on` is then a constant.

/// A rule that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mutant {
    /// The log takes an entry although what it relies on was condemned or removed meanwhile.
    UsesUnchecked,
    /// The log takes a commit that took files over from one that was forgotten meanwhile.
    ForgottenBaseTaken,
    /// A writer whose entry is in the log, and who was told that the place is taken, believes that another was faster.
    LostReplyTakenForLostRace,
    /// gc forgets that what is unneeded in a pack that stays may be a delta, whose base must stay, too.
    BasesOfStayingForgotten,
    /// gc keeps a pack that a commit began to use, and not those with the bases of the deltas in it.
    BasesOfKeptForgotten,
    /// gc and repack condemn packs that a commit began to use after they had looked.
    UsedSinceIgnored,
    /// Files are deleted first, and then the log removes them.
    DeletedBeforeRemoved,
    /// A writer adds a pack whose file was taken for left over and removed.
    OwnRemovalIgnored,
    /// gc condemns files as left over that an entry has added since it listed them.
    OrphansNotListedAnew,
}

#[cfg(any(test, feature = "testing"))]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Whether this thread runs without the rule. `false`, always, in a program that was built without feature `testing`.
#[inline]
pub(crate) fn is_on(mutant: Mutant) -> bool {
    #[cfg(any(test, feature = "testing"))]
    return ACTIVE.get() == Some(mutant);
    #[cfg(not(any(test, feature = "testing")))]
    {
        let _ = mutant;
        false
    }
}

/// Runs `act` without the rule, if one is named: what this thread does, not what threads do that it starts. All rules are heeded
/// by the thread that calls an operation.
#[cfg(any(test, feature = "testing"))]
pub fn with<T>(mutant: Option<Mutant>, act: impl FnOnce() -> T) -> T {
    /// Puts back what was, after a panic as well.
    struct Before(Option<Mutant>);
    impl Drop for Before {
        fn drop(&mut self) {
            ACTIVE.set(self.0);
        }
    }
    let _before = Before(ACTIVE.replace(mutant));
    act()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_taken_out_for_one_thread_and_comes_back() {
        let is_out = || is_on(Mutant::UsesUnchecked);
        let seen = with(Some(Mutant::UsesUnchecked), || {
            let elsewhere = std::thread::spawn(move || is_on(Mutant::UsesUnchecked)).join().unwrap();
            (is_out(), is_on(Mutant::DeletedBeforeRemoved), elsewhere)
        });
        assert_eq!((seen, is_out()), ((true, false, false), false));
        let panics = std::panic::catch_unwind(|| with(Some(Mutant::UsesUnchecked), || panic!("as meant")));
        assert!(panics.is_err() && !is_out());
    }
}
