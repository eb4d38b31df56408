//! Which instruction set a kernel is compiled for, chosen at run time.
//!
//! Kernels take whole leads, so choosing costs nothing.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::decode::LeadBlocks;
use super::portable::{self, LimbGains};

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

    /// As [`portable::lead`].
    pub(super) fn lead(self, blocks: LeadBlocks<'_>, out: &mut [i16]) {
        match self.0 {
            Level::Portable => portable::lead(blocks, out),
            // SAFETY: a `Simd` of this level is made only by `available`, after the machine said that it has the features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::lead(blocks, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::lead(blocks, out) },
        }
    }

    /// As [`portable::lead_microvolts`].
    pub(super) fn lead_microvolts(self, blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
        match self.0 {
            Level::Portable => portable::lead_microvolts(blocks, lsb_uv, scratch, out),
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::lead_microvolts(blocks, lsb_uv, scratch, out) },
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::lead_microvolts(blocks, lsb_uv, scratch, out) },
        }
    }

    /// As [`portable::limb_leads`].
    pub(super) fn limb_leads(
        self,
        blocks: [LeadBlocks<'_>; 2],
        gains: LimbGains,
        scratch: [&mut [i16]; 2],
        out: [&mut [f32]; 6],
    ) {
        match self.0 {
            Level::Portable => portable::limb_leads(blocks, gains, scratch, out),
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::limb_leads(blocks, gains, scratch, out) },
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::limb_leads(blocks, gains, scratch, out) },
        }
    }

    /// Make what `lead_microvolts` and `limb_leads` wrote visible to other threads in the usual way.
    pub(super) fn fence(self) {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Level::Avx512 {
            // SAFETY: SSE is part of x86-64.
            unsafe { avx512::fence() }
        }
    }

    /// As [`portable::pack_lead`].
    pub(super) fn pack_lead(self, counts: &[i16], widths: &mut [u8], out: &mut Vec<u8>) {
        match self.0 {
            Level::Portable => portable::pack_lead(counts, widths, out),
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::pack_lead(counts, widths, out) },
            // SAFETY: as in `lead`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::pack_lead(counts, widths, out) },
        }
    }
}

/// The portable kernels, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LeadBlocks, LimbGains, portable};

    #[target_feature(enable = "avx2")]
    pub(super) fn lead(blocks: LeadBlocks<'_>, out: &mut [i16]) {
        portable::lead(blocks, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn lead_microvolts(blocks: LeadBlocks<'_>, lsb_uv: f32, scratch: &mut [i16], out: &mut [f32]) {
        portable::lead_microvolts(blocks, lsb_uv, scratch, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn limb_leads(blocks: [LeadBlocks<'_>; 2], gains: LimbGains, scratch: [&mut [i16]; 2], out: [&mut [f32]; 6]) {
        portable::limb_leads(blocks, gains, scratch, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn pack_lead(counts: &[i16], widths: &mut [u8], out: &mut Vec<u8>) {
        portable::pack_lead(counts, widths, out);
    }
}
