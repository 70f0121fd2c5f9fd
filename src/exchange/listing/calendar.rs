//! When month futures run: to noon UTC on the last Friday of their month, from noon UTC on the Monday after the last
//! Friday two months before.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::exchange::engine::Micros;

use super::Term;

/// Names of the months in contract names, January first.
pub(super) const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// Tenor codes of the months, January first.
const TENORS: [char; 12] = ['F', 'G', 'H', 'J', 'K', 'M', 'N', 'Q', 'U', 'V', 'X', 'Z'];

/// The term of the contract that is named for `month` (0 for January) of `year`; `None` for years beyond the calendar.
pub(super) fn term(year: i16, month: usize) -> Option<Term> {
    let named = Date::new(year, i8::try_from(month + 1).ok()?, 1).ok()?;
    let earlier = last_friday(named.checked_sub(2.months()).ok()?)?;
    let start = noon(earlier.checked_add(3.days()).ok()?)?;
    Some(Term { start, expires: noon(last_friday(named)?)?, tenor: *TENORS.get(month)? })
}

/// The term of the next contract named for `month` that has not expired at `now`; `None` beyond the calendar.
pub(super) fn next_term(now: Micros, month: usize) -> Option<Term> {
    let year = Timestamp::from_microsecond(now.0).ok()?.to_zoned(TimeZone::UTC).year();
    let term_of = |year| term(year, month).filter(|term| now < term.expires);
    term_of(year).or_else(|| term_of(year.checked_add(1)?))
}

/// The last Friday of the month of `date`.
fn last_friday(date: Date) -> Option<Date> {
    date.nth_weekday_of_month(-1, Weekday::Friday).ok()
}

/// Noon UTC on `date`.
fn noon(date: Date) -> Option<Micros> {
    let time = date.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
    Some(Micros(time.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(time: Micros) -> String {
        Timestamp::from_microsecond(time.0).unwrap().to_string()
    }

    #[test]
    fn contracts_of_2020_end_on_the_published_fridays() {
        let days = [31, 28, 27, 24, 29, 26, 31, 28, 25, 30, 27, 25];
        for (month, day) in days.into_iter().enumerate() {
            let expires = term(2020, month).unwrap().expires;
            assert_eq!(text(expires), format!("2020-{:02}-{day:02}T12:00:00Z", month + 1));
        }
    }

    #[test]
    fn a_contract_begins_on_the_monday_after_the_last_friday_two_months_before() {
        assert_eq!(text(term(2020, 5).unwrap().start), "2020-04-27T12:00:00Z");
        assert_eq!(text(term(2020, 2).unwrap().start), "2020-02-03T12:00:00Z", "the month may have ended by then");
        assert_eq!(text(term(2020, 0).unwrap().start), "2019-12-02T12:00:00Z");
    }

    #[test]
    fn a_contract_is_followed_by_the_one_of_the_next_year() {
        let june = term(2020, 5).unwrap();
        assert_eq!(next_term(Micros(june.expires.0 - 1), 5), Some(june));
        assert_eq!(next_term(june.expires, 5), term(2021, 5));
        assert_eq!(next_term(june.expires, 11), term(2020, 11));
        assert_eq!(next_term(Micros(i64::MAX), 5), None);
    }

    #[test]
    fn a_year_beyond_the_calendar_has_no_contracts() {
        assert!(term(9998, 11).is_some());
        assert!(term(-9999, 0).is_none());
    }
}
