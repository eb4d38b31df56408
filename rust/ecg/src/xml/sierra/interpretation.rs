//! One reading of the recording: the final measurements and the statements.

use crate::error::ParseError;
use crate::recording::AcquiredAt;
use crate::xml::ParseOptions;
use crate::xml::encoding::push_text;
use crate::xml::field;
use crate::xml::scan::{Element, Scanner};
use crate::xml::sierra::fields::MeasurementFields;

/// An `interpretation`, by the machine or by whoever edited it.
#[derive(Clone, Debug)]
pub(super) struct Interpretation<'a> {
    /// When; the latest of several counts.
    pub(super) made_at: Option<AcquiredAt>,
    pub(super) measurements: MeasurementFields<'a>,
    /// `left: right`, the finding and its reason; empty unless statements are kept.
    pub(super) statements: Vec<String>,
}

impl<'a> Interpretation<'a> {
    /// Read the interpretation that was just opened.
    pub(super) fn read(element: &Element<'a>, scanner: &mut Scanner<'a>, options: ParseOptions) -> Result<Self, ParseError> {
        let (date, time) = (element.attribute("date"), element.attribute("time"));
        let mut measurements = MeasurementFields::default();
        let mut statements = Vec::new();
        scanner.descendants(element, "interpretation", |child, scanner| match child.local_name() {
            b"serialcomparison" => scanner.skip(child, "serialcomparison"),
            b"interpretationdatastructure" => scanner.skip(child, "interpretationdatastructure"),
            b"statement" if options.keep_statements => {
                let line = read_statement(child, scanner)?;
                statements.extend(Some(line).filter(|line| !line.is_empty()));
                Ok(())
            }
            b"statement" => scanner.skip(child, "statement"),
            _ => measurements.read(child, scanner),
        })?;
        Ok(Self { made_at: field::acquired_at(&date.text(), &time.text()), measurements, statements })
    }
}

fn read_statement<'a>(element: &Element<'a>, scanner: &mut Scanner<'a>) -> Result<String, ParseError> {
    let mut line = String::new();
    scanner.descendants(element, "statement", |child, scanner| {
        let label = match child.local_name() {
            b"leftstatement" => "leftstatement",
            b"rightstatement" => "rightstatement",
            _ => return Ok(()),
        };
        let text = scanner.content(child, label)?;
        if !line.is_empty() && !text.is_blank() {
            line.push_str(": ");
        }
        push_text(&text.text(), &mut line);
        Ok(())
    })?;
    Ok(line)
}
