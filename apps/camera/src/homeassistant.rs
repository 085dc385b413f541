// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages by which Home Assistant discovers the camera (MQTT discovery): a device with an entity for the connection, one
//! for the number of faces if summaries are published, and one for events if events are.

use serde_json::{Value, json};

use crate::options::Publish;
use crate::value::Schema;

/// A line for each message: topic, space, payload.
pub fn messages(prefix: &str, name: &str, publish: &Publish) -> String {
    let topic = &publish.location.topic;
    let id: String = topic.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let device = json!({
        "identifiers": [format!("emotion_{id}")],
        "name": name,
        "model": "emotion-camera",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let mut lines = String::new();
    for (component, object, mut config) in entities(topic, &publish.schemas) {
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
fn entities(topic: &str, schemas: &[Schema]) -> Vec<(&'static str, &'static str, Value)> {
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
        let config = json!({
            "name": "Face",
            "icon": "mdi:face-recognition",
            "event_types": ["appeared", "expression", "left"],
            "state_topic": format!("{topic}/events"),
            "value_template": "{{ {'event_type': value_json.type, 'id': value_json.id, \
                               'apparent_expression': value_json.to | default(none)} | tojson }}",
        });
        entities.push(("event", "face", config));
    }
    entities
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use emotion_publish::Location;

    use super::*;

    fn sent(schemas: &[Schema]) -> Vec<(String, Value)> {
        let publish = Publish {
            schemas: schemas.to_vec(),
            hysteresis: Duration::ZERO,
            interval: Duration::ZERO,
            properties: Vec::new(),
            drain_timeout: Duration::ZERO,
            location: Location::parse("mqtt://host/emotion/front-door").unwrap(),
            homeassistant: None,
        };
        let text = messages("homeassistant", "Front door", &publish);
        let lines = text.lines().map(|line| line.split_once(' ').unwrap());
        lines.map(|(topic, payload)| (topic.to_owned(), serde_json::from_str(payload).unwrap())).collect()
    }

    #[test]
    fn each_schema_has_an_entity_of_one_device() {
        let all = sent(&[Schema::Events, Schema::Summary]);
        let topics: Vec<&str> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let expected = ["binary_sensor/emotion_front_door/connected", "sensor/emotion_front_door/faces", "event/emotion_front_door/face"];
        assert_eq!(topics, expected.map(|topic| format!("homeassistant/{topic}/config")));
        assert!(all.iter().all(|(_, config)| config["device"] == all[0].1["device"] && config["device"]["name"] == "Front door"));
        assert_eq!(all[1].1["state_topic"], "emotion/front-door/summary");
        assert_eq!(all[2].1["availability_topic"], "emotion/front-door/status");
        assert_eq!(sent(&[Schema::Faces]).len(), 1);
    }
}
