//! Names and times of members.

use encoding_rs::{EUC_KR, WINDOWS_1252};

use super::bytes::extra;

const UTF8_FLAG: u16 = 1 << 11;
const UNICODE_PATH: u16 = 0x7075;

/// A member's name: UTF-8 where it says or shows so, else Korean (cp949), else Western.
///
/// Programs that write another encoding rarely say which; bytes that are UTF-8 by accident are rare.
pub(super) fn decode(raw: &[u8], flags: u16, extra_blocks: &[u8]) -> String {
    let text = if let Some(unicode) = unicode_path(raw, extra_blocks) {
        unicode.to_owned()
    } else if let Ok(text) = std::str::from_utf8(raw) {
        text.to_owned()
    } else if flags & UTF8_FLAG != 0 {
        String::from_utf8_lossy(raw).into_owned()
    } else {
        let korean = EUC_KR.decode_without_bom_handling_and_without_replacement(raw);
        korean.unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(raw).0).into_owned()
    };
    if text.contains(['\\', '\0']) { text.replace('\\', "/").replace('\0', "\u{fffd}") } else { text }
}

/// The name in the block that Info-ZIP adds, when it belongs to this very name.
fn unicode_path<'a>(raw: &[u8], extra_blocks: &'a [u8]) -> Option<&'a str> {
    let mut fields = extra(extra_blocks, UNICODE_PATH)?;
    let version = fields.take(1)?;
    let crc32 = fields.u32()?;
    (version == [1] && crc32 == crc32fast::hash(raw)).then(|| std::str::from_utf8(fields.0).ok()).flatten()
}

/// Nanoseconds since 1970 of MS-DOS's date and time, whose time zone nobody states; 0 for a date that there is not.
pub(super) fn modified_ns(date: u16, time: u16) -> i64 {
    let (year, month, day) = (1980 + i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31));
    if !(1..=12).contains(&month) || day == 0 {
        return 0;
    }
    // Years that begin in March put the leap day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let seconds = i64::from(time >> 11) * 3600 + i64::from(time >> 5 & 63) * 60 + i64::from(time & 31) * 2;
    (days * 86_400 + seconds) * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_utf_8_or_korean_or_western() {
        assert_eq!(decode("심전도/가.xml".as_bytes(), UTF8_FLAG, &[]), "심전도/가.xml");
        assert_eq!(decode("심전도.xml".as_bytes(), 0, &[]), "심전도.xml");
        assert_eq!(decode(b"\xbd\xc9\xc0\xfc\xb5\xb5\\1.xml", 0, &[]), "심전도/1.xml");
        assert_eq!(decode(b"caf\xe9.xml", 0, &[]), "caf\u{e9}.xml");
        assert_eq!(decode(b"\xff.xml", UTF8_FLAG, &[]), "\u{fffd}.xml");
    }

    #[test]
    fn a_unicode_name_counts_only_for_the_name_it_was_made_for() {
        let block = |crc: u32| {
            [&UNICODE_PATH.to_le_bytes()[..], &9u16.to_le_bytes(), &[1], &crc.to_le_bytes(), "가x".as_bytes()].concat()
        };
        assert_eq!(decode(b"old", 0, &block(crc32fast::hash(b"old"))), "가x");
        assert_eq!(decode(b"new", 0, &block(crc32fast::hash(b"old"))), "new");
    }

    #[test]
    fn times_are_to_two_seconds() {
        let (date, time) = ((40 << 9) + (2 << 5) + 29, (12 << 11) + (34 << 5) + 28);
        assert_eq!(modified_ns(date, time), 1_582_979_696_000_000_000);
        assert_eq!(modified_ns(0, 0), 0);
    }
}
