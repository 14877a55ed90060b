//! Instruction sets that kernels are written for, and the one that this process uses.
//!
//! Every kernel gives the same result on each of them; only the speed differs. The choice is made once, here: the best
//! that the processor has, unless whoever starts the process says otherwise ([`Isa::choose`]).

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust: the definition that the others are tested against.
    Scalar,
    /// x86-64 with AVX2, BMI1, BMI2, LZCNT and POPCNT.
    Avx2,
    /// x86-64 with what [`Isa::Avx2`] asks for, and AVX-512 F, BW and VL.
    Avx512,
    /// AArch64, whose processors all have it.
    Neon,
}

static CHOSEN: OnceLock<Isa> = OnceLock::new();

impl Isa {
    /// All of them, the plain one first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Avx2 => has_avx2(),
            Self::Avx512 => has_avx512(),
            Self::Neon => cfg!(target_arch = "aarch64"),
        }
    }

    /// The best that this processor has.
    pub fn detect() -> Self {
        let best_first = [Self::Avx512, Self::Avx2, Self::Neon];
        best_first.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Scalar)
    }

    /// The one that this process uses: the one that was chosen, or else the best.
    pub fn current() -> Self {
        *CHOSEN.get_or_init(Self::detect)
    }

    /// Makes this the one that the process uses. To be called before any kernel runs.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if the processor does not have it, [`IsaError::TooLate`] if another is in use already.
    pub fn choose(self) -> Result<(), IsaError> {
        if !self.is_available() {
            return Err(IsaError::Missing { isa: self });
        }
        match *CHOSEN.get_or_init(|| self) {
            chosen if chosen == self => Ok(()),
            used => Err(IsaError::TooLate { isa: self, used }),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx2") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has_avx2() && has!("avx512f") && has!("avx512bw") && has!("avx512vl")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        })
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(text: &str) -> Result<Self, IsaError> {
        let unknown = || IsaError::Unknown { found: text.to_owned() };
        Self::ALL.into_iter().find(|isa| isa.to_string() == text).ok_or_else(unknown)
    }
}

/// Why an instruction set could not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsaError {
    /// There is no such name.
    #[error("{found:?} is no instruction set: use scalar, avx2, avx512 or neon")]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// This processor does not have it.
    #[error("this processor does not have {isa}; it has {}", available())]
    Missing {
        /// What was asked for.
        isa: Isa,
    },
    /// Kernels have run already.
    #[error("{isa} was chosen after {used} had been used")]
    TooLate {
        /// What was asked for.
        isa: Isa,
        /// What is in use.
        used: Isa,
    },
}

fn available() -> String {
    let names = Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(|isa| isa.to_string());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for isa in Isa::ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
        assert!("sse9".parse::<Isa>().is_err());
    }

    #[test]
    fn an_instruction_set_that_the_processor_lacks_is_refused() {
        assert!(Isa::detect().is_available());
        for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
            assert_eq!(isa.choose(), Err(IsaError::Missing { isa }));
        }
    }
}
