use super::super::CryptoError;
use super::super::recovery::*;
use proptest::prelude::*;

const BYTES: [u8; 30] = *b"thirty bytes for a small sheet";

fn line_with_error(text: &str) -> Option<usize> {
    match decode(text) {
        Err(CryptoError::SheetLine { line, .. }) => Some(line),
        _ => None,
    }
}

/// A sheet that was printed once must be readable for ever.
#[test]
fn the_text_of_a_sheet_is_frozen() {
    let sheet = encode(&BYTES).unwrap();
    let want = concat!(
        "warp recovery sheet 1\n",
        "  1  orugs 4tupe qge6l umvzs  sl2c4\n",
        "  2  aztpo iqgci dtnvq wy3ba  ridu2\n",
        "  3  onugk zluiw wb4m6 k  xqmpa\n",
    );
    assert_eq!(sheet.as_str(), want);
    assert_eq!(decode(&sheet).unwrap().as_slice(), BYTES);
}

#[test]
fn case_spaces_dashes_comments_and_look_alikes_do_not_matter() {
    let sheet = encode(&BYTES).unwrap();
    let (title, body) = sheet.split_once('\n').unwrap();
    let look_alikes: String = body
        .lines()
        .map(|line| {
            let (number, digits) = line.trim().split_once(' ').unwrap();
            let digits = digits.to_uppercase().replace('O', "0").replace('I', "1").replace('B', "8");
            format!("{number}\t{}\r\n\n", digits.replace(' ', "-"))
        })
        .collect();
    let typed = format!("# kept in the safe\n  {}  \n{look_alikes}", title.to_uppercase());
    assert_eq!(decode(&typed).unwrap().as_slice(), BYTES);
}

#[test]
fn lines_may_be_broken_anywhere() {
    let sheet = encode(&BYTES).unwrap();
    let (title, body) = sheet.split_once('\n').unwrap();
    for width in 3..40 {
        let pieces = body.lines().flat_map(|line| line.as_bytes().chunks(width));
        let broken: String =
            pieces.map(|piece| format!("{}  \r\n", String::from_utf8_lossy(piece))).collect();
        let typed = format!("\u{feff}{title}\n{broken}");
        assert_eq!(decode(&typed).unwrap().as_slice(), BYTES, "{typed}");
    }
}

#[test]
fn a_character_too_few_or_too_many_is_found_in_its_line() {
    let sheet = encode(&BYTES).unwrap();
    let start = sheet.find('\n').unwrap() + 1;
    let is_symbol = |at: &usize| *at >= start + 4 && sheet.as_bytes()[*at].is_ascii_alphanumeric();
    for at in (start..sheet.len()).filter(is_symbol) {
        let line = sheet[..at].matches('\n').count();
        if sheet[..at].rsplit('\n').next().unwrap().trim().is_empty() {
            continue;
        }
        let (before, behind) = sheet.split_at(at);
        assert_eq!(line_with_error(&format!("{before}{}", &behind[1..])), Some(line), "{at}: too few");
        assert_eq!(line_with_error(&format!("{before}q{behind}")), Some(line), "{at}: too many");
    }
}

#[test]
fn every_wrong_character_is_found_in_its_line() {
    let sheet = encode(&BYTES).unwrap();
    let start = sheet.find('\n').unwrap() + 1;
    for (at, symbol) in sheet.char_indices().skip(start) {
        if !symbol.is_ascii_alphanumeric() {
            continue;
        }
        let line = sheet[..at].matches('\n').count();
        let other = if symbol == 'q' { 'z' } else { 'q' };
        let typed = format!("{}{other}{}", &sheet[..at], &sheet[at + 1..]);
        assert_eq!(line_with_error(&typed), Some(line), "{at}");
    }
}

#[test]
fn missing_swapped_doubled_and_foreign_lines_are_found() {
    let sheet = encode(&BYTES).unwrap();
    let lines: Vec<_> = sheet.lines().collect();
    let [title, rest @ ..] = &lines[..] else { panic!("{sheet:?}") };
    assert_eq!(rest.len(), 3);
    let typed = |lines: &[&str]| [&[*title], lines].concat().join("\n");
    assert_eq!(line_with_error(&typed(&[rest[1], rest[2]])), Some(2), "the first is missing");
    assert_eq!(line_with_error(&typed(&[rest[0], rest[2]])), Some(3), "one between is missing");
    assert_eq!(line_with_error(&typed(&[rest[1], rest[0], rest[2]])), Some(2), "two are swapped");
    assert_eq!(line_with_error(&typed(&[rest[0], rest[0], rest[1]])), Some(1), "one is doubled");
    assert!(decode(&typed(&[rest[0], rest[1]])).is_err(), "the last is missing");
    assert!(decode(&typed(&[rest[0]])).is_err());
    assert!(decode(&typed(&[])).is_err());
    let other = encode(&[7; 30]).unwrap();
    let foreign = typed(&[rest[0], other.lines().nth(2).unwrap(), rest[2]]);
    assert!(matches!(decode(&foreign), Err(CryptoError::Sheet { .. })), "a line of another sheet");
}

#[test]
fn what_is_no_sheet_is_refused() {
    for text in ["", "\n\n", "warp recovery sheet 2\n", "warp recovery sheet\n", "hello", "# only\n"] {
        assert!(matches!(decode(text), Err(CryptoError::Sheet { .. })), "{text:?}");
    }
    let title = "warp recovery sheet 1\n";
    for (body, line) in [("x", 1), ("1", 1), ("1 aaaaa", 1), ("1 aaaa!aaaaa", 1), ("2 aaaaa aaaaa", 2)] {
        assert_eq!(line_with_error(&format!("{title}{body}")), Some(line), "{body}");
    }
    assert!(decode(&"x".repeat(1 << 20)).is_err());
    assert!(encode(&vec![0; SHEET_BYTES_MAX + 1]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let back = decode(&encode(&bytes).unwrap()).unwrap();
        prop_assert_eq!(back.as_slice(), &bytes[..]);
    }

    #[test]
    fn hostile_text_never_panics(text in "(warp recovery sheet 1\n)?([0-9]{1,20} ?[a-z0-9é -]{0,40}\n){0,4}") {
        let _ = decode(&text);
    }
}

#[test]
fn the_largest_sheet_comes_back() {
    let bytes = vec![0xa5; SHEET_BYTES_MAX];
    assert_eq!(decode(&encode(&bytes).unwrap()).unwrap().as_slice(), bytes);
}
