// SPDX-License-Identifier: MIT OR Apache-2.0
//! The setting of a scan that depends on its sampling.

use std::time::Duration;

pub use emotion_supervise::setting::Setting;

/// `facedetect` forgets a face that it has not seen for this time, unless `--set` says otherwise.
const TRACK_TIMEOUT: Duration = Duration::from_secs(1);
/// Samples without a face after which it is forgotten, if they are rare. Two samples are at most twice their usual time apart.
const SAMPLES_TO_FORGET: f64 = 2.5;

/// What keeps a face's track from one sample to the next: the timeout of `facedetect`, where the time between two samples needs a
/// longer one than its default and `set` does not have it.
pub fn track_timeout(every: Option<Duration>, set: &[Setting]) -> Option<Setting> {
    let is_set = |setting: &Setting| {
        setting.property == "track-timeout" && ["*", "facedetect", "emotionfacedetect"].contains(&setting.element.as_str())
    };
    let timeout_s = SAMPLES_TO_FORGET * every?.as_secs_f64();
    // The conversion saturates.
    let timeout = || Setting::new("facedetect", "track-timeout", (timeout_s * 1e9) as u64);
    (timeout_s > TRACK_TIMEOUT.as_secs_f64() && !set.iter().any(is_set)).then(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_last_longer_where_samples_are_rare() {
        let timeout = |every_s: f64, set: &[&str]| {
            let set: Vec<Setting> = set.iter().map(|text| text.parse().unwrap()).collect();
            track_timeout(Some(Duration::from_secs_f64(every_s)), &set).map(|setting| setting.to_string())
        };
        assert_eq!(timeout(5.0, &["facedetect.max-faces=3"]).as_deref(), Some("facedetect.track-timeout=12500000000"));
        assert_eq!(timeout(0.4, &[]), None, "the default is long enough");
        assert_eq!(timeout(5.0, &["emotionfacedetect.track-timeout=1"]), None);
        assert_eq!(timeout(5.0, &["*.track-timeout=1"]), None);
        assert_eq!(timeout(1e18, &[]).as_deref(), Some("facedetect.track-timeout=18446744073709551615"));
        assert_eq!(track_timeout(None, &[]), None, "each frame is examined");
    }
}
