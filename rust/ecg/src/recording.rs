//! What a file becomes: a [`Recording`] with its [`Signal`], measurements and quality flags.

use crate::lead::Lead;
use crate::microvolts;

/// Sampling rate of the store, in hertz.
pub const STORE_RATE_HZ: u32 = 500;
/// Samples a lead in the store: ten seconds.
pub const STORE_SAMPLES: usize = 5000;
/// Leads in the store.
pub const NUM_LEADS: usize = 12;

/// Which leads a [`Signal`] stores, in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LeadSet {
    /// I II V1-V6; the other four follow from I and II.
    #[default]
    Eight,
    /// All twelve, because the four limb leads of the file do not follow exactly from I and II.
    Twelve,
}

impl LeadSet {
    /// The leads in the order of the counts.
    pub const fn leads(self) -> &'static [Lead] {
        match self {
            Self::Eight => &Lead::INDEPENDENT,
            Self::Twelve => &Lead::ALL,
        }
    }
}

/// Leads x samples, as integer counts with a gain a lead.
///
/// Buffers are meant to be reused: a parser refills the same `Signal` file after file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// Which leads `counts` holds.
    pub lead_set: LeadSet,
    /// Samples a lead.
    pub num_samples: usize,
    /// Lead-major counts, `lead_set.leads().len() * num_samples` values.
    pub counts: Vec<i16>,
    /// Microvolts a count for each stored lead, in the order of `counts`; entries past the last lead are 0.
    pub lsb_uv: [f32; NUM_LEADS],
    /// Samples a second; finite and positive.
    pub sampling_rate_hz: f64,
}

impl Signal {
    /// The counts of the stored lead at position `index` (in the order of [`LeadSet::leads`]).
    pub fn lead(&self, index: usize) -> &[i16] {
        &self.counts[index * self.num_samples..(index + 1) * self.num_samples]
    }

    /// Write float32 microvolts of all twelve leads, lead-major, into `out` (12 x `num_samples`).
    ///
    /// This is the definition of the signal's value. A stored lead is `count as f32 * lsb`. When I and II have the same gain the four
    /// derived leads are integer sums times the gain: III = (II - I) lsb, aVR = -(I + II) (lsb / 2), aVL = (2 I - II) (lsb / 2),
    /// aVF = (2 II - I) (lsb / 2). When the gains differ, with x = I and y = II in microvolts (float32): III = y - x,
    /// aVR = (x + y) * -0.5, aVL = x - y * 0.5, aVF = y - x * 0.5.
    ///
    /// # Panics
    /// When `out` has another length: a mistake of the caller, not of the data.
    pub fn write_microvolts(&self, out: &mut [f32]) {
        microvolts::write(self, out);
    }

    /// The same in a vector of its own.
    pub fn to_microvolts(&self) -> Vec<f32> {
        microvolts::collect(self)
    }
}

/// Which family of XML a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// GE MUSE `RestingECG`.
    #[default]
    Muse,
    /// HL7 `AnnotatedECG`.
    Aecg,
    /// GE `CardioSoft`, root `CardiologyXML`.
    CardioSoft,
    /// Philips Sierra `restingecgdata`.
    Sierra,
    /// Schiller `examdescript`.
    Schiller,
}

impl Dialect {
    /// Every dialect that is read.
    pub const ALL: [Self; 5] = [Self::Muse, Self::Aecg, Self::CardioSoft, Self::Sierra, Self::Schiller];

    /// Name as in the column `dialect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Muse => "muse",
            Self::Aecg => "aecg",
            Self::CardioSoft => "cardiosoft",
            Self::Sierra => "sierra",
            Self::Schiller => "schiller",
        }
    }
}

/// Sex as the cart knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// `MALE`.
    Male,
    /// `FEMALE`.
    Female,
}

impl Sex {
    /// Name as in the column `sex`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A wall-clock time on the cart's clock, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct AcquiredAt {
    pub year: i32,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// The cart's measurements; an absent one is `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Measurements {
    pub ventricular_rate_bpm: Option<i32>,
    pub atrial_rate_bpm: Option<i32>,
    pub pr_interval_ms: Option<i32>,
    pub qrs_duration_ms: Option<i32>,
    pub qt_interval_ms: Option<i32>,
    pub qtc_interval_ms: Option<i32>,
    pub p_axis_deg: Option<i32>,
    pub r_axis_deg: Option<i32>,
    pub t_axis_deg: Option<i32>,
}

macro_rules! quality_flags {
    ($($(#[$doc:meta])* $constant:ident = $bit:literal, $name:literal;)*) => {
        impl QualityFlags {
            $($(#[$doc])* pub const $constant: Self = Self(1 << $bit);)*
            /// Every flag with its column name, in the order of the columns of `records.parquet`.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),*];
        }
    };
}

/// What is noteworthy about a recording that was nevertheless kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QualityFlags(pub u32);

quality_flags! {
    /// A lead's CRC-32 differs from the stated one.
    CRC_MISMATCH = 0, "crc_mismatch";
    /// At least one lead states no CRC-32 (absent or 0), so its bytes are unverified.
    CRC_UNKNOWN = 1, "crc_unknown";
    /// A stated sample or byte count differs from the decoded length.
    COUNT_MISMATCH = 2, "count_mismatch";
    /// Up to a hundredth of the ten seconds was missing and filled with the last value.
    COMPLETED = 3, "completed";
    /// Longer than ten seconds; the first ten were kept.
    CUT = 4, "cut";
    /// The native rate is not the store's; see `resample`.
    RESAMPLED = 5, "resampled";
    /// Leads beyond the standard twelve were dropped.
    EXTRA_LEADS = 6, "extra_leads";
    /// A lead stood there twice; the first was kept.
    DUPLICATE_LEAD = 7, "duplicate_lead";
    /// A gain is negative; its sign was kept.
    NEGATIVE_GAIN = 8, "negative_gain";
    /// A baseline or first-sample offset is stated and was not applied.
    BASELINE_OFFSET = 9, "baseline_offset";
    /// A lead does not move at all.
    FLAT_LEAD = 10, "flat_lead";
    /// A lead touches the end of its 16-bit range.
    SATURATED = 11, "saturated";
    /// The cart marked a lead as off.
    LEAD_OFF = 12, "lead_off";
    /// The cart marked baseline sway, mains or muscle noise.
    NOISE_MARKED = 13, "noise_marked";
    /// The waveform states no type and was taken as the rhythm.
    UNTYPED_WAVEFORM = 14, "untyped_waveform";
    /// Several rhythm strips; the first complete one was taken.
    SEVERAL_RHYTHMS = 15, "several_rhythms";
    /// Stored limb leads contradict I and II by more than three counts.
    LIMB_LEADS_INCONSISTENT = 16, "limb_leads_inconsistent";
    /// A value beyond 20 mV.
    IMPLAUSIBLE_AMPLITUDE = 17, "implausible_amplitude";
}

impl QualityFlags {
    /// Set the flags of `other`.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }
}

/// One ECG as its file tells it: native counts, header and flags. Holds nothing that names a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Counts at the file's own rate.
    pub signal: Signal,
    /// Leads that the file stored among the standard twelve.
    pub num_leads_stored: u8,
    /// Family of XML.
    pub dialect: Dialect,
    /// Date and time on the cart's clock; `None` when absent, masked or impossible.
    pub acquired_at: Option<AcquiredAt>,
    /// Age at acquisition.
    pub age_years: Option<f32>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Model of the cart, such as `MAC55`.
    pub device: Option<String>,
    /// After the physician's edit.
    pub measurements: Measurements,
    /// As the machine wrote them.
    pub original_measurements: Measurements,
    /// Lines of the diagnosis, struck-out ones left out; filled only when asked for.
    pub statements: Vec<String>,
    /// What is noteworthy.
    pub flags: QualityFlags,
    /// xxh3-64 of the decoded counts (little-endian) of the stored standard leads in canonical order: equal for the same recording under
    /// another name or with an edited header.
    pub payload_hash: u64,
}

impl Recording {
    /// Forget the file but keep the buffers.
    pub fn clear(&mut self) {
        let Self { mut signal, mut statements, .. } = std::mem::take(self);
        signal.num_samples = 0;
        signal.counts.clear();
        statements.clear();
        *self = Self { signal, statements, ..Self::default() };
    }
}
