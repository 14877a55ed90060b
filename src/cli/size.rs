//! Sizes in bytes, as people write and read them.

/// Units above one byte, each 1024 of the one before.
const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `0 B`, `1023 B`, `1.5 KiB`, `12.3 GiB`.
pub(crate) fn human(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in UNITS {
        // 1023.95 would be printed as 1024.0.
        if value < 1023.95 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Reads `4096`, `100M`, `1GiB`, `1.5 t`: a number and a unit of powers of 1024 (`K`, `KB` and `KiB` are the same).
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("{text:?} is not a size: write a number of bytes, or a unit behind it, as in 100M or 1GiB")
    };
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let shift = unit_shift(unit.trim()).ok_or_else(wrong)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(1 << shift)
            .ok_or_else(|| format!("{text:?} is over the largest size, 16 EiB"));
    }
    let value = number.parse::<f64>().map_err(|_| wrong())? * (1u64 << shift) as f64;
    if value < u64::MAX as f64 { Ok(value as u64) } else { Err(wrong()) }
}

/// Reads how much may go in a second: `500` are KiB, as other tools have it, and with a unit it is a size, as in `500K` or `1.5M`.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    let has_unit = text.trim_end().ends_with(|c: char| c.is_ascii_alphabetic());
    let bytes = match text.trim().parse::<u64>() {
        Ok(kib) => kib.checked_mul(1 << 10),
        Err(_) => parse(text).ok().filter(|_| has_unit),
    };
    match bytes {
        Some(0) => Err("nothing would go at 0 bytes a second".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!(
            "{text:?} is no rate: write a number of KiB a second, or a size with its unit, as in 500K or 1.5M"
        )),
    }
}

/// Power of two of a unit's name, in any case.
fn unit_shift(unit: &str) -> Option<u32> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "" | "b") {
        return Some(0);
    }
    let letter = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let place = ["k", "m", "g", "t", "p", "e"].iter().position(|known| *known == letter)?;
    Some(10 * (place as u32 + 1))
}

/// `3 files`, `1 file`, `2 entries`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_printed_with_one_decimal_in_the_largest_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(human(bytes), shown);
        }
    }

    #[test]
    fn sizes_are_read_with_every_spelling_of_a_unit() {
        for kib in ["100k", "100K", "100KB", "100KiB", "100 kib", "102400", "102400b"] {
            assert_eq!(parse(kib), Ok(102_400), "{kib}");
        }
        assert_eq!(parse("1.5G"), Ok(3 << 29));
        assert_eq!(parse("15E"), Ok(15 << 60));
    }

    #[test]
    fn a_rate_is_in_kib_unless_it_says_its_unit() {
        for (text, bytes) in
            [("1", 1 << 10), ("25000", 25_000 << 10), ("1M", 1 << 20), ("1.5 MiB", 3 << 19), ("7b", 7)]
        {
            assert_eq!(parse_rate(text), Ok(bytes), "{text}");
        }
        for wrong in ["0", "0K", "", "1.5", "-1", "fast", "99999999999999999999", "18446744073709551615"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for wrong in ["", "M", "-1", "1.2.3", "1X", "16E", "99999999999999999999", "1e3", "1MiBs", "NaN"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
