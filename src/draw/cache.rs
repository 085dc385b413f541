// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cache of pictures, keyed by what they show.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::picture::Picture;

/// Keeps the pictures in use, and unused ones up to [`Cache::CAPACITY`] in case they are needed again.
pub(super) struct Cache<K> {
    /// Each picture and the frame on which it was last used.
    pictures: HashMap<K, (Arc<Picture>, u64)>,
    /// Bytes of all pictures.
    bytes: usize,
    frame: u64,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self { pictures: HashMap::new(), bytes: 0, frame: 0 }
    }
}

impl<K: Eq + Hash> Cache<K> {
    /// Capacity in bytes of pixels. When it is exceeded, the least recently used pictures are dropped until half of it is
    /// free. The prepared forms of the pictures may take twice as much memory again.
    const CAPACITY: usize = 16 << 20;

    /// Starts a frame.
    pub(super) fn next_frame(&mut self) {
        self.frame += 1;
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
        self.pictures.retain(|_, (_, used)| *used >= oldest);
        self.bytes = self.pictures.values().map(|(picture, _)| picture.rgba().len()).sum();
    }

    /// The picture for `key`, which `draw` draws if it is not in the cache.
    pub(super) fn get(&mut self, key: K, draw: impl FnOnce() -> Picture) -> Arc<Picture> {
        let (picture, used) = self.pictures.entry(key).or_insert_with(|| {
            let picture = draw();
            self.bytes += picture.rgba().len();
            (Arc::new(picture), 0)
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

    #[test]
    fn the_same_key_gives_the_same_picture() {
        let mut cache = Cache::default();
        let first = cache.get(1, picture);
        cache.next_frame();
        assert!(Arc::ptr_eq(&first, &cache.get(1, || unreachable!("it is cached"))));
        assert!(!Arc::ptr_eq(&first, &cache.get(2, picture)));
    }

    #[test]
    fn unused_pictures_are_dropped_above_the_capacity() {
        let mut cache = Cache::default();
        for key in 0..50 {
            cache.next_frame();
            cache.get(0, picture);
            cache.get(key, picture);
            assert!(cache.bytes <= Cache::<usize>::CAPACITY + (2 << 20));
            assert_eq!(cache.bytes, cache.pictures.len() << 20);
        }
        cache.get(0, || unreachable!("a picture that every frame uses stays"));
    }
}
