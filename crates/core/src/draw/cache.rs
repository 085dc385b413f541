// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cache of pictures, keyed by what they show.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::bars::Bar;
use super::edges::Outline;
use super::label::Label;
use super::picture::Picture;
use super::style::Rgb;
use crate::scores::LabelSet;

/// What a picture shows. Equal keys give equal pixels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A corner of a box; true for one on the right, true for one at the bottom.
    Corner(Outline, bool, bool),
    /// A horizontal strip as long as the frame is wide.
    Across(Outline, u32),
    /// A vertical strip as long as the frame is high.
    Down(Outline, u32),
    Label(Label),
    /// Text, font size and colour of a percentage.
    Percentage(String, u32, Rgb),
    /// The words for the classes, the highlighted class, the font size.
    GraphBackground(LabelSet, Option<usize>, u32),
    Bar(Bar),
}

/// The pictures in all caches. Streams that show the same draw it once and keep it once.
static SHARED: LazyLock<Mutex<HashMap<Key, Weak<Picture>>>> = LazyLock::new(Mutex::default);

/// The picture for `key` from another cache, or a new one by `draw`.
fn shared(key: &Key, draw: impl FnOnce() -> Picture) -> Arc<Picture> {
    let known = |pictures: &HashMap<_, Weak<_>>| pictures.get(key).and_then(Weak::upgrade);
    if let Some(picture) = known(&SHARED.lock()) {
        return picture;
    }
    let drawn = Arc::new(draw()); // without the lock, which other streams need
    let mut pictures = SHARED.lock();
    known(&pictures).unwrap_or_else(|| {
        pictures.retain(|_, picture| picture.strong_count() > 0);
        pictures.insert(key.clone(), Arc::downgrade(&drawn));
        drawn
    })
}

/// Keeps the pictures in use, and unused ones for a while, up to [`Cache::CAPACITY`], in case they are needed again.
#[derive(Default)]
pub(super) struct Cache {
    /// Each picture and the frame on which it was last used.
    pictures: HashMap<Key, (Arc<Picture>, u64)>,
    /// Bytes of all pictures.
    bytes: usize,
    frame: u64,
}

impl Cache {
    /// Capacity in bytes of pixels. When it is exceeded, the least recently used pictures are dropped until half of it is
    /// free. Each prepared form of the pictures may take twice as much memory again.
    const CAPACITY: usize = 16 << 20;

    /// Frames for which an unused picture is kept at least. It is dropped when twice as many have passed, so that a stream of days does
    /// not keep all labels that it has ever shown.
    const KEPT: u64 = 100;

    /// Starts a frame.
    pub(super) fn next_frame(&mut self) {
        self.frame += 1;
        if self.frame.is_multiple_of(Self::KEPT) {
            self.drop_before(self.frame - Self::KEPT);
        }
        if self.bytes > Self::CAPACITY {
            self.drop_oldest();
        }
    }

    /// Drops the least recently used pictures. Those of the last two frames stay, however large they are.
    fn drop_oldest(&mut self) {
        let mut by_age: Vec<(u64, usize)> = self.pictures.values().map(|(picture, used)| (*used, picture.rgba().len())).collect();
        by_age.sort_unstable_by(|a, b| b.cmp(a));
        let mut kept_bytes = 0;
        let fits = by_age.into_iter().take_while(|(_, bytes)| {
            kept_bytes += bytes;
            kept_bytes <= Self::CAPACITY / 2
        });
        let oldest = fits.last().map_or(self.frame, |(used, _)| used).min(self.frame.saturating_sub(2));
        self.drop_before(oldest);
    }

    /// Drops the pictures that no frame from `oldest` on has used.
    fn drop_before(&mut self, oldest: u64) {
        self.pictures.retain(|_, (_, used)| *used >= oldest);
        self.bytes = self.pictures.values().map(|(picture, _)| picture.rgba().len()).sum();
    }

    /// The picture for `key`, which `draw` draws if it is in no cache of the process.
    pub(super) fn get(&mut self, key: Key, draw: impl FnOnce() -> Picture) -> Arc<Picture> {
        let (picture, used) = self.pictures.entry(key).or_insert_with_key(|key| {
            let picture = shared(key, draw);
            self.bytes += picture.rgba().len();
            (picture, 0)
        });
        *used = self.frame;
        picture.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    /// 1 MiB.
    fn picture() -> Picture {
        Picture::new(Size::new(512, 512), Vec::new())
    }

    fn percentage(text: &str, number: u32) -> Key {
        Key::Percentage(text.to_owned(), number, [0; 3])
    }

    #[test]
    fn the_same_key_gives_the_same_picture() {
        let mut cache = Cache::default();
        let first = cache.get(percentage("same", 1), picture);
        cache.next_frame();
        assert!(Arc::ptr_eq(&first, &cache.get(percentage("same", 1), || unreachable!("it is cached"))));
        assert!(!Arc::ptr_eq(&first, &cache.get(percentage("same", 2), picture)));
    }

    #[test]
    fn caches_share_a_picture_until_none_keeps_it() {
        let [mut first, mut second] = [Cache::default(), Cache::default()];
        let drawn = Arc::downgrade(&first.get(percentage("shared", 1), picture));
        second.get(percentage("shared", 1), || unreachable!("another cache keeps it"));
        drop(first);
        assert_eq!(drawn.strong_count(), 1);
        drop(second);
        assert_eq!(drawn.strong_count(), 0);
        let again = Cache::default().get(percentage("shared", 1), || Picture::new(Size::new(1, 1), Vec::new()));
        assert_eq!(again.size(), Size::new(1, 1), "it is drawn again");
    }

    #[test]
    fn pictures_that_are_not_used_any_more_are_dropped() {
        let mut cache = Cache::default();
        cache.get(percentage("long", 0), picture);
        for frame in 1..=2 * Cache::KEPT {
            cache.next_frame();
            cache.get(percentage("long", 1), picture);
            let kept = if frame < Cache::KEPT * 2 { 2 } else { 1 };
            assert_eq!(cache.pictures.len(), kept, "{frame}");
        }
    }

    #[test]
    fn unused_pictures_are_dropped_above_the_capacity() {
        let mut cache = Cache::default();
        for number in 0..50 {
            cache.next_frame();
            cache.get(percentage("old", 0), picture);
            cache.get(percentage("old", number), picture);
            assert!(cache.bytes <= Cache::CAPACITY + (2 << 20));
            assert_eq!(cache.bytes, cache.pictures.len() << 20);
        }
        cache.get(percentage("old", 0), || unreachable!("a picture that every frame uses stays"));
    }
}
