// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenCV's cascade classifier (Viola and Jones, 2001), by the library of the crate `emotion-cascade`, which is loaded
//! at run time.
//!
//! A cascade searches luma at the frame's own resolution. It has no landmarks and no confidence; the confidence is derived
//! from the number of raw hits that OpenCV merged into a box.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::NonNull;

use once_cell::sync::OnceCell;

use super::{CascadeOptions, DetectOptions, Detection, FaceDetector, select};
use crate::error::{Error, Result};
use crate::geometry::{Rect, Size};
use crate::image::FrameView;
use crate::image::resample::{Resampler, Samples};
use crate::model::file::sha256;
use crate::model::search_path::SearchPath;

/// Room for a message of OpenCV.
const ERROR_BYTES: usize = 1024;

/// A cascade of the library.
#[repr(C)]
struct Cascade {
    _private: [u8; 0],
}

/// Left, top, width and height of a box, and the number of raw hits that were merged into it.
type Found = [i32; 5];

type Load = unsafe extern "C" fn(*const c_char, *mut c_char, usize) -> *mut Cascade;
type Find = unsafe extern "C" fn(*mut Cascade, *const u8, i32, i32, f64, i32, i32, i32, *mut *const Found, *mut c_char, usize) -> isize;

/// The functions of the library, which stays loaded.
struct Library {
    load: Load,
    find: Find,
    free: unsafe extern "C" fn(*mut Cascade),
}

impl Library {
    /// The library of the process.
    fn get(search: &SearchPath) -> Result<&'static Self> {
        static LIBRARY: OnceCell<Library> = OnceCell::new();
        LIBRARY.get_or_try_init(|| Self::load(&search.cascade_library()?))
    }

    fn load(path: &Path) -> Result<Self> {
        Self::open(path).map_err(|error| {
            let expected = "OpenCV in the version that the library was built with (Debian 12: libopencv-objdetect406, Debian 13: \
                            libopencv-objdetect410)";
            Error::Config(format!("{}: expected {expected}, found: {error}", path.display()))
        })
    }

    #[allow(unsafe_code)] // A C interface.
    fn open(path: &Path) -> std::result::Result<Self, libloading::Error> {
        // SAFETY: OpenCV and the library have no initialisers with requirements. The functions have these types in emotion-cascade, and the
        // library is never unloaded.
        unsafe {
            let library = libloading::Library::new(path)?;
            let functions = Self {
                load: *library.get(b"emotion_cascade_load")?,
                find: *library.get(b"emotion_cascade_find")?,
                free: *library.get(b"emotion_cascade_free")?,
            };
            std::mem::forget(library);
            Ok(functions)
        }
    }
}

/// A face detector that runs an OpenCV cascade.
pub struct HaarDetector {
    opencv: &'static Library,
    cascade: NonNull<Cascade>,
    sha256: String,
    resampler: Resampler,
    /// Luma of the searched region; kept to reuse the allocation.
    luma: Vec<u8>,
}

// SAFETY: a classifier may be used by any thread, one at a time, and only this value has the pointer.
#[allow(unsafe_code)]
unsafe impl Send for HaarDetector {}

impl Drop for HaarDetector {
    #[allow(unsafe_code)] // A C interface.
    fn drop(&mut self) {
        // SAFETY: the pointer is from `load`, and nothing uses it afterwards.
        unsafe { (self.opencv.free)(self.cascade.as_ptr()) }
    }
}

impl HaarDetector {
    /// Loads the cascade in the XML file `path`, and OpenCV's library if the process has not done that.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such file or no library, [`Error::Config`] if OpenCV cannot be loaded, [`Error::Model`] if
    /// the file is not a cascade.
    #[allow(unsafe_code)] // A C interface.
    pub fn load(path: &Path, search: &SearchPath) -> Result<Self> {
        if !path.is_file() {
            let remedy = "Install Debian's package opencv-data, or set `profile` to the path of another cascade".into();
            return Err(Error::NotFound { what: "the OpenCV cascade".into(), looked: vec![path.into()], remedy });
        }
        let opencv = Library::get(search)?;
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        let not_a_cascade = |found: String| Error::Model { path: path.into(), expected: "an OpenCV cascade in XML".into(), found };
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| not_a_cascade("a path with a NUL".into()))?;
        let mut error = [0; ERROR_BYTES];
        // SAFETY: the path ends with a NUL, and the error has the room that is given.
        let cascade = unsafe { (opencv.load)(name.as_ptr(), error.as_mut_ptr(), ERROR_BYTES) };
        let Some(cascade) = NonNull::new(cascade) else {
            return Err(not_a_cascade(text(&error)));
        };
        Ok(Self { opencv, cascade, sha256: sha256(&bytes), resampler: Resampler::new(), luma: Vec::new() })
    }

    /// The boxes in `self.luma`, whose size this is.
    #[allow(unsafe_code)] // A C interface.
    fn find(&mut self, size: Size, options: CascadeOptions) -> Result<&[Found]> {
        let CascadeOptions { scale_factor, min_neighbors, min_size } = options;
        let [width, height, min_width, min_height] = [size.width, size.height, min_size.width, min_size.height].map(|length| length as i32);
        let (cascade, luma) = (self.cascade.as_ptr(), self.luma.as_ptr());
        let (mut found, mut error) = (std::ptr::null(), [0; ERROR_BYTES]);
        // SAFETY: `luma` has as many bytes as the size says. The boxes are valid until the next call, for which `self` is borrowed.
        let boxes = unsafe {
            let (found, error) = (&raw mut found, error.as_mut_ptr());
            (self.opencv.find)(cascade, luma, width, height, scale_factor, min_neighbors, min_width, min_height, found, error, ERROR_BYTES)
        };
        match usize::try_from(boxes) {
            Ok(0) => Ok(&[]),
            // SAFETY: as above.
            Ok(count) => Ok(unsafe { std::slice::from_raw_parts(found, count) }),
            Err(_) => Err(Error::Inference { model: "haar".into(), message: text(&error) }),
        }
    }
}

/// The message in a buffer that the library has filled.
fn text(error: &[c_char; ERROR_BYTES]) -> String {
    let bytes = error.map(|byte| byte as u8);
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

impl FaceDetector for HaarDetector {
    fn name(&self) -> &str {
        "haar"
    }

    fn sha256(&self) -> String {
        self.sha256.clone()
    }

    fn detect(&mut self, view: &FrameView, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        self.detect_region(view, view.size().rect(), options, detections)
    }

    fn detect_region(&mut self, view: &FrameView, region: Rect, options: &DetectOptions, detections: &mut Vec<Detection>) -> Result<()> {
        detections.clear();
        let size = Size::new(region.w as u32, region.h as u32);
        let width = size.width as usize;
        self.luma.resize(width * size.height as usize, 0);
        // The resampler gives floating-point luma; adding 0.5 rounds it.
        self.resampler.sample(view, region, size, Samples::Luma, |y, [row, ..]| {
            self.luma[y * width..][..width].iter_mut().zip(row).for_each(|(out, value)| *out = (value + 0.5) as u8);
        });
        detections.extend(self.find(size, options.cascade)?.iter().map(|&[x, y, w, h, hits]| Detection {
            rect: Rect::new(x as f32, y as f32, w as f32, h as f32).translated(region.x, region.y),
            confidence: confidence(hits),
            landmarks: None,
        }));
        detections.retain(|found| found.confidence >= options.score_threshold);
        select(detections, options, view.size());
        Ok(())
    }
}

/// A confidence 0..1 that rises with the number of hits. One hit gives 0.5, so the default threshold reports all faces that
/// pass `min_neighbors`.
fn confidence(hits: i32) -> f32 {
    let hits = hits.max(1) as f32;
    hits / (hits + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_cannot_be_loaded_is_named_with_what_it_needs() {
        let file = std::env::temp_dir().join(format!("gst-emotion-cascade-{}", std::process::id()));
        std::fs::write(&file, "no library").unwrap();
        let message = Library::load(&file).map(|_| ()).unwrap_err().message();
        for part in [&*file.to_string_lossy(), "expected OpenCV", "libopencv-objdetect406", "found: "] {
            assert!(message.contains(part), "{part} in {message}");
        }
        std::fs::remove_file(file).unwrap();
    }
}
