//! HL7 annotated ECG, root `AnnotatedECG`, whatever prefix its namespace has.
//!
//! A series says by its code what it holds: `RHYTHM` is read, representative beats (a `derivation`, or a series of their own) are stepped
//! over without being looked at, and so are annotations and everybody's names. Elements are known by where they stand (a `code` is the
//! series' own only as its child), so the walk goes from child to child; it is no deeper than the code, whatever the file holds.

mod sequence;

use crate::error::ParseError;
use crate::recording::{AcquiredAt, Dialect, QualityFlags, Recording};
use crate::xml::aecg::sequence::SequenceSet;
use crate::xml::field::{self, Field};
use crate::xml::scan::{Element, Scanner};
use crate::xml::{ParseOptions, Workspace};

/// LOINC's code of the reported age.
const REPORTED_AGE: &[u8] = b"21612-7";

/// What the walk has found.
#[derive(Clone, Copy, Debug, Default)]
struct Document<'a> {
    effective_time: EffectiveTime<'a>,
    gender: Field<'a>,
    age: Field<'a>,
    age_unit: Field<'a>,
    rhythm: Option<Rhythm<'a>>,
    several_rhythms: bool,
    num_series: u32,
    num_rhythm_series: u32,
}

/// The leads that may be the rhythm, and when and by what they were taken.
#[derive(Clone, Copy, Debug)]
struct Rhythm<'a> {
    set: SequenceSet<'a>,
    effective_time: EffectiveTime<'a>,
    device: Field<'a>,
}

/// An interval (its beginning), or one instant.
#[derive(Clone, Copy, Debug, Default)]
struct EffectiveTime<'a> {
    low: Field<'a>,
    center: Field<'a>,
}

/// Read on after the opening tag of the root, which stands at `start`.
pub(super) fn parse(
    mut scanner: Scanner<'_>,
    start: usize,
    options: ParseOptions,
    workspace: &mut Workspace,
    recording: &mut Recording,
) -> Result<(), ParseError> {
    recording.dialect = Dialect::Aecg;
    let root = scanner.opened(start);
    let mut document = Document::default();
    document.read(&mut scanner, &root)?;
    let rhythm = document.choose()?;
    document.write_header(&rhythm, recording);
    rhythm.set.decode(options, &mut workspace.assembly, recording)
}

impl<'a> Document<'a> {
    fn read(&mut self, scanner: &mut Scanner<'a>, root: &Element<'a>) -> Result<(), ParseError> {
        while let Some(child) = scanner.child(root, "AnnotatedECG")? {
            match child.local_name() {
                b"effectiveTime" => self.effective_time.read(scanner, &child)?,
                b"componentOf" => self.read_subject(scanner, &child)?,
                b"controlVariable" => self.read_age(scanner, &child)?,
                b"component" => {
                    while let Some(child) = scanner.child(&child, "component")? {
                        match child.local_name() {
                            b"series" => self.read_series(scanner, &child)?,
                            _ => scanner.skip(&child, "component")?,
                        }
                    }
                }
                _ => scanner.skip(&child, "AnnotatedECG")?,
            }
        }
        Ok(())
    }

    /// The subject's sex. Names, numbers and the date of birth stand beside it and are not looked at.
    fn read_subject(&mut self, scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<(), ParseError> {
        scanner.descendants(parent, "componentOf", |element, _| {
            if self.gender.is_blank() && element.local_name() == b"administrativeGenderCode" {
                self.gender = element.attribute("code");
            }
            Ok(())
        })
    }

    /// The age as it was reported: the value that follows its code.
    fn read_age(&mut self, scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<(), ParseError> {
        let mut is_age = false;
        scanner.descendants(parent, "controlVariable", |element, _| {
            match element.local_name() {
                b"code" => is_age = element.attribute("code").text().as_ref() == REPORTED_AGE,
                b"value" if is_age && self.age.is_blank() => {
                    (self.age, self.age_unit) = (element.attribute("value"), element.attribute("unit"));
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn read_series(&mut self, scanner: &mut Scanner<'a>, series: &Element<'a>) -> Result<(), ParseError> {
        self.num_series += 1;
        let (mut code, mut device, mut effective_time) = (Field::default(), Field::default(), EffectiveTime::default());
        let mut best = None;
        let mut num_sets = 0;
        while let Some(child) = scanner.child(series, "series")? {
            match child.local_name() {
                b"code" => {
                    code = child.attribute("code");
                    scanner.skip(&child, "series")?;
                }
                b"effectiveTime" => effective_time.read(scanner, &child)?,
                b"author" => scanner.descendants(&child, "author", |element, scanner| {
                    if device.is_blank() && element.local_name() == b"manufacturerModelName" {
                        device = scanner.content(element, "manufacturerModelName")?;
                    }
                    Ok(())
                })?,
                b"component" => {
                    while let Some(child) = scanner.child(&child, "component")? {
                        match child.local_name() {
                            b"sequenceSet" => {
                                num_sets += 1;
                                SequenceSet::read(scanner, &child)?.or_better(&mut best);
                            }
                            _ => scanner.skip(&child, "component")?,
                        }
                    }
                }
                _ => scanner.skip(&child, "series")?,
            }
        }
        if !code.text().eq_ignore_ascii_case(b"RHYTHM") {
            return Ok(());
        }
        self.num_rhythm_series += 1;
        if let Some(set) = best {
            self.several_rhythms |= num_sets > 1 || self.rhythm.is_some();
            if self.rhythm.is_none_or(|first| !first.set.is_complete() && set.is_complete()) {
                self.rhythm = Some(Rhythm { set, effective_time, device });
            }
        }
        Ok(())
    }

    fn choose(&self) -> Result<Rhythm<'a>, ParseError> {
        match self.rhythm {
            Some(rhythm) => Ok(rhythm),
            None if self.num_series > 0 && self.num_rhythm_series == 0 => Err(ParseError::NoRhythm),
            None => Err(ParseError::NoWaveform),
        }
    }

    fn write_header(&self, rhythm: &Rhythm<'a>, recording: &mut Recording) {
        recording.acquired_at = rhythm.effective_time.begin().or_else(|| self.effective_time.begin());
        recording.sex = field::sex(&self.gender.text());
        recording.age_years = age_years(self.age, self.age_unit);
        recording.device = rhythm.device.model_name();
        // The format has no checksums.
        recording.flags.insert(QualityFlags::CRC_UNKNOWN);
        if self.several_rhythms {
            recording.flags.insert(QualityFlags::SEVERAL_RHYTHMS);
        }
    }
}

impl<'a> EffectiveTime<'a> {
    fn read(&mut self, scanner: &mut Scanner<'a>, parent: &Element<'a>) -> Result<(), ParseError> {
        scanner.descendants(parent, "effectiveTime", |element, _| {
            match element.local_name() {
                b"low" => self.low = element.attribute("value"),
                b"center" => self.center = element.attribute("value"),
                _ => {}
            }
            Ok(())
        })
    }

    fn begin(&self) -> Option<AcquiredAt> {
        timestamp(&self.low.text()).or_else(|| timestamp(&self.center.text()))
    }
}

/// HL7's `YYYYMMDDHHMMSS`, cut off anywhere after the day; a fraction and a time zone are left out, for the cart's clock counts.
fn timestamp(text: &[u8]) -> Option<AcquiredAt> {
    let num_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!((num_digits, text.get(num_digits)), (8 | 10 | 12 | 14, None | Some(b'.' | b'+' | b'-'))) {
        return None;
    }
    let date = [&text[..4], b"-", &text[4..6], b"-", &text[6..8]].concat();
    let part = |begin: usize| if begin < num_digits { &text[begin..begin + 2] } else { b"00" };
    let time = [part(8), b":", part(10), b":", part(12)].concat();
    field::acquired_at(&date, &time)
}

/// Age in years; units are those of UCUM.
fn age_years(age: Field<'_>, unit: Field<'_>) -> Option<f32> {
    let unit: &[u8] = match unit.text().as_ref() {
        b"a" => b"YEARS",
        b"mo" => b"MONTHS",
        b"wk" => b"WEEKS",
        b"d" => b"DAYS",
        b"h" => b"HOURS",
        _ => return None,
    };
    field::age_years(&age.text(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<(i32, u8, u8, u8, u8, u8)> {
        timestamp(text.as_bytes()).map(|at| (at.year, at.month, at.day, at.hour, at.minute, at.second))
    }

    #[test]
    fn timestamps_may_end_early_and_have_a_fraction_and_a_zone() {
        for text in ["20021122091007", "20021122091007.250", "20021122091007+0900", "20021122091007.5-05"] {
            assert_eq!(at(text), Some((2002, 11, 22, 9, 10, 7)), "{text}");
        }
        assert_eq!(at("200211220910"), Some((2002, 11, 22, 9, 10, 0)));
        assert_eq!(at("2002112209-0500"), Some((2002, 11, 22, 9, 0, 0)));
        assert_eq!(at("20021122"), Some((2002, 11, 22, 0, 0, 0)));
    }

    #[test]
    fn masked_and_impossible_timestamps_are_absent() {
        for text in ["", "2002", "200211", "XXXXXXXX", "2002-11-22", "20021322", "20020230091007", "200211220", "20021122x"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn an_age_needs_a_unit_that_is_known() {
        let age = |value: &'static str, unit: &'static str| {
            age_years(Field::new(value.as_bytes(), 0, false), Field::new(unit.as_bytes(), 0, false))
        };
        assert_eq!((age("46", "a"), age("6", "mo"), age("46", ""), age("46", "years")), (Some(46.0), Some(0.5), None, None));
    }
}
