//! Times as people type and read them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// A time as typed: RFC 3339, a date, a date with a time (both UTC), or ns since the epoch.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(nanoseconds) = text.parse() {
        return Ok(Timestamp(nanoseconds));
    }
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
    let parsed = text.parse::<jiff::Timestamp>().or_else(|_| text.parse().and_then(utc));
    let time = parsed.map_err(|_| "write it as 2020-01-31T12:00:00Z, 2020-01-31, or ns since the epoch".to_owned())?;
    i64::try_from(time.as_nanosecond()).map(Timestamp).map_err(|_| "times lie between 1678 and 2262".to_owned())
}

/// A time for people, in UTC, to the second.
pub(super) fn utc(time: Timestamp) -> String {
    in_utc(time, "%Y-%m-%d %H:%M:%S")
}

/// A time for people, in UTC, to the millisecond.
pub(super) fn utc_milli(time: Timestamp) -> String {
    in_utc(time, "%Y-%m-%d %H:%M:%S%.3f")
}

fn in_utc(time: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
        Ok(time) => time.strftime(format).to_string(),
        Err(_) => time.to_string(),
    }
}

/// A length of time in ns for people: its two largest units, rounded down.
pub(super) fn lasting(nanoseconds: i64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let lasted = nanoseconds.unsigned_abs();
    let largest = UNITS.iter().position(|(unit, _)| lasted >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    let second = UNITS.get(largest + 1).map(|(smaller, name)| (lasted % unit / smaller, name));
    match second.filter(|(count, _)| *count > 0) {
        Some((count, smaller)) => format!("{sign}{}{name} {count}{smaller}", lasted / unit),
        None => format!("{sign}{}{name}", lasted / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_can_be_written_in_several_ways() {
        let noon = 1_580_472_000_000_000_000;
        for (text, expected) in [
            ("2020-01-31T12:00:00Z", noon),
            ("2020-01-31T13:00:00.000000001+01:00", noon + 1),
            ("2020-01-31 12:00", noon),
            ("2020-01-31T12:00:00.5", noon + 500_000_000),
            ("2020-01-31", noon - 12 * 3_600_000_000_000),
            ("1580472000000000000", noon),
            ("-1", -1),
        ] {
            assert_eq!(parse(text), Ok(Timestamp(expected)), "{text}");
        }
        for text in ["", "noon", "12:00", "2020-13-01", "9999-01-01"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        for (nanoseconds, expected) in [
            (0, "0us"),
            (1_999, "1us"),
            (12_345_678, "12ms 345us"),
            (1_500_000_000, "1s 500ms"),
            (60_999_999_999, "1m"),
            (3_599_999_999_999, "59m 59s"),
            (3_661_000_000_000, "1h 1m"),
            (400 * 86_400_000_000_000 + 1, "400d"),
            (-5_000_000_000, "-5s"),
        ] {
            assert_eq!(lasting(nanoseconds), expected);
        }
        assert_eq!(utc(Timestamp(1_580_472_000_999_999_999)), "2020-01-31 12:00:00");
        assert_eq!(utc_milli(Timestamp(1_580_472_000_999_999_999)), "2020-01-31 12:00:00.999");
    }
}
