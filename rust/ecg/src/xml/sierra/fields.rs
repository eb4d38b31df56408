//! The elements that are read, block by block. What is not named here is never looked at.

use crate::error::ParseError;
use crate::recording::{AcquiredAt, Measurements};
use crate::xml::field::{self, Field};
use crate::xml::scan::{Element, Scanner};

/// Generates a struct of raw fields and the reading of one child element into it; an element may have one name in 1.03 and another in 1.04.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $($element:literal)|+),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Field<'a>),*
        }

        impl<'a> $name<'a> {
            /// Read the child that was just opened, if it is one of ours; the first of several that is not blank counts.
            pub(super) fn read(&mut self, child: &Element<'a>, scanner: &mut Scanner<'a>) -> Result<(), ParseError> {
                let name = child.local_name();
                let (label, slot) = match name {
                    $($(_ if name == $element.as_bytes() => ($element, &mut self.$field),)+)*
                    _ => return Ok(()),
                };
                let field = scanner.content(child, label)?;
                if slot.is_blank() {
                    *slot = field;
                }
                Ok(())
            }
        }
    };
}

fields! {
    /// Of `signalcharacteristics`.
    SignalFields {
        sampling_rate = "samplingrate",
        resolution = "resolution" | "signalresolution",
        offset = "signaloffset",
        signed = "signalsigned",
        acquisition_type = "acquisitiontype",
    }
}

fields! {
    /// Of `generalpatientdata`: nothing that names the person; the birth date becomes an age and is forgotten.
    PatientFields {
        years = "years",
        months = "months",
        weeks = "weeks",
        days = "days",
        hours = "hours",
        birth_date = "dateofbirth",
        sex = "sex",
    }
}

fields! {
    /// Of `crossleadmeasurements` (1.03: `globalmeasurements`), and of an interpretation's `globalmeasurements` (1.03:
    /// `interpretationmeasurements`).
    MeasurementFields {
        ventricular_rate = "heartrate" | "meanventrate",
        atrial_rate = "atrialrate",
        pr_interval = "print" | "meanprint",
        qrs_duration = "qrsdur" | "meanqrsdur",
        qt_interval = "qtint" | "meanqtint",
        qtc_interval = "qtcb" | "meanqtc",
        p_axis = "pfrontaxis",
        r_axis = "qrsfrontaxis",
        t_axis = "tfrontaxis",
    }
}

impl PatientFields<'_> {
    /// The stated age, else the completed years from birth to acquisition: a fraction of a year would give the birth date away. The
    /// attribute `defaultage` is what the cart assumes of everybody and is no age.
    pub(super) fn age_years(&self, acquired_at: Option<AcquiredAt>) -> Option<f32> {
        let stated = [
            (self.years, &b"YEARS"[..]),
            (self.months, b"MONTHS"),
            (self.weeks, b"WEEKS"),
            (self.days, b"DAYS"),
            (self.hours, b"HOURS"),
        ];
        if let Some(age) = stated.iter().find_map(|(age, unit)| field::age_years(&age.text(), unit)) {
            return Some(age);
        }
        let (birth, at) = (field::acquired_at(&self.birth_date.text(), b"")?, acquired_at?);
        let birthday_is_to_come = (at.month, at.day) < (birth.month, birth.day);
        let years = at.year - birth.year - i32::from(birthday_is_to_come);
        (0..=150).contains(&years).then_some(years as f32)
    }
}

impl MeasurementFields<'_> {
    /// What is no number (`Failed`, `Indeterminate`, ...) is absent.
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
