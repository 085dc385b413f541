// SPDX-License-Identifier: MIT OR Apache-2.0
//! What helps where GStreamer cannot decode a file.

/// Debian's packages with demuxers and decoders, and a plugin of each.
const PACKAGES: [(&str, &str); 4] = [
    ("gstreamer1.0-plugins-good", "isomp4"),
    ("gstreamer1.0-plugins-bad", "videoparsersbad"),
    ("gstreamer1.0-plugins-ugly", "asf"),
    ("gstreamer1.0-libav", "libav"),
];
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
    let registry = gst::Registry::get();
    let missing = PACKAGES.iter().filter(|(_, plugin)| registry.find_plugin(plugin).is_none()).map(|(package, _)| *package);
    help_for(&missing.collect::<Vec<_>>())
}

fn help_for(missing: &[&str]) -> String {
    match missing {
        [] => "ffmpeg can perhaps convert the file: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p OUT.mkv".to_owned(),
        packages => format!("Debian's {} may have one", packages.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_are_named_and_otherwise_a_conversion() {
        assert_eq!(help_for(&["gstreamer1.0-libav"]), "Debian's gstreamer1.0-libav may have one");
        assert!(help_for(&["a", "b"]).contains("a and b") && help_for(&[]).contains("ffmpeg -i"));
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
