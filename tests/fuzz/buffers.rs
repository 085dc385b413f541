// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buffers with arbitrary layouts in their metadata: read as a frame, and drawn on by `emotionoverlay`.

use std::cell::RefCell;

use emotion_core::geometry::Size;
use emotion_core::image::resample::{Resampler, Samples};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoCropMeta, VideoFormat, VideoFrameFlags, VideoInfo, VideoMeta, VideoRegionOfInterestMeta};
use gstemotion::elements::frame;

use crate::complaints;
use crate::input::Input;

/// Number of guard bytes before and after the memory of a buffer.
const SLACK: usize = 4 << 10;
const BEFORE: u8 = 0x5a;

/// A buffer is rejected, or only its own bytes are read. Drawing changes no other bytes.
pub fn check(input: &mut Input) {
    complaints::init();
    let size = Size::new(1 + input.below(40) as u32, 1 + input.below(40) as u32);
    let info = VideoInfo::builder(input.pick(&frame::FORMATS), size.width, size.height).fps((30, 1)).build().expect("a format and size");
    let layout = Layout::any(input, &info);
    let (first, second) = (layout.buffer(0), layout.buffer(1));
    let (first, second) = (read(&first, &info), read(&second, &info));
    assert_eq!(first, second, "{layout:?} of {info:?}: bytes beyond the buffer were read");
    let shared = frame::share_pixels(&layout.buffer(0));
    assert_eq!(read(&shared, &info), first, "{layout:?} of {info:?}: shared pixels have moved");
    draw(input, &info, &layout);
    complaints::none();
}

/// The samples of the whole frame; none if it is rejected.
fn read(buffer: &gst::BufferRef, info: &VideoInfo) -> Option<Vec<f32>> {
    let mapped = frame::map(buffer, info).ok()?;
    let view = frame::view(&mapped).ok()?;
    let mut pixels = Vec::new();
    let size = view.size();
    Resampler::new().sample(&view, size.rect(), size, Samples::Rgb, |_, rows| rows.iter().for_each(|row| pixels.extend_from_slice(row)));
    Some(pixels)
}

/// The layout of a buffer.
#[derive(Debug)]
struct Layout {
    size: usize,
    /// Offsets at which the bytes are split into memories.
    cut: Option<usize>,
    meta: Option<(VideoFormat, Size, Vec<usize>, Vec<i32>)>,
    crop: Option<(u32, u32, u32, u32)>,
}

impl Layout {
    /// Usually a layout that describes the picture correctly or nearly so.
    fn any(input: &mut Input, info: &VideoInfo) -> Self {
        let whole = Size::new(info.width() + input.below(3) as u32 * 8, info.height() + input.below(3) as u32 * 8);
        let padded = VideoInfo::builder(info.format(), whole.width, whole.height).build().expect("a format and size");
        let meta = input.flag().then(|| {
            let planes = padded.n_planes() as usize;
            let offset = |input: &mut Input, plane: usize| match input.byte() % 8 {
                0 => input.integer() as usize,
                1 => padded.offset()[plane] + input.below(200),
                _ => padded.offset()[plane],
            };
            let offsets = (0..planes).map(|plane| offset(input, plane)).collect();
            let stride = |input: &mut Input, plane: usize| match input.byte() % 8 {
                0 => input.integer() as i32,
                1 => padded.stride()[plane] + input.below(64) as i32 - 32,
                _ => padded.stride()[plane],
            };
            let strides = (0..planes).map(|plane| stride(input, plane)).collect();
            let (format, size) = if input.one_in(8) { (input.pick(&frame::FORMATS), Size::new(8, 8)) } else { (info.format(), whole) };
            (format, size, offsets, strides)
        });
        let needed = if meta.is_some() { padded.size() } else { info.size() };
        let size = match input.byte() % 8 {
            0 => input.below(needed + 1),
            1 => needed.saturating_sub(1 + input.below(64)),
            2 => needed + input.below(200),
            _ => needed,
        };
        let crop = input.one_in(3).then(|| match input.byte() % 4 {
            0 => (input.integer() as u32, input.integer() as u32, input.integer() as u32, input.integer() as u32),
            1 => (input.below(20) as u32, input.below(20) as u32, info.width(), info.height()),
            2 => (0, 0, info.width(), info.height()),
            _ => (2 * input.below(8) as u32, 2 * input.below(8) as u32, info.width(), info.height()),
        });
        Self { size, cut: input.one_in(4).then(|| input.below(size + 1)), meta, crop }
    }

    /// A buffer between guard bytes. Those after it are derived from `beyond`.
    fn buffer(&self, beyond: u8) -> gst::Buffer {
        let memory = |from: usize, to: usize| {
            let mut bytes = vec![BEFORE ^ beyond; SLACK];
            bytes.extend((from..to).map(|index| (index * 37 % 251) as u8));
            bytes.resize(bytes.len() + SLACK, BEFORE ^ beyond);
            let mut memory = gst::Memory::from_mut_slice(bytes);
            memory.get_mut().expect("the only reference").resize_maxsize(SLACK..SLACK + to - from);
            memory
        };
        let mut buffer = gst::Buffer::new();
        let writable = buffer.make_mut();
        match self.cut {
            Some(cut) => [(0, cut), (cut, self.size)].into_iter().for_each(|(from, to)| writable.append_memory(memory(from, to))),
            None => writable.append_memory(memory(0, self.size)),
        }
        if let Some((format, size, offsets, strides)) = &self.meta {
            let described = VideoMeta::add_full(writable, VideoFrameFlags::empty(), *format, size.width, size.height, offsets, strides);
            // The bindings reject another number of planes.
            drop(described.map(|_| ()));
        }
        if let Some(crop) = self.crop {
            VideoCropMeta::add(writable, crop);
        }
        writable.set_pts(gst::ClockTime::ZERO);
        buffer
    }
}

thread_local! {
    /// An overlay for each way of drawing, and its current caps.
    static OVERLAYS: RefCell<Vec<(Harness, Option<gst::Caps>)>> = const { RefCell::new(Vec::new()) };
}

/// Lets `emotionoverlay` draw arbitrary regions on the buffer.
fn draw(input: &mut Input, info: &VideoInfo, layout: &Layout) {
    let mut buffer = layout.buffer(0);
    let writable = buffer.make_mut();
    for _ in 0..input.below(4) {
        let side = |input: &mut Input| if input.one_in(4) { input.integer() as u32 } else { input.below(48) as u32 };
        let rect = (side(input), side(input), side(input), side(input));
        VideoRegionOfInterestMeta::add(writable, "face", rect).set_id(input.below(3) as i32);
    }
    OVERLAYS.with_borrow_mut(|overlays| {
        if overlays.is_empty() {
            overlays.extend(["none", "pixelate", "blur"].map(|blur| (overlay(blur), None)));
        }
        let kind = input.below(3);
        let (blurs, (harness, known)) = (kind > 0, &mut overlays[kind]);
        let caps = info.to_caps().expect("caps");
        if known.as_ref() != Some(&caps) {
            harness.set_sink_caps(caps.clone());
            harness.set_src_caps(caps.clone());
            *known = Some(caps);
        }
        let pushed = harness.push(buffer);
        let Some(mut out) = harness.try_pull() else {
            // A frame that cannot be blurred must not be shown.
            assert!(pushed.is_err() && blurs, "{layout:?} of {info:?}: {pushed:?}");
            return;
        };
        assert_eq!(pushed, Ok(gst::FlowSuccess::Ok), "{layout:?} of {info:?}");
        if layout.cut.is_some() {
            // Mapping has merged the parts in new memory.
            return;
        }
        let writable = out.get_mut().expect("nobody else has the frame");
        (0..writable.n_memory()).for_each(|index| untouched(writable.peek_memory_mut(index).expect("memory of its own"), layout));
    });
}

/// Asserts that the guard bytes are unchanged.
fn untouched(memory: &mut gst::MemoryRef, layout: &Layout) {
    let (size, offset, whole) = memory.sizes();
    memory.resize_maxsize(0..whole);
    let bytes = memory.map_readable().expect("memory of the system");
    let mut around = bytes[..offset].iter().chain(&bytes[offset + size..]);
    assert!(around.all(|byte| *byte == BEFORE), "{layout:?}: bytes beyond the buffer were written");
}

fn overlay(blur: &str) -> Harness {
    let harness = Harness::new("emotionoverlay");
    harness.element().expect("the element").set_property_from_str("blur-faces", blur);
    harness
}
