// SPDX-License-Identifier: MIT OR Apache-2.0
//! What helps where GStreamer cannot decode a file.

use emotion_supervise::packages::{Plugins, install, missing};

/// Fields of caps that name a format of which GStreamer knows no type.
const NAMES: [&str; 3] = ["fourcc", "codec-id", "format"];

/// The name of a media type, with what its caps say more if it stands for all unknown formats.
pub fn description(caps: &gst::CapsRef) -> Option<String> {
    let first = caps.structure(0)?;
    let details = NAMES.iter().filter(|_| first.name().ends_with("unknown")).find_map(|name| text(first, name));
    Some(details.map_or_else(|| first.name().to_string(), |details| format!("{} ({details})", first.name())))
}

/// A field of caps as text. A number is a code of four characters.
fn text(caps: &gst::StructureRef, name: &str) -> Option<String> {
    let number = || caps.get::<i32>(name).ok().map(|number| String::from_utf8_lossy(&number.to_le_bytes()).into_owned());
    caps.get::<String>(name).ok().or_else(number).map(|text| text.trim().to_owned())
}

/// Which packages to install; if all of them are installed, how to convert the file.
pub fn help() -> String {
    help_for(&missing())
}

fn help_for(missing: &[Plugins]) -> String {
    match missing {
        [] => "ffmpeg can perhaps convert the file: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p OUT.mkv".to_owned(),
        plugins => format!("perhaps this adds one: {}", install(plugins)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_are_named_and_otherwise_a_conversion() {
        assert_eq!(help_for(&[Plugins::Libav]), format!("perhaps this adds one: {}", install(&[Plugins::Libav])));
        assert!(help_for(&[]).contains("ffmpeg -i"));
    }

    #[test]
    fn an_unknown_format_is_described_by_its_other_names() {
        gst::init().unwrap();
        let described = |caps: &str| description(&caps.parse::<gst::Caps>().unwrap()).unwrap();
        assert_eq!(described("video/x-h265, format=hvc1"), "video/x-h265");
        assert_eq!(described("video/x-unknown, codec-id=(string)V_NEW"), "video/x-unknown (V_NEW)");
        let number = i32::from_le_bytes(*b"ULY0");
        assert_eq!(described(&format!("video/x-avi-unknown, fourcc={number}")), "video/x-avi-unknown (ULY0)");
    }
}
