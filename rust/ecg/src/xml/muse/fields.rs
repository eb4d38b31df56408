//! The elements that are read, block by block. What is not named here is never looked at.

use crate::recording::Measurements;
use crate::xml::field::Field;

/// The fields of one kind of element.
pub(super) trait Fields<'a> {
    /// Which field.
    type Slot: Copy;

    /// The field that the child of this name is, and the name for messages.
    fn slot_of(name: &[u8]) -> Option<(Self::Slot, &'static str)>;

    /// The place of a field.
    fn field(&mut self, slot: Self::Slot) -> &mut Field<'a>;

    /// Keep a field; the first of several that is not blank counts.
    fn set(&mut self, slot: Self::Slot, value: Field<'a>) {
        let field = self.field(slot);
        if field.is_blank() {
            *field = value;
        }
    }
}

/// Generates a struct of raw fields.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident, $slot:ident { $($field:ident = $element:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Field<'a>),*
        }

        #[allow(non_camel_case_types, reason = "the names of the fields")]
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $slot {
            $($field),*
        }

        impl<'a> Fields<'a> for $name<'a> {
            type Slot = $slot;

            fn slot_of(name: &[u8]) -> Option<(Self::Slot, &'static str)> {
                // Patterns of bytes become a tree of comparisons, where guards would be tried one after the other.
                match name {
                    $($element => Some(($slot::$field, const { as_text($element) })),)*
                    _ => None,
                }
            }

            fn field(&mut self, slot: Self::Slot) -> &mut Field<'a> {
                match slot {
                    $($slot::$field => &mut self.$field),*
                }
            }
        }
    };
}

/// An element's name for messages; names are ASCII, and one that is not fails to compile.
#[allow(clippy::panic, reason = "only the compiler runs it")]
const fn as_text(name: &'static [u8]) -> &'static str {
    match std::str::from_utf8(name) {
        Ok(text) => text,
        Err(_) => panic!("the name of an element is ASCII"),
    }
}

fields! {
    /// Of `PatientDemographics`: nothing that names the person.
    Demographics, DemographicsSlot { age = b"PatientAge", age_units = b"AgeUnits", gender = b"Gender" }
}

fields! {
    /// Of `TestDemographics`.
    Acquisition, AcquisitionSlot { device = b"AcquisitionDevice", time = b"AcquisitionTime", date = b"AcquisitionDate" }
}

fields! {
    /// Of `RestingECGMeasurements` and `OriginalRestingECGMeasurements`.
    MeasurementFields, MeasurementSlot {
        ventricular_rate = b"VentricularRate",
        atrial_rate = b"AtrialRate",
        pr_interval = b"PRInterval",
        qrs_duration = b"QRSDuration",
        qt_interval = b"QTInterval",
        qtc_interval = b"QTCorrected",
        p_axis = b"PAxis",
        r_axis = b"RAxis",
        t_axis = b"TAxis",
    }
}

fields! {
    /// Of `Waveform`, its leads aside.
    WaveformFields, WaveformSlot { kind = b"WaveformType", sample_base = b"SampleBase", sample_exponent = b"SampleExponent" }
}

fields! {
    /// Of `LeadData`.
    LeadFields, LeadSlot {
        byte_count = b"LeadByteCountTotal",
        time_offset = b"LeadTimeOffset",
        sample_count = b"LeadSampleCountTotal",
        gain = b"LeadAmplitudeUnitsPerBit",
        unit = b"LeadAmplitudeUnits",
        id = b"LeadID",
        first_sample_offset = b"LeadOffsetFirstSample",
        baseline = b"FirstSampleBaseline",
        sample_size = b"LeadSampleSize",
        lead_off = b"LeadOff",
        baseline_sway = b"BaselineSway",
        mains_noise = b"ExcessiveACNoise",
        muscle_noise = b"MuscleNoise",
        crc32 = b"LeadDataCRC32",
        payload = b"WaveFormData",
    }
}

impl MeasurementFields<'_> {
    pub(super) fn to_measurements(self) -> Measurements {
        let integer = |field: Field<'_>| field.integer().and_then(|value| i32::try_from(value).ok());
        Measurements {
            ventricular_rate_bpm: integer(self.ventricular_rate),
            atrial_rate_bpm: integer(self.atrial_rate),
            pr_interval_ms: integer(self.pr_interval),
            qrs_duration_ms: integer(self.qrs_duration),
            qt_interval_ms: integer(self.qt_interval),
            qtc_interval_ms: integer(self.qtc_interval),
            p_axis_deg: integer(self.p_axis),
            r_axis_deg: integer(self.r_axis),
            t_axis_deg: integer(self.t_axis),
        }
    }
}
