// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages by which Home Assistant discovers the camera (MQTT discovery): a device with an entity for the connection, one
//! for the number of faces if summaries are published, one for events if events are, and those of the switches if commands are taken.

use emotion_supervise::chain::MAX_INTERVAL;
use serde_json::{Value, json};

use crate::options::{Options, Publish};
use crate::switches::{SET, STATE};
use crate::value::Schema;

/// A line for each message: topic, space, payload.
pub fn messages(prefix: &str, options: &Options, publish: &Publish) -> String {
    let topic = &publish.location.topic;
    let id: String = topic.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let device = json!({
        "identifiers": [format!("emotion_{id}")],
        "name": options.name,
        "model": "emotion-camera",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let mut lines = String::new();
    let switches = if publish.switches_file.is_some() { switches(topic) } else { Vec::new() };
    for (component, object, mut config) in entities(topic, &publish.schemas, options.settings.geometry).into_iter().chain(switches) {
        config["unique_id"] = json!(format!("emotion_{id}_{object}"));
        config["device"] = device.clone();
        if object != "connected" {
            config["availability_topic"] = json!(format!("{topic}/status"));
        }
        lines += &format!("{prefix}/{component}/{id}/{object}/config {config}\n");
    }
    lines
}

/// Component, name and configuration of each entity.
fn entities(topic: &str, schemas: &[Schema], has_geometry: bool) -> Vec<(&'static str, &'static str, Value)> {
    let mut entities = vec![(
        "binary_sensor",
        "connected",
        json!({
            "name": "Connected",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": format!("{topic}/status"),
            "payload_on": "online",
            "payload_off": "offline",
        }),
    )];
    if schemas.contains(&Schema::Summary) {
        let config = json!({
            "name": "Faces",
            "icon": "mdi:face-recognition",
            "state_class": "measurement",
            "state_topic": format!("{topic}/summary"),
            "value_template": "{{ value_json.faces_max }}",
        });
        entities.push(("sensor", "faces", config));
    }
    if schemas.contains(&Schema::Events) {
        entities.push(("event", "face", face(topic, has_geometry)));
    }
    entities
}

/// The entities that send commands.
fn switches(topic: &str) -> Vec<(&'static str, &'static str, Value)> {
    let (command, state) = (format!("{topic}/{SET}"), format!("{topic}/{STATE}"));
    let switch = |(object, name, icon): (&'static str, &str, &str)| {
        let config = json!({
            "name": name,
            "icon": icon,
            "entity_category": "config",
            "command_topic": command,
            "payload_on": format!("{{\"{object}\": true}}"),
            "payload_off": format!("{{\"{object}\": false}}"),
            "state_topic": state,
            "state_on": "True",
            "state_off": "False",
            "value_template": format!("{{{{ value_json.{object} }}}}"),
        });
        ("switch", object, config)
    };
    let names = [
        ("analysis", "Analysis", "mdi:face-recognition"),
        ("blur", "Blur faces", "mdi:blur"),
        ("totals_only", "Totals only", "mdi:incognito"),
    ];
    let interval = json!({
        "name": "Frames between searches",
        "icon": "mdi:timer-outline",
        "entity_category": "config",
        "command_topic": command,
        "command_template": "{\"interval\": {{ value | int }}}",
        "state_topic": state,
        "value_template": "{{ value_json.interval }}",
        "min": 1,
        "max": MAX_INTERVAL,
    });
    names.map(switch).into_iter().chain([("number", "interval", interval)]).collect()
}

/// The entity for events. Home Assistant refuses those whose type it does not list.
fn face(topic: &str, has_geometry: bool) -> Value {
    let (types, fields): (&[&str], _) = if has_geometry {
        let fields = ", 'active': value_json.active | default(none), 'direction': value_json.direction | default(none)";
        (&["appeared", "expression", "turned", "eyes_closed", "blink", "speaking", "left"], fields)
    } else {
        (&["appeared", "expression", "left"], "")
    };
    json!({
        "name": "Face",
        "icon": "mdi:face-recognition",
        "event_types": types,
        "state_topic": format!("{topic}/events"),
        "value_template": format!(
            "{{{{ {{'event_type': value_json.type, 'id': value_json.id, \
             'apparent_expression': value_json.to | default(none){fields}}} | tojson }}}}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn sent(arguments: &str) -> Vec<(String, Value)> {
        let line = format!("emotion-camera /dev/video0 --name Front_door --publish-location mqtt://host/emotion/front-door {arguments}");
        let settings = Settings::read_one(line.split_whitespace().map(Into::into)).unwrap();
        let options = Options::new(settings, |_| None).unwrap();
        let text = messages("homeassistant", &options, options.publish.as_ref().unwrap());
        let lines = text.lines().map(|line| line.split_once(' ').unwrap());
        lines.map(|(topic, payload)| (topic.to_owned(), serde_json::from_str(payload).unwrap())).collect()
    }

    #[test]
    fn each_schema_has_an_entity_of_one_device() {
        let all = sent("--publish-schemas events,summary");
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let expected = ["binary_sensor/emotion_front_door/connected", "sensor/emotion_front_door/faces", "event/emotion_front_door/face"];
        assert_eq!(topics, expected.map(|topic| format!("homeassistant/{topic}/config")));
        assert!(all.iter().all(|(_, config)| config["device"] == all[0].1["device"] && config["device"]["name"] == "Front_door"));
        assert_eq!(all[1].1["state_topic"], "emotion/front-door/summary");
        assert_eq!(all[2].1["availability_topic"], "emotion/front-door/status");
        assert_eq!(sent("--publish-schemas faces").len(), 1);
    }

    #[test]
    fn the_switches_are_there_if_commands_are_taken() {
        let all = sent("--publish-switches-file switches.json");
        let switches: Vec<_> = all.iter().filter(|(_, config)| config["command_topic"] == "emotion/front-door/set").collect();
        let topics: Vec<&str> = switches.iter().filter_map(|(topic, _)| topic.split('/').nth(3)).collect();
        assert_eq!(topics, ["analysis", "blur", "totals_only", "interval"]);
        let (_, blur) = switches[1];
        assert_eq!((&blur["payload_on"], &blur["state_topic"]), (&json!("{\"blur\": true}"), &json!("emotion/front-door/state")));
        assert_eq!(blur["value_template"], "{{ value_json.blur }}");
    }

    #[test]
    fn the_events_of_geometry_are_listed_with_it() {
        let face = |arguments| sent(arguments).pop().unwrap().1;
        let (without, with) = (face(""), face("--geometry"));
        assert_eq!(without["event_types"], json!(["appeared", "expression", "left"]));
        assert_eq!(
            without["value_template"],
            "{{ {'event_type': value_json.type, 'id': value_json.id, 'apparent_expression': value_json.to | default(none)} | tojson }}"
        );
        assert_eq!(with["event_types"].as_array().unwrap().len(), 7);
        assert!(with["value_template"].as_str().unwrap().contains("'active': value_json.active | default(none), 'direction'"));
    }
}
