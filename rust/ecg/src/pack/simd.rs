//! Which instruction set a kernel is compiled for, chosen at run time.
//!
//! Every kernel is written once, in plain Rust that the compiler turns into vectors; the variants differ only in what the compiler may use.

/// A piece of work that is compiled once for each instruction set. `run` must be `#[inline(always)]`, or the features stop at its call.
pub(super) trait Kernel {
    fn run(self);
}

/// An instruction set. Values other than `Portable` exist only where the machine has it, because only [`Simd::available`] makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Simd(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// What the target guarantees: SSE2 on x86-64, NEON on aarch64.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// What every machine of the target has.
    pub(super) const PORTABLE: Self = Self(Level::Portable);

    /// All that this machine has, the fastest first.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")).then_some(Self(Level::Avx512)),
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avx2").then_some(Self(Level::Avx2)),
            Some(Self::PORTABLE),
        ]
        .into_iter()
        .flatten()
    }

    /// The fastest that this machine has.
    pub(super) fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// Run `kernel` with this instruction set.
    #[inline]
    pub(super) fn run(self, kernel: impl Kernel) {
        match self.0 {
            Level::Portable => kernel.run(),
            // SAFETY: a `Simd` of this level is made only by `available`, after the machine said that it has AVX2.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { run_avx2(kernel) },
            // SAFETY: as above, for AVX-512 F, BW and VL.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(kernel: impl Kernel) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn run_avx512(kernel: impl Kernel) {
    kernel.run();
}
