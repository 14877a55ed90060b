//! Moments as people write them in `@{…}`.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp as Moment, ToSpan, Zoned};

use crate::format::dirtree::Timestamp;

/// The moment that `text` means, seen from `now` in a zone `utc_offset` seconds east of UTC.
///
/// Understands RFC 3339 times, `2026-11-20`, `2026-11-20 14:30[:15]`, `now`, `today`, `yesterday`, `N UNIT ago` and
/// `N.UNIT.ago` (seconds to years; several units may stand together).
pub(super) fn parse(text: &str, now: Timestamp, utc_offset: i32) -> Option<Timestamp> {
    let zone = Offset::from_seconds(utc_offset).ok()?.to_time_zone();
    let now = Moment::new(now.secs, i32::try_from(now.nanos).ok()?).ok()?.to_zoned(zone.clone());
    let text = text.trim();
    let moment = relative(text, &now).or_else(|| absolute(text, zone))?;
    let moment = moment.timestamp();
    let whole = moment.as_nanosecond().div_euclid(1_000_000_000);
    let nanos = moment.as_nanosecond().rem_euclid(1_000_000_000);
    Some(Timestamp { secs: i64::try_from(whole).ok()?, nanos: u32::try_from(nanos).ok()? })
}

fn relative(text: &str, now: &Zoned) -> Option<Zoned> {
    match text {
        "now" => return Some(now.clone()),
        "today" => return now.start_of_day().ok(),
        "yesterday" => return now.checked_sub(1.day()).ok(),
        _ => {}
    }
    let spoken = text.replace('.', " ");
    let before = spoken.trim_end().strip_suffix("ago")?;
    let span: Span = before.trim().parse().ok()?;
    now.checked_sub(span).ok()
}

fn absolute(text: &str, zone: TimeZone) -> Option<Zoned> {
    if let Ok(moment) = text.parse::<Moment>() {
        return Some(moment.to_zoned(zone));
    }
    let local = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))?;
    local.to_zoned(zone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 }; // 2023-11-14T22:13:20Z

    fn secs(text: &str) -> Option<i64> {
        parse(text, NOW, 3600).map(|time| time.secs)
    }

    #[test]
    fn what_people_write_is_understood() {
        assert_eq!(secs("now"), Some(NOW.secs));
        assert_eq!(secs("yesterday"), Some(NOW.secs - 86_400));
        assert_eq!(secs("2 days ago"), Some(NOW.secs - 2 * 86_400));
        assert_eq!(secs("3.hours.ago"), Some(NOW.secs - 3 * 3600));
        assert_eq!(secs("1 hour 30 minutes ago"), Some(NOW.secs - 5400));
        assert_eq!(secs("2023-11-14T22:13:20Z"), Some(NOW.secs));
        assert_eq!(secs("2023-11-14"), Some(1_699_916_400));
        assert_eq!(secs("2023-11-14 23:13:20"), Some(NOW.secs));
    }

    #[test]
    fn anything_else_is_not() {
        for text in ["", "soon", "2 days", "ago", "2023-13-01", "99999999 years ago"] {
            assert_eq!(secs(text), None, "{text}");
        }
    }
}
