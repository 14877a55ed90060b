//! Names for terminals: bytes in, harmless text out, without loss.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Characters that steer a terminal or the direction of text, or that nobody can see: Unicode's controls (`Cc`),
/// formats (`Cf`) and line separators.
const HIDDEN: &[(u32, u32)] = &[
    (0x00, 0x1f),
    (0x7f, 0x9f),
    (0xad, 0xad),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// A name as people may see it: itself if every character is printable, else in double quotes with `\n`, `\t`, `\"`,
/// `\\` and, byte for byte, `\xff` in place of what is not. No two names look alike, and the bytes can be read back.
pub(crate) fn name(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.is_empty() && is_plain(bytes) => Cow::Borrowed(text),
        Ok(text) if !text.is_empty() && !text.chars().any(must_escape) => Cow::Borrowed(text),
        _ => Cow::Owned(quoted(bytes)),
    }
}

/// [`name`] of a path of the file system.
pub(crate) fn path(path: &Path) -> Cow<'_, str> {
    use std::os::unix::ffi::OsStrExt;
    name(path.as_os_str().as_bytes())
}

/// Text that others wrote (a message, an author) for a terminal: line breaks and tabs stay, every other hidden
/// character becomes its escape.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let shown = |c: char| matches!(c, '\n' | '\t') || !is_hidden(c);
    if text.chars().all(shown) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if shown(c) { out.push(c) } else { push_bytes(&mut out, c) }
    }
    Cow::Owned(out)
}

/// Whether text has nothing hidden in it.
pub(crate) fn is_harmless(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

/// One line of [`text`]: line breaks are escaped, too.
pub(crate) fn line(line: &str) -> String {
    text(line).replace('\n', "\\n").replace('\t', "\\t")
}

/// Bytes of a file for a terminal: lines stay lines, hidden characters and bytes that are not UTF-8 become escapes.
pub(crate) fn content(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&text(chunk.valid()));
        push_raw(&mut out, chunk.invalid());
    }
    out
}

/// Whether all bytes are printable ASCII that needs no quotes: nearly every name.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| (0x20..0x7f).contains(b) && !matches!(b, b'"' | b'\\'))
}

fn is_hidden(c: char) -> bool {
    let c = c as u32;
    HIDDEN.iter().any(|&(first, last)| (first..=last).contains(&c))
}

fn must_escape(c: char) -> bool {
    matches!(c, '"' | '\\') || is_hidden(c)
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '"' | '\\' => out.extend(['\\', c]),
                c if is_hidden(c) => push_bytes(&mut out, c),
                c => out.push(c),
            }
        }
        push_raw(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

fn push_bytes(out: &mut String, c: char) {
    push_raw(out, c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn push_raw(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(out, "\\x{byte:02x}").expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The inverse of [`name`].
    fn read_back(shown: &str) -> Vec<u8> {
        let Some(inner) = shown.strip_prefix('"').and_then(|s| s.strip_suffix('"')) else {
            return shown.as_bytes().to_vec();
        };
        let (mut out, mut rest) = (Vec::new(), inner.as_bytes());
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            if first != b'\\' {
                out.push(first);
                continue;
            }
            let (kind, tail) = rest.split_first().unwrap();
            rest = tail;
            match kind {
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'x' => {
                    let digits = std::str::from_utf8(&rest[..2]).unwrap();
                    out.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &rest[2..];
                }
                other => out.push(*other),
            }
        }
        out
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for plain in ["a", "src/main.rs", "with space", "zażółć", "日本語", "🦀.txt"] {
            assert_eq!(name(plain.as_bytes()), plain);
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_quoted() {
        assert_eq!(name(b"\x1b[2J"), r#""\x1b[2J""#);
        assert_eq!(name(b"a\nb\tc"), r#""a\nb\tc""#);
        assert_eq!(name(b"\xff\xfe"), r#""\xff\xfe""#);
        assert_eq!(name("\u{202e}gpj.exe".as_bytes()), r#""\xe2\x80\xaegpj.exe""#);
        assert_eq!(name("\u{9b}31m".as_bytes()), r#""\xc2\x9b31m""#);
        assert_eq!(name(br#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(name(b""), r#""""#);
    }

    #[test]
    fn messages_keep_their_lines_and_lose_their_controls() {
        assert_eq!(text("one\n\ttwo\x1b[0m"), "one\n\ttwo\\x1b[0m");
        assert_eq!(line("one\ntwo"), "one\\ntwo");
        assert_eq!(content(b"a\xff\n\x07"), "a\\xff\n\\x07");
    }

    proptest! {
        #[test]
        fn every_name_reads_back_and_shows_no_hidden_character(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let shown = name(&bytes);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(read_back(&shown), bytes);
        }

        #[test]
        fn every_unicode_name_reads_back(text in "\\PC{0,12}|.{0,12}") {
            let shown = name(text.as_bytes());
            prop_assert_eq!(read_back(&shown), text.as_bytes());
        }
    }
}
