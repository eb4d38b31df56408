//! Which of the instruction sets that kernels are compiled for this machine has.

/// Names of the instruction sets found, as in `/proc/cpuinfo`; empty where only the portable kernels run.
pub fn instruction_sets() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! found {
            ($($name:tt),*) => { [$(($name, is_x86_feature_detected!($name))),*] };
        }
        let sets = found!("pclmulqdq", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2", "vpclmulqdq");
        sets.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}
