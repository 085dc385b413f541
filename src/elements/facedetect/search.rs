// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `facedetect` does with a frame: searches it or predicts its faces, and writes them to the buffer.

use std::sync::LazyLock;

use super::opencv::Updates;
use super::settings::Settings;
use crate::detector::FaceDetector;
use crate::detector::tiles::TiledDetector;
use crate::elements::analyser::engine::{Engine, Work};
use crate::elements::analyser::{Analysis, Frame, LoadedModel};
use crate::elements::bus::post;
use crate::elements::frame;
use crate::error::Result;
use crate::geometry::Size;
use crate::image::FrameView;
use crate::meta::{intern, message, write_search};
use crate::record::{FaceRecord, SearchAge};
use crate::track::finder::FaceFinder;
use crate::track::search::{Search, Skipped};

/// The category of the log lines.
pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionfacedetect", gst::DebugColorFlags::empty(), Some("Face detection of the emotion plugin"))
});

/// The faces of a stream.
pub struct FaceSearch {
    finder: FaceFinder,
    /// The detector's own threshold.
    score_threshold: f32,
    /// Ids in the last message, sorted.
    posted_ids: Vec<u32>,
}

impl Analysis for FaceSearch {
    type Settings = Settings;
    type Task = Search;

    fn category() -> gst::DebugCategory {
        *CAT
    }

    fn load(settings: &Settings, element: &gst_base::BaseTransform) -> Result<(Self, LoadedModel, Work<Search>)> {
        let mut detector = settings.load_detector()?;
        gst::info!(CAT, obj = element, "this facedetect is the emotion plugin's, detecting with {}", detector.name());
        intern([detector.name()]);
        let finder = FaceFinder::new(detector.name(), settings.asynchronous || settings.tile_size() > 0);
        let score_threshold = detector.score_threshold();
        let model =
            LoadedModel { name: detector.name().to_owned(), sha256: detector.sha256(), description_sha256: detector.description_sha256() };
        if settings.tile_size() > 0 {
            detector = Box::new(TiledDetector::new(detector, settings.tile_size()));
        }
        Ok((Self { finder, score_threshold, posted_ids: Vec::new() }, model, search_with(detector)))
    }

    fn is_async(settings: &Settings) -> bool {
        settings.asynchronous
    }

    fn set_caps(&mut self, _element: &gst_base::BaseTransform, engine: &mut Engine<Search>, is_resized: bool) {
        // Boxes in pixels of another size are meaningless. Ids and time continue.
        if is_resized {
            self.restart(engine);
        }
        self.finder.search_next();
    }

    fn restart(&mut self, engine: &mut Engine<Search>) {
        self.finder.restart();
        engine.forget();
    }

    fn analyse(&mut self, buffer: &mut gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings) -> Result<()> {
        let (faces, searched) = self.find(buffer, frame, settings)?;
        frame.statistics().faces += faces.iter().filter(|face| face.confirmed).count() as u64;
        write_search(buffer, frame.size, &faces, searched);
        if self.is_message_due(settings.updates, &faces) {
            post(frame.element, message::facedetect(&frame.times, frame.size, &faces));
        }
        Ok(())
    }

    fn mark_failed(&mut self, buffer: &mut gst::BufferRef, size: Size) {
        write_search(buffer, size, &[], SearchAge::Never);
    }
}

impl FaceSearch {
    /// The faces on `buffer`, detected or predicted, and when the scene was last searched.
    fn find(&mut self, buffer: &gst::BufferRef, frame: &mut Frame<Self>, settings: &Settings) -> Result<(Vec<FaceRecord>, SearchAge)> {
        let options = settings.find_options(self.score_threshold, frame.is_live);
        let mapped = frame::map(buffer, frame.info)?;
        let view = frame::view(&mapped)?;
        if self.finder.observe(&view, &options, frame.now) {
            gst::debug!(CAT, obj = frame.element, "scene cut");
            frame.engine.forget();
        }
        let is_late = |frames, idle| frame.lateness.should_skip(frame.times.running_time, frames, options.interval_frames, idle);
        match self.finder.begin(&options, frame.now, is_late) {
            Ok(search) => {
                frame.statistics().partial += u64::from(search.is_partial());
                let replaced = frame.engine.submit(buffer, frame.info, &view, search);
                frame.statistics().skipped += u64::from(replaced.is_some());
            }
            Err(skipped) => {
                let mut statistics = frame.statistics();
                statistics.skipped += 1;
                statistics.late += u64::from(skipped == Skipped::Late { due: true });
                statistics.unchanged += u64::from(skipped == Skipped::Unchanged);
                gst::trace!(CAT, obj = frame.element, "this frame is not searched: {skipped:?}");
            }
        }
        while let Some(search) = frame.engine.take()? {
            self.finder.finish(search, &options);
        }
        Ok(self.finder.faces(&options, view.size(), frame.now))
    }

    fn is_message_due(&mut self, updates: Updates, faces: &[FaceRecord]) -> bool {
        let mut ids: Vec<u32> = faces.iter().filter(|face| face.confirmed).map(|face| face.id).collect();
        ids.sort_unstable();
        let is_changed = ids != self.posted_ids;
        self.posted_ids = ids;
        match updates {
            Updates::None => false,
            Updates::EveryFrame => true,
            Updates::OnFace => !self.posted_ids.is_empty(),
            Updates::OnChange => is_changed,
        }
    }
}

fn search_with(mut detector: Box<dyn FaceDetector>) -> Work<Search> {
    Box::new(move |view: &FrameView, search: &mut Search| search.run(&mut *detector, view))
}
