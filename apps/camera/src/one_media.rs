// SPDX-License-Identifier: MIT OR Apache-2.0
//! A factory of one media for all clients. GStreamer's own one makes another media, with its own encoder, for each query and each port in
//! the addresses of clients, so a forwarded port is enough. Without a picture, clients get the status 503.
//!
//! GStreamer lets them wait for 20 s. When the first of them gives up, it refuses others as long as somebody still waits, although the
//! camera may be there again.

use std::sync::Arc;

use gst::glib;
use gst::subclass::prelude::*;

use crate::rtsp::Outlet;

glib::wrapper! {
    /// The factory.
    pub struct Factory(ObjectSubclass<imp::Factory>) @extends gst_rtsp_server::RTSPMediaFactory;
}

glib::wrapper! {
    /// A media that cannot be prepared.
    pub struct Absent(ObjectSubclass<imp::Absent>) @extends gst_rtsp_server::RTSPMedia;
}

impl Factory {
    /// A factory without a launch line.
    pub fn new(outlet: Arc<Outlet>) -> Self {
        let factory: Self = glib::Object::new();
        let _ = factory.imp().outlet.set(outlet);
        factory
    }
}

mod imp {
    use std::cell::Cell;
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, OnceLock};

    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gst_rtsp_server::subclass::prelude::*;
    use gst_rtsp_server::{RTSPMedia, RTSPThread};

    use crate::rtsp::Outlet;

    thread_local! {
        /// True if the client that this thread serves gets no media. A picture may come while it is served.
        static IS_REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    /// The instance of the factory.
    #[derive(Default)]
    pub struct Factory {
        pub outlet: OnceLock<Arc<Outlet>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Factory {
        const NAME: &'static str = "EmotionCameraFactory";
        type Type = super::Factory;
        type ParentType = gst_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Factory {}

    impl RTSPMediaFactoryImpl for Factory {
        /// The name of the media that an address stands for: the same for all clients. A media without a name is not shared.
        fn gen_key(&self, _url: &gst_rtsp::RTSPUrl) -> Option<glib::GString> {
            let outlet = self.outlet.get().filter(|outlet| outlet.has_picture());
            IS_REFUSED.set(outlet.is_none());
            outlet.map(|outlet| outlet.media.load(Ordering::Relaxed).to_string().into())
        }

        fn construct(&self, url: &gst_rtsp::RTSPUrl) -> Option<RTSPMedia> {
            if IS_REFUSED.get() {
                return Some(glib::Object::builder::<super::Absent>().property("element", gst::Bin::new()).build().upcast());
            }
            self.parent_construct(url)
        }
    }

    /// The instance of the media.
    #[derive(Default)]
    pub struct Absent;

    #[glib::object_subclass]
    impl ObjectSubclass for Absent {
        const NAME: &'static str = "EmotionCameraAbsent";
        type Type = super::Absent;
        type ParentType = RTSPMedia;
    }

    impl ObjectImpl for Absent {}

    impl RTSPMediaImpl for Absent {
        fn prepare(&self, _thread: &RTSPThread) -> Result<(), gst::LoggableError> {
            Err(gst::loggable_error!(gst::CAT_DEFAULT, "there is no picture"))
        }
    }
}
