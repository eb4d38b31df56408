//! To the store's rate and length: 500 Hz, ten seconds.
//!
//! At 500 Hz the counts stay what they are. Any other rate is converted by a rational polyphase filter, a windowed sinc with a Kaiser window of
//! beta 5 and half-width ten samples of the slower rate: the filter of `scipy.signal.resample_poly(x, up, down, window=("kaiser", 5.0),
//! padtype="edge")`, computed in float64. The result is rounded to whole counts of the file's own gain (ties to even). So a resampled
//! recording is integers times a gain like every other, packs as small and reads as fast, and III, aVR, aVL, aVF still follow from I and
//! II; the price is a rounding error of half a count, no more than the cart's own converter made.

#![forbid(unsafe_code)]

use std::f64::consts::PI;

use crate::error::ParseError;
use crate::recording::{LeadSet, QualityFlags, STORE_RATE_HZ, STORE_SAMPLES, Signal};

/// The fewest samples (at the store's rate) that still make ten seconds; the missing hundredth is filled with the last value.
const LEAST_SAMPLES: usize = STORE_SAMPLES - STORE_SAMPLES / 100;
/// The largest factor of a ratio of rates.
const LARGEST_FACTOR: usize = 1000;
/// Filters kept: a hospital has two or three rates.
const KEPT_FILTERS: usize = 8;
const KAISER_BETA: f64 = 5.0;

/// Brings signals to the store's rate and length. Holds the filters of the ratios it has met, so keep one a thread.
///
/// ```
/// use hfrisk_ecg::{QualityFlags, Signal, resample::Resampler};
///
/// let native = Signal { num_samples: 2500, counts: vec![7; 8 * 2500], sampling_rate_hz: 250.0, ..Signal::default() };
/// let (mut resampler, mut room) = (Resampler::new(), Signal::default());
/// let (signal, flags) = resampler.to_store(&native, &mut room)?;
/// assert_eq!((signal.num_samples, signal.counts[0], flags), (5000, 7, QualityFlags::RESAMPLED));
/// # Ok::<(), hfrisk_ecg::ParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Resampler {
    filters: Vec<Filter>,
    /// Input, one group of all leads a sample, extended at both ends.
    extended: Vec<f64>,
}

impl Resampler {
    /// A resampler that has met no rate yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `native` at 500 Hz and 5000 samples, and what was done to it: `native` itself where that is what it is, else made in `room`, whose
    /// buffer is reused.
    ///
    /// Up to a hundredth too short is completed with the last value, longer is cut to the first ten seconds.
    ///
    /// # Errors
    /// [`ParseError::ShortRecord`], or [`ParseError::InvalidValue`] when the rate is no ratio of 500 Hz with factors up to 1000.
    pub fn to_store<'a>(&mut self, native: &'a Signal, room: &'a mut Signal) -> Result<(&'a Signal, QualityFlags), ParseError> {
        let (up, down) = ratio(native.sampling_rate_hz)?;
        if up == down && native.num_samples == STORE_SAMPLES {
            return Ok((native, QualityFlags::default()));
        }
        let out = room;
        let found = (native.num_samples * up).div_ceil(down);
        if found < LEAST_SAMPLES {
            return Err(ParseError::ShortRecord { found: found as u32, expected: STORE_SAMPLES as u32 });
        }
        out.lead_set = native.lead_set;
        out.lsb_uv = native.lsb_uv;
        out.sampling_rate_hz = f64::from(STORE_RATE_HZ);
        out.num_samples = STORE_SAMPLES;
        out.counts.resize(native.lead_set.leads().len() * STORE_SAMPLES, 0);

        let mut flags = QualityFlags::default();
        let kept = found.min(STORE_SAMPLES);
        if up == down {
            for (lead, slot) in out.counts.chunks_exact_mut(STORE_SAMPLES).enumerate() {
                slot[..kept].copy_from_slice(&native.lead(lead)[..kept]);
            }
        } else {
            flags.insert(QualityFlags::RESAMPLED);
            match native.lead_set {
                LeadSet::Eight => self.convert::<8>(up, down, native, kept, &mut out.counts),
                LeadSet::Twelve => self.convert::<12>(up, down, native, kept, &mut out.counts),
            }
        }
        if found > STORE_SAMPLES {
            flags.insert(QualityFlags::CUT);
        }
        if found < STORE_SAMPLES {
            flags.insert(QualityFlags::COMPLETED);
            for slot in out.counts.chunks_exact_mut(STORE_SAMPLES) {
                let last = slot[kept - 1];
                slot[kept..].fill(last);
            }
        }
        Ok((out, flags))
    }

    /// Filter `kept` samples of all `LEADS` at once: the leads of one sample stand side by side, which suits vector units at any ratio.
    fn convert<const LEADS: usize>(&mut self, up: usize, down: usize, native: &Signal, kept: usize, out: &mut [i16]) {
        let index = self.filters.iter().position(|filter| (filter.up, filter.down) == (up, down)).unwrap_or_else(|| {
            if self.filters.len() == KEPT_FILTERS {
                self.filters.remove(0);
            }
            self.filters.push(Filter::new(up, down));
            self.filters.len() - 1
        });
        let filter = &self.filters[index];
        let num_inputs = (kept - 1) * down / up + 1;
        let length = filter.left + num_inputs + filter.right;
        self.extended.resize(length * LEADS, 0.0);
        let (extended, _) = self.extended.as_chunks_mut::<LEADS>();
        for lead in 0..LEADS {
            let counts = native.lead(lead);
            for (position, group) in extended.iter_mut().enumerate() {
                let sample = position.saturating_sub(filter.left).min(counts.len() - 1);
                group[lead] = f64::from(counts[sample]);
            }
        }
        for j in 0..kept {
            let (begin, phase) = (j * down / up, j * down % up);
            let mut sums = [0.0; LEADS];
            for (tap, group) in filter.phase(phase).iter().zip(&extended[begin..]) {
                for (sum, value) in sums.iter_mut().zip(group) {
                    *sum += tap * value;
                }
            }
            for (lead, sum) in sums.iter().enumerate() {
                // The cast saturates, which is the clamp.
                out[lead * STORE_SAMPLES + j] = sum.round_ties_even() as i16;
            }
        }
    }
}

/// The factors of 500 Hz over `rate_hz`, without a common divisor.
fn ratio(rate_hz: f64) -> Result<(usize, usize), ParseError> {
    for up in 1..=LARGEST_FACTOR {
        let down = rate_hz * up as f64 / f64::from(STORE_RATE_HZ);
        let whole = down.round();
        if (1.0..=LARGEST_FACTOR as f64).contains(&whole) && (down - whole).abs() <= 1e-9 * whole {
            return Ok((up, whole as usize));
        }
    }
    Err(ParseError::InvalidValue { element: "sampling rate", expected: "a ratio of 500 Hz with factors up to 1000", offset: 0 })
}

/// A low-pass filter split into its `up` phases.
#[derive(Clone, Debug)]
struct Filter {
    up: usize,
    down: usize,
    /// Inputs needed before and after the one at or before an output.
    left: usize,
    right: usize,
    /// `left + 1 + right` taps a phase, in the order of the inputs.
    taps: Vec<f64>,
}

impl Filter {
    fn new(up: usize, down: usize) -> Self {
        let slower = up.max(down);
        let half = 10 * slower;
        let cutoff = 1.0 / slower as f64;
        let window = |offset: f64| bessel_i0(KAISER_BETA * (1.0 - (offset / half as f64).powi(2)).max(0.0).sqrt());
        let mut response: Vec<f64> = (0..=2 * half)
            .map(|tap| {
                let offset = tap as f64 - half as f64;
                sinc(cutoff * offset) * window(offset)
            })
            .collect();
        let gain = up as f64 / response.iter().sum::<f64>();
        for tap in &mut response {
            *tap *= gain;
        }

        let (left, right) = (half / up, half.div_ceil(up));
        // Output at time j * down; input i at time i * up; with i = i0 + d their distance is phase - d * up.
        let reach = |phase: usize, tap: usize| (half + phase + left * up).checked_sub(tap * up);
        let taps = (0..up)
            .flat_map(|phase| (0..=left + right).map(move |tap| (phase, tap)))
            .map(|(phase, tap)| reach(phase, tap).and_then(|index| response.get(index)).copied().unwrap_or(0.0))
            .collect();
        Self { up, down, left, right, taps }
    }

    fn phase(&self, phase: usize) -> &[f64] {
        let num_taps = self.left + 1 + self.right;
        &self.taps[phase * num_taps..(phase + 1) * num_taps]
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of order zero by its power series, which for arguments up to 5 is exact to the last bits.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}
