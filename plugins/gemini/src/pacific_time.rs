//! When the day begins where Google counts days: Pacific time, which is 8 hours behind UTC, or 7 from
//! the second Sunday in March to the first Sunday in November (15 U.S.C. 260a).

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds from this moment, in milliseconds since 1970, until midnight.
pub(crate) fn until_midnight_ms(now_ms: u64) -> u64 {
    let Ok(now) = i64::try_from(now_ms) else {
        return 0;
    };
    let today = (now - 8 * HOUR_MS).div_euclid(DAY_MS);
    let midnights = (today..=today + 2).map(midnight);
    let next = midnights.filter(|midnight| *midnight > now).min();
    next.map_or(0, |next| next.abs_diff(now))
}

/// The moment at which a day begins. Clocks change at two o'clock, after that.
fn midnight(day: i64) -> i64 {
    let year = year_of(day);
    let leap = i64::from(is_leap(year));
    let summer_begins = sunday_from(first_day(year) + 59 + leap) + 7;
    let summer_ends = sunday_from(first_day(year) + 304 + leap);
    let summer = summer_begins < day && day <= summer_ends;
    day * DAY_MS + if summer { 7 } else { 8 } * HOUR_MS
}

/// The first Sunday that is not before a day. Days count from 1 January 1970, a Thursday.
fn sunday_from(day: i64) -> i64 {
    day + (3 - day).rem_euclid(7)
}

fn year_of(day: i64) -> i64 {
    // A year has 365 days at least, so that this is never too early.
    let mut year = 1970 + day.div_euclid(365);
    while first_day(year) > day {
        year -= 1;
    }
    year
}

/// The day of 1 January.
fn first_day(year: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * (year - 1970) + leaps(year - 1) - leaps(1969)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}
