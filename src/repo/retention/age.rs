//! Ages as policies write them: `2y5m7d3h`.

use std::fmt;
use std::str::FromStr;

use jiff::Span;

use super::calendar;
use crate::format::dirtree::Timestamp;

/// A length of time by the calendar: a month back from 31 March is the last day of February.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Age {
    /// Years.
    pub years: u32,
    /// Months.
    pub months: u32,
    /// Days.
    pub days: u32,
    /// Hours.
    pub hours: u32,
}

impl Age {
    /// Whether it is no time at all.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The moment that lies so far before another, in a zone `utc_offset` seconds east of UTC; `None`: before the calendar
    /// begins.
    pub(super) fn before(&self, time: Timestamp, utc_offset: i32) -> Option<Timestamp> {
        let local = calendar::zoned(time, utc_offset);
        let span = Span::new().try_years(self.years).ok()?.try_months(self.months).ok()?;
        let span = span.try_days(self.days).ok()?.try_hours(self.hours).ok()?;
        let moment = local.checked_sub(span).ok()?.timestamp().as_nanosecond();
        let (secs, nanos) = (moment.div_euclid(1_000_000_000), moment.rem_euclid(1_000_000_000));
        Some(Timestamp { secs: i64::try_from(secs).ok()?, nanos: u32::try_from(nanos).ok()? })
    }

    fn field(&mut self, unit: char) -> Option<(&mut u32, u32)> {
        match unit {
            'y' => Some((&mut self.years, 1)),
            'm' => Some((&mut self.months, 1)),
            'w' => Some((&mut self.days, 7)),
            'd' => Some((&mut self.days, 1)),
            'h' => Some((&mut self.hours, 1)),
            _ => None,
        }
    }
}

impl FromStr for Age {
    type Err = String;

    /// Numbers, each with a unit behind it: `y`ears, `m`onths, `w`eeks, `d`ays, `h`ours.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no length of time: write 30d, 12h or 2y5m7d3h (years, months, days, hours; w: weeks)"
            )
        };
        let (mut age, mut rest) = (Self::default(), text);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let mut tail = tail.chars();
            let (field, times) = tail.next().and_then(|unit| age.field(unit)).ok_or_else(wrong)?;
            let number = number.parse::<u32>().ok().and_then(|number| number.checked_mul(times));
            *field = number.and_then(|number| field.checked_add(number)).ok_or_else(wrong)?;
            rest = tail.as_str();
        }
        if text.is_empty() { Err(wrong()) } else { Ok(age) }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        for (number, unit) in parts.iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
        }
        if self.is_zero() { f.write_str("0h") } else { Ok(()) }
    }
}
