//! Every way of reading a list against the others and against the standard library.

use proptest::prelude::*;

use super::*;

/// Decode in every way there is, which must agree.
fn numbers(text: &str, separator: Separator) -> Result<Vec<i16>, NotIntegers> {
    let numbers_with = |fast| {
        let mut out = vec![9; most_bytes(text.as_bytes())];
        let num_bytes = decode_with(fast, text.as_bytes(), separator, &mut out)?;
        Ok(out[..num_bytes].as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect())
    };
    let portable = numbers_with(None);
    assert_eq!(numbers_with(Avx512::detect()), portable, "{text:?}");
    // What the fast path takes for regular, and not only what the slow path makes of the rest, must agree too.
    let mut slots = [vec![[9; 2]; text.len() / 2 + 1], vec![[9; 2]; text.len() / 2 + 1]];
    if let Some(fast) = Avx512::detect() {
        let [one, two] = &mut slots;
        let trimmed = text.trim_ascii().as_bytes();
        let tallies = match separator {
            Separator::WhiteSpace => (fast.read::<false>(trimmed, one), read::<false>(trimmed, two)),
            Separator::Comma => (fast.read::<true>(trimmed, one), read::<true>(trimmed, two)),
        };
        assert_eq!(tallies.0, tallies.1, "{text:?}");
    }
    portable
}

/// The rules once more, by the standard library.
fn plainly(text: &str, separator: Separator) -> Result<Vec<i16>, NotIntegers> {
    let white = [' ', '\t', '\n', '\r'];
    let parse = |number: &str| {
        let plain = !number.is_empty() && number.trim_start_matches(['+', '-']).len() + 1 >= number.len();
        number.parse().ok().filter(|_| plain).ok_or(NotIntegers)
    };
    match separator {
        Separator::WhiteSpace => text.split(white).filter(|number| !number.is_empty()).map(parse).collect(),
        Separator::Comma => {
            let text = text.trim_matches(white);
            text.strip_suffix(',').unwrap_or(text).split(',').map(|number| parse(number.trim_matches(white))).collect()
        }
    }
}

#[test]
fn every_number_of_sixteen_bits_is_read() {
    let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    for (separator, between) in [
        (Separator::WhiteSpace, " "),
        (Separator::WhiteSpace, "\r\n\t    "),
        (Separator::Comma, ","),
        (Separator::Comma, ",\n\t\t"),
    ] {
        let text = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
        assert_eq!(numbers(&text, separator).as_ref(), Ok(&all), "{between:?}");
    }
}

#[test]
fn unusual_spellings_are_read_too() {
    assert_eq!(numbers("+7 -0 000000000000000012 -0032768 0", Separator::WhiteSpace), Ok(vec![7, 0, 12, -32768, 0]));
    assert_eq!(numbers(" 1 , 2\n,3 ,\n", Separator::Comma), Ok(vec![1, 2, 3]));
    assert_eq!(numbers("5", Separator::WhiteSpace), Ok(vec![5]));
    assert_eq!(numbers(" \n ", Separator::WhiteSpace), Ok(vec![]));
}

#[test]
fn anything_else_is_refused() {
    for text in [
        "32768",
        "-32769",
        "99999",
        "100000",
        "99999999999999999999",
        "1.5",
        "1e3",
        "--1",
        "+-1",
        "-",
        "1-",
        "1-2",
        "0x1",
        "1,2",
        "1\u{0}2",
        "NaN",
    ] {
        assert_eq!(numbers(text, Separator::WhiteSpace), Err(NotIntegers), "{text}");
        let within = format!("10 20 30 {text} 40 50 60");
        assert_eq!(numbers(&within, Separator::WhiteSpace), Err(NotIntegers), "{within}");
    }
    for text in ["1,,2", "1 2", ",1", "1,2,,", "1,,2 3", ",", "1;2"] {
        assert_eq!(numbers(text, Separator::Comma), Err(NotIntegers), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_and_plain_reading_agree(
        pieces in proptest::collection::vec(
            prop_oneof![
                8 => any::<i16>().prop_map(|number| number.to_string()),
                8 => (-99..100_i16).prop_map(|number| number.to_string()),
                1 => proptest::sample::select(vec!["+1", "007", "40000", "-", "x", "1.0", "", "\u{1}", "é"]).prop_map(String::from),
            ],
            0..60,
        ),
        between in proptest::sample::select(vec![" ", "\n", "  ", ",", ", ", " ,", "\r\n\t\t ", ",\n\t\t", ",,"]),
        around in proptest::sample::select(vec!["", " ", ",", "\n"]),
    ) {
        let text = format!("{around}{}{around}", pieces.join(between));
        for separator in [Separator::WhiteSpace, Separator::Comma] {
            // An empty list of one kind is no list of the other.
            if !text.trim_ascii().is_empty() {
                prop_assert_eq!(numbers(&text, separator), plainly(&text, separator), "{:?} {:?}", separator, text);
            }
        }
    }
}
