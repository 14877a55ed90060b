//! The parameter with which a chunker comes to a mean length.

/// Looks for a parameter, from one measurement to the next. The mean grows with the parameter.
pub(crate) struct Search {
    wanted: f64,
    tried: Vec<(u32, f64)>,
    parameter: u32,
}

/// Parameters that are tried.
const BOUNDS: (f64, f64) = (1024.0, 1_048_576.0);
/// How far from what is wanted a mean is good.
const GOOD: f64 = 0.01;
/// How far from what is wanted a mean may be.
pub(crate) const TOLERANCE: f64 = 0.03;
/// Most measurements.
const ROUNDS: usize = 9;

impl Search {
    /// For the mean `wanted`; begins with `parameter`.
    pub(crate) fn new(wanted: f64, parameter: u32) -> Self {
        Self { wanted, tried: Vec::new(), parameter }
    }

    /// The next parameter to measure, or none if one is good or nothing better is to be expected.
    pub(crate) fn next(&self) -> Option<u32> {
        let good = self.tried.iter().any(|(_, mean)| self.miss(*mean) <= GOOD);
        let again = self.tried.iter().any(|(parameter, _)| *parameter == self.parameter);
        (!good && !again && self.tried.len() < ROUNDS).then_some(self.parameter)
    }

    /// Learns what the parameter came to.
    pub(crate) fn learn(&mut self, mean: f64) {
        self.tried.push((self.parameter, mean));
        self.tried.sort_by_key(|(parameter, _)| *parameter);
        let guess = self.guess().clamp(BOUNDS.0, BOUNDS.1);
        self.parameter = guess.round() as u32 & !1;
    }

    /// The best parameter: the nearest within the tolerance, else the greatest that gives finer chunks than wanted, which
    /// favours the chunker that is tuned.
    pub(crate) fn best(&self) -> u32 {
        self.best_measured().0
    }

    /// Whether this looks for another mean than the other one did, by more than what is good.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        other.miss(self.wanted) > GOOD
    }

    /// The same with what it came to.
    pub(crate) fn best_measured(&self) -> (u32, f64) {
        let nearest = self.tried.iter().min_by(|a, b| self.miss(a.1).total_cmp(&self.miss(b.1)));
        let finer = self.tried.iter().rev().find(|(_, mean)| *mean <= self.wanted);
        let nearest = nearest.expect("something was measured");
        if self.miss(nearest.1) <= TOLERANCE { *nearest } else { *finer.unwrap_or(nearest) }
    }

    fn miss(&self, mean: f64) -> f64 {
        (mean / self.wanted - 1.0).abs()
    }

    fn guess(&self) -> f64 {
        let below = self.tried.iter().rev().find(|(_, mean)| *mean < self.wanted);
        let above = self.tried.iter().find(|(_, mean)| *mean >= self.wanted);
        match (below, above) {
            // Between the two: along the line at first, then in the middle, in case there is a step.
            (Some(low), Some(high)) if self.tried.len().is_multiple_of(2) => self.on_the_line(*low, *high),
            (Some(low), Some(high)) => (f64::from(low.0) * f64::from(high.0)).sqrt(),
            _ => self.outside(),
        }
    }

    /// Beyond all that was tried: along the line through the last two, at most four times as far.
    fn outside(&self) -> f64 {
        let grow = self.tried.iter().all(|(_, mean)| *mean < self.wanted);
        let (last, other) = if grow {
            (self.tried[self.tried.len() - 1], self.tried.iter().rev().nth(1))
        } else {
            (self.tried[0], self.tried.get(1))
        };
        let parameter = f64::from(last.0);
        let guess = match other {
            Some(other) if other.1 != last.1 => self.on_the_line(*other, last),
            Some(_) => f64::NAN,
            None => parameter * self.wanted / last.1,
        };
        let (least, most) = if grow { (1.02, 4.0) } else { (0.25, 0.98) };
        // A mean that does not answer to the parameter: a long step.
        let far = if grow { most } else { least };
        if guess.is_nan() { parameter * far } else { guess.clamp(parameter * least, parameter * most) }
    }

    /// Where the line through two measurements, of logarithms, comes to what is wanted.
    fn on_the_line(&self, a: (u32, f64), b: (u32, f64)) -> f64 {
        let [x0, x1] = [a.0, b.0].map(|parameter| f64::from(parameter).ln());
        let [y0, y1, y] = [a.1, b.1, self.wanted].map(f64::ln);
        (x0 + (x1 - x0) * (y - y0) / (y1 - y0)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tunes a chunker whose mean lengths are given; returns the parameter, its mean and the measurements it took.
    fn tuned(wanted: f64, first: u32, mean: impl Fn(u32) -> f64) -> (u32, f64, usize) {
        let mut search = Search::new(wanted, first);
        while let Some(parameter) = search.next() {
            search.learn(mean(parameter));
        }
        let (best, measured) = search.best_measured();
        assert_eq!(measured, mean(best), "the mean belongs to the parameter");
        assert_eq!(best, search.best());
        (best, measured, search.tried.len())
    }

    #[test]
    fn a_mean_that_grows_smoothly_is_found_within_a_hundredth() {
        for wanted in [3_000.0, 11_456.0, 45_700.0, 182_900.0] {
            for factor in [0.4, 0.7, 1.0, 1.6] {
                for power in [0.8, 0.95, 1.0, 1.1] {
                    let mean = |parameter: u32| factor * f64::from(parameter).powf(power);
                    if !(mean(2000)..mean(1_000_000)).contains(&wanted) {
                        continue;
                    }
                    let (_, found, rounds) = tuned(wanted, wanted as u32 & !1, mean);
                    assert!((found / wanted - 1.0).abs() <= GOOD, "{found} for {wanted}: {factor}, {power}");
                    assert!(rounds <= 6, "{rounds} measurements for {wanted}: {factor}, {power}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_even_and_within_bounds() {
        for mean in [1.0, 1e9] {
            let mut search = Search::new(45_000.0, 45_000);
            while let Some(parameter) = search.next() {
                assert!(parameter % 2 == 0 && (BOUNDS.0..=BOUNDS.1).contains(&f64::from(parameter)));
                search.learn(mean);
            }
            assert!(search.tried.len() <= ROUNDS);
        }
    }

    #[test]
    fn where_no_parameter_comes_near_the_finer_chunks_are_taken() {
        let step = |parameter: u32| if parameter < 30_000 { 20_000.0 } else { 60_000.0 };
        for first in [8_000, 28_000, 45_000, 100_000] {
            let (best, found, rounds) = tuned(40_000.0, first, step);
            assert!(best < 30_000 && found == 20_000.0 && rounds <= ROUNDS, "{best} from {first}");
        }
    }

    #[test]
    fn the_nearest_mean_within_the_tolerance_is_taken_even_if_it_is_coarser() {
        // Beyond what is good on either side, within the tolerance on one.
        let step = |parameter: u32| if parameter < 30_000 { 38_000.0 } else { 40_800.0 };
        let (best, found, _) = tuned(40_000.0, 28_000, step);
        assert!(best >= 30_000 && found == 40_800.0);
    }

    #[test]
    fn a_search_differs_from_another_by_more_than_a_hundredth_of_what_is_wanted() {
        let of = |wanted| Search::new(wanted, 1000);
        assert!(of(10_150.0).differs_from(&of(10_000.0)) && of(9_850.0).differs_from(&of(10_000.0)));
        assert!(!of(10_050.0).differs_from(&of(10_000.0)) && !of(9_950.0).differs_from(&of(10_000.0)));
    }
}
