// SPDX-License-Identifier: MIT OR Apache-2.0
//! A copy of a frame's pixels, to show them again later.

use super::canvas::Canvas;
use crate::geometry::Size;
use crate::image::PixelFormat;

/// The pixels of a frame, without the padding of its rows.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Format and size of the saved frame, if there is one.
    saved: Option<(PixelFormat, Size)>,
    planes: [Vec<u8>; 3],
}

impl Snapshot {
    /// Discards the pixels. The memory is kept for the next ones.
    pub fn clear(&mut self) {
        self.saved = None;
    }
}

impl Canvas<'_> {
    /// Copies all pixels to `snapshot`, whose old content is replaced.
    pub fn save(&self, snapshot: &mut Snapshot) {
        for (index, (plane, saved)) in self.planes.iter().zip(&mut snapshot.planes).enumerate() {
            let (rows, length) = self.format.plane_extent(index, self.size);
            saved.clear();
            (0..rows).for_each(|row| saved.extend_from_slice(&plane.data[row * plane.stride..][..length]));
        }
        snapshot.saved = Some((self.format, self.size));
    }

    /// Replaces all pixels by those of `snapshot`. Returns false and changes nothing if it is empty, or if its frame had
    /// another format or size.
    pub fn restore(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.saved != Some((self.format, self.size)) {
            return false;
        }
        for (index, (plane, saved)) in self.planes.iter_mut().zip(&snapshot.planes).enumerate() {
            let (_, length) = self.format.plane_extent(index, self.size);
            for (row, saved) in saved.chunks_exact(length.max(1)).enumerate() {
                plane.data[row * plane.stride..][..length].copy_from_slice(saved);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::PlaneMut;
    use crate::image::Colorimetry;

    const SIZE: Size = Size::new(17, 9);

    /// Calls `f` with a canvas on `planes`, whose rows have `padding` bytes of padding.
    fn with_canvas<R>(format: PixelFormat, planes: &mut [Vec<u8>; 3], padding: usize, f: impl FnOnce(&mut Canvas) -> R) -> R {
        let [a, b, c] = planes;
        let planes = [(a, 0), (b, 1), (c, 2)].map(|(data, plane)| PlaneMut { data, stride: format.plane_extent(plane, SIZE).1 + padding });
        f(&mut Canvas::new(format, SIZE, planes, Colorimetry::default()).expect("the planes fit"))
    }

    fn planes(format: PixelFormat, padding: usize, value: impl Fn(usize) -> u8) -> [Vec<u8>; 3] {
        [0, 1, 2].map(|plane| {
            let (rows, length) = format.plane_extent(plane, SIZE);
            (0..rows * (length + padding)).map(&value).collect()
        })
    }

    #[test]
    fn a_frame_is_restored_in_every_format_with_any_padding() {
        for format in PixelFormat::ALL {
            let mut snapshot = Snapshot::default();
            let mut first = planes(format, 3, |at| at as u8);
            with_canvas(format, &mut first, 3, |canvas| canvas.save(&mut snapshot));
            let mut second = planes(format, 5, |_| 255);
            assert!(with_canvas(format, &mut second, 5, |canvas| canvas.restore(&snapshot)));
            for plane in 0..3 {
                let (rows, length) = format.plane_extent(plane, SIZE);
                for row in 0..rows {
                    let (a, b) = (&first[plane][row * (length + 3)..], &second[plane][row * (length + 5)..]);
                    assert_eq!(a[..length], b[..length], "{format:?} plane {plane} row {row}");
                    assert_eq!(b[length..length + 5], [255; 5], "the padding is unchanged");
                }
            }
        }
    }

    #[test]
    fn an_empty_snapshot_or_one_of_another_format_changes_nothing() {
        let mut snapshot = Snapshot::default();
        let mut pixels = planes(PixelFormat::Gray8, 0, |_| 7);
        assert!(!with_canvas(PixelFormat::Gray8, &mut pixels, 0, |canvas| canvas.restore(&snapshot)));
        with_canvas(PixelFormat::Gray8, &mut pixels, 0, |canvas| canvas.save(&mut snapshot));
        let mut other = planes(PixelFormat::Rgb, 0, |_| 9);
        assert!(!with_canvas(PixelFormat::Rgb, &mut other, 0, |canvas| canvas.restore(&snapshot)));
        assert!(other[0].iter().all(|&byte| byte == 9));
        snapshot.clear();
        assert!(!with_canvas(PixelFormat::Gray8, &mut pixels, 0, |canvas| canvas.restore(&snapshot)));
    }
}
