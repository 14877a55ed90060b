//! The recovery sheet: secret bytes as text that people print, keep, and type in again.
//!
//! ```text
//! warp recovery sheet 1
//! 1  abcde fghij klmno pqrst  uvwxy
//! 2  …
//! ```
//!
//! Behind the title each line holds its number, four groups of payload and one group of checksum, in the base32 of RFC 4648
//! without padding (`a` to `z`, `2` to `7`). The payload of all lines is the bytes and the first 5 bytes of a BLAKE3 hash of
//! them, so that a lost last line is noticed. A line's checksum is the first five base32 digits of the BLAKE3 hash of its
//! number (u32, little-endian) and its payload in capitals: a typing error is found in its line, lines that changed places
//! too. Case, spaces, dashes and where an editor or a mail program broke a line don't matter, `0`, `1` and `8` are read as
//! `o`, `i` and `b`, and lines that are empty or start with `#` are skipped.

use super::CryptoError;
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// Most bytes that a sheet holds: a keyring of some hundred epochs, which nobody would type any more.
pub const SHEET_BYTES_MAX: usize = 16 * 1024;

const TITLE: &str = "warp recovery sheet 1";
const END_MISSING: &str = "lines are missing at its end, or it is put together from two sheets";
const GROUP: usize = 5;
const LINE_DIGITS: usize = 4 * GROUP;
/// Payload and checksum of a full line.
const LINE_SYMBOLS: usize = LINE_DIGITS + GROUP;
const WHOLE_CHECK_LEN: usize = 5;
/// Text of a full sheet is about twice its bytes; comments and spaces may add as much again.
const SHEET_TEXT_MAX: usize = 8 * SHEET_BYTES_MAX;

/// Writes `bytes` as a sheet. The result is as secret as they are; it is wiped when dropped.
///
/// # Errors
/// [`CryptoError::Sheet`]: more than [`SHEET_BYTES_MAX`] bytes.
pub fn encode(bytes: &[u8]) -> Result<Zeroizing<String>, CryptoError> {
    if bytes.len() > SHEET_BYTES_MAX {
        return Err(CryptoError::Sheet { why: "there is too much to print" });
    }
    let mut payload = Zeroizing::new(Vec::with_capacity(bytes.len() + WHOLE_CHECK_LEN));
    payload.extend_from_slice(bytes);
    payload.extend_from_slice(&whole_check(bytes));
    let digits = Zeroizing::new(BASE32_NOPAD.encode(&payload));
    let mut sheet = Zeroizing::new(String::with_capacity(TITLE.len() + 2 * digits.len() + 64));
    sheet.push_str(TITLE);
    sheet.push('\n');
    for (at, line) in digits.as_bytes().chunks(LINE_DIGITS).enumerate() {
        push_line(&mut sheet, at + 1, line);
    }
    Ok(sheet)
}

fn push_line(sheet: &mut String, number: usize, digits: &[u8]) {
    sheet.push_str(&format!("{number:>3} "));
    for group in digits.chunks(GROUP) {
        sheet.push(' ');
        sheet.extend(group.iter().map(|digit| char::from(digit.to_ascii_lowercase())));
    }
    sheet.push_str("  ");
    sheet.push_str(&line_check(number, digits).to_ascii_lowercase());
    sheet.push('\n');
}

/// Reads a sheet back.
///
/// # Errors
/// [`CryptoError::SheetLine`] names the line with an error; [`CryptoError::Sheet`]: the title is missing, a line is missing
/// or the whole does not match.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if text.len() > SHEET_TEXT_MAX {
        return Err(CryptoError::Sheet { why: "it is too long" });
    }
    // Some editors begin every file with this mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let title = lines.next().unwrap_or_default();
    if !title.split_whitespace().map(str::to_ascii_lowercase).eq(TITLE.split(' ').map(str::to_owned)) {
        return Err(CryptoError::Sheet { why: "its first line is not 'warp recovery sheet 1'" });
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        add_line(&mut rows, line)?;
    }
    let mut digits = Zeroizing::new(Vec::with_capacity(rows.len() * LINE_DIGITS));
    for row in &rows {
        digits.extend_from_slice(row.payload(row.number == rows.len())?);
    }
    let payload = BASE32_NOPAD
        .decode(&digits)
        .map(Zeroizing::new)
        .map_err(|_| CryptoError::Sheet { why: END_MISSING })?;
    split_whole(&payload)
}

/// A numbered line of the sheet, put together from the lines of the text.
struct Row {
    number: usize,
    /// Payload and checksum in capitals.
    symbols: Zeroizing<Vec<u8>>,
}

/// Takes a line of the text: the next row, or more of the last one if that is not full.
fn add_line(rows: &mut Vec<Row>, line: &str) -> Result<(), CryptoError> {
    let (number, rest) = line.split_once([' ', '\t', ':', '.']).unwrap_or((line, ""));
    let number: Option<usize> = number.parse().ok();
    let expected = rows.len() + 1;
    if number == Some(expected) {
        let mut row = Row { number: expected, symbols: Zeroizing::new(Vec::with_capacity(LINE_SYMBOLS)) };
        row.add(rest)?;
        rows.push(row);
        return Ok(());
    }
    match (rows.last_mut().filter(|row| row.symbols.len() < LINE_SYMBOLS), number) {
        (Some(row), _) => row.add(line),
        (None, Some(number)) => {
            let why = "it is not the next line: one is missing or out of place";
            Err(CryptoError::SheetLine { line: number, why })
        }
        (None, None) => {
            Err(CryptoError::SheetLine { line: expected, why: "it does not begin with its number" })
        }
    }
}

impl Row {
    fn wrong(&self, why: &'static str) -> CryptoError {
        CryptoError::SheetLine { line: self.number, why }
    }

    fn add(&mut self, text: &str) -> Result<(), CryptoError> {
        for symbol in text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '-') {
            if self.symbols.len() == LINE_SYMBOLS {
                return Err(self.wrong("it has too many characters"));
            }
            let wrong = "it has a character that is in no sheet: only a to z and 2 to 7 are";
            let digit = digit(symbol).ok_or_else(|| self.wrong(wrong))?;
            self.symbols.push(digit);
        }
        Ok(())
    }

    /// The payload, if the checksum behind it is right. Only the last row may be short.
    fn payload(&self, is_last: bool) -> Result<&[u8], CryptoError> {
        let least = if is_last { GROUP + 1 } else { LINE_SYMBOLS };
        if self.symbols.len() < least {
            return Err(self.wrong("it has too few characters"));
        }
        let (payload, check) = self.symbols.split_at(self.symbols.len() - GROUP);
        if line_check(self.number, payload).as_bytes() != check {
            return Err(self.wrong("its checksum does not match: look for a typing error"));
        }
        Ok(payload)
    }
}

fn digit(symbol: char) -> Option<u8> {
    match symbol.to_ascii_uppercase() {
        '0' => Some(b'O'),
        '1' => Some(b'I'),
        '8' => Some(b'B'),
        digit @ ('A'..='Z' | '2'..='7') => u8::try_from(digit).ok(),
        _ => None,
    }
}

fn split_whole(payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let wrong = CryptoError::Sheet { why: END_MISSING };
    match payload.split_last_chunk::<WHOLE_CHECK_LEN>() {
        Some((bytes, check)) if *check == whole_check(bytes) => Ok(Zeroizing::new(bytes.to_vec())),
        _ => Err(wrong),
    }
}

fn line_check(number: usize, digits: &[u8]) -> String {
    let number = u32::try_from(number).expect("a sheet has few lines");
    let hash = blake3::Hasher::new().update(&number.to_le_bytes()).update(digits).finalize();
    let mut check = BASE32_NOPAD.encode(&hash.as_bytes()[..GROUP]);
    check.truncate(GROUP);
    check
}

fn whole_check(bytes: &[u8]) -> [u8; WHOLE_CHECK_LEN] {
    let hash = blake3::hash(bytes);
    let mut check = [0; WHOLE_CHECK_LEN];
    check.copy_from_slice(&hash.as_bytes()[..WHOLE_CHECK_LEN]);
    check
}
