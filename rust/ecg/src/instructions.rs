//! Which vector instructions the machine has, for kernels that are compiled once for each.

/// An instruction set; others than `Portable` exist only where the machine has them, because only [`Level::available`] makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    /// What every machine of the architecture has.
    Portable,
    /// 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2(Detected),
    /// 512 bits, with operations on bytes and words.
    #[cfg(target_arch = "x86_64")]
    Avx512(Detected),
}

/// Proof that the machine has the instructions.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detected(());

impl Level {
    /// All that this machine has, the fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")).then_some(Self::Avx512(Detected(()))),
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avx2").then_some(Self::Avx2(Detected(()))),
            Some(Self::Portable),
        ]
        .into_iter()
        .flatten()
    }

    /// The fastest.
    pub(crate) fn best() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }
}
