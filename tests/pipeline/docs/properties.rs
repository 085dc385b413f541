// SPDX-License-Identifier: MIT OR Apache-2.0
//! `docs/properties.md` lists the properties of the elements as `gst-inspect-1.0` shows them. Running the test with
//! `UPDATE_PROPERTIES=1` rewrites the lists. What of them, of the pads and of `stats` is promised is in a list of its own.

use std::fmt::Write;

use gst::glib;
use gst::prelude::*;

use test_support::gstreamer::init;
use test_support::{promises, repository};

/// The elements in the order of the page. OpenCV's plugin may own the name `facedetect`.
const ELEMENTS: [&str; 6] = ["emotionfacedetect", "facelandmarks", "emotionclassify", "emotionoverlay", "emotionexport", "emotionpublish"];
/// The action signals that elements have, if they have them.
const ACTION_SIGNALS: [&str; 2] = ["calibrate", "reset-baseline"];
/// What precedes the lists of the page.
const START: &str = "<!-- properties -->\n";

/// The type of a property, and its range if that is narrower than the type.
fn type_of(property: &glib::ParamSpec) -> String {
    macro_rules! number {
        ($spec:ident, $name:literal, $type:ty) => {
            if let Some(number) = property.downcast_ref::<glib::$spec>() {
                let range = (number.minimum(), number.maximum());
                let is_whole = range == (<$type>::MIN, <$type>::MAX);
                return if is_whole { $name.into() } else { format!(concat!($name, ", {} to {}"), range.0, range.1) };
            }
        };
    }
    number!(ParamSpecInt, "integer", i32);
    number!(ParamSpecUInt, "unsigned integer", u32);
    number!(ParamSpecUInt64, "unsigned integer", u64);
    number!(ParamSpecDouble, "number", f64);
    number!(ParamSpecFloat, "number", f32);
    let kind = property.value_type();
    if let Some(class) = glib::EnumClass::with_type(kind) {
        return class.values().iter().map(|value| format!("`{}`", value.nick())).collect::<Vec<_>>().join(", ");
    }
    match kind {
        glib::Type::BOOL => "boolean".into(),
        glib::Type::STRING => "string".into(),
        kind if kind == gst::Structure::static_type() => "structure".into(),
        kind if glib::FlagsClass::with_type(kind).is_some() => "flags".into(),
        kind => panic!("{}: a type without a name: {kind}", property.name()),
    }
}

fn default_of(property: &glib::ParamSpec) -> String {
    let value = property.default_value();
    if !property.flags().contains(glib::ParamFlags::WRITABLE) {
        return String::new();
    }
    let text = if let Some((_, flags)) = glib::FlagsValue::from_value(value) {
        flags.iter().map(|flag| flag.nick()).collect::<Vec<_>>().join("+")
    } else if let Ok(number) = value.get::<f64>() {
        number.to_string()
    } else if let Ok(text) = value.get::<Option<String>>() {
        text.unwrap_or_default()
    } else {
        value.serialize().map(|text| text.trim_matches('"').to_owned()).unwrap_or_default()
    };
    if text.is_empty() { text } else { format!("`{text}`") }
}

fn when_set(property: &glib::ParamSpec) -> &'static str {
    let flags = property.flags();
    if !flags.contains(glib::ParamFlags::WRITABLE) {
        "read only"
    } else if flags.intersects(gst::PARAM_FLAG_MUTABLE_PLAYING) {
        "at any time"
    } else {
        "before the start"
    }
}

/// The properties of an element that its base classes do not have, by name.
fn own_properties(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let properties = element.list_properties();
    let mut own: Vec<_> = properties.iter().filter(|property| property.owner_type().name().contains("Emotion")).cloned().collect();
    own.sort_by_key(|property| property.name().to_owned());
    own
}

/// Lists the properties of an element. Those of GStreamer's base classes depend on its version.
fn list(name: &str) -> String {
    let element = gst::ElementFactory::make(name).build().unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut text = format!("\n## {}\n\n", if name == "emotionfacedetect" { "facedetect" } else { name });
    text += "| property | type | default | set | description |\n|---|---|---|---|---|\n";
    for property in &own_properties(&element) {
        let blurb = property.blurb().unwrap_or_default().replace('|', "\\|").replace('<', "\\<");
        let (kind, default) = (type_of(property), default_of(property));
        writeln!(text, "| `{}` | {kind} | {default} | {} | {blurb} |", property.name(), when_set(property)).expect("memory");
    }
    text
}

#[test]
fn the_page_of_properties_lists_those_of_the_elements() {
    init();
    let lists = ELEMENTS.map(list).concat();
    let file = repository().join("docs/properties.md");
    let page = std::fs::read_to_string(&file).expect("the page of properties");
    let (before, known) = page.split_once(START).expect("the start of the lists");
    if std::env::var_os("UPDATE_PROPERTIES").is_some() {
        std::fs::write(&file, [before, START, &lists].concat()).expect("the page can be written");
    } else {
        assert_eq!(known, lists, "docs/properties.md differs from the elements; UPDATE_PROPERTIES=1 rewrites it");
    }
}

/// A line for each property of an element, each choice of one, each field of its statistics, and what its pads take.
fn promised(name: &str) -> Vec<String> {
    let element = gst::ElementFactory::make(name).build().unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut lines = vec![format!("{name}: {}", element.type_().name())];
    for property in own_properties(&element) {
        let (kind, default, set) = (type_of(&property), default_of(&property), when_set(&property));
        let spelled = format!("{name} {}", property.name());
        if let Some(class) = glib::EnumClass::with_type(property.value_type()) {
            lines.extend(class.values().iter().map(|value| format!("{spelled}={}", value.nick())));
            lines.push(format!("{spelled}: choice, {default}, {set}"));
        } else {
            lines.push(format!("{spelled}: {kind}, {default}, {set}"));
        }
        if property.value_type() == gst::Structure::static_type()
            && let Some(structure) = element.property::<Option<gst::Structure>>(property.name())
        {
            lines.extend(promises::structure_fields(&spelled, &structure));
        }
    }
    for query in ACTION_SIGNALS.iter().filter_map(|signal| glib::subclass::SignalId::lookup(signal, element.type_())).map(|id| id.query()) {
        let kinds: Vec<_> = query.param_types().iter().map(|kind| kind.type_().name()).collect();
        lines.push(format!("{name} signal {}: {}", query.signal_name(), kinds.join(", ")));
    }
    lines.extend(element.pad_template_list().iter().flat_map(|template| pad_lines(name, template)));
    lines
}

/// A line for each kind of stream that a pad takes, and for each of its pixel formats.
fn pad_lines(name: &str, template: &gst::PadTemplate) -> Vec<String> {
    let formats = |structure: &gst::StructureRef| -> Vec<String> {
        match (structure.get::<gst::List>("format"), structure.get::<String>("format")) {
            (Ok(list), _) => list.iter().filter_map(|format| format.get::<String>().ok()).collect(),
            (_, Ok(format)) => vec![format],
            _ => Vec::new(),
        }
    };
    let mut lines = Vec::new();
    for structure in template.caps().iter() {
        let kind = format!("{name} pad {}: {}", template.name_template(), structure.name());
        lines.extend(formats(structure).iter().map(|format| format!("{kind}, {format}")));
        lines.push(kind);
    }
    lines
}

#[test]
fn what_elements_promise_is_kept() {
    init();
    promises::assert_kept("elements", ELEMENTS.iter().flat_map(|name| promised(name)));
}
