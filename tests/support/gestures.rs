// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the average faces do not do by themselves: they turn away and close their eyes. Both change a rendered frame, packed RGB.

/// Where the eyes of an average face are and how large closed lids are, in units of its height.
const EYE: (f32, f32) = (0.135, -0.10);
const LID: (f32, f32) = (0.11, 0.06);
/// A place below the eye whose colour the lid gets.
const CHEEK: (f32, f32) = (0.17, 0.10);
/// The lashes of a closed eye: how far they sag, half their thickness, how dark they are.
const LASHES: (f32, f32, f32) = (0.045, 0.012, 0.7);

/// A face on a rendered frame.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Width of the frame in pixels.
    pub frame_width: usize,
    /// Centre of the face, in pixels.
    pub center: (f32, f32),
    /// Its height, as of a key frame of a scene.
    pub height: f32,
}

impl Placed {
    /// Turns the face to the right of the picture by about three quarters of `degrees`, as `facelandmarks` sees it: all columns
    /// around the face are those of a cylinder that turns.
    pub fn turn(&self, frame: &mut [u8], degrees: f32) {
        let radius = 0.47 * self.height;
        let columns: Vec<usize> = (0..self.frame_width)
            .map(|x| {
                let share = (x as f32 - self.center.0) / radius;
                let angle = (share.clamp(-1.0, 1.0).asin() - degrees.to_radians()).clamp(-1.57, 1.57);
                let from = if share.abs() < 1.0 { self.center.0 + radius * angle.sin() } else { x as f32 };
                from.round().clamp(0.0, self.frame_width as f32 - 1.0) as usize
            })
            .collect();
        for row in frame.chunks_exact_mut(3 * self.frame_width) {
            let before = row.to_vec();
            for (x, from) in columns.iter().enumerate() {
                row[3 * x..][..3].copy_from_slice(&before[3 * from..][..3]);
            }
        }
    }

    /// Closes both eyes.
    pub fn close_eyes(&self, frame: &mut [u8]) {
        for side in [-1.0, 1.0] {
            let at = |(x, y): (f32, f32)| (self.center.0 + side * x * self.height, self.center.1 + y * self.height);
            let (eye, cheek) = (at(EYE), at(CHEEK));
            let skin = self.pixel(frame, cheek.0 as usize, cheek.1 as usize);
            self.draw_lid(frame, eye, skin);
        }
    }

    fn pixel(&self, frame: &[u8], x: usize, y: usize) -> [f32; 3] {
        let start = 3 * (y * self.frame_width + x);
        std::array::from_fn(|channel| f32::from(frame[start + channel]))
    }

    /// Covers an eye with `skin`, and draws the lashes of a closed eye.
    fn draw_lid(&self, frame: &mut [u8], eye: (f32, f32), skin: [f32; 3]) {
        let (rx, ry) = (LID.0 * self.height, LID.1 * self.height);
        let (sag, half, dark) = LASHES;
        let reach = |center: f32, radius: f32| ((center - radius) as usize, (center + radius) as usize);
        let ((left, right), (top, bottom)) = (reach(eye.0, rx), reach(eye.1, 1.5 * ry));
        for (x, y) in (top..=bottom).flat_map(|y| (left..=right).map(move |x| (x, y))) {
            let (dx, dy) = ((x as f32 - eye.0) / rx, (y as f32 - eye.1) / ry);
            let cover = (4.0 * (1.0 - dx * dx - dy * dy)).clamp(0.0, 1.0);
            let curve = eye.1 + sag * (1.0 - dx * dx) * self.height;
            let distance = (y as f32 - curve) / (half * self.height);
            let lash = dark * (-distance * distance).exp() * (4.0 * (1.0 - dx * dx)).clamp(0.0, 1.0);
            let below = self.pixel(frame, x, y);
            for channel in 0..3 {
                let color = (below[channel] + cover * (0.97 * skin[channel] - below[channel])) * (1.0 - lash);
                frame[3 * (y * self.frame_width + x) + channel] = color.round() as u8;
            }
        }
    }
}
