// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos in every format. The table in docs/formats.md comes from this test: with `UPDATE_DOCS=1`, it writes the table.

use std::fmt::Write;
use std::process::Command;

use serde_json::Value;
use test_support::{left_out, repository};

use crate::support::Folder;

/// The comments around the table in docs/formats.md.
const BEGIN: &str = "<!-- BEGIN PHOTOS: written by apps/scan/tests/scan/photos.rs -->\n";
const END: &str = "<!-- END PHOTOS -->\n";

/// A row of the table, and how its file is made of `base.png`, in which the faces are upright.
struct Sample {
    format: &'static str,
    reader: &'static str,
    kind: &'static str,
    /// Where the orientation is stored, and how a file is made of `side.png`, in which the faces lie on their side.
    turned_by: &'static str,
    file: &'static str,
    made_by: &'static str,
}

const fn photo(format: &'static str, reader: &'static str, turned_by: &'static str, file: &'static str, made_by: &'static str) -> Sample {
    Sample { format, reader, kind: "photo", turned_by, file, made_by }
}

const fn video(format: &'static str, file: &'static str, made_by: &'static str) -> Sample {
    Sample { format, reader: "`image`", kind: "video", turned_by: "", file, made_by }
}

/// `IN` is the picture, upright or on its side.
const SAMPLES: [Sample; 34] = [
    photo("JPEG, 4:2:0", "`jpegdec`", "Exif", "a.jpg", "convert IN -sampling-factor 4:2:0 a.jpg"),
    photo("JPEG, 4:4:4", "`jpegdec`", "Exif", "b.jpg", "convert IN -sampling-factor 4:4:4 b.jpg"),
    photo("JPEG, grey", "`jpegdec`", "Exif", "c.jpg", "convert IN -colorspace Gray c.jpg"),
    photo("JPEG, progressive", "`jpegdec`", "Exif", "d.jpg", "convert IN -interlace Plane d.jpg"),
    photo("JPEG, 4:4:0", "`image`", "Exif", "f.jpg", "convert IN -sampling-factor 4:4:0 f.jpg"),
    photo("JPEG, CMYK", "`image`", "Exif", "e.jpg", "convert IN -colorspace CMYK e.jpg"),
    photo("PNG", "`image`", "Exif", "a.png", "convert IN -strip PNG24:a.png"),
    photo("PNG, 16 bits", "`image`", "Exif", "b.png", "convert IN -strip -depth 16 PNG48:b.png"),
    photo("PNG, grey", "`image`", "Exif", "c.png", "convert IN -strip -colorspace Gray c.png"),
    photo("PNG, palette", "`image`", "Exif", "d.png", "convert IN -strip -colors 200 PNG8:d.png"),
    photo("PNG, transparent", "`image`", "Exif", "e.png", "convert IN -strip -alpha set PNG32:e.png"),
    video("PNG, animated", "f.png", "ffmpeg -v error -y -framerate 5 -loop 1 -i IN -frames:v 3 -f apng f.png"),
    photo("GIF, one picture", "`image`", "", "a.gif", "convert IN a.gif"),
    video("GIF, animated", "b.gif", "convert -delay 20 -loop 0 IN IN IN b.gif"),
    photo("WebP, lossy", "`image`", "Exif", "a.webp", "convert IN -quality 90 a.webp"),
    photo("WebP, lossless", "`image`", "Exif", "b.webp", "convert IN -define webp:lossless=true b.webp"),
    video("WebP, animated", "c.webp", "img2webp -loop 0 -d 200 IN -d 300 dim.png -o c.webp"),
    photo("TIFF", "`image`", "its own tag", "a.tif", "convert IN -compress None a.tif"),
    photo("TIFF, LZW", "`image`", "its own tag", "b.tif", "convert IN -compress LZW b.tif"),
    photo("TIFF, 16 bits", "`image`", "its own tag", "c.tif", "convert IN -depth 16 -compress Zip c.tif"),
    photo("TIFF, grey", "`image`", "its own tag", "d.tif", "convert IN -colorspace Gray d.tif"),
    photo("TIFF, CMYK", "`image`", "its own tag", "e.tif", "convert IN -colorspace CMYK e.tif"),
    photo("TIFF, palette", "FFmpeg", "its own tag", "f.tif", "convert IN -colors 200 -type Palette f.tif"),
    photo("BMP", "`image`", "", "a.bmp", "convert IN a.bmp"),
    photo("TGA", "`image`", "", "a.tga", "ffmpeg -v error -y -i IN a.tga"),
    photo("PPM", "`image`", "", "a.ppm", "convert IN a.ppm"),
    photo("PGM", "`image`", "", "a.pgm", "convert IN -colorspace Gray a.pgm"),
    photo("ICO", "`image`", "", "a.ico", "convert IN -crop 256x240+0+0 +repage a.ico"),
    photo("DDS", "`image`", "", "a.dds", "convert IN -define dds:compression=dxt1 -define dds:mipmaps=0 a.dds"),
    photo("HEIC", "libheif", "the container, or Exif", "a.heic", "heif-enc IN -o a.heic"),
    photo("HEIC, 10 bits", "libheif", "the container, or Exif", "b.heic", "heif-enc -b 10 IN -o b.heic"),
    photo("AVIF", "libheif", "the container, or Exif", "a.avif", "avifenc -s 8 IN a.avif"),
    photo("AVIF, 10 bits", "libheif", "the container, or Exif", "b.avif", "avifenc -s 8 -d 10 IN b.avif"),
    photo("JPEG 2000", "GStreamer", "", "a.jp2", "convert IN a.jp2"),
];

/// The files that have to be converted: name, contents, and the error.
const UNREAD: [(&str, &[u8], &str); 10] = [
    ("a.dng", b"II*\0\x08\0\0\0\0\0\0\0\0\0", "found the raw data of a camera's sensor; convert it first, for example with darktable-cli"),
    ("a.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "found JPEG XL; convert it first, for example with djxl"),
    ("a.psd", b"8BPS\0\x01\0\0\0\0\0\0", "found a Photoshop document; convert it first, for example with ImageMagick"),
    ("a.hdr", b"#?RADIANCE\n", "found a Radiance HDR photo; convert it first, for example with ImageMagick"),
    ("a.pfm", b"PF\n2 2\n-1.0\n", "found a portable float map; convert it first, for example with ImageMagick"),
    ("a.dpx", b"SDPX\0\0\x08\0", "found a DPX film scan; convert it first, for example with ImageMagick"),
    ("a.fits", b"SIMPLE  =                    T", "found a FITS file; convert it first, for example with ImageMagick"),
    ("a.sgi", b"\x01\xda\x01\x01\0\x03", "found an SGI picture; convert it first, for example with ImageMagick"),
    ("a.ras", b"\x59\xa6\x6a\x95", "found a Sun raster file; convert it first, for example with ImageMagick"),
    ("a.pcx", b"\x0a\x05\x01\x08\0\0", "found a PCX picture; convert it first, for example with ImageMagick"),
];

/// A folder with the two pictures, or none if this machine lacks a program that makes files. `make test` installs them.
fn folder(test: &str) -> Option<Folder> {
    let folder = Folder::new(test)?;
    let is_missing =
        |program: &&str| !std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(program).is_file()));
    let missing: Vec<_> = ["convert", "ffmpeg", "heif-enc", "avifenc", "img2webp", "webpmux"].into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{} are missing", missing.join(", "));
        left_out::note(format!("no {}", missing.join(", ")));
        return None;
    }
    folder.picture("base.png");
    make(&folder, "convert base.png -rotate -90 +repage side.png");
    // The program for animated WebP joins equal pictures.
    make(&folder, "convert base.png -modulate 95 dim.png");
    folder.write("exif", &exif(6));
    Some(folder)
}

/// True if the program was built with the cargo feature for HEIC and AVIF.
fn has_heif() -> bool {
    cfg!(feature = "heif")
}

fn make(folder: &Folder, line: &str) {
    let mut words = line.split(' ');
    let made = Command::new(words.next().unwrap()).args(words).current_dir(folder.path("")).output().unwrap();
    assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Exif entries with this orientation.
pub(super) fn exif(orientation: u8) -> Vec<u8> {
    [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0], &[0; 4]].concat()
}

/// A JPEG file with Exif entries, behind its JFIF header or instead of it.
pub(super) fn with_exif(jpeg: &[u8], keeps_jfif: bool, entries: &[u8]) -> Vec<u8> {
    // The start of the image, and the JFIF header that ImageMagick writes except for CMYK.
    let jfif_end = if &jpeg[6..10] == b"JFIF" { 20 } else { 2 };
    let (start, jfif, rest) = (&jpeg[..2], &jpeg[2..jfif_end], &jpeg[jfif_end..]);
    let length = (2 + 6 + entries.len()) as u16;
    let segment = [&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", entries].concat();
    [start, if keeps_jfif { jfif } else { &[] }, &segment, rest].concat()
}

/// A PNG file with Exif entries before its pixels.
fn png_with_exif(png: &[u8], entries: &[u8]) -> Vec<u8> {
    let header_end = 8 + 25;
    let chunk = [b"eXIf", entries].concat();
    let sum = crc32fast::hash(&chunk).to_be_bytes();
    let length = (entries.len() as u32).to_be_bytes();
    [&png[..header_end], &length, &chunk, &sum, &png[header_end..]].concat()
}

/// Makes the file of `sample` from the picture on its side, with its orientation.
fn make_turned(folder: &Folder, sample: &Sample) {
    let line = sample.made_by.replace("IN", "side.png");
    match sample.file.rsplit('.').next().unwrap() {
        "jpg" => {
            make(folder, &line);
            folder.write(sample.file, &with_exif(&std::fs::read(folder.path(sample.file)).unwrap(), true, &exif(6)));
        }
        "png" => {
            make(folder, &line);
            folder.write(sample.file, &png_with_exif(&std::fs::read(folder.path(sample.file)).unwrap(), &exif(6)));
        }
        "webp" => {
            make(folder, &line);
            make(folder, &format!("webpmux -set exif exif {0} -o {0}", sample.file));
        }
        "tif" => make(folder, &line.replace("side.png", "side.png -orient RightTop")),
        // This program copies the entries of a JPEG file into the container.
        "heic" => {
            make(folder, "convert side.png -quality 95 side.jpg");
            folder.write("side.jpg", &with_exif(&std::fs::read(folder.path("side.jpg")).unwrap(), true, &exif(6)));
            make(folder, &line.replace("side.png", "side.jpg"));
        }
        "avif" => make(folder, &line.replace("avifenc", "avifenc --irot 3")),
        other => panic!("{other} has no orientation"),
    }
}

/// Checks the rows of `file`, which must have the two faces of `base.png` on each of its frames.
fn check(folder: &Folder, sample: &Sample) -> Result<(), String> {
    folder.run(&format!("{} --output out.ndjson --quiet", sample.file), 0);
    let (files, faces) = (folder.rows("out.files.ndjson"), folder.rows("out.ndjson"));
    let row = &files[0];
    let frames = row["frames"].as_u64().unwrap();
    let is_icon = sample.format == "ICO";
    let expected = (sample.kind, if is_icon { 256 } else { 320 }, 240, if sample.kind == "video" { frames.max(2) } else { 1 });
    let found = (row["kind"].as_str().unwrap_or_default(), row["width"].as_u64().unwrap_or(0), row["height"].as_u64().unwrap_or(0), frames);
    if found != expected || !row["error"].is_null() {
        return Err(format!("{}: expected {expected:?}, found {row}", sample.format));
    }
    // The faces of the picture, from left to right.
    let centre = |face: &Value| (face["x"].as_f64().unwrap() + face["w"].as_f64().unwrap() / 2.0) * found.1 as f64;
    let near = |face: &Value, x: f64| (centre(face) - x).abs() < 6.0;
    let is_right = |pair: &[Value]| matches!(pair, [left, right] if near(left, 95.0) && (is_icon || near(right, 235.0)));
    let mut faces = faces;
    faces.sort_by(|a, b| (a["frame"].as_u64(), centre(a)).partial_cmp(&(b["frame"].as_u64(), centre(b))).unwrap());
    let is_found = faces.len() as u64 == 2 * frames && faces.chunks(2).all(is_right);
    if is_found && faces[0]["label"] == "happiness" { Ok(()) } else { Err(format!("{}: {faces:?}", sample.format)) }
}

#[test]
fn photos_in_every_format_have_the_same_faces_and_the_table_of_the_page() {
    let Some(folder) = folder("photos") else { return };
    let mut failures = Vec::new();
    for sample in SAMPLES.iter().filter(|sample| has_heif() || sample.reader != "libheif") {
        make(&folder, &sample.made_by.replace("IN", "base.png"));
        failures.extend(check(&folder, sample).err());
        if !sample.turned_by.is_empty() {
            make_turned(&folder, sample);
            failures.extend(check(&folder, sample).err().map(|error| format!("on its side: {error}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_table(&table());
}

/// The table of the page.
fn table() -> String {
    let mut table = String::from("| format | read by | kind | turned upright by |\n|---|---|---|---|\n");
    for sample in &SAMPLES {
        let turned_by = if sample.turned_by.is_empty() { "–" } else { sample.turned_by };
        writeln!(table, "| {} | {} | {} | {turned_by} |", sample.format, sample.reader, sample.kind).unwrap();
    }
    for (name, _, error) in &UNREAD {
        let (found, hint) = error.strip_prefix("found ").unwrap().split_once("; ").unwrap();
        writeln!(table, "| `{}`: {found} | not read; {hint} | | |", name.trim_start_matches('a')).unwrap();
    }
    table
}

fn assert_table(table: &str) {
    let page = repository().join("docs/formats.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the table");
    let (found, after) = rest.split_once(END).expect("the page has an end of the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert!(found == table, "docs/formats.md has another table; run this test with UPDATE_DOCS=1");
    }
}

#[test]
fn every_orientation_is_read_with_a_jfif_header_and_without_one() {
    let Some(folder) = folder("orientations") else { return };
    let stored = ["", "-flop", "-rotate 180", "-flip", "-transpose", "-rotate 270", "-transverse", "-rotate 90"];
    let sample = &SAMPLES[0];
    for (number, stored) in (1..=8).zip(stored) {
        make(&folder, &format!("convert base.png {stored} +repage stored.jpg").replace("  ", " "));
        for keeps_jfif in [true, false] {
            let jpeg = std::fs::read(folder.path("stored.jpg")).unwrap();
            folder.write(sample.file, &with_exif(&jpeg, keeps_jfif, &exif(number)));
            check(&folder, sample).unwrap_or_else(|error| panic!("{number}, {keeps_jfif}: {error}"));
        }
    }
}

#[test]
fn a_jpeg_with_something_behind_it_is_its_first_picture() {
    let Some(folder) = folder("behind") else { return };
    let sample = &SAMPLES[0];
    make(&folder, "convert base.png base.jpg");
    make(&folder, "convert base.png -resize 50% gain.jpg");
    folder.video("film.mp4", 3, 10);
    let [base, gain, film] = ["base.jpg", "gain.jpg", "film.mp4"].map(|name| std::fs::read(folder.path(name)).unwrap());
    for (behind, what) in [(&base, "another picture"), (&gain, "the gain map of Ultra HDR"), (&film, "the film of a motion photo")] {
        folder.write(sample.file, &[base.as_slice(), behind].concat());
        check(&folder, sample).unwrap_or_else(|error| panic!("{what}: {error}"));
        folder.run(&format!("{} --output out.ndjson --annotated drawn --turn 180", sample.file), 0);
        assert_eq!(folder.frames("drawn/a.jpg").len(), 1, "{what}");
    }
}

#[test]
fn a_jpeg_may_have_a_large_profile() {
    let Some(folder) = folder("profile") else { return };
    let sample = SAMPLES.iter().find(|sample| sample.format == "JPEG, CMYK").unwrap();
    make(&folder, "convert base.png -colorspace CMYK e.jpg");
    let jpeg = std::fs::read(folder.path("e.jpg")).unwrap();
    let part = [&[0xff, 0xe2, 0xff, 0xff][..], b"ICC_PROFILE\0", &[0; 65_521]].concat();
    folder.write("e.jpg", &[&jpeg[..2], &part.repeat(20), &jpeg[2..]].concat());
    check(&folder, sample).unwrap();
}

#[test]
fn animations_have_times_of_their_own() {
    let Some(folder) = folder("animations") else { return };
    make(&folder, "convert -delay 20 base.png -delay 50 base.png -delay 0 base.png -loop 0 a.gif");
    folder.run("a.gif --output out.ndjson", 0);
    let times: Vec<f64> = folder.rows("out.ndjson").iter().step_by(2).map(|face| face["time_s"].as_f64().unwrap()).collect();
    assert_eq!(times, [0.0, 0.2, 0.7]);
    let row = &folder.rows("out.files.ndjson")[0];
    assert!(row["kind"] == "video" && row["length_s"] == 0.8 && row["frames"] == 3, "{row}");
    folder.run("a.gif --output drawn.ndjson --annotated drawn --report page.html", 0);
    assert_eq!(folder.frames("drawn/a.gif.mp4").len(), 3);
    assert!(!folder.read("page.html").contains("\"player\":\"a.gif\""), "browsers do not play it as a video");
}

#[test]
fn drawn_photos_are_upright_in_every_format() {
    let Some(folder) = folder("drawn-photos") else { return };
    make(&folder, "convert side.png -orient RightTop a.tif");
    folder.run("a.tif --output out.ndjson --annotated drawn", 0);
    let (drawn, plain) = (&folder.frames("drawn/a.tif.png")[0], &folder.frames("base.png")[0]);
    let different = drawn.iter().zip(plain).filter(|(a, b)| a.abs_diff(**b) > 40).count();
    assert!((1_000..drawn.len() / 4).contains(&different), "{different} bytes differ");
}

#[test]
fn photos_that_cannot_be_read_say_what_they_are() {
    let Some(folder) = folder("unread") else { return };
    for (name, contents, error) in UNREAD {
        folder.write(name, contents);
        let printed = folder.run(&format!("{name} --output out.ndjson"), 3);
        assert!(printed.contains(error) && printed.contains(name), "{printed}");
    }
    // A picture of 60,000 x 60,000 pixels in a few bytes.
    make(&folder, "convert base.png -strip large.png");
    let mut png = std::fs::read(folder.path("large.png")).unwrap();
    png[16..24].copy_from_slice(&[60_000_u32.to_be_bytes(), 60_000_u32.to_be_bytes()].concat());
    let sum = crc32fast::hash(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    folder.write("large.png", &png);
    make(&folder, "convert base.png -compress ZSTD zstd.tif");
    make(&folder, "convert base.png cut.tif");
    let tiff = std::fs::read(folder.path("cut.tif")).unwrap();
    folder.write("cut.tif", &tiff[..tiff.len() / 2]);
    for (name, error) in [
        ("large.png", "expected a photo of at most 300 megapixels, found 60000 x 60000"),
        ("cut.tif", "found a damaged TIFF photo"),
        ("zstd.tif", "found a TIFF photo of an unsupported kind"),
    ] {
        let printed = folder.run(&format!("{name} --output out.ndjson"), 3);
        assert!(printed.contains(error), "{printed}");
    }
}

#[test]
fn transparent_parts_are_white() {
    let Some(folder) = folder("transparent") else { return };
    // Everything but the faces is transparent, and black below that.
    make(&folder, "convert -size 320x240 xc:#00000000 PNG32:a.png");
    folder.run("a.png --output out.ndjson --annotated drawn", 0);
    assert!(folder.frames("drawn/a.png")[0].iter().all(|value| *value == 255));
}

#[test]
fn a_photo_on_its_side_is_found_with_turn_and_its_boxes_are_those_of_the_stored_picture() {
    let Some(folder) = folder("turn") else { return };
    for (turn, degrees) in [("auto", 90), ("90", 90)] {
        folder.run(&format!("side.png base.png --output out.ndjson --turn {turn}"), 0);
        let files = folder.rows("out.files.ndjson");
        assert!(files[0]["turn"] == degrees && files[0]["faces"] == 2, "{turn}: {}", files[0]);
        assert!(files[0]["width"] == 240 && files[0]["height"] == 320, "the size is that of the stored picture");
        let expected = if turn == "auto" { 0 } else { 90 };
        assert!(files[1]["turn"] == expected, "{turn}: {}", files[1]);
    }
    folder.run("side.png --output out.ndjson --turn auto", 0);
    folder.run("base.png --output base.ndjson", 0);
    let (side, upright) = (folder.rows("out.ndjson"), folder.rows("base.ndjson"));
    let near = |a: &Value, b: f64| (a.as_f64().unwrap() - b).abs() < 0.01;
    let number = |face: &Value, name: &str| face[name].as_f64().unwrap();
    // Turned by 270 degrees clockwise, the left of the upright picture is below.
    for face in &upright {
        let fits = |other: &&Value| {
            near(&other["x"], number(face, "y"))
                && near(&other["y"], 1.0 - number(face, "x") - number(face, "w"))
                && near(&other["w"], number(face, "h"))
                && near(&other["nose_x"], number(face, "nose_y"))
                && near(&other["nose_y"], 1.0 - number(face, "nose_x"))
        };
        let other = side.iter().find(fits).unwrap_or_else(|| panic!("no box of {face} in {side:?}"));
        assert_eq!(other["label"], face["label"]);
    }
}
