// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenCV's cascade classifier behind three functions in C: `libemotion_cascade`.
//!
//! `emotion_core::detector::haar` loads this library when the detector `haar` is asked for. So neither the plugin nor a program needs
//! OpenCV to be installed, whose packages bring half of a desktop.
//!
//! A function that fails writes why as text that ends with a NUL into `error`, which has room for `room` bytes.
#![allow(unsafe_code)] // A C interface.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use opencv::core::{Mat, Rect, Size, Vector};
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;

/// A cascade, and what it found last.
pub struct Cascade {
    classifier: CascadeClassifier,
    /// Left, top, width and height in pixels, and the number of raw hits that were merged into the box.
    found: Vec<[i32; 5]>,
}

impl Cascade {
    fn load(path: &CStr) -> Result<Self, String> {
        let classifier = CascadeClassifier::new(OsStr::from_bytes(path.to_bytes())).map_err(|error| error.message)?;
        if classifier.empty().unwrap_or(true) {
            return Err("a file without stages".into());
        }
        Ok(Self { classifier, found: Vec::new() })
    }

    fn find(&mut self, luma: &[u8], [width, height]: [i32; 2], scale: f64, neighbours: i32, least: Size) -> opencv::Result<()> {
        let picture = Mat::new_rows_cols_with_data(height, width, luma)?;
        let (mut boxes, mut hits) = (Vector::<Rect>::new(), Vector::<i32>::new());
        // A maximum size of 0 means that there is no maximum, and cascades in the current format ignore the flags.
        self.classifier.detect_multi_scale2(&picture, &mut boxes, &mut hits, scale, neighbours, 0, least, Size::default())?;
        self.found.clear();
        self.found.extend(boxes.iter().zip(hits).map(|(found, hits)| [found.x, found.y, found.width, found.height, hits]));
        Ok(())
    }
}

/// Loads the cascade in the XML file `path`. Null if it fails.
///
/// # Safety
/// `path` ends with a NUL, and `error` has room for `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn emotion_cascade_load(path: *const c_char, error: *mut c_char, room: usize) -> *mut Cascade {
    // SAFETY: as the caller promises.
    let (path, error) = unsafe { (CStr::from_ptr(path), std::slice::from_raw_parts_mut(error.cast(), room)) };
    guarded(error, || Cascade::load(path)).map_or(std::ptr::null_mut(), |cascade| Box::into_raw(Box::new(cascade)))
}

/// Finds faces of at least `least_width` x `least_height` pixels in a picture of `width` x `height` bytes of luma. Returns their number, or -1
/// if it fails, and sets `found` to five numbers for each: left, top, width, height and hits. They are valid until the next call.
///
/// # Safety
/// `cascade` is of [`emotion_cascade_load`] and used by no other thread, `luma` has `width * height` bytes, and `error` has room for `room`
/// bytes.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)] // C has no slices.
pub unsafe extern "C" fn emotion_cascade_find(
    cascade: *mut Cascade,
    luma: *const u8,
    width: i32,
    height: i32,
    scale: f64,
    neighbours: i32,
    least_width: i32,
    least_height: i32,
    found: *mut *const [i32; 5],
    error: *mut c_char,
    room: usize,
) -> isize {
    // SAFETY: as the caller promises.
    let (cascade, luma, error) = unsafe {
        let luma = std::slice::from_raw_parts(luma, width as usize * height as usize);
        (&mut *cascade, luma, std::slice::from_raw_parts_mut(error.cast(), room))
    };
    let least = Size::new(least_width, least_height);
    let done = guarded(error, || cascade.find(luma, [width, height], scale, neighbours, least).map_err(|error| error.message));
    if done.is_none() {
        return -1;
    }
    // SAFETY: as the caller promises.
    unsafe { *found = cascade.found.as_ptr() };
    cascade.found.len() as isize
}

/// Frees a cascade.
///
/// # Safety
/// `cascade` is of [`emotion_cascade_load`], and not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn emotion_cascade_free(cascade: *mut Cascade) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(cascade) });
}

/// The result of `call`. If it fails or panics, none, and `error` says why.
fn guarded<T>(error: &mut [u8], call: impl FnOnce() -> Result<T, String>) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("panic".into()));
    done.inspect_err(|message| {
        let length = message.len().min(error.len().saturating_sub(1));
        error[..length].copy_from_slice(&message.as_bytes()[..length]);
        error[length..].fill(0);
    })
    .ok()
}
