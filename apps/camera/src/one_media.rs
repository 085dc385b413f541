// SPDX-License-Identifier: MIT OR Apache-2.0
//! A factory of one media for all clients. GStreamer's own one makes another media, with its own encoder, for each query and each port in
//! the addresses of clients, so a forwarded port is enough.

use gst::glib;

glib::wrapper! {
    /// The factory.
    pub struct Factory(ObjectSubclass<imp::Factory>) @extends gst_rtsp_server::RTSPMediaFactory;
}

impl Factory {
    /// A factory without a launch line.
    pub fn new() -> Self {
        glib::Object::new()
    }
}

mod imp {
    use gst::glib;
    use gst::subclass::prelude::*;
    use gst_rtsp_server::subclass::prelude::*;

    /// The instance of the factory.
    #[derive(Default)]
    pub struct Factory;

    #[glib::object_subclass]
    impl ObjectSubclass for Factory {
        const NAME: &'static str = "EmotionCameraFactory";
        type Type = super::Factory;
        type ParentType = gst_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Factory {}

    impl RTSPMediaFactoryImpl for Factory {
        /// The name of the media that an address stands for: always the same.
        fn gen_key(&self, _url: &gst_rtsp::RTSPUrl) -> Option<glib::GString> {
            Some("faces".into())
        }
    }
}
