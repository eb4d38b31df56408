//! The elements that are read, block by block. What is not named here is never looked at.

use crate::error::ParseError;
use crate::recording::Measurements;
use crate::xml::field::Field;
use crate::xml::scan::Scanner;

/// Generates a struct of raw fields and the reading of one child element into it.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $element:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Field<'a>),*
        }

        impl<'a> $name<'a> {
            /// Read the child that was just opened, if it is one of ours; the first of several that is not blank counts.
            pub(super) fn read(&mut self, name: &[u8], start: usize, scanner: &mut Scanner<'a>) -> Result<(), ParseError> {
                // Patterns of bytes become a tree of comparisons, where guards would be tried one after the other.
                let (element, slot) = match name {
                    $($element => (const { as_text($element) }, &mut self.$field),)*
                    _ => return Ok(()),
                };
                let field = scanner.leaf(element, start)?;
                if slot.is_blank() {
                    *slot = field;
                }
                Ok(())
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
    Demographics { age = b"PatientAge", age_units = b"AgeUnits", gender = b"Gender" }
}

fields! {
    /// Of `TestDemographics`.
    Acquisition { device = b"AcquisitionDevice", time = b"AcquisitionTime", date = b"AcquisitionDate" }
}

fields! {
    /// Of `RestingECGMeasurements` and `OriginalRestingECGMeasurements`.
    MeasurementFields {
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
    WaveformFields { kind = b"WaveformType", sample_base = b"SampleBase", sample_exponent = b"SampleExponent" }
}

fields! {
    /// Of `LeadData`.
    LeadFields {
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
