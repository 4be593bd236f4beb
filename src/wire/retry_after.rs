//! `Retry-After` as servers write it: seconds, or the date from which on they may be asked again.

use std::time::{Duration, SystemTime};

/// How long from `now`; `None` where it says neither (RFC 9110 10.2.3). A date that has passed is no time at all.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_ascii();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420); // 07:27:00 of that day
        let after = |value| retry_after(value, now);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after(" 0 "), Some(Duration::ZERO));
        assert_eq!(after("99999999999999999999"), Some(Duration::from_secs(u64::MAX)), "no overflow");
        for date in
            ["Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"]
        {
            assert_eq!(after(date), Some(Duration::from_secs(60)), "{date}");
        }
        assert_eq!(after("Wed, 21 Oct 2015 07:26:00 GMT"), Some(Duration::ZERO));
        for none in ["", "-1", "1.5", "soon", "2015-10-21T07:28:00Z"] {
            assert_eq!(after(none), None, "{none:?}");
        }
    }
}
