// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos and films of the same moment: phones store a Live Photo as `IMG_1.HEIC` and `IMG_1.MOV`.

use crate::findings::{FileFacts, FileKey, Kind};
use crate::inputs::{Input, Numbers};

/// Longest film of a Live Photo, which takes three seconds. A longer one of the same name was recorded by itself.
const MAX_FILM_NS: u64 = 5_000_000_000;
/// Extensions of the photo and of the film.
const PHOTOS: [&str; 8] = ["HEIC", "heic", "JPG", "jpg", "JPEG", "jpeg", "HEIF", "heif"];
const FILMS: [&str; 4] = ["MOV", "mov", "MP4", "mp4"];

/// Finds the pairs among the files of a table.
pub(super) struct Pairs<'a> {
    inputs: &'a [Input],
    numbers: Numbers,
}

impl<'a> Pairs<'a> {
    pub(super) fn among(inputs: &'a [Input]) -> Self {
        Self { inputs, numbers: Numbers::of(inputs) }
    }

    /// The name of the other half of `input`, which is what `facts` say; `facts_of` says that of other files by their numbers.
    pub(super) fn of(&self, input: &Input, facts: &FileFacts, facts_of: impl Fn(usize) -> Option<&'a FileFacts>) -> Option<&'a str> {
        let others: &[&str] = match facts.kind? {
            Kind::Photo => &FILMS,
            Kind::Video => &PHOTOS,
            Kind::Other => return None,
        };
        let (stem, _) = input.key.name.rsplit_once('.').filter(|_| input.key.bytes.is_none())?;
        let numbers = others.iter().filter_map(|extension| {
            let name = format!("{stem}.{extension}");
            self.numbers.get(self.inputs, &FileKey { name, bytes: None, size: 0, modified_ns: 0, etag: None })
        });
        let number =
            numbers.into_iter().find(|number| facts_of(*number).is_some_and(|other| is_moment(facts, other) || is_moment(other, facts)))?;
        Some(&self.inputs[number].key.name)
    }
}

fn is_moment(photo: &FileFacts, film: &FileFacts) -> bool {
    photo.kind == Some(Kind::Photo) && film.kind == Some(Kind::Video) && film.length_ns.is_some_and(|length| length <= MAX_FILM_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_and_a_short_film_of_one_name_are_a_pair() {
        let photo = FileFacts { kind: Some(Kind::Photo), ..FileFacts::default() };
        let film = |seconds: u64| FileFacts { kind: Some(Kind::Video), length_ns: Some(seconds * 1_000_000_000), ..FileFacts::default() };
        let files = [
            ("a/IMG_1.HEIC", photo.clone()),
            ("a/IMG_1.MOV", film(3)),
            ("b/IMG_1.MOV", film(3)),
            ("a/IMG_2.jpg", photo.clone()),
            ("a/IMG_2.mp4", film(60)),
            ("s3://b/IMG_3.JPG", photo),
            ("s3://b/IMG_3.mov", film(2)),
        ];
        let inputs = files.each_ref().map(|(name, _)| Input::of(FileKey::local(name.as_ref(), 1, 2)));
        let pairs = Pairs::among(&inputs);
        let found: Vec<_> =
            (0..files.len()).map(|number| pairs.of(&inputs[number], &files[number].1, |other| Some(&files[other].1))).collect();
        let expected = [Some("a/IMG_1.MOV"), Some("a/IMG_1.HEIC"), None, None, None, Some("s3://b/IMG_3.mov"), Some("s3://b/IMG_3.JPG")];
        assert_eq!(found, expected);
    }
}
