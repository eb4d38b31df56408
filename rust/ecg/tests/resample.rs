//! Resampling against `scipy.signal.resample_poly` and against the rules for short and long records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hfrisk_ecg::resample::Resampler;
use hfrisk_ecg::{LeadSet, ParseError, QualityFlags, Signal};

/// A triangle of integer steps, so that any other program can make the same.
fn wave(lead: usize, num_samples: usize) -> impl Iterator<Item = i16> {
    let period = 40 + 7 * lead as i32;
    (0..num_samples as i32).map(move |t| ((t % period - period / 2) * (lead as i32 + 1) * 9) as i16)
}

fn signal(sampling_rate_hz: f64, num_samples: usize, lead_set: LeadSet) -> Signal {
    let counts = (0..lead_set.leads().len()).flat_map(|lead| wave(lead, num_samples)).collect();
    Signal { lead_set, num_samples, counts, lsb_uv: [4.88; 12], sampling_rate_hz }
}

fn to_store(native: &Signal) -> Result<(Signal, QualityFlags), ParseError> {
    let mut room = Signal::default();
    Resampler::new().to_store(native, &mut room).map(|(out, flags)| (out.clone(), flags))
}

/// Sum of the counts, each times one more than its position modulo 97, so that a shift by one sample shows.
fn weighted_sum(counts: &[i16]) -> i64 {
    counts.iter().enumerate().map(|(t, &count)| i64::from(count) * (t as i64 % 97 + 1)).sum()
}

/// Rate, samples, and the weighted sum of each lead as `SciPy` 1.17 and `np.rint` give them, cut or completed to 5000.
const SCIPY: [(f64, usize, [i64; 8]); 8] = [
    (250.0, 2500, [-1_310_572, -1_824_784, -2_984_380, 240_716, -7_063_247, -1_001_798, -11_854_987, -2_325_076]),
    (240.0, 2500, [-1_084_443, 1_084_406, -3_655_582, -1_001_669, -7_634_850, 300_049, -10_164_823, 1_737_486]),
    (1000.0, 10_000, [-1_138_310, -108_930, -3_469_584, 215_953, -5_879_483, -562_323, -8_510_437, -259_581]),
    (257.0, 2570, [-1_387_432, 488_997, -4_687_681, -230_821, -6_947_408, 7_176_602, -9_852_793, -1_100_838]),
    (360.0, 3600, [-1_092_132, -160_097, -3_545_835, -112_368, -1_500_212, -728_613, -10_435_858, -2_806_506]),
    (125.0, 1250, [-1_334_634, -1_807_368, -3_497_073, -3_596_636, -10_225_927, -6_184_077, -15_569_668, 3_222_128]),
    (240.0, 2390, [-1_125_872, 1_273_335, -3_805_188, -1_201_167, -7_884_164, 96_552, -10_513_987, 1_329_328]),
    (999.0, 9990, [-1_138_739, -59_028, -3_162_657, 19_527, -6_212_539, -450_516, -8_536_273, -119_267]),
];

#[test]
fn every_ratio_gives_the_counts_of_scipy() {
    let mut resampler = Resampler::new();
    let mut room = Signal::default();
    for (rate, num_samples, sums) in SCIPY {
        let native = signal(rate, num_samples, LeadSet::Eight);
        let (out, flags) = resampler.to_store(&native, &mut room).unwrap();
        assert!(flags.contains(QualityFlags::RESAMPLED));
        for (lead, sum) in sums.into_iter().enumerate() {
            assert_eq!(weighted_sum(out.lead(lead)), sum, "{rate} Hz, lead {lead}");
        }
    }
}

#[test]
fn both_ends_equal_those_of_scipy_sample_by_sample() {
    let (out, _) = to_store(&signal(250.0, 2500, LeadSet::Eight)).unwrap();
    assert_eq!(out.lead(3)[..6], [-1081, -1065, -1045, -1024, -1009, -991]);
    assert_eq!(out.lead(3)[4994..], [973, 988, 1009, 1029, 1045, 1047]);
}

#[test]
fn twelve_leads_are_resampled_like_eight() {
    let (eight, _) = to_store(&signal(250.0, 2500, LeadSet::Eight)).unwrap();
    let (twelve, _) = to_store(&signal(250.0, 2500, LeadSet::Twelve)).unwrap();
    assert_eq!(twelve.lead_set, LeadSet::Twelve);
    assert_eq!(twelve.counts.len(), 12 * 5000);
    assert_eq!(eight.counts, twelve.counts[..8 * 5000]);
}

#[test]
fn counts_at_the_stores_rate_are_copied() {
    let native = signal(500.0, 5000, LeadSet::Eight);
    let (out, flags) = to_store(&native).unwrap();
    assert_eq!((out, flags), (native, QualityFlags::default()));
}

#[test]
fn a_longer_record_is_cut_to_its_first_ten_seconds() {
    for (rate, num_samples, expected) in
        [(500.0, 5001, QualityFlags::CUT), (240.0, 2500, QualityFlags(QualityFlags::CUT.0 | QualityFlags::RESAMPLED.0))]
    {
        let native = signal(rate, num_samples, LeadSet::Eight);
        let (out, flags) = to_store(&native).unwrap();
        assert_eq!((out.num_samples, flags), (5000, expected));
    }
}

#[test]
fn up_to_a_hundredth_is_completed_with_the_last_value() {
    for num_samples in [4950, 4999] {
        let native = signal(500.0, num_samples, LeadSet::Eight);
        let (out, flags) = to_store(&native).unwrap();
        assert_eq!(flags, QualityFlags::COMPLETED);
        for lead in 0..8 {
            assert_eq!(out.lead(lead)[..num_samples], *native.lead(lead));
            assert!(out.lead(lead)[num_samples..].iter().all(|count| count == native.lead(lead).last().unwrap()));
        }
    }
}

#[test]
fn more_than_a_hundredth_missing_is_a_short_record() {
    for (rate, num_samples, found) in [(500.0, 4949, 4949), (250.0, 2474, 4948), (500.0, 0, 0)] {
        let error = to_store(&signal(rate, num_samples, LeadSet::Eight)).unwrap_err();
        assert_eq!(error, ParseError::ShortRecord { found, expected: 5000 });
    }
}

#[test]
fn a_rate_that_is_no_small_ratio_is_refused() {
    for rate in [500.123_456, 0.4, 500_500.0, f64::NAN, f64::INFINITY, -500.0, 0.0] {
        assert_eq!(to_store(&signal(rate, 5000, LeadSet::Eight)).unwrap_err().kind(), "invalid_value", "{rate}");
    }
}

#[test]
fn a_peak_at_the_end_of_the_range_is_clamped_and_does_not_wrap() {
    let mut native = signal(250.0, 2500, LeadSet::Eight);
    for (t, count) in native.counts.iter_mut().enumerate() {
        *count = if t / 25 % 2 == 0 { i16::MIN } else { i16::MAX };
    }
    let (out, _) = to_store(&native).unwrap();
    assert_eq!(out.lead(0)[10], i16::MIN);
    assert_eq!(out.lead(0).iter().max(), Some(&i16::MAX));
    assert!(out.lead(0)[..40].iter().all(|&count| count < -30_000));
}

#[test]
fn a_constant_stays_within_a_thousandth_up_to_both_ends() {
    for rate in [125.0, 240.0, 250.0, 257.0, 360.0, 999.0, 1000.0] {
        let num_samples = (rate * 10.0) as usize;
        let mut native = signal(rate, num_samples, LeadSet::Eight);
        native.counts.fill(-2000);
        let (out, _) = to_store(&native).unwrap();
        assert!(out.counts.iter().all(|&count| (i32::from(count) + 2000).abs() <= 2), "{rate} Hz");
    }
}

#[test]
fn a_signal_of_the_stores_rate_and_length_is_taken_as_it_is() {
    let (native, mut room) = (signal(500.0, 5000, LeadSet::Twelve), Signal::default());
    let (out, flags) = Resampler::new().to_store(&native, &mut room).unwrap();
    assert!(std::ptr::eq(out, &raw const native) && flags == QualityFlags::default());
}
