//! Times as arguments.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// A time as people type it: RFC 3339, a date, a date with a time (both UTC), or ns since the epoch.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(nanoseconds) = text.parse() {
        return Ok(Timestamp(nanoseconds));
    }
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
    let parsed = text.parse::<jiff::Timestamp>().or_else(|_| text.parse().and_then(utc));
    let time = parsed.map_err(|_| "write it as 2020-01-31T12:00:00Z, 2020-01-31, or ns since the epoch".to_owned())?;
    i64::try_from(time.as_nanosecond()).map(Timestamp).map_err(|_| "times lie between 1678 and 2262".to_owned())
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
}
