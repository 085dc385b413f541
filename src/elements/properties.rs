// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties that several elements have, and how values are read.

use std::ops::RangeInclusive;

use gst::glib;
use gst::glib::translate::{FromGlib, IntoGlib};
use gst::prelude::*;

/// The value of a property.
pub(super) fn extract<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value) -> T {
    value.get().unwrap_or_else(|_| unreachable!("GObject checks the type before it sets a property"))
}

/// The values of the property `post-messages`: when an element posts its results on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionPostMessages")]
pub enum PostMessages {
    /// Never.
    #[default]
    #[enum_value(name = "Post no messages", nick = "none")]
    None,
    /// When the result differs from the last message.
    #[enum_value(name = "Post a message when the result changes", nick = "on-change")]
    OnChange,
    /// For every frame.
    #[enum_value(name = "Post a message for every frame", nick = "every")]
    Every,
}

/// A property of an element: how it is described, read and set. `S` holds the values of the element's properties.
pub(super) struct Property<S> {
    spec: glib::ParamSpec,
    get: fn(&S) -> glib::Value,
    set: fn(&mut S, &glib::Value),
}

impl<S> Property<S> {
    /// A property that `get` and `set` access.
    pub(super) fn new(spec: glib::ParamSpec, get: fn(&S) -> glib::Value, set: fn(&mut S, &glib::Value)) -> Self {
        Self { spec, get, set }
    }
}

/// A property that is a field: `field!(Settings: SPEC, FIELD)`.
macro_rules! field {
    ($settings:ty: $spec:expr, $($field:ident).+) => {
        $crate::elements::properties::Property::<$settings>::new(
            $spec,
            |settings| settings.$($field).+.to_value(),
            |settings, value| settings.$($field).+ = $crate::elements::properties::extract(value),
        )
    };
}
pub(super) use field;

/// The properties of an element, or some of them.
pub(super) struct Properties<S>(Vec<Property<S>>);

impl<S> Properties<S> {
    /// These properties.
    pub(super) fn new(properties: Vec<Property<S>>) -> Self {
        Self(properties)
    }

    /// How they are described.
    pub(super) fn specs(&self) -> impl Iterator<Item = glib::ParamSpec> {
        self.0.iter().map(|property| property.spec.clone())
    }

    /// Sets a property in `settings`; false if it is not one of these.
    pub(super) fn set(&self, settings: &mut S, name: &str, value: &glib::Value) -> bool {
        self.find(name).inspect(|property| (property.set)(settings, value)).is_some()
    }

    /// The value of a property in `settings`; `None` if it is not one of these.
    pub(super) fn get(&self, settings: &S, name: &str) -> Option<glib::Value> {
        self.find(name).map(|property| (property.get)(settings))
    }

    fn find(&self, name: &str) -> Option<&Property<S>> {
        self.0.iter().find(|property| property.spec.name() == name)
    }
}

/// When a property may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the element starts.
    Ready,
    /// At any time; the next frame honours it.
    Playing,
}

impl When {
    fn flags(self) -> glib::ParamFlags {
        let mutable = if self == Self::Ready { gst::PARAM_FLAG_MUTABLE_READY } else { gst::PARAM_FLAG_MUTABLE_PLAYING };
        glib::ParamFlags::READWRITE | mutable
    }
}

/// A property with an unsigned number.
pub(super) fn uint(name: &str, nick: &str, blurb: &str, range: RangeInclusive<u32>, default: u32, when: When) -> glib::ParamSpec {
    let builder = glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb).minimum(*range.start()).maximum(*range.end());
    builder.default_value(default).flags(when.flags()).build()
}

/// A property with a large unsigned number, such as a time in nanoseconds.
pub(super) fn uint64(name: &str, nick: &str, blurb: &str, default: u64, when: When) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder(name).nick(nick).blurb(blurb).default_value(default).flags(when.flags()).build()
}

/// A property with an integer from 0.
pub(super) fn int(name: &str, nick: &str, blurb: &str, maximum: i32, default: i32, when: When) -> glib::ParamSpec {
    let builder = glib::ParamSpecInt::builder(name).nick(nick).blurb(blurb).minimum(0).maximum(maximum);
    builder.default_value(default).flags(when.flags()).build()
}

/// A property with a number that need not be whole.
pub(super) fn double(name: &str, nick: &str, blurb: &str, range: RangeInclusive<f64>, default: f64, when: When) -> glib::ParamSpec {
    let builder = glib::ParamSpecDouble::builder(name).nick(nick).blurb(blurb).minimum(*range.start()).maximum(*range.end());
    builder.default_value(default).flags(when.flags()).build()
}

/// A property that is on or off.
pub(super) fn boolean(name: &str, nick: &str, blurb: &str, default: bool, when: When) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default).flags(when.flags()).build()
}

/// A property with a text, unset by default.
pub(super) fn string(name: &str, nick: &str, blurb: &str, when: When) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).flags(when.flags()).build()
}

/// A property with a choice.
pub(super) fn choice<T>(name: &str, nick: &str, blurb: &str, default: T, when: When) -> glib::ParamSpec
where
    T: StaticType + FromGlib<i32> + IntoGlib<GlibType = i32>,
{
    glib::ParamSpecEnum::builder_with_default(name, default).nick(nick).blurb(blurb).flags(when.flags()).build()
}

/// Default of the property `idle-interval`.
pub(super) const IDLE_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;

/// The property `async`.
pub(super) fn asynchronous() -> glib::ParamSpec {
    let blurb = "Run the network on a worker thread: frames never wait, and results are attached to later frames with their age";
    boolean("async", "Asynchronous", blurb, false, When::Ready)
}

/// The property `motion-gate`, with what it does in the element.
pub(super) fn motion_gate(blurb: &str) -> glib::ParamSpec {
    boolean("motion-gate", "Motion gate", blurb, true, When::Playing)
}

/// The property `idle-interval`, with what it limits in the element.
pub(super) fn idle_interval(blurb: &str) -> glib::ParamSpec {
    uint64("idle-interval", "Idle interval", blurb, IDLE_INTERVAL.nseconds(), When::Playing)
}

/// The property `post-messages`, with what the message has.
pub(super) fn post_messages(blurb: &str) -> glib::ParamSpec {
    choice("post-messages", "Post messages", blurb, PostMessages::default(), When::Playing)
}

/// The properties that describe what runs. They are unset, or empty, unless the element is started.
pub(super) fn read_only() -> [glib::ParamSpec; 4] {
    let text = |name: &str, nick: &str, blurb: &str| glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).read_only().build();
    [
        text("model-name", "Model name", "Name of the loaded model (unset unless the element is started)"),
        text(
            "model-sha256",
            "Model's SHA-256",
            "SHA-256 of the loaded model's file, then of a refiner's that belongs to it (unset unless the element is started)",
        ),
        text(
            "model-description-sha256",
            "SHA-256 of the model's description",
            "SHA-256 of the loaded model's model.toml, then of a refiner's that belongs to it (unset unless the element is started)",
        ),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Counts of frames and faces, and percentiles of the time per step, in microseconds")
            .read_only()
            .build(),
    ]
}
