// SPDX-License-Identifier: MIT OR Apache-2.0
//! An element that outputs the pictures of a photo or animation, upright.

use std::path::Path;

use gst::prelude::*;

use crate::frame;
use crate::photo::Photo;

/// Pictures that are decoded ahead.
const QUEUED_PICTURES: u64 = 2;

/// An element that outputs the pictures of the file, which this crate reads. They are decoded on a thread that begins when the
/// element starts and ends when it stops. An error of the file is an error of the element.
pub fn of_file(path: &Path) -> gst::Element {
    let source = gst_app::AppSrc::builder().format(gst::Format::Time).max_buffers(QUEUED_PICTURES).max_bytes(0).build();
    source.set_block(true);
    let mut unopened = Some(path.to_owned());
    let start = move |source: &gst_app::AppSrc, _| {
        if let Some(path) = unopened.take() {
            let source = source.clone();
            std::thread::spawn(move || feed(&source, &path));
        }
    };
    source.set_callbacks(gst_app::AppSrcCallbacks::builder().need_data(start).build());
    source.upcast()
}

/// Pushes all pictures. If the element stops, it takes no more of them.
fn feed(source: &gst_app::AppSrc, path: &Path) {
    if let Err(error) = push_all(source, path) {
        gst::element_error!(source, gst::StreamError::Decode, ["{error}"]);
    }
    let _ = source.end_of_stream();
}

fn push_all(source: &gst_app::AppSrc, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut photo = Photo::open(path)?.ok_or("expected a photo")?;
    let rate = frame::rate(photo.facts());
    while let Some(timed) = photo.next_picture()? {
        if source.push_sample(&frame::sample(timed, rate)?).is_err() {
            break;
        }
    }
    Ok(())
}
