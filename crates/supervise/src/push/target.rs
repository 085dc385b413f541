// SPDX-License-Identifier: MIT OR Apache-2.0
//! Servers and folders to which H.264 is sent, and the elements that send it.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use gst_app::AppSrc;

use super::PushError;
use crate::packages::{Plugins, install};
use crate::place::{has_split_password, host, is_plain, scheme, without_credentials};

/// A server or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    kind: Kind,
    /// The address without the name of the kind in front: a URL, or a path.
    address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rtmp,
    Rtsp,
    Srt,
    Whip,
    Hls,
}

/// An element, and the package with it; `None` for one of gst-plugins-rs, which few systems have as a package.
type Needed = (&'static str, Option<Plugins>);

/// Name of the element that sends.
const OUT: &str = "out";
/// The two elements for WHIP, the newer one first.
const WHIP: [&str; 2] = ["whipclientsink", "whipsink"];

impl Target {
    /// Reads an address such as `rtmp://host/live/key`, or `hls:` and the path of a folder.
    ///
    /// # Errors
    /// If the text is something else. The message has no password and no path of a server.
    pub fn parse(text: &str) -> Result<Self, PushError> {
        if let Some(folder) = text.strip_prefix("hls:").filter(|folder| !folder.is_empty()) {
            return Ok(Self { kind: Kind::Hls, address: folder.to_owned() });
        }
        if has_split_password(text) {
            return Err(PushError::Password);
        }
        let kind = match scheme(text) {
            "rtmp" | "rtmps" => Kind::Rtmp,
            "rtsp" | "rtsps" => Kind::Rtsp,
            "srt" => Kind::Srt,
            "whip+http" | "whip+https" => Kind::Whip,
            _ => return Err(PushError::Address(name(text))),
        };
        let has_port = host(text).rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !is_plain(text) || host(text).is_empty() || kind == Kind::Srt && !has_port {
            return Err(PushError::Address(name(text)));
        }
        Ok(Self { kind, address: text.trim_start_matches("whip+").to_owned() })
    }

    /// How it is called in messages and metrics: the kind and the host, or the folder. The rest of an address is often a secret.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Hls => format!("hls:{}", self.address),
            Kind::Whip => format!("whip+{}", name(&self.address)),
            _ => name(&self.address),
        }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        (self.kind == Kind::Hls).then(|| Path::new(&self.address))
    }

    /// `text` without the secrets of the address.
    pub fn without_secrets(&self, text: &str) -> String {
        if self.kind == Kind::Hls {
            return text.to_owned();
        }
        let path = self.address.splitn(4, '/').nth(3).unwrap_or_default();
        let secrets = [path, path.rsplit('/').next().unwrap_or_default()];
        let text = text.replace(&self.address, &name(&self.address));
        without_credentials(&secrets.iter().filter(|secret| !secret.is_empty()).fold(text, |text, secret| text.replace(secret, "...")))
    }

    /// Checks that the elements are installed. GStreamer must have been initialised.
    ///
    /// # Errors
    /// With the command that installs the first one that is missing.
    pub fn check(&self) -> Result<(), PushError> {
        let (good, bad) = (Some(Plugins::Good), Some(Plugins::Bad));
        let needed: &[Needed] = match self.kind {
            Kind::Rtmp => &[("h264parse", bad), ("flvmux", good), ("rtmp2sink", bad)],
            Kind::Rtsp => &[("h264parse", bad), ("rtph264pay", good), ("rtspclientsink", Some(Plugins::RtspServer))],
            Kind::Srt => &[("h264parse", bad), ("mpegtsmux", bad), ("srtsink", bad)],
            Kind::Hls => &[("h264parse", bad), ("splitmuxsink", good), ("hlssink2", bad)],
            Kind::Whip if is_installed(WHIP[1]) => &[("h264parse", bad), ("rtph264pay", good)],
            Kind::Whip => &[("h264parse", bad), (WHIP[0], None)],
        };
        let missing = needed.iter().find(|(element, _)| !is_installed(element));
        missing.map_or(Ok(()), |&(element, plugins)| {
            let how = plugins.map_or_else(|| "it is in gst-plugins-rs, net/webrtc".into(), |plugins| install(&[plugins]));
            Err(PushError::Element { target: self.name(), element, how })
        })
    }

    /// A pipeline that sends the frames that enter it, which have these caps.
    pub(super) fn pipeline(&self, caps: &gst::Caps) -> Result<(gst::Pipeline, AppSrc), PushError> {
        let line = format!("appsrc name=frames is-live=true format=time max-bytes=0 ! h264parse config-interval=-1 ! {}", self.line());
        let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().map_err(|_| PushError::Missing("pipeline"))?;
        let named = |name| pipeline.by_name(name).ok_or(PushError::Missing(name));
        let (entry, out) = (named("frames")?.downcast::<AppSrc>().map_err(|_| PushError::Missing("appsrc"))?, named(OUT)?);
        entry.set_caps(Some(caps));
        match self.kind {
            Kind::Rtmp | Kind::Rtsp => out.set_property("location", &self.address),
            Kind::Srt => out.set_property("uri", &self.address),
            Kind::Hls => {
                let folder = PathBuf::from(&self.address);
                std::fs::create_dir_all(&folder).map_err(|source| PushError::Folder { folder: folder.clone(), source })?;
                let path = |file: &str| folder.join(file).to_string_lossy().into_owned();
                out.set_property("location", path("segment%05d.ts"));
                out.set_property("playlist-location", path("index.m3u8"));
            }
            Kind::Whip => match out.has_property("whip-endpoint") {
                true => out.set_property("whip-endpoint", &self.address),
                false => out.property::<gst::glib::Object>("signaller").set_property("whip-endpoint", &self.address),
            },
        }
        Ok((pipeline, entry))
    }

    /// The elements behind the parser. A server that takes no video for [`super::LIMIT`] is given up, so those of RTSP wait no longer.
    fn line(&self) -> String {
        match self.kind {
            Kind::Rtmp => format!("flvmux streamable=true ! rtmp2sink name={OUT} sync=false"),
            Kind::Rtsp => format!("rtspclientsink name={OUT} protocols=tcp tcp-timeout=5000000"),
            Kind::Srt => format!("mpegtsmux alignment=7 ! srtsink name={OUT} sync=false auto-reconnect=false wait-for-connection=false"),
            Kind::Hls => format!("{OUT}.video hlssink2 name={OUT} target-duration=2 playlist-length=6 max-files=10"),
            Kind::Whip if is_installed(WHIP[0]) => format!("{} name={OUT}", WHIP[0]),
            Kind::Whip => format!(
                "rtph264pay aggregate-mode=zero-latency ! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000 \
                 ! {} name={OUT}",
                WHIP[1]
            ),
        }
    }
}

fn is_installed(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

/// The kind and the host of an address.
fn name(address: &str) -> String {
    format!("{}://{}", scheme(address), host(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_address_gives_its_kind_and_a_name_without_secrets() {
        for (text, kind, name) in [
            ("rtmp://user:s3@host/live/s3", Kind::Rtmp, "rtmp://host"),
            ("rtmps://host:443/live/s3?key=s3", Kind::Rtmp, "rtmps://host:443"),
            ("rtsp://user:s3@host:8554/s3", Kind::Rtsp, "rtsp://host:8554"),
            ("srt://host:9000?passphrase=s3&streamid=s3", Kind::Srt, "srt://host:9000"),
            ("srt://:9000?mode=listener", Kind::Srt, "srt://:9000"),
            ("whip+https://user:s3@host/s3", Kind::Whip, "whip+https://host"),
            ("hls:/var/www/door", Kind::Hls, "hls:/var/www/door"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.kind, target.name().as_str()), (kind, name), "{text}");
            let shown = target.without_secrets(&format!("no answer from {text} or {} of {}", target.address, target.name()));
            assert!(!shown.contains("s3") && shown.ends_with(&format!(" of {name}")), "{shown}");
        }
    }

    #[test]
    fn what_is_no_target_is_an_error_without_secrets() {
        for text in [
            "http://host/s3",
            "folder",
            "hls:",
            "rtmp:///live/s3",
            "rtmp://u:s3@h /x",
            "srt://host",
            "srt://host?passphrase=s3",
            "rtsp://user:s/s3@host/",
            "whip://host/s3",
        ] {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(!error.contains("s3"), "{text}: {error}");
        }
    }

    #[test]
    fn each_kind_has_its_elements_or_says_how_to_get_them() {
        gst::init().unwrap();
        let caps = gst::Caps::new_empty_simple("video/x-h264");
        let folder = std::env::temp_dir().join(format!("emotion-push-{}", std::process::id()));
        for address in ["rtmp://h/a/b", "rtsp://h/a", "srt://h:1", &format!("hls:{}", folder.display()), "whip+http://h/a"] {
            let target = Target::parse(address).unwrap();
            match target.check() {
                Ok(()) => drop(target.pipeline(&caps).unwrap()),
                Err(error) => assert!(error.to_string().contains(&target.name()), "{error}"),
            }
        }
        std::fs::remove_dir(folder).unwrap();
    }
}
