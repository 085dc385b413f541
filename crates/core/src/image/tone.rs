// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tone mapping: code values of HDR pictures to those of an SDR picture that looks alike, since networks are trained with
//! SDR pictures. Without it, faces are grey and flat: PQ spends half of its code values on light above SDR white.
//!
//! Both curves are those of ITU-R BT.2100. Diffuse white is 203 cd/m² (ITU-R BT.2408); an SDR display has a gamma of 2.4
//! (ITU-R BT.1886). Brighter light is compressed, not clipped. The wider primaries of HDR pictures are not converted: faces
//! are found and scored by luma, or by colours that only have to be similar.

use std::sync::LazyLock;

use super::Transfer;

/// Luminance of diffuse white, in cd/m².
const WHITE: f32 = 203.0;
/// Peak luminance of the display that HLG is meant for, in cd/m².
const HLG_PEAK: f32 = 1000.0;
/// System gamma of HLG for that display.
const HLG_GAMMA: f32 = 1.2;
/// Gamma of an SDR display.
const SDR_GAMMA: f32 = 2.4;
/// SDR values above this are compressed, so that light above diffuse white fits in.
const KNEE: f32 = 0.8;

/// Value of the mapped picture for each code value 0..=255 of a full-range sample.
type Curve = [f32; 256];

/// Maps rows of full-range samples 0..255 in place; the results are 0..255. SDR samples stay as they are.
pub fn map_to_sdr(rows: &mut [Vec<f32>], transfer: Transfer) {
    static PQ: LazyLock<Curve> = LazyLock::new(|| curve(pq_luminance));
    static HLG: LazyLock<Curve> = LazyLock::new(|| curve(hlg_luminance));
    let curve: &Curve = match transfer {
        Transfer::Sdr => return,
        Transfer::Pq => &PQ,
        Transfer::Hlg => &HLG,
    };
    rows.iter_mut().flatten().for_each(|value| *value = interpolate(curve, *value));
}

fn interpolate(curve: &Curve, value: f32) -> f32 {
    // The conversion to an integer saturates, and turns NaN into 0.
    let below = (value as usize).min(curve.len() - 2);
    let (from, to) = (curve[below], curve[below + 1]);
    from + (to - from) * (value - below as f32)
}

fn curve(luminance: impl Fn(f32) -> f32) -> Curve {
    std::array::from_fn(|code| 255.0 * sdr(luminance(code as f32 / 255.0)))
}

/// The SDR signal 0..1 of a luminance in cd/m².
fn sdr(luminance: f32) -> f32 {
    let signal = (luminance / WHITE).powf(1.0 / SDR_GAMMA);
    if signal <= KNEE { signal } else { KNEE + (1.0 - KNEE) * (1.0 - (-(signal - KNEE) / (1.0 - KNEE)).exp()) }
}

/// Luminance of a PQ signal 0..1 in cd/m²: the EOTF of SMPTE ST 2084.
fn pq_luminance(signal: f32) -> f32 {
    let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 4096.0 * 128.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 4096.0 * 32.0, 2392.0 / 4096.0 * 32.0);
    let power = signal.powf(1.0 / m2);
    10_000.0 * ((power - c1).max(0.0) / (c2 - c3 * power)).powf(1.0 / m1)
}

/// Luminance of an HLG signal 0..1 in cd/m²: the inverse OETF of ARIB STD-B67, then the system gamma.
fn hlg_luminance(signal: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    let scene = if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - c) / a).exp() + b) / 12.0 };
    HLG_PEAK * scene.powf(HLG_GAMMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(value: f32, transfer: Transfer) -> f32 {
        let mut rows = [vec![value]];
        map_to_sdr(&mut rows, transfer);
        rows[0][0]
    }

    #[test]
    fn luminances_are_those_of_the_standards() {
        // BT.2408, table 1: signals of diffuse white and of an 18 % grey card.
        assert!((pq_luminance(0.58) - 203.0).abs() < 3.0 && (hlg_luminance(0.75) - 203.0).abs() < 3.0);
        assert!((pq_luminance(0.38) - 26.0).abs() < 1.5 && (hlg_luminance(0.38) - 26.0).abs() < 1.5);
        assert!((pq_luminance(1.0) - 10_000.0).abs() < 1.0 && (hlg_luminance(1.0) - 1000.0).abs() < 1.0);
    }

    #[test]
    fn black_stays_black_and_diffuse_white_is_nearly_white() {
        for (transfer, white) in [(Transfer::Pq, 0.58), (Transfer::Hlg, 0.75)] {
            assert!(mapped(0.0, transfer) < 0.5, "{transfer:?}");
            assert!((mapped(white * 255.0, transfer) - 236.0).abs() < 2.0, "{transfer:?}");
            assert!((235.0..=255.0).contains(&mapped(255.0, transfer)), "{transfer:?}");
        }
    }

    #[test]
    fn brighter_samples_stay_brighter_and_sdr_stays_as_it_is() {
        for transfer in [Transfer::Pq, Transfer::Hlg] {
            let values: Vec<f32> = (0..=510).map(|half| mapped(half as f32 / 2.0, transfer)).collect();
            assert!(values.is_sorted(), "{transfer:?}: {values:?}");
        }
        assert_eq!(mapped(123.25, Transfer::Sdr), 123.25);
        assert!(mapped(f32::NAN, Transfer::Pq).is_nan() && mapped(300.0, Transfer::Pq).is_finite());
    }
}
