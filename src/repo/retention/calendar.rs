//! Hours, days, weeks and so on of local time.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp as Moment, Zoned};

use crate::format::dirtree::Timestamp;

/// A stretch of local time of which a policy keeps one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// An hour of a day.
    Hour,
    /// A day.
    Day,
    /// A week from Monday to Sunday.
    Week,
    /// A month.
    Month,
    /// A quarter of a year, from January, April, July or October.
    Quarter,
    /// A year.
    Year,
}

impl Period {
    /// All, the shortest first.
    pub const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// `hourly`, `daily`, ….
    pub fn adjective(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Quarter => "quarterly",
            Self::Year => "yearly",
        }
    }

    /// The year of the period that a moment falls into, and the period's place in it.
    pub(super) fn of(self, time: Timestamp, utc_offset: i32) -> (i16, i16) {
        let local = zoned(time, utc_offset);
        let month = i16::from(local.month());
        match self {
            Self::Hour => (local.year(), local.day_of_year() * 24 + i16::from(local.hour())),
            Self::Day => (local.year(), local.day_of_year()),
            Self::Week => {
                let week = local.date().iso_week_date();
                (week.year(), week.week().into())
            }
            Self::Month => (local.year(), month),
            Self::Quarter => (local.year(), (month - 1) / 3),
            Self::Year => (local.year(), 0),
        }
    }
}

/// A moment in a zone `utc_offset` seconds east of UTC, or in UTC if there is no such zone. One beyond the calendar is the
/// first or last one in it.
pub(super) fn zoned(time: Timestamp, utc_offset: i32) -> Zoned {
    let edge = if time.secs < 0 { Moment::MIN } else { Moment::MAX };
    let nanos = SignedDuration::from_nanos(time.nanos.into());
    let moment = Moment::from_second(time.secs).and_then(|whole| whole.checked_add(nanos)).unwrap_or(edge);
    let offset = Offset::from_seconds(utc_offset).unwrap_or(Offset::UTC);
    moment.to_zoned(offset.to_time_zone())
}
