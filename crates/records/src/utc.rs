// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wall-clock time in RFC 3339 format.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A time in UTC, in nanoseconds since 1 January 1970. Leap seconds are not counted, as in Unix time.
///
/// It is displayed in RFC 3339 format with microseconds, and read from that.
///
/// ```
/// use emotion_records::Utc;
/// assert_eq!(Utc(951_782_400_250_000_000).to_string(), "2000-02-29T00:00:00.250000Z");
/// assert_eq!("2000-02-29T00:00:00.250000Z".parse(), Ok(Utc(951_782_400_250_000_000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub u64);

const NS_PER_US: u64 = 1_000;
const US_PER_S: u64 = 1_000_000;
const S_PER_DAY: u64 = 86_400;
/// Seconds from the NTP epoch, 1 January 1900, to the Unix epoch (RFC 5905, figure 4).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

impl Utc {
    /// Converts an NTP timestamp in nanoseconds; none before 1970.
    pub fn from_ntp(ns: u64) -> Option<Self> {
        ns.checked_sub(NTP_TO_UNIX_S * US_PER_S * NS_PER_US).map(Self)
    }

    fn read(text: &str) -> Option<Self> {
        const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
        let fits = |(byte, form): (u8, u8)| if form == b'd' { byte.is_ascii_digit() } else { byte == form };
        if text.len() != FORM.len() || !text.bytes().zip(FORM.iter().copied()).all(fits) {
            return None;
        }
        let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days(year, month, day) * S_PER_DAY + hour * 3600 + minute * 60 + second;
        (seconds * US_PER_S + number(20, 26)?).checked_mul(NS_PER_US).map(Self)
    }
}

impl FromStr for Utc {
    type Err = ();

    /// Reads a time as it is displayed; an error if the text has another form.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::read(text).ok_or(())
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0 / NS_PER_US;
        let (seconds, us) = (us / US_PER_S, us % US_PER_S);
        let (year, month, day) = civil(seconds / S_PER_DAY);
        let second = seconds % S_PER_DAY;
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{us:06}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

/// Year, month and day of a day counted from 1 January 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`). The computation starts years in March, so that the leap day is the last day of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    // Days from 1 March of year 0; an era is 400 years of 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// The inverse of [`civil`], `days_from_civil` of the same source. The year is at least 1970.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_years_and_extremes_match_known_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_868_799, "2000-02-29T23:59:59.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (1_704_067_199, "2023-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Utc(seconds * US_PER_S * NS_PER_US).to_string(), expected);
        }
        assert_eq!(Utc(u64::MAX).to_string(), "2554-07-21T23:34:33.709551Z");
    }

    #[test]
    fn the_ntp_epoch_is_seventy_years_earlier() {
        assert_eq!(Utc::from_ntp(2_208_988_800_000_000_000), Some(Utc(0)));
        assert_eq!(Utc::from_ntp(1), None);
    }

    #[test]
    fn a_displayed_time_is_read_back() {
        for seconds in [0, 951_782_400, 1_700_000_000, 4_102_444_799, 253_402_300_799 / 64] {
            let time = Utc(seconds * 1_000_000_000 + 123_456_000);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for wrong in [
            "",
            "2000-02-29",
            "2000-02-29T00:00:00Z",
            "2000-13-29T00:00:00.250000Z",
            "1969-12-31T23:59:59.000000Z",
            "2970-01-01T00:00:00.000000Z",
            "２000-02-29T00:00:00.25Z",
        ] {
            assert_eq!(wrong.parse::<Utc>(), Err(()), "{wrong}");
        }
    }
}
