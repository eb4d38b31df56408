//! What the cart says about the quality of each lead.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::QualityFlags;
use crate::xml::scan::{Element, Scanner};

/// Read the marks of one `leadmeasurement`: stretches where the lead was off, and noise of any level. Its amplitudes are stepped over, and
/// so are leads beyond the twelve.
pub(super) fn read_lead<'a>(
    element: &Element<'a>,
    scanner: &mut Scanner<'a>,
    flags: &mut QualityFlags,
) -> Result<(), ParseError> {
    const LABEL: &str = "leadmeasurement";
    if Lead::from_name(&element.attribute("leadname").text()).is_none() {
        return scanner.skip(element, LABEL);
    }
    // The marks come first in the block; what follows them is a long table.
    while let Some(child) = scanner.child(element, LABEL)? {
        if child.local_name() != b"leadqualitystates" {
            scanner.skip(&child, LABEL)?;
            continue;
        }
        scanner.descendants(&child, "leadqualitystates", |mark, _| {
            match mark.local_name() {
                b"inop" if !mark.attribute("starttime").is_blank() => flags.insert(QualityFlags::LEAD_OFF),
                b"baseartifacts" | b"acartifacts" | b"muscleartifacts"
                    if !matches!(mark.attribute("level").text().as_ref(), b"" | b"None") =>
                {
                    flags.insert(QualityFlags::NOISE_MARKED);
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Read one message of the cart's quality monitor, which is about all leads together.
pub(super) fn read_message<'a>(
    element: &Element<'a>,
    scanner: &mut Scanner<'a>,
    flags: &mut QualityFlags,
) -> Result<(), ParseError> {
    match scanner.content(element, "qamessagecode")?.text().as_ref() {
        b"Missing lead(s)" => flags.insert(QualityFlags::LEAD_OFF),
        b"Artifact" | b"Baseline wander" | b"Phone noise" | b"AC interference" => flags.insert(QualityFlags::NOISE_MARKED),
        _ => {}
    }
    Ok(())
}
