//! Counts to float32 microvolts, compiled for what the machine has.
//!
//! Outside `recording`, because choosing an instruction set and filling memory that nobody has zeroed are unsafe. Measured on one core of a
//! Zen 5, a recording of 12 x 5000: 2 µs with AVX-512, 5 with SSE2; zeroing the 240 KB first would take as long again.

#![allow(clippy::inline_always, reason = "the kernel is compiled once for each instruction set")]

use std::mem::MaybeUninit;

use crate::instructions::Level;
use crate::recording::{LeadSet, NUM_LEADS, Signal};

/// As [`Signal::write_microvolts`].
pub(crate) fn write(signal: &Signal, out: &mut [f32]) {
    assert_eq!(out.len(), NUM_LEADS * signal.num_samples, "output of 12 x num_samples");
    // SAFETY: the same memory with a weaker promise, and `fill` writes nothing but floats.
    let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) };
    fill_with(Level::best(), signal, out);
}

/// As [`Signal::to_microvolts`].
pub(crate) fn collect(signal: &Signal) -> Vec<f32> {
    let length = NUM_LEADS * signal.num_samples;
    let mut values = Vec::with_capacity(length);
    fill_with(Level::best(), signal, &mut values.spare_capacity_mut()[..length]);
    // SAFETY: `fill` has written all `length` values.
    unsafe { values.set_len(length) };
    values
}

/// As [`fill`].
fn fill_with(level: Level, signal: &Signal, out: &mut [MaybeUninit<f32>]) {
    match level {
        Level::Portable => fill(signal, out),
        // SAFETY: this level exists only after the machine said that it has the features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) => unsafe { fill_avx2(signal, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(_) => unsafe { fill_avx512(signal, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(signal: &Signal, out: &mut [MaybeUninit<f32>]) {
    fill(signal, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn fill_avx512(signal: &Signal, out: &mut [MaybeUninit<f32>]) {
    fill(signal, out);
}

/// Write every value of `out`, which holds 12 x `num_samples`.
#[inline(always)]
fn fill(signal: &Signal, out: &mut [MaybeUninit<f32>]) {
    let n = signal.num_samples;
    for (index, lead) in signal.lead_set.leads().iter().enumerate() {
        let lsb = signal.lsb_uv[index];
        let counts = signal.lead(index);
        map(counts, counts, &mut out[lead.index() * n..][..n], |x, _| x as f32 * lsb);
    }
    if signal.lead_set == LeadSet::Twelve {
        return;
    }
    let (i, ii) = (signal.lead(0), signal.lead(1));
    let (lsb_i, lsb_ii) = (signal.lsb_uv[0], signal.lsb_uv[1]);
    let (iii, derived) = out[2 * n..6 * n].split_at_mut(n);
    let (avr, derived) = derived.split_at_mut(n);
    let (avl, avf) = derived.split_at_mut(n);
    if lsb_i.to_bits() == lsb_ii.to_bits() {
        let half = lsb_i * 0.5;
        map(i, ii, iii, |x, y| (y - x) as f32 * lsb_i);
        map(i, ii, avr, |x, y| -(x + y) as f32 * half);
        map(i, ii, avl, |x, y| (2 * x - y) as f32 * half);
        map(i, ii, avf, |x, y| (2 * y - x) as f32 * half);
    } else {
        let (x_uv, y_uv) = (|x: i32| x as f32 * lsb_i, |y: i32| y as f32 * lsb_ii);
        map(i, ii, iii, |x, y| y_uv(y) - x_uv(x));
        map(i, ii, avr, |x, y| (x_uv(x) + y_uv(y)) * -0.5);
        map(i, ii, avl, |x, y| x_uv(x) - y_uv(y) * 0.5);
        map(i, ii, avf, |x, y| y_uv(y) - x_uv(x) * 0.5);
    }
}

/// Write a value for every sample; all three are equally long, which `Signal::lead` and `fill` see to.
#[inline(always)]
fn map(x: &[i16], y: &[i16], out: &mut [MaybeUninit<f32>], value: impl Fn(i32, i32) -> f32) {
    assert!(x.len() == out.len() && y.len() == out.len(), "no value is left out");
    for ((slot, &x), &y) in out.iter_mut().zip(x).zip(y) {
        slot.write(value(i32::from(x), i32::from(y)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::Lead;

    /// The definition, value by value, in the plainest way.
    fn expected(signal: &Signal, lead: Lead, t: usize) -> f32 {
        if let Some(index) = signal.lead_set.leads().iter().position(|&found| found == lead) {
            return f32::from(signal.lead(index)[t]) * signal.lsb_uv[index];
        }
        let (x, y) = (signal.lead(0)[t], signal.lead(1)[t]);
        let (lsb_i, lsb_ii) = (signal.lsb_uv[0], signal.lsb_uv[1]);
        if lsb_i == lsb_ii {
            let (x, y) = (i32::from(x), i32::from(y));
            return match lead {
                Lead::III => (y - x) as f32 * lsb_i,
                Lead::AVR => -(x + y) as f32 * (lsb_i * 0.5),
                Lead::AVL => (2 * x - y) as f32 * (lsb_i * 0.5),
                _ => (2 * y - x) as f32 * (lsb_i * 0.5),
            };
        }
        let (x, y) = (f32::from(x) * lsb_i, f32::from(y) * lsb_ii);
        match lead {
            Lead::III => y - x,
            Lead::AVR => (x + y) * -0.5,
            Lead::AVL => x - y * 0.5,
            _ => y - x * 0.5,
        }
    }

    #[test]
    fn every_instruction_set_gives_the_defined_values_at_every_length() {
        for (lead_set, lsb_ii) in [(LeadSet::Eight, 4.88), (LeadSet::Eight, 2.5), (LeadSet::Twelve, 4.88)] {
            for num_samples in (0..70).chain([4999, 5000]) {
                let mut lsb_uv = [4.88; NUM_LEADS];
                lsb_uv[1] = lsb_ii;
                let length = lead_set.leads().len() * num_samples;
                let counts = (0..length).map(|i| (i * 40_503 % 65_536) as u16 as i16).collect();
                let signal = Signal { lead_set, num_samples, counts, lsb_uv, sampling_rate_hz: 500.0 };
                let wanted: Vec<u32> = Lead::ALL
                    .iter()
                    .flat_map(|&lead| (0..num_samples).map(move |t| (lead, t)))
                    .map(|(lead, t)| expected(&signal, lead, t).to_bits())
                    .collect();
                for level in Level::available() {
                    let mut out = vec![MaybeUninit::new(f32::NAN); NUM_LEADS * num_samples];
                    fill_with(level, &signal, &mut out);
                    // SAFETY: made of initialised values.
                    let found: Vec<u32> = out.iter().map(|value| unsafe { value.assume_init() }.to_bits()).collect();
                    assert!(found == wanted, "{level:?}, {lead_set:?}, {num_samples} samples");
                }
                assert!(collect(&signal).iter().map(|value| value.to_bits()).eq(wanted), "{num_samples} samples");
            }
        }
    }
}
