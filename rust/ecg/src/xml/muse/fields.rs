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
                let (element, slot) = match name {
                    $(_ if name == $element.as_bytes() => ($element, &mut self.$field),)*
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

fields! {
    /// Of `PatientDemographics`: nothing that names the person.
    Demographics { age = "PatientAge", age_units = "AgeUnits", gender = "Gender" }
}

fields! {
    /// Of `TestDemographics`.
    Acquisition { device = "AcquisitionDevice", time = "AcquisitionTime", date = "AcquisitionDate" }
}

fields! {
    /// Of `RestingECGMeasurements` and `OriginalRestingECGMeasurements`.
    MeasurementFields {
        ventricular_rate = "VentricularRate",
        atrial_rate = "AtrialRate",
        pr_interval = "PRInterval",
        qrs_duration = "QRSDuration",
        qt_interval = "QTInterval",
        qtc_interval = "QTCorrected",
        p_axis = "PAxis",
        r_axis = "RAxis",
        t_axis = "TAxis",
    }
}

fields! {
    /// Of `Waveform`, its leads aside.
    WaveformFields { kind = "WaveformType", sample_base = "SampleBase", sample_exponent = "SampleExponent" }
}

fields! {
    /// Of `LeadData`.
    LeadFields {
        byte_count = "LeadByteCountTotal",
        time_offset = "LeadTimeOffset",
        sample_count = "LeadSampleCountTotal",
        gain = "LeadAmplitudeUnitsPerBit",
        unit = "LeadAmplitudeUnits",
        id = "LeadID",
        first_sample_offset = "LeadOffsetFirstSample",
        baseline = "FirstSampleBaseline",
        sample_size = "LeadSampleSize",
        lead_off = "LeadOff",
        baseline_sway = "BaselineSway",
        mains_noise = "ExcessiveACNoise",
        muscle_noise = "MuscleNoise",
        crc32 = "LeadDataCRC32",
        payload = "WaveFormData",
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
