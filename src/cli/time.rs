//! Times: read from the command line, printed for people and for programs.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp as Instant, Zoned, civil};
use warp::format::dirtree::Timestamp;

/// The clock.
///
/// With the feature `testing` the environment variable `WARP_TESTING_TIME` (seconds since 1970) stops it.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "testing")]
    if let Some(secs) = std::env::var("WARP_TESTING_TIME").ok().and_then(|text| text.parse().ok()) {
        return Timestamp { secs, nanos: 0 };
    }
    from_instant(Instant::now())
}

/// Offset of local time from UTC at `time`, in seconds.
pub(crate) fn utc_offset(time: Timestamp) -> i32 {
    TimeZone::system().to_offset(instant(time)).seconds()
}

/// As git prints dates: `Sun Nov 22 13:58:58 2026 +0100`, in the time zone of the commit.
pub(crate) fn git_style(time: Timestamp, utc_offset: i32) -> String {
    zoned(time, utc_offset).strftime("%a %b %-d %H:%M:%S %Y %z").to_string()
}

/// `2026-11-22 13:58`, in local time: for listings.
pub(crate) fn short(time: Timestamp) -> String {
    instant(time).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same in the time zone of a commit.
pub(crate) fn short_at(time: Timestamp, utc_offset: i32) -> String {
    zoned(time, utc_offset).strftime("%Y-%m-%d %H:%M").to_string()
}

/// RFC 3339, in local time: for programs.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    rfc3339_at(time, utc_offset(time))
}

/// RFC 3339 in the time zone of a commit.
pub(crate) fn rfc3339_at(time: Timestamp, utc_offset: i32) -> String {
    instant(time).display_with_offset(offset(utc_offset)).to_string()
}

/// Reads `2026-11-22`, `2026-11-22 13:58`, RFC 3339, or `@` and seconds since 1970; without an offset it is local time.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let found = text
        .strip_prefix('@')
        .and_then(|secs| secs.parse().ok())
        .and_then(|secs| Instant::from_second(secs).ok())
        .or_else(|| text.parse::<Instant>().ok())
        .or_else(|| text.parse::<Zoned>().ok().map(|zoned| zoned.timestamp()))
        .or_else(|| local(text));
    found.map(from_instant).ok_or_else(|| {
        format!("{text:?} is not a time: write 2026-11-22, \"2026-11-22 13:58\", RFC 3339, or @ and seconds since 1970")
    })
}

/// `1.2 s`, `2 min 03 s`, `1 h 02 min`.
pub(crate) fn duration(millis: u64) -> String {
    let secs = millis / 1000;
    match secs {
        0..60 => format!("{}.{} s", secs, millis % 1000 / 100),
        60..3600 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ => format!("{} h {:02} min", secs / 3600, secs / 60 % 60),
    }
}

/// Reads `0`, `90s`, `15m`, `12h`, `3d` or `2w`: a number of seconds.
pub(crate) fn parse_span(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is not a span of time: write 0, or a number and s, m, h, d or w, as in 12h");
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let secs = match unit {
        "" if number == 0 => 1,
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    number.checked_mul(secs).ok_or_else(wrong)
}

fn local(text: &str) -> Option<Instant> {
    let civil = text
        .parse::<civil::DateTime>()
        .or_else(|_| civil::DateTime::strptime("%Y-%m-%d %H:%M", text))
        .or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)));
    Some(civil.ok()?.to_zoned(TimeZone::system()).ok()?.timestamp())
}

/// A time beyond the years that can be printed is printed as the last one that can.
fn instant(time: Timestamp) -> Instant {
    let edge = if time.secs < 0 { Instant::MIN } else { Instant::MAX };
    let whole = Instant::from_second(time.secs).ok();
    whole
        .and_then(|whole| whole.checked_add(jiff::SignedDuration::new(0, time.nanos as i32)).ok())
        .unwrap_or(edge)
}

fn from_instant(instant: Instant) -> Timestamp {
    let nanos = instant.as_nanosecond();
    let (secs, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Timestamp { secs: secs as i64, nanos: nanos as u32 }
}

fn offset(seconds: i32) -> Offset {
    Offset::from_seconds(seconds).unwrap_or(Offset::UTC)
}

fn zoned(time: Timestamp, utc_offset: i32) -> Zoned {
    instant(time).to_zoned(TimeZone::fixed(offset(utc_offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTUMN: Timestamp = Timestamp { secs: 1_795_352_338, nanos: 5 };

    #[test]
    fn dates_are_printed_in_the_zone_of_the_commit() {
        assert_eq!(git_style(AUTUMN, 3600), "Sun Nov 22 13:58:58 2026 +0100");
        assert_eq!(rfc3339_at(AUTUMN, 0), "2026-11-22T12:58:58.000000005+00:00");
        assert_eq!(git_style(AUTUMN, i32::MAX), "Sun Nov 22 12:58:58 2026 +0000");
    }

    #[test]
    fn times_before_1970_and_beyond_the_calendar_are_printed() {
        assert_eq!(rfc3339_at(Timestamp { secs: -1, nanos: 1 }, 0), "1969-12-31T23:59:59.000000001+00:00");
        for secs in [i64::MIN, i64::MAX] {
            assert!(!rfc3339_at(Timestamp { secs, nanos: 999_999_999 }, 0).is_empty());
        }
    }

    #[test]
    fn times_are_read_in_every_documented_form() {
        let whole = Timestamp { nanos: 0, ..AUTUMN };
        for text in
            ["@1795352338", "2026-11-22T12:58:58Z", "2026-11-22T13:58:58+01:00", "2026-11-22 13:58:58+01:00"]
        {
            assert_eq!(parse(text), Ok(whole), "{text}");
        }
        for text in ["2026-11-22", "2026-11-22 13:58", "2026-11-22T13:58:58", "2026-11-22 13:58:58"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for wrong in ["", "@", "yesterday", "2026-13-01", "2026-02-30"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(
            [duration(999), duration(61_000), duration(3_720_000)],
            ["0.9 s", "1 min 01 s", "1 h 02 min"]
        );
    }
}
