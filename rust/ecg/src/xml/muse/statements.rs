//! The over-read diagnosis, line by line.

use crate::error::ParseError;
use crate::xml::encoding::push_text;
use crate::xml::scan::{Scanner, Tag};

/// Lines of `Diagnosis`: statements joined up to the one that ends the line; struck-out ones left out. A block without any line end has one
/// statement a line.
pub(super) fn read_statements(scanner: &mut Scanner<'_>, start: usize, lines: &mut Vec<String>) -> Result<(), ParseError> {
    let mut statements: Vec<(String, bool)> = Vec::new();
    let (mut text, mut ends_line, mut deleted) = (String::new(), false, false);
    let element = "Diagnosis";
    loop {
        match scanner.next_tag() {
            Some(Tag::Open { name: b"StmtFlag", start, empty: false }) => {
                let flag = scanner.leaf("StmtFlag", start)?.text();
                ends_line |= flag.eq_ignore_ascii_case(b"ENDSLINE");
                deleted |= flag.eq_ignore_ascii_case(b"DELETED");
            }
            Some(Tag::Open { name: b"StmtText", start, empty: false }) => {
                push_text(&scanner.leaf("StmtText", start)?.text(), &mut text);
            }
            Some(Tag::Close { name: b"DiagnosisStatement", .. }) => {
                if deleted {
                    text.clear();
                }
                statements.push((std::mem::take(&mut text), ends_line));
                (ends_line, deleted) = (false, false);
            }
            Some(Tag::Close { name: b"Diagnosis", .. }) => break,
            Some(Tag::Open { name: b"Waveform", start, .. } | Tag::Close { name: b"RestingECG", start }) => {
                return Err(ParseError::Malformed { what: "`Diagnosis` is not closed", offset: start as u64 });
            }
            Some(_) => {}
            None => return Err(ParseError::Truncated { element, offset: start as u64 }),
        }
    }
    let one_a_line = statements.iter().all(|(_, ends_line)| !ends_line);
    let mut line = String::new();
    for (text, ends_line) in statements {
        if !line.is_empty() && !text.is_empty() {
            line.push(' ');
        }
        line.push_str(&text);
        if (ends_line || one_a_line) && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    Ok(())
}
