//! From float32 back to counts, when they were counts.
//!
//! The least step between neighbours in time is one count in nearly every ECG, so one pass finds the gain; only a lead where that fails
//! has its values sorted.

use super::chunk::is_packable_gain;
use super::portable::LimbGains;
use super::simd::Simd;
use crate::lead::Lead;
use crate::recording::{LeadSet, NUM_LEADS, Signal};

/// How many neighbouring floats of an estimated gain are tried on each side; each of the two roundings that made the estimate moves it by one.
const NEIGHBOURS: i32 = 3;

/// Find counts and gains whose [`Signal::write_microvolts`] is `values` (12 x samples) bit for bit; eight leads when the others follow.
pub(super) fn recover(simd: Simd, values: &[f32], signal: &mut Signal) -> bool {
    let num_samples = values.len() / NUM_LEADS;
    signal.num_samples = num_samples;
    signal.lsb_uv = [0.0; NUM_LEADS];
    if num_samples == 0 {
        signal.lead_set = LeadSet::Eight;
        signal.counts.clear();
        return true;
    }
    let Some(candidates) = fill(simd, values, LeadSet::Eight, signal) else { return false };
    let derived = [Lead::III, Lead::AVR, Lead::AVL, Lead::AVF].map(|lead| of_lead(values, lead));
    for gains in limb_gains(&candidates[0], &candidates[1]) {
        if simd.follow(signal.lead(0), signal.lead(1), gains, derived) {
            // A lead that is zero all the time fits any gain.
            signal.lsb_uv = std::array::from_fn(|index| match index {
                0 => gains.i,
                1 => gains.ii,
                2..8 => candidates[index].first().copied().unwrap_or(gains.i),
                _ => 0.0,
            });
            return true;
        }
    }
    let Some(candidates) = fill(simd, values, LeadSet::Twelve, signal) else { return false };
    signal.lsb_uv = candidates.map(|gains| gains.first().copied().unwrap_or(0.0));
    true
}

/// Write the counts of a lead set and list the gains that each lead may have, in its order, none for a lead that is zero all the time; `None` when
/// some lead is no counts.
fn fill(simd: Simd, values: &[f32], lead_set: LeadSet, signal: &mut Signal) -> Option<[Vec<f32>; NUM_LEADS]> {
    signal.lead_set = lead_set;
    signal.counts.resize(lead_set.leads().len() * signal.num_samples, 0);
    let mut candidates = [const { Vec::new() }; NUM_LEADS];
    let slots = signal.counts.chunks_exact_mut(signal.num_samples);
    for ((&lead, counts), candidates) in lead_set.leads().iter().zip(slots).zip(&mut candidates) {
        *candidates = gains(simd, of_lead(values, lead), counts)?;
    }
    Some(candidates)
}

fn of_lead(values: &[f32], lead: Lead) -> &[f32] {
    let num_samples = values.len() / NUM_LEADS;
    &values[lead.index() * num_samples..][..num_samples]
}

/// Gains to try for I and II: equal ones first, for they are the rule and make the derived leads exact.
fn limb_gains(first: &[f32], second: &[f32]) -> Vec<LimbGains> {
    let both = |gain: &f32| LimbGains { i: *gain, ii: *gain };
    let equal: Vec<LimbGains> = match (first, second) {
        ([], []) => vec![both(&0.0)],
        (gains, []) | ([], gains) => gains.iter().map(both).collect(),
        _ => first.iter().filter(|gain| second.contains(gain)).map(both).collect(),
    };
    let unequal = first.iter().flat_map(|&i| second.iter().map(move |&ii| LimbGains { i, ii }));
    equal.into_iter().chain(unequal.filter(|gains| !gains.are_equal())).collect()
}

/// Write the counts of a lead and list the gains with which they give its values exactly; no gain for zeros only, `None` when there is none.
fn gains(simd: Simd, values: &[f32], counts: &mut [i16]) -> Option<Vec<f32>> {
    let (least_step, smallest, largest) = simd.steps(values);
    if largest == 0.0 {
        counts.fill(0);
        return values.iter().all(|value| value.to_bits() == 0).then(Vec::new);
    }
    if !largest.is_finite() {
        return None;
    }
    let found = fitting(simd, values, unit(smallest, least_step), largest, counts);
    if !found.is_empty() {
        return Some(found);
    }
    let found = fitting(simd, values, unit(smallest, least_step_between_any(values)), largest, counts);
    (!found.is_empty()).then_some(found)
}

/// A rough common measure of all values, good to about one part in 2^20: the smallest magnitude over its count, where the least step tells
/// the count.
fn unit(smallest: f32, least_step: f32) -> f64 {
    let smallest = f64::from(smallest);
    smallest / (smallest / f64::from(least_step).min(smallest)).round()
}

/// The gains near `unit` with which every value is a 16-bit count times the gain, exactly; writes those counts.
fn fitting(simd: Simd, values: &[f32], unit: f64, largest: f32, counts: &mut [i16]) -> Vec<f32> {
    let largest = f64::from(largest);
    let centre = (largest / (largest / unit).round()) as f32;
    // The neighbours of a gain, a few parts in 2^23 away, give the same 16-bit counts.
    simd.round(values, centre.recip(), counts);
    (-NEIGHBOURS..=NEIGHBOURS)
        .map(|step| f32::from_bits(centre.to_bits().wrapping_add_signed(step)))
        .filter(|&gain| is_packable_gain(gain) && gain > 0.0 && simd.are_scaled(counts, gain, values))
        .collect()
}

/// The least step between values that are neighbours in size.
fn least_step_between_any(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|&step| step > 0.0).fold(f32::INFINITY, f32::min)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_instruction_set_recovers_the_same(
            pattern in (1usize..500).prop_flat_map(|n| prop::collection::vec(any::<i16>(), 12 * n)),
            twelve in any::<bool>(),
            gain in prop::sample::select(vec![4.88f32, 2.5, 0.152_587_89]),
        ) {
            let lead_set = if twelve { LeadSet::Twelve } else { LeadSet::Eight };
            let num_samples = pattern.len() / NUM_LEADS;
            let counts = pattern[..lead_set.leads().len() * num_samples].iter().map(|count| count >> 4).collect();
            let signal = Signal { lead_set, num_samples, counts, lsb_uv: [gain; NUM_LEADS], sampling_rate_hz: 500.0 };
            let mut values = vec![0.0; NUM_LEADS * num_samples];
            signal.write_microvolts(&mut values);
            let recovered = Simd::available().map(|simd| {
                let mut found = Signal::default();
                (recover(simd, &values, &mut found), found)
            });
            let all: Vec<(bool, Signal)> = recovered.collect();
            prop_assert!(all.iter().all(|one| one == &all[0]));
            let mut again = vec![1.0; values.len()];
            if all[0].0 {
                all[0].1.write_microvolts(&mut again);
                prop_assert!(values.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }

    #[test]
    fn a_gain_is_found_where_no_two_neighbours_in_time_are_one_count_apart() {
        let values = [4i16, 6, 4, 6, 9, 7, 9, 11].map(|count| f32::from(count) * 4.88);
        let mut counts = [0; 8];
        assert!(gains(Simd::PORTABLE, &values, &mut counts).unwrap().contains(&4.88));
        assert_eq!(counts, [4, 6, 4, 6, 9, 7, 9, 11]);
    }

    #[test]
    fn values_beyond_sixteen_bits_or_finite_numbers_are_no_counts() {
        for odd in [40_000.0 * 4.88, f32::INFINITY, f32::NAN, -0.0, 1.0e-42] {
            assert_eq!(gains(Simd::PORTABLE, &[4.88, 9.76, odd], &mut [0; 3]), None, "{odd}");
        }
    }
}
