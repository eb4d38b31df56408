//! Philips Sierra ECG `restingecgdata`, schema versions 1.03, 1.04, 1.04.01 and 1.04.02.
//!
//! All leads stand in one payload, `parsedwaveforms`, packed with XLI; the limb leads III, aVR, aVL and aVF are stored as what is left of
//! them after I and II have predicted them. The representative beats (`repbeats`) are another waveform at another gain and are stepped over
//! unread, like everything that names a person.

mod fields;
mod interpretation;
mod leads;
mod quality;
mod waveform;
mod xli;

use crate::error::ParseError;
use crate::recording::{Dialect, QualityFlags, Recording};
use crate::xml::field::{self, Field};
use crate::xml::scan::{Element, Scanner};
use crate::xml::sierra::fields::{MeasurementFields, PatientFields, SignalFields};
use crate::xml::sierra::interpretation::Interpretation;
pub(super) use crate::xml::sierra::leads::Leads;
use crate::xml::sierra::waveform::Waveform;
use crate::xml::{ParseOptions, Workspace};

/// Blocks that hold nothing for us, many of them free text about a person or about another recording.
const SKIPPED: [&str; 6] = ["userdefines", "orderinfo", "otherECGs", "reportinfo", "acquirer", "patientmedicaldata"];
/// Waveforms that are not the rhythm of all leads.
const OTHER_WAVEFORMS: [&str; 5] = ["repbeats", "vcgs", "annotations", "leadwaveforms", "unparsedwaveforms"];

/// What the walk has found.
#[derive(Debug, Default)]
struct Document<'a> {
    date: Field<'a>,
    time: Field<'a>,
    machine: Field<'a>,
    signal: SignalFields<'a>,
    patient: PatientFields<'a>,
    measurements: MeasurementFields<'a>,
    interpretation: Option<Interpretation<'a>>,
    waveform: Option<Waveform<'a>>,
    has_other_waveforms: bool,
}

/// Read on after the opening tag of the root, which stands at `start`.
pub(super) fn parse(
    mut scanner: Scanner<'_>,
    start: usize,
    options: ParseOptions,
    workspace: &mut Workspace,
    recording: &mut Recording,
) -> Result<(), ParseError> {
    recording.dialect = Dialect::Sierra;
    let mut document = Document::default();
    document.walk(&mut scanner, start, options, &mut recording.flags)?;
    document.write_header(recording);
    let waveform = match document.waveform {
        Some(waveform) => waveform,
        None if document.has_other_waveforms => return Err(ParseError::NoRhythm),
        None => return Err(ParseError::NoWaveform),
    };
    waveform.decode(&document.signal, options, workspace, recording)
}

impl<'a> Document<'a> {
    fn walk(
        &mut self,
        scanner: &mut Scanner<'a>,
        start: usize,
        options: ParseOptions,
        flags: &mut QualityFlags,
    ) -> Result<(), ParseError> {
        let root = scanner.opened(start);
        scanner.descendants(&root, "restingecgdata", |element, scanner| self.visit(element, scanner, options, flags))
    }

    fn visit(
        &mut self,
        element: &Element<'a>,
        scanner: &mut Scanner<'a>,
        options: ParseOptions,
        flags: &mut QualityFlags,
    ) -> Result<(), ParseError> {
        match element.local_name() {
            b"documenttype" => check_type(&scanner.content(element, "documenttype")?),
            b"documentversion" => check_version(&scanner.content(element, "documentversion")?),
            b"dataacquisition" => {
                (self.date, self.time) = (element.attribute("date"), element.attribute("time"));
                Ok(())
            }
            b"machine" => {
                self.machine = scanner.content(element, "machine")?;
                Ok(())
            }
            b"signalcharacteristics" => {
                scanner.descendants(element, "signalcharacteristics", |child, scanner| self.signal.read(child, scanner))
            }
            b"generalpatientdata" => {
                scanner.descendants(element, "generalpatientdata", |child, scanner| self.patient.read(child, scanner))
            }
            // The machine's own, as 1.04 and as 1.03 call them.
            b"internalmeasurements" | b"measurements" => {
                scanner.descendants(element, "measurements", |child, scanner| match child.local_name() {
                    b"groupmeasurements" => scanner.skip(child, "groupmeasurements"),
                    b"configsettings" => scanner.skip(child, "configsettings"),
                    b"leadmeasurement" => quality::read_lead(child, scanner, flags),
                    b"qamessagecode" => quality::read_message(child, scanner, flags),
                    _ => self.measurements.read(child, scanner),
                })
            }
            b"interpretation" => {
                let interpretation = Interpretation::read(element, scanner, options)?;
                if self.interpretation.as_ref().is_none_or(|held| held.made_at < interpretation.made_at) {
                    self.interpretation = Some(interpretation);
                }
                Ok(())
            }
            b"parsedwaveforms" => {
                let waveform = Waveform::read(element, scanner)?;
                if self.waveform.is_some() {
                    flags.insert(QualityFlags::SEVERAL_RHYTHMS);
                } else if !waveform.is_blank() {
                    self.waveform = Some(waveform);
                }
                Ok(())
            }
            name => {
                if let Some(label) = OTHER_WAVEFORMS.into_iter().find(|label| label.as_bytes() == name) {
                    self.has_other_waveforms = true;
                    return scanner.skip(element, label);
                }
                let skipped = SKIPPED.into_iter().find(|label| label.as_bytes() == name);
                skipped.map_or(Ok(()), |label| scanner.skip(element, label))
            }
        }
    }

    fn write_header(&mut self, recording: &mut Recording) {
        recording.acquired_at = field::acquired_at(&self.date.text(), &self.time.text());
        recording.age_years = self.patient.age_years(recording.acquired_at);
        recording.sex = field::sex(&self.patient.sex.text());
        recording.device = self.machine.model_name();
        recording.original_measurements = self.measurements.to_measurements();
        if let Some(interpretation) = self.interpretation.take() {
            recording.measurements = interpretation.measurements.to_measurements();
            recording.statements.extend(interpretation.statements);
        }
    }
}

/// Another schema may mean other things by the same names, so it is refused; an absent one is judged by what the elements say.
fn check_version(version: &Field<'_>) -> Result<(), ParseError> {
    match version.text().as_ref() {
        b"" | b"1.03" | b"1.04" | b"1.04.01" | b"1.04.02" => Ok(()),
        _ => Err(version.invalid("documentversion", "1.03, 1.04, 1.04.01 or 1.04.02")),
    }
}

fn check_type(kind: &Field<'_>) -> Result<(), ParseError> {
    match kind.text().as_ref() {
        b"" | b"SierraECG" | b"PhilipsECG" => Ok(()),
        _ => Err(kind.invalid("documenttype", "SierraECG or PhilipsECG")),
    }
}
