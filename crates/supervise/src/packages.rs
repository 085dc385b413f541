// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which package of a system has a plugin of GStreamer: the one table from which programs say what to install.

/// A system by how its packages are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Debian,
    Fedora,
    Arch,
    Homebrew,
    Windows,
}

impl System {
    /// The system of this process, as far as it is known.
    fn here() -> Option<Self> {
        match std::env::consts::OS {
            "windows" => Some(Self::Windows),
            "macos" => Some(Self::Homebrew),
            _ => Self::of(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()),
        }
    }

    /// The system that `/etc/os-release` describes by its name and by those that it is like.
    fn of(release: &str) -> Option<Self> {
        let values = release.lines().filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
        let mut names = values.flat_map(|value| value.trim_matches('"').split(' '));
        names.find_map(|name| match name {
            "debian" | "ubuntu" => Some(Self::Debian),
            "fedora" | "rhel" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            _ => None,
        })
    }

    /// The start of a command that installs packages.
    fn command(self) -> &'static str {
        match self {
            Self::Debian => "apt install",
            Self::Fedora => "dnf install",
            Self::Arch => "pacman -S",
            Self::Homebrew => "brew install",
            Self::Windows => "pip install",
        }
    }
}

/// A set of GStreamer's plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    /// MP4, Matroska, JPEG, VP9, RTSP and more.
    Good,
    /// Parsers, OpenH264 and more.
    Bad,
    /// x264 and ASF.
    Ugly,
    /// FFmpeg's decoders and encoders.
    Libav,
    /// The client that sends to RTSP servers.
    RtspServer,
}

impl Plugins {
    /// The sets that read and write videos.
    pub const ALL: [Self; 4] = [Self::Good, Self::Bad, Self::Ugly, Self::Libav];

    /// One plugin of the set, by which it is known to be installed.
    fn one(self) -> &'static str {
        match self {
            Self::Good => "isomp4",
            Self::Bad => "videoparsersbad",
            Self::Ugly => "asf",
            Self::Libav => "libav",
            Self::RtspServer => "rtspclientsink",
        }
    }

    /// The name of the package. Homebrew and the wheels for Windows have all in one. On Fedora, x264 comes from RPM Fusion.
    fn package(self, system: System) -> &'static str {
        let [debian, fedora, arch] = match self {
            Self::Good => ["gstreamer1.0-plugins-good", "gstreamer1-plugins-good", "gst-plugins-good"],
            Self::Bad => ["gstreamer1.0-plugins-bad", "gstreamer1-plugins-bad-free", "gst-plugins-bad"],
            Self::Ugly => ["gstreamer1.0-plugins-ugly", "gstreamer1-plugins-ugly", "gst-plugins-ugly"],
            Self::Libav => ["gstreamer1.0-libav", "gstreamer1-plugin-libav", "gst-libav"],
            Self::RtspServer => ["gstreamer1.0-rtsp", "gstreamer1-rtsp-server", "gst-rtsp-server"],
        };
        match system {
            System::Debian => debian,
            System::Fedora => fedora,
            System::Arch => arch,
            System::Homebrew => "gstreamer",
            System::Windows => "gstreamer-bundle",
        }
    }
}

/// The sets that are not installed. GStreamer must have been initialised.
pub fn missing() -> Vec<Plugins> {
    let registry = gst::Registry::get();
    Plugins::ALL.into_iter().filter(|plugins| registry.find_plugin(plugins.one()).is_none()).collect()
}

/// The command that installs these sets on this system; on an unknown one, the names that Debian has.
pub fn install(plugins: &[Plugins]) -> String {
    command(System::here(), plugins)
}

fn command(system: Option<System>, plugins: &[Plugins]) -> String {
    let mut packages: Vec<_> = plugins.iter().map(|plugins| plugins.package(system.unwrap_or(System::Debian))).collect();
    packages.dedup();
    let packages = packages.join(" ");
    system.map_or_else(|| format!("the packages that Debian calls {packages}"), |system| format!("{} {packages}", system.command()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_system() {
        let systems = [
            ("ID=debian\nVERSION_CODENAME=bookworm", "apt install gstreamer1.0-plugins-bad gstreamer1.0-libav"),
            ("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"", "apt install gstreamer1.0-plugins-bad gstreamer1.0-libav"),
            ("ID=fedora", "dnf install gstreamer1-plugins-bad-free gstreamer1-plugin-libav"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "dnf install gstreamer1-plugins-bad-free gstreamer1-plugin-libav"),
            ("ID=manjaro\nID_LIKE=arch", "pacman -S gst-plugins-bad gst-libav"),
            ("ID=void", "the packages that Debian calls gstreamer1.0-plugins-bad gstreamer1.0-libav"),
        ];
        for (release, expected) in systems {
            assert_eq!(command(System::of(release), &[Plugins::Bad, Plugins::Libav]), expected, "{release}");
        }
        assert_eq!(command(Some(System::Homebrew), &Plugins::ALL), "brew install gstreamer");
        assert_eq!(command(Some(System::Windows), &Plugins::ALL), "pip install gstreamer-bundle");
    }
}
