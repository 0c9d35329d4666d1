//! Midnight in Pacific time, when Google resets daily limits. Pacific time is 8 hours behind UTC, or 7
//! from the second Sunday in March to the first Sunday in November (15 U.S.C. 260a).

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Returns the milliseconds until the next midnight. `now_ms` is in milliseconds since the Unix epoch.
pub(crate) fn until_midnight_ms(now_ms: u64) -> u64 {
    let Ok(now) = i64::try_from(now_ms) else {
        return 0;
    };
    let today = (now - 8 * HOUR_MS).div_euclid(DAY_MS);
    // `today` is by winter time. In summer its last hour belongs to the day after, so the next midnight
    // can be that of `today + 2`.
    let midnights = (today..=today + 2).map(midnight);
    let next = midnights.filter(|midnight| *midnight > now).min();
    next.map_or(0, |next| next.abs_diff(now))
}

/// Returns the begin of a day, in milliseconds since the Unix epoch. Clocks change at two o'clock, so a
/// change on this day comes later.
fn midnight(day: i64) -> i64 {
    let year = year_of(day);
    let leap = i64::from(is_leap(year));
    let summer_begins = sunday_from(first_day(year) + 59 + leap) + 7;
    let summer_ends = sunday_from(first_day(year) + 304 + leap);
    let summer = summer_begins < day && day <= summer_ends;
    day * DAY_MS + if summer { 7 } else { 8 } * HOUR_MS
}

/// Returns the first Sunday on or after a day. Days are numbered from 1 January 1970, a Thursday.
fn sunday_from(day: i64) -> i64 {
    day + (3 - day).rem_euclid(7)
}

fn year_of(day: i64) -> i64 {
    // A year has at least 365 days, so this first guess is never too early.
    let mut year = 1970 + day.div_euclid(365);
    while first_day(year) > day {
        year -= 1;
    }
    year
}

/// Returns the number of 1 January.
fn first_day(year: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * (year - 1970) + leaps(year - 1) - leaps(1969)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}
