//! What stands in a leaf field: numbers, marks, dates, ages.

use std::borrow::Cow;

use crate::error::ParseError;
use crate::recording::{AcquiredAt, Sex};
use crate::xml::scan::without_markup;

/// A leaf's raw content and where its element begins, kept until it is known whether it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// Content as in the file, without surrounding white space.
    raw: &'a [u8],
    /// Offset of the opening tag.
    pub(crate) offset: usize,
    /// Whether a `<` stands in the content: a comment, CDATA, or a raw one.
    has_markup: bool,
    is_blank: bool,
}

impl Default for Field<'_> {
    fn default() -> Self {
        Self { raw: &[], offset: 0, has_markup: false, is_blank: true }
    }
}

impl<'a> Field<'a> {
    /// What is asked more than once is found out here, once, so that no repetition in a file makes its reading slow.
    #[inline]
    pub(crate) fn new(raw: &'a [u8], offset: usize, has_markup: bool) -> Self {
        let raw = raw.trim_ascii();
        let is_blank = if has_markup { text_of_markup(raw).is_empty() } else { raw.is_empty() };
        Self { raw, offset, has_markup, is_blank }
    }

    /// The content as text: comments and instructions removed, CDATA unwrapped, surrounding white space trimmed.
    ///
    /// Allocates only where there is such markup, which hardly any file has.
    #[inline]
    pub(crate) fn text(&self) -> Cow<'a, [u8]> {
        if self.has_markup { Cow::Owned(text_of_markup(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// Whether there is nothing but white space: the same as an absent element.
    pub(crate) const fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// A number that must be one when it is there.
    ///
    /// # Errors
    /// [`ParseError::InvalidValue`] when it is something else, or not finite.
    pub(crate) fn number(&self, element: &'static str) -> Result<Option<f64>, ParseError> {
        if self.is_blank() {
            return Ok(None);
        }
        match number(&self.text()) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(element, "a number")),
        }
    }

    /// The error that names this field.
    pub(crate) const fn invalid(&self, element: &'static str, expected: &'static str) -> ParseError {
        ParseError::InvalidValue { element, expected, offset: self.offset as u64 }
    }

    /// An informational integer; anything else counts as absent.
    pub(crate) fn integer(&self) -> Option<i64> {
        integer(&self.text())
    }

    /// A cart's model. Anything but a short ASCII name is dropped: free text may name a person.
    pub(crate) fn model_name(&self) -> Option<String> {
        let text = self.text();
        let is_model = (1..=32).contains(&text.len()) && text.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic());
        is_model.then(|| text.iter().map(|&byte| char::from(byte)).collect())
    }

    /// Whether it says `TRUE`.
    pub(crate) fn is_true(&self) -> bool {
        self.text().eq_ignore_ascii_case(b"TRUE")
    }

    /// Whether it is a number other than zero.
    pub(crate) fn is_non_zero(&self) -> bool {
        number(&self.text()).is_some_and(|value| value != 0.0)
    }
}

#[cold]
fn text_of_markup(raw: &[u8]) -> Vec<u8> {
    without_markup(raw).trim_ascii().to_vec()
}

/// A decimal number, scientific notation included; finite.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    // Most are one digit, and are not worth the general way.
    if let &[digit @ b'0'..=b'9'] = text {
        return Some(f64::from(digit - b'0'));
    }
    let value: f64 = std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// A whole number, also as `60.0`; `None` for anything else.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (digits, negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] | digits => (digits, false),
    };
    if !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0, |value: i64, digit| value * 10 + i64::from(digit - b'0'));
        return Some(if negative { -value } else { value });
    }
    number(text).filter(|value| value.fract() == 0.0 && value.abs() < 1e15).map(|value| value as i64)
}

/// `MALE` or `FEMALE`, in any case; anything else is unknown.
pub(crate) fn sex(text: &[u8]) -> Option<Sex> {
    if text.eq_ignore_ascii_case(b"MALE") || text.eq_ignore_ascii_case(b"M") {
        Some(Sex::Male)
    } else if text.eq_ignore_ascii_case(b"FEMALE") || text.eq_ignore_ascii_case(b"F") {
        Some(Sex::Female)
    } else {
        None
    }
}

/// Age in years from a number and its unit. Without a unit it is unknown: a newborn's 5 is not five years.
pub(crate) fn age_years(age: &[u8], unit: &[u8]) -> Option<f32> {
    const DAYS_PER_YEAR: f64 = 365.25;
    let units_per_year = match unit.to_ascii_uppercase().as_slice() {
        b"YEARS" | b"YEAR" => 1.0,
        b"MONTHS" | b"MONTH" => 12.0,
        b"WEEKS" | b"WEEK" => DAYS_PER_YEAR / 7.0,
        b"DAYS" | b"DAY" => DAYS_PER_YEAR,
        b"HOURS" | b"HOUR" => DAYS_PER_YEAR * 24.0,
        _ => return None,
    };
    let years = number(age)? / units_per_year;
    (0.0..=150.0).contains(&years).then_some(years as f32)
}

/// Date and time. Dates are `MM-DD-YYYY`, `MM/DD/YYYY` or `YYYY-MM-DD`; anything else (masked, impossible) is `None`. A usable date whose
/// time is absent or masked is kept at midnight, because everything downstream asks for the day.
pub(crate) fn acquired_at(date: &[u8], time: &[u8]) -> Option<AcquiredAt> {
    let date = date.trim_ascii();
    let mut parts = date.splitn(3, |&byte| byte == b'-' || byte == b'/');
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = if a.len() == 4 { (a, b, c) } else { (c, a, b) };
    if year.len() != 4 {
        return None;
    }
    let (year, month, day) = (digits(year)?, digits(month)?, digits(day)?);
    if !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let (hour, minute, second) = clock(time.trim_ascii()).unwrap_or_default();
    Some(AcquiredAt { year: year as i32, month: month as u8, day: day as u8, hour, minute, second })
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`.
fn clock(time: &[u8]) -> Option<(u8, u8, u8)> {
    let time = time.split(|&byte| byte == b'.').next()?;
    let mut parts = time.split(|&byte| byte == b':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), digits)?;
    (hour < 24 && minute < 60 && second < 60 && parts.next().is_none()).then_some((hour as u8, minute as u8, second as u8))
}

/// One to four decimal digits.
fn digits(text: &[u8]) -> Option<u32> {
    (matches!(text.len(), 1..=4) && text.iter().all(u8::is_ascii_digit))
        .then(|| text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

/// Zero for a month or year that does not exist.
const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        _ if year == 0 => 0,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str, time: &str) -> Option<(i32, u8, u8, u8, u8, u8)> {
        acquired_at(date.as_bytes(), time.as_bytes()).map(|at| (at.year, at.month, at.day, at.hour, at.minute, at.second))
    }

    #[test]
    fn the_three_spellings_of_a_date_are_read() {
        for date in ["05-10-2021", "05/10/2021", "2021-05-10", " 5-10-2021 "] {
            assert_eq!(at(date, "13:15:18"), Some((2021, 5, 10, 13, 15, 18)), "{date}");
        }
    }

    #[test]
    fn masked_and_impossible_dates_are_absent() {
        for date in
            ["", "XX-XX-XXXX", "02-30-2021", "02-29-2100", "13-01-2021", "00-10-2021", "05-10-21", "05102021", "01-01-0000"]
        {
            assert_eq!(at(date, "13:15:18"), None, "{date}");
        }
        assert_eq!(at("02-29-2000", "00:00:00"), Some((2000, 2, 29, 0, 0, 0)));
    }

    #[test]
    fn a_day_without_its_time_is_kept_at_midnight() {
        for time in ["", "XX:XX:XX", "24:00:00", "12:60"] {
            assert_eq!(at("05-10-2021", time), Some((2021, 5, 10, 0, 0, 0)), "{time}");
        }
        assert_eq!(at("05-10-2021", "07:08"), Some((2021, 5, 10, 7, 8, 0)));
        assert_eq!(at("05-10-2021", "07:08:09.123"), Some((2021, 5, 10, 7, 8, 9)));
    }

    #[test]
    fn an_age_needs_its_unit() {
        assert_eq!(age_years(b"60", b"YEARS"), Some(60.0));
        assert_eq!(age_years(b"6", b"Months"), Some(0.5));
        assert_eq!(age_years(b"5", b""), None);
        assert_eq!(age_years(b"999", b"YEARS"), None);
        assert_eq!(age_years(b"-1", b"DAYS"), None);
        assert!(age_years(b"24", b"HOURS").is_some_and(|age| (age - 1.0 / 365.25).abs() < 1e-6));
    }

    #[test]
    fn numbers_are_decimal_or_scientific_and_finite() {
        assert_eq!(number(b" 1.19e-05 "), Some(1.19e-5));
        for text in ["", "4,88", "inf", "NaN", "1e999", "0x10", "4.88 uV"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_may_be_written_with_a_fraction_of_zero() {
        assert_eq!(integer(b"-17"), Some(-17));
        assert_eq!(integer(b"60.0"), Some(60));
        for text in ["", "-", "60.5", "abc", "1e300"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
