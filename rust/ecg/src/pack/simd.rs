//! Which instruction set a kernel is compiled for, chosen at run time.
//!
//! Kernels take whole leads, so choosing costs nothing.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::block::Packed;
use super::decode::LeadBlocks;
use super::portable::{self, LimbGains};
#[cfg(target_arch = "x86_64")]
use super::stream;

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
            has_avx512().then_some(Self(Level::Avx512)),
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

    /// Make what `lead_microvolts` and `limb_leads` wrote visible to other threads in the usual way.
    pub(super) fn fence(self) {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Level::Avx512 {
            // SAFETY: SSE is part of x86-64.
            unsafe { stream::fence() }
        }
    }
}

/// Whether the machine has all that [`avx512`] is compiled for.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// Ask for the cache lines of `bytes`; at most 64 KB of them, so that little in use is driven out.
pub(super) fn fetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64).take(1024) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch reads nothing that the program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// Kernels of [`portable`], compiled once more for the features of a level.
#[cfg(target_arch = "x86_64")]
macro_rules! compiled {
    ($module:ident, $features:literal: $($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        mod $module {
            #[allow(clippy::wildcard_imports, reason = "whatever the signatures name")]
            use super::*;

            $(#[target_feature(enable = $features)]
            pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                portable::$name($($argument),*)
            })*
        }
    };
}

/// Methods of [`Simd`] that call a kernel for its level; with AVX-512 that of the module named first.
macro_rules! kernels {
    ($($module:ident::$name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        impl Simd {
            $(#[doc = concat!("As [`portable::", stringify!($name), "`].")]
            pub(super) fn $name(self, $($argument: $type),*) $(-> $result)? {
                match self.0 {
                    Level::Portable => portable::$name($($argument),*),
                    // SAFETY: a `Simd` of this level is made only by `available`, after the machine said that it has the features.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2::$name($($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { $module::$name($($argument),*) },
                }
            })*
        }

        #[cfg(target_arch = "x86_64")]
        compiled!(avx2, "avx2": $($name($($argument: $type),*) $(-> $result)?;)*);
    };
}

kernels! {
    avx512::lead(blocks: LeadBlocks<'_>, out: &mut [i16]);
    avx512::lead_microvolts(blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]);
    avx512::limb_leads(blocks: [LeadBlocks<'_>; 2], gains: LimbGains, scratch: [&mut [i16]; 2], out: [&mut [f32]; 6]);
    wide::pack_lead(counts: &[i16], widths: &mut [u8], out: &mut [Packed]) -> usize;
    wide::steps(values: &[f32]) -> (f32, f32, f32);
    wide::round(values: &[f32], per_uv: f32, counts: &mut [i16]);
    wide::are_scaled(counts: &[i16], lsb_uv: f32, values: &[f32]) -> bool;
    wide::follow(x: &[i16], y: &[i16], gains: LimbGains, derived: [&[f32]; 4]) -> bool;
}

#[cfg(target_arch = "x86_64")]
compiled! {
    wide, "avx512f,avx512bw,avx512vl":
    pack_lead(counts: &[i16], widths: &mut [u8], out: &mut [Packed]) -> usize;
    steps(values: &[f32]) -> (f32, f32, f32);
    round(values: &[f32], per_uv: f32, counts: &mut [i16]);
    are_scaled(counts: &[i16], lsb_uv: f32, values: &[f32]) -> bool;
    follow(x: &[i16], y: &[i16], gains: LimbGains, derived: [&[f32]; 4]) -> bool;
}
