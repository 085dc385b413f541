// SPDX-License-Identifier: MIT OR Apache-2.0
//! The class of an element that runs a network on each face.

/// Writes the class of an element: `time` is what `stats` calls the time per frame. A static `PROPERTIES` with the element's own
/// properties must be in scope.
macro_rules! face_element {
    (
        $(#[$doc:meta])*
        pub struct $name:ident($network:ty);
        type_name: $type_name:literal,
        factory: $factory:literal,
        time: $time:literal,
        long_name: $long_name:literal,
        description: $description:literal,
    ) => {
        use std::sync::LazyLock;

        use gst::glib;
        use gst::subclass::prelude::*;
        use gst_base::subclass::BaseTransformMode;
        use gst_base::subclass::prelude::*;

        use $crate::elements::analyser::{Analyser, base_transform_impl};
        use $crate::elements::face_network::{FaceAnalysis, FaceNetwork, settings as face_network};
        use $crate::elements::{frame, properties};

        $(#[$doc])*
        #[derive(Default)]
        pub struct $name {
            analyser: Analyser<FaceAnalysis<$network>>,
        }

        #[glib::object_subclass]
        impl ObjectSubclass for $name {
            const NAME: &'static str = $type_name;
            type Type = super::$name;
            type ParentType = gst_base::BaseTransform;
        }

        /// The properties that these elements share.
        static SHARED: LazyLock<properties::Properties<face_network::FaceSettings>> = LazyLock::new(face_network::properties);

        impl ObjectImpl for $name {
            fn signals() -> &'static [glib::subclass::Signal] {
                use face_network::Request;
                static SIGNALS: LazyLock<[glib::subclass::Signal; 2]> = LazyLock::new(|| {
                    [("calibrate", Request::Calibrate as fn(u32) -> Request), ("reset-baseline", Request::Reset)].map(|(name, request)| {
                        let signal = glib::subclass::Signal::builder(name).param_types([glib::Type::U32]).action();
                        let handler = move |values: &[glib::Value]| {
                            let element: super::$name = properties::extract(&values[0]);
                            element.imp().analyser.settings().faces.requests.lock().push(request(properties::extract(&values[1])));
                            None
                        };
                        signal.class_handler(handler).build()
                    })
                });
                &*SIGNALS
            }

            fn properties() -> &'static [glib::ParamSpec] {
                static SPECS: LazyLock<Vec<glib::ParamSpec>> =
                    LazyLock::new(|| PROPERTIES.specs().chain(SHARED.specs()).chain(properties::read_only()).collect());
                &SPECS
            }

            fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
                let (mut settings, name) = (self.analyser.settings(), pspec.name());
                let _ = PROPERTIES.set(&mut settings, name, value) || SHARED.set(&mut settings.faces, name, value);
                gst::info!(<$network>::category(), imp = self, "{name} = {value:?}");
            }

            fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
                let (settings, name) = (self.analyser.settings(), pspec.name());
                let own = PROPERTIES.get(&settings, name).or_else(|| SHARED.get(&settings.faces, name));
                own.unwrap_or_else(|| self.analyser.read_only(name, $factory, $time))
            }
        }

        impl GstObjectImpl for $name {}

        impl ElementImpl for $name {
            fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                    gst::subclass::ElementMetadata::new($long_name, "Filter/Analyzer/Video", $description, env!("CARGO_PKG_AUTHORS"))
                });
                Some(&METADATA)
            }

            fn pad_templates() -> &'static [gst::PadTemplate] {
                static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
                &TEMPLATES
            }
        }

        base_transform_impl!($name);
    };
}
pub(crate) use face_element;
