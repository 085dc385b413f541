// SPDX-License-Identifier: MIT OR Apache-2.0
//! `model.toml`: valid descriptions, contradictory ones, and arbitrary text.

use std::fmt::Write;

use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::image::tensor::Preprocessor;
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};
use emotion_core::model::{ModelDescription, ModelFile};

use crate::input::Input;

/// Cases whose first byte is at least this are descriptions; others are text.
const BUILT: u8 = 0x80;
/// Longer side of the largest tested input.
const MOST_SIDE: u32 = 64;

/// A description is rejected with one line that names the file, or it can be applied to any face.
pub fn check(input: &mut Input) {
    let first = input.byte();
    let (text, right) = if first >= BUILT { built(input) } else { (raw(first, input), false) };
    let result = ModelFile::embedded("fuzzed", b"", &text);
    let model = match result {
        Ok(model) => model,
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("fuzzed") && !said.contains(char::is_control), "{said:?}");
            assert!(!right, "{said}:\n{text}");
            return;
        }
    };
    let description = model.description.expect("a description was given");
    // They are written to metadata, whose strings end with a NUL.
    let texts = description.outputs.iter().flat_map(|output| &output.labels).chain([&description.name]);
    assert!(!texts.into_iter().any(|text| text.contains('\0')), "a text with a NUL was accepted:\n{text}");
    crops(input, &description);
}

/// Any crop fills the whole input.
fn crops(input: &mut Input, description: &ModelDescription) {
    let size = description.input.size().unwrap_or(Size::new(8, 8));
    if size.is_empty() || size.width.max(size.height) > MOST_SIDE {
        return;
    }
    let pixels = [90; 12 * 10];
    let view = FrameView::new(PixelFormat::Gray8, Size::new(12, 10), &[Plane { data: &pixels, stride: 12 }], Colorimetry::default());
    let (format, view) = (description.input.format(), view.expect("a view"));
    let face = Rect::new(input.within(-5.0, 12.0), input.within(-5.0, 10.0), input.within(0.1, 20.0), input.within(0.1, 20.0));
    let landmarks = Landmarks5(std::array::from_fn(|_| Point::new(input.within(-5.0, 15.0), input.within(-5.0, 15.0))));
    let crop = description.framing.crop(face, input.pick(&[None, Some("haar"), Some("yunet")]), input.flag().then_some(&landmarks));
    let mut picture = vec![f32::MAX; format.shape(1, size).iter().product()];
    Preprocessor::default().write_crop(&view, crop, &format, size, &mut picture);
    if crop.bounds().is_valid() {
        // All pixels are equal, so all values of a channel are equal.
        let expected = |channel: usize| (90.0 - format.normalization.mean[channel]) * format.normalization.scale[channel];
        let like =
            |value: f32, channel: usize| !expected(channel).is_finite() || (value - expected(channel)).abs() <= expected(channel).abs();
        let uniform = picture.iter().all(|&value| (0..3).any(|channel| like(value, channel)));
        assert!(uniform || !expected(0).is_finite(), "{crop:?} of a picture of one colour as {format:?}: {picture:?}");
    }
}

fn raw(first: u8, input: &mut Input) -> String {
    String::from_utf8_lossy(&[&[first], input.bytes(usize::MAX)].concat()).into_owned()
}

/// A description, and true if it is valid.
fn built(input: &mut Input) -> (String, bool) {
    let mut right = true;
    let mut text = String::new();
    let mut line = |key: &str, value: String| writeln!(text, "{key} = {value}").expect("a string takes all");
    let name = input.text();
    right &= !name.contains('\0');
    line("name", quoted(&name));
    line("task", input.pick(&["\"face\"", "\"expression\"", "\"refine\""]).into());
    line("unheard_of", input.pick(&["1", "\"x\"", "[1, 2]", "{ a = 1 }", "2020-01-01"]).into());
    let side = |input: &mut Input, right: &mut bool| {
        let odd = input.one_in(4);
        *right &= !odd;
        if odd {
            input.pick(&["0", "-1", "4294967295", "4294967296", "1000000", "1e3", "\"8\""]).to_string()
        } else {
            (1 + input.below(64)).to_string()
        }
    };
    let (width, height) = (side(input, &mut right), side(input, &mut right));
    line("[input]\nname", quoted(&input.text()));
    line("width", width);
    line("height", height);
    line("layout", input.pick(&["\"nchw\"", "\"nhwc\""]).into());
    line("colour", input.pick(&["\"gray\"", "\"rgb\"", "\"bgr\""]).into());
    line("mean", numbers(input, &mut right));
    line("scale", numbers(input, &mut right));
    for detector in ["other", "haar"] {
        line(&format!("[framing.box.{detector}]\nside_of_height"), positive(input, &mut right));
        line("offset_y_of_height", number(input, &mut right));
    }
    line("[framing.landmarks]\nside_of_size", positive(input, &mut right));
    line("offset_y_of_size", number(input, &mut right));
    line("[framing]\nrotate", input.flag().to_string());
    line("prefer", input.pick(&["\"box\"", "\"landmarks\""]).into());
    line("[[output]]\nname", quoted(&input.text()));
    let labels = ["a", "b", "c"].map(quoted);
    line("labels", format!("[{}]", labels.join(", ")));
    line("activation", input.pick(&["\"softmax\"", "\"none\""]).into());
    line("temperature", positive(input, &mut right));
    (text, right)
}

/// A number in TOML syntax. With an unusual one, a description may be rejected.
fn number(input: &mut Input, right: &mut bool) -> String {
    let odd = input.one_in(6);
    *right &= !odd;
    let value = if odd { input.float() } else { input.within(-2.0, 2.0) };
    toml_float(value)
}

fn positive(input: &mut Input, right: &mut bool) -> String {
    let odd = input.one_in(6);
    *right &= !odd;
    let value = if odd { input.float() } else { input.within(0.25, 4.0) };
    toml_float(value)
}

fn numbers(input: &mut Input, right: &mut bool) -> String {
    let (count, mut all) = (input.pick(&[1, 3]), Vec::new());
    (0..count).for_each(|_| all.push(positive(input, right)));
    format!("[{}]", all.join(", "))
}

fn toml_float(value: f32) -> String {
    if value.is_nan() { "nan".into() } else { format!("{value:?}") }
}

/// A basic string in TOML syntax.
fn quoted(text: &str) -> String {
    let escaped: String =
        text.chars().map(|c| if c.is_alphanumeric() || c == ' ' { c.to_string() } else { format!("\\U{:08X}", u32::from(c)) }).collect();
    format!("\"{escaped}\"")
}
