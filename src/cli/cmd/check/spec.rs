//! Parts of a repository and ages, as they are written on the command line.

use warp::ops::ReadData;

use crate::cli::size;

/// `n/t`, `5%` or a size.
pub(super) fn part(text: &str) -> Result<ReadData, String> {
    let wrong = || format!("{text:?} is no part of a repository: write 1/7, 5% or 10G");
    if let Some((group, of)) = text.split_once('/') {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        let (group, of) = number(group).zip(number(of)).ok_or_else(wrong)?;
        return if group <= of {
            Ok(ReadData::Group { group, of })
        } else {
            Err(format!("{text:?}: there are only {of} groups"))
        };
    }
    if let Some(percent) = text.strip_suffix('%') {
        let percent =
            percent.trim().parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0);
        return percent
            .map(ReadData::Percent)
            .ok_or_else(|| format!("{text:?}: a share is above 0% and at most 100%"));
    }
    match size::parse(text).map_err(|_| wrong())? {
        0 => Err(wrong()),
        bytes => Ok(ReadData::Bytes(bytes)),
    }
}

/// `12h`, `30d`, `2w`, `6m`, `1y` in seconds.
pub(super) fn age(text: &str) -> Result<u64, String> {
    const HOUR: u64 = 3600;
    let wrong = || format!("{text:?} is no age: write a number and h, d, w, m or y, as in 30d");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let unit = match unit {
        "h" => HOUR,
        "d" => 24 * HOUR,
        "w" => 7 * 24 * HOUR,
        "m" => 30 * 24 * HOUR,
        "y" => 365 * 24 * HOUR,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_groups_shares_and_amounts_and_nothing_else() {
        assert_eq!(part("1/7"), Ok(ReadData::Group { group: 1, of: 7 }));
        assert_eq!(part("2.5%"), Ok(ReadData::Percent(2.5)));
        assert_eq!(part("10G"), Ok(ReadData::Bytes(10 << 30)));
        for wrong in
            ["", "0/7", "8/7", "1/0", "1/", "/", "-1/2", "1/2/3", "0%", "101%", "%", "NaN%", "0", "0G", "x"]
        {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_are_whole_numbers_of_hours_to_years() {
        assert_eq!((age("2h"), age("30d"), age("1y")), (Ok(7200), Ok(2_592_000), Ok(31_536_000)));
        for wrong in
            ["", "d", "30", "1.5d", "-1d", "30 d", "99999999999999999999d", "9999999999999999y", "1x"]
        {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
