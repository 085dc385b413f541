// SPDX-License-Identifier: MIT OR Apache-2.0
//! Alpha arithmetic on bytes, in 1/255.

/// Adds a premultiplied colour `add` to `under`, of which `keep` / 255 shows through.
pub(super) fn over(add: u8, under: u8, keep: u8) -> u8 {
    add.saturating_add(div_255(u16::from(under) * u16::from(keep)))
}

/// Mixes `share` / 255 of `new` with the rest of `old`.
pub(super) fn mix(old: u8, new: u8, share: u8) -> u8 {
    div_255(u16::from(old) * u16::from(255 - share) + u16::from(new) * u16::from(share))
}

/// `product` / 255, rounded. It is exact for `product` up to 255 * 255, and vectorises because it needs no division.
fn div_255(product: u16) -> u8 {
    let biased = product + 128;
    ((biased + (biased >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_matches_hand_computed_values() {
        assert_eq!(over(0, 200, 255), 200, "a transparent pixel changes nothing");
        assert_eq!(over(77, 200, 0), 77, "an opaque pixel hides everything");
        assert_eq!(over(128, 200, 127), 228, "128 + 200 * 127 / 255 = 227.6");
        assert_eq!(over(255, 255, 255), 255);
    }

    #[test]
    fn division_by_255_is_exact_for_all_products_of_two_bytes() {
        for (under, keep) in (0..=255).flat_map(|under| (0..=255).map(move |keep| (under, keep))) {
            let exact = f32::from(under) * f32::from(keep) / 255.0;
            assert_eq!(over(0, under, keep), exact.round() as u8);
        }
    }
}
