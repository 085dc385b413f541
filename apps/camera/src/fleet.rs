// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cameras of a configuration file: what each of them does, and what two of them cannot share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use emotion_publish::Protocol;
use emotion_supervise::configuration::Content;
use emotion_supervise::log::Log;
use thiserror::Error;

use crate::options::{Options, OptionsError};
use crate::settings::Settings;

/// Why cameras cannot be in one file.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The settings of the only camera mean nothing.
    #[error(transparent)]
    One(#[from] OptionsError),
    #[error("[[camera]] {name}: {reason}")]
    Camera { name: String, reason: OptionsError },
    #[error("[[camera]] {first} and {second} have the same {what}, {value}; write {{name}} in the one outside of the tables")]
    Repeated { first: String, second: String, what: &'static str, value: String },
    #[error("[[camera]] {name}: {what} is for all cameras, outside of the tables")]
    Shared { name: String, what: &'static str },
}

/// The options of each camera. `environment` reads an environment variable.
///
/// # Errors
/// If the settings of one mean nothing, or two of them are in each other's way.
pub fn options(settings: Content<Settings>, environment: impl Fn(&str) -> Option<String>) -> Result<Vec<Options>, FleetError> {
    let tables = match settings {
        Content::One(settings) => return Ok(vec![Options::new(settings, environment)?]),
        Content::Tables(tables) => tables,
    };
    let each = tables.into_iter().map(|settings| {
        let name = settings.name.clone().unwrap_or_default();
        match Options::new(settings, &environment) {
            Ok(options) => Ok(Options { log: Log::new(format!("emotion-camera: {name}")), ..options }),
            Err(reason) => Err(FleetError::Camera { name, reason }),
        }
    });
    let all = each.collect::<Result<Vec<_>, _>>()?;
    keep_apart(&all)?;
    all.iter().skip(1).try_for_each(|camera| match shared(&all[0], camera) {
        Some(what) => Err(FleetError::Shared { name: camera.name.clone(), what }),
        None => Ok(()),
    })?;
    Ok(all)
}

/// What differs between two cameras, though a program has it once.
fn shared(first: &Options, second: &Options) -> Option<&'static str> {
    if first.settings.metrics != second.settings.metrics {
        return Some("metrics.listen");
    }
    let (first, second) = (first.rtsp.as_ref()?, second.rtsp.as_ref()?);
    (first.listen == second.listen && first.token != second.token).then_some("rtsp.token at one address")
}

/// Fails if two cameras have something that only one can have.
fn keep_apart(cameras: &[Options]) -> Result<(), FleetError> {
    let mut owners = BTreeMap::new();
    for camera in cameras {
        for (what, value) in own(camera) {
            if let Some(first) = owners.insert((what, value.clone()), &camera.name) {
                let (first, second) = (first.clone(), camera.name.clone());
                return Err(FleetError::Repeated { first, second, what, value });
            }
        }
    }
    // An address is not shown: it may have a key.
    let mut owners = BTreeMap::new();
    for (target, name) in cameras.iter().flat_map(|camera| camera.push.iter().map(|target| (target, &camera.name))) {
        if let Some(first) = owners.insert(target, name) {
            return Err(FleetError::Repeated { first: first.clone(), second: name.clone(), what: "push", value: target.name() });
        }
    }
    Ok(())
}

/// What no other camera may have.
fn own(camera: &Options) -> Vec<(&'static str, String)> {
    let folder = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.components().collect::<PathBuf>().display().to_string()
    };
    let mut own = vec![("name", camera.name.clone())];
    own.extend(camera.files.iter().map(|files| ("files.folder", folder(&files.folder))));
    own.extend(camera.rtsp.iter().map(|rtsp| ("rtsp.path", format!("{}{}", rtsp.listen, rtsp.path))));
    if let Some(publish) = &camera.publish {
        let location = &publish.location;
        // The topics of a broker have the camera's status; records for a web server have its name.
        if location.protocol == Protocol::Mqtt {
            own.push(("publish.location", format!("{}:{}/{}", location.host, location.port, location.topic)));
        }
        own.extend(publish.switches_file.iter().map(|file| ("publish.switches-file", folder(file))));
        let named = |name: &str| publish.properties.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone());
        own.extend(named("client-id").map(|id| ("publish.client-id", id)));
        own.extend(named("spool-location").map(|path| ("publish.spool-location", folder(path.as_ref()))));
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options of cameras with these tables, and texts before them.
    fn cameras(test: &str, text: &str) -> Result<Vec<Options>, String> {
        let file = std::env::temp_dir().join(format!("emotion-fleet-{test}-{}.toml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let line = ["emotion-camera".as_ref(), "--config".as_ref(), file.as_os_str()];
        let settings = Settings::read(line.map(Into::into));
        std::fs::remove_file(&file).unwrap();
        options(settings.map_err(|error| error.to_string())?, |_| None).map_err(|error| error.to_string())
    }

    const TWO: &str = "[[camera]]\nname = 'door'\nsource = 'rtsp://a/1'\n[[camera]]\nname = 'gate'\nsource = 'rtsp://a/2'\n";

    #[test]
    fn each_table_is_a_camera_with_the_settings_outside() {
        let common = "stall = 9\n[files]\nfolder = 'days/{name}'\n[publish]\nlocation = 'mqtt://host/emotion/{name}'\n";
        let all = cameras("each", &format!("{common}{TWO}latency = 50\nfiles.seconds = 60\n")).unwrap();
        let topics: Vec<_> = all.iter().map(|camera| camera.publish.as_ref().unwrap().location.topic.as_str()).collect();
        assert_eq!(topics, ["emotion/door", "emotion/gate"]);
        assert_eq!(all[1].files.as_ref().map(|files| (files.folder.as_path(), files.length.as_secs())), Some((Path::new("days/gate"), 60)));
        assert_eq!(all.iter().map(|camera| (camera.stall.as_secs(), camera.settings.latency)).collect::<Vec<_>>(), [(9, 200), (9, 50)]);
    }

    #[test]
    fn what_only_one_camera_can_have_is_refused() {
        for (test, common, own, error) in [
            (
                "name",
                "files.folder = '{name}'\n",
                "[[camera]]\nname = 'door'\nsource = '/dev/video0'\n",
                "door and door have the same name",
            ),
            ("folder", "files.folder = 'days'\n", "files.folder = './days/'\n", "door and gate have the same files.folder"),
            (
                "topic",
                "publish.location = 'mqtt://h/a'\n",
                "publish.location = 'mqtts://h:1883/a'\n",
                "the same publish.location, h:1883/a",
            ),
            ("path", "rtsp.listen = '127.0.0.1:1'\n", "", "the same rtsp.path, 127.0.0.1:1/faces"),
            ("spool", "publish = { location = 'mqtt://h/{name}', spool-location = 's' }\n", "", "the same publish.spool-location"),
            ("id", "publish = { location = 'mqtt://h/{name}', client-id = 7 }\n", "", "the same publish.client-id, 7"),
            ("metrics", "files.folder = '{name}'\n", "metrics.listen = '127.0.0.1:1'\n", "gate: metrics.listen is for all cameras"),
            ("push", "push = ['rtmp://host/live/key']\n", "", "door and gate have the same push, rtmp://host;"),
            ("nothing", "", "", "[[camera]] door: there is nothing to do"),
        ] {
            let found = cameras(test, &format!("{common}{TWO}{own}")).unwrap_err();
            assert!(found.contains(error), "{test}: {found}");
        }
        let hook = "publish.location = 'https://host/in'\n";
        assert_eq!(cameras("hook", &format!("{hook}{TWO}")).unwrap().len(), 2, "its records have the camera's name");
    }
}
