//! From float32 back to counts, when they were counts.

use super::chunk::is_packable_gain;
use crate::lead::Lead;
use crate::recording::{LeadSet, NUM_LEADS, Signal};

/// How many neighbouring floats of an estimated gain are tried on each side; each of the two roundings that made the estimate moves it by one.
const NEIGHBOURS: i32 = 3;

/// Find counts and gains whose [`Signal::write_microvolts`] is `values` (12 x samples) bit for bit; eight leads when the others follow.
pub(super) fn recover(values: &[f32], signal: &mut Signal) -> bool {
    let num_samples = values.len() / NUM_LEADS;
    signal.num_samples = num_samples;
    signal.lsb_uv = [0.0; NUM_LEADS];
    if num_samples == 0 {
        signal.lead_set = LeadSet::Eight;
        signal.counts.clear();
        return true;
    }
    let lead = |lead: Lead| &values[lead.index() * num_samples..(lead.index() + 1) * num_samples];
    let candidates: [Vec<f32>; NUM_LEADS] = Lead::ALL.map(|name| gains(lead(name)));
    let usable =
        |lead: Lead| is_flat_zero(&values[lead.index() * num_samples..][..num_samples]) || !candidates[lead.index()].is_empty();
    if !Lead::INDEPENDENT.into_iter().all(usable) {
        return false;
    }
    let pairs = limb_gains(&candidates[Lead::I.index()], &candidates[Lead::II.index()]);
    let mut expected = vec![0.0; values.len()];
    for pair in pairs {
        let gain_of = |name: Lead| match name {
            Lead::I => pair[0],
            Lead::II => pair[1],
            _ => candidates[name.index()].first().copied().unwrap_or(pair[0]),
        };
        fill(signal, LeadSet::Eight, gain_of, lead);
        signal.write_microvolts(&mut expected);
        if same_bits(&expected, values) {
            return true;
        }
    }
    if !Lead::ALL.into_iter().all(usable) {
        return false;
    }
    fill(signal, LeadSet::Twelve, |name| candidates[name.index()].first().copied().unwrap_or(0.0), lead);
    signal.write_microvolts(&mut expected);
    same_bits(&expected, values)
}

/// Gains to try for I and II: equal ones first, for they are the rule and make the derived leads exact.
fn limb_gains(first: &[f32], second: &[f32]) -> Vec<[f32; 2]> {
    let equal: Vec<[f32; 2]> = match (first, second) {
        ([], []) => vec![[0.0; 2]],
        (gains, []) | ([], gains) => gains.iter().map(|&gain| [gain; 2]).collect(),
        _ => first.iter().filter(|gain| second.contains(gain)).map(|&gain| [gain; 2]).collect(),
    };
    let unequal = first.iter().flat_map(|&a| second.iter().map(move |&b| [a, b])).filter(|[a, b]| a != b);
    equal.iter().copied().chain(unequal).collect()
}

fn fill<'a>(signal: &mut Signal, lead_set: LeadSet, gain_of: impl Fn(Lead) -> f32, values_of: impl Fn(Lead) -> &'a [f32]) {
    signal.lead_set = lead_set;
    signal.lsb_uv = [0.0; NUM_LEADS];
    signal.counts.clear();
    for (slot, &name) in signal.lsb_uv.iter_mut().zip(lead_set.leads()) {
        *slot = gain_of(name);
        let gain = *slot;
        signal.counts.extend(values_of(name).iter().map(|value| (value / gain).round() as i16));
    }
}

/// Gains with which every value of a lead is a 16-bit count times the gain, exactly; empty when there is none, or nothing to tell it by.
fn gains(values: &[f32]) -> Vec<f32> {
    let Some(unit) = unit(values) else { return Vec::new() };
    let largest = values.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    let centre = (f64::from(largest) / (f64::from(largest) / unit).round()) as f32;
    (-NEIGHBOURS..=NEIGHBOURS)
        .map(|step| f32::from_bits(centre.to_bits().wrapping_add_signed(step)))
        .filter(|&gain| is_packable_gain(gain) && gain > 0.0)
        .filter(|&gain| values.iter().all(|value| (f32::from((value / gain).round() as i16) * gain).to_bits() == value.to_bits()))
        .collect()
}

/// A rough common measure of all values, good to about one part in 2^20: the smallest magnitude over its count, where the smallest
/// difference between neighbours in size tells the count.
fn unit(values: &[f32]) -> Option<f64> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted: Vec<f32> = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.dedup();
    let magnitudes = sorted.iter().map(|value| f64::from(value.abs())).filter(|&value| value > 0.0);
    let smallest = magnitudes.fold(f64::INFINITY, f64::min);
    if smallest.is_infinite() {
        return None;
    }
    let least_step = sorted.windows(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0])).fold(smallest, f64::min);
    Some(smallest / (smallest / least_step).round())
}

fn is_flat_zero(values: &[f32]) -> bool {
    values.iter().all(|value| value.to_bits() == 0)
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
