// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionpublish`: caps, stream and class.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use emotion_publish::mqtt::Mqtt;
use emotion_publish::nats::Nats;
use emotion_publish::osc::{OscSender, Sent};
use emotion_publish::session::{Notice, Publisher};
use emotion_publish::webhook::Webhook;
use emotion_publish::{Counts, Outbox, Protocol};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use parking_lot::Mutex;

use super::settings::{PROPERTIES, Settings, error_of};
use crate::elements::bus::error_message;
use crate::elements::emotionexport;
use crate::error::Result;

pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("emotionpublish", gst::DebugColorFlags::empty(), Some("Records to a message broker")));

/// The schema of records of faces.
const FACES: &str = "faces";
/// Number of records without a geometry after which that is worth a warning.
const RECORDS_BEFORE_WARNING: u64 = 100;

/// The instance of `emotionpublish`.
#[derive(Default)]
pub struct EmotionPublish {
    settings: Mutex<Settings>,
    state: Mutex<State>,
}

/// Where records go. Shared, so that no lock is held while it drains.
#[derive(Clone)]
enum Outlet {
    /// A broker, which confirms them.
    Broker(Arc<Publisher>),
    /// An avatar program, which does not.
    Avatar(Arc<Avatar>),
}

/// A receiver by OSC, and what was already said about it.
struct Avatar {
    sender: OscSender,
    has_warned_of_geometry: AtomicBool,
    has_warned_of_failure: AtomicBool,
}

impl Outlet {
    fn counts(&self) -> Counts {
        match self {
            Self::Broker(publisher) => publisher.counts(),
            Self::Avatar(avatar) => avatar.sender.counts(),
        }
    }
}

#[derive(Default)]
struct State {
    /// Exists while the element is started.
    outlet: Option<Outlet>,
    /// From the caps.
    schema: Option<Arc<str>>,
    /// The counts of the last outlet.
    last_counts: Counts,
}

impl EmotionPublish {
    fn outlet(&self) -> Option<Outlet> {
        self.state.lock().outlet.clone()
    }

    /// The publisher, if records go to a broker.
    fn publisher(&self) -> Option<Arc<Publisher>> {
        match self.outlet() {
            Some(Outlet::Broker(publisher)) => Some(publisher),
            _ => None,
        }
    }

    fn start_outlet(&self) -> Result<Outlet> {
        let settings = self.settings.lock().clone();
        let location = settings.location()?;
        if location.protocol == Protocol::Osc {
            let (has_warned_of_geometry, has_warned_of_failure) = Default::default();
            let avatar = Avatar { sender: OscSender::open(&location).map_err(error_of)?, has_warned_of_geometry, has_warned_of_failure };
            return Ok(Outlet::Avatar(Arc::new(avatar)));
        }
        let outbox = Outbox::open(&settings.limits()?).map_err(error_of)?;
        let login = settings.login(&location, outbox.start())?;
        if login.tls.is_none() && login.password.is_some() && location.protocol != Protocol::Webhook {
            gst::warning!(CAT, imp = self, "the password is sent in the clear; mqtts:// and nats+tls:// encrypt it");
        }
        let retained = settings.retained(location.protocol)?;
        let publisher = match location.protocol {
            Protocol::Mqtt => {
                let broker = Mqtt { location, version: settings.mqtt_version.into(), login, retained, has_status: true };
                Publisher::start(outbox, broker, self.observer())
            }
            Protocol::Webhook => Publisher::start(outbox, Webhook::new(location, login).map_err(error_of)?, self.observer()),
            Protocol::Nats | Protocol::Osc => Publisher::start(outbox, Nats { location, login }, self.observer()),
        };
        Ok(Outlet::Broker(Arc::new(publisher.map_err(error_of)?)))
    }

    /// Sends the records of a frame to an avatar program. Warns once if they have no geometry, and once if nobody takes them.
    fn send(&self, avatar: &Avatar, text: &[u8]) {
        let is_first = |warned: &AtomicBool| !warned.swap(true, Ordering::Relaxed);
        match avatar.sender.send(text) {
            Sent::Packets => avatar.has_warned_of_failure.store(false, Ordering::Relaxed),
            Sent::NoGeometry if avatar.sender.counts().exported < RECORDS_BEFORE_WARNING => {}
            Sent::NoGeometry if is_first(&avatar.has_warned_of_geometry) && avatar.sender.counts().sent == 0 => {
                gst::element_imp_warning!(
                    self,
                    gst::StreamError::Failed,
                    ("no face has blendshapes; put facelandmarks before emotionexport, and leave emotionexport geometry at auto")
                );
            }
            Sent::NoGeometry => {}
            Sent::Failed(error) if is_first(&avatar.has_warned_of_failure) => {
                gst::element_imp_warning!(self, gst::ResourceError::Write, ("the avatar program does not receive: {error}; going on"));
            }
            Sent::Failed(_) => {}
        }
    }

    /// Translates notices into messages on the bus. The stream goes on whatever happens to the broker.
    fn observer(&self) -> impl FnMut(Notice) + Send + 'static {
        let element = self.obj().downgrade();
        let mut was_disconnected = false;
        move |notice| {
            let Some(element) = element.upgrade() else { return };
            match notice {
                Notice::Connected if std::mem::take(&mut was_disconnected) => {
                    gst::element_info!(element, gst::ResourceError::OpenWrite, ("connected to the broker"));
                }
                Notice::Connected => gst::info!(CAT, obj = element, "connected to the broker"),
                Notice::Disconnected(reason) => {
                    was_disconnected = true;
                    gst::element_warning!(element, gst::ResourceError::OpenWrite, ("no connection to the broker: {reason}; trying again"));
                }
                Notice::Problem(problem) => gst::element_warning!(element, gst::ResourceError::Write, ("{problem}")),
            }
        }
    }

    fn stats(&self) -> gst::Structure {
        let (outlet, publisher) = (self.outlet(), self.publisher());
        let counts = outlet.map_or_else(|| self.state.lock().last_counts, |outlet| outlet.counts());
        let Counts { exported, recovered, sent, queued, dropped, rejected, reconnects, queued_bytes } = counts;
        gst::Structure::builder("application/x-emotionpublish-stats")
            .field("exported", exported)
            .field("recovered", recovered)
            .field("sent", sent)
            .field("queued", queued)
            .field("dropped", dropped)
            .field("rejected", rejected)
            .field("reconnects", reconnects)
            .field("queued-bytes", queued_bytes)
            .field("connected", publisher.is_some_and(|publisher| publisher.is_connected()))
            .build()
    }

    /// Waits until everything is sent. What is left after the timeout stays in the spool, or is lost.
    fn drain(&self, publisher: &Publisher) {
        let limit = self.settings.lock().drain_timeout();
        gst::debug!(CAT, imp = self, "waiting up to {limit:?} until everything is sent");
        if !publisher.drain(limit) {
            let queued = publisher.counts().queued;
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{queued} messages were not sent within {limit:?}"));
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionPublish {
    const NAME: &'static str = "GstEmotionPublish";
    type Type = super::EmotionPublish;
    type ParentType = gst_base::BaseSink;
}

impl ObjectImpl for EmotionPublish {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Counts of messages; exported + recovered = sent + queued + dropped")
                .read_only()
                .build();
            PROPERTIES.specs().chain([stats]).collect()
        });
        &SPECS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        PROPERTIES.set(&mut self.settings.lock(), pspec.name(), value);
        // Without the value, since a location may contain a password by mistake.
        gst::info!(CAT, imp = self, "{} is set", pspec.name());
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let own = PROPERTIES.get(&self.settings.lock(), pspec.name());
        own.unwrap_or_else(|| self.stats().to_value())
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        // Records are sent when they come. The sink is asynchronous nevertheless, and starts with the first record or gap:
        // otherwise gst-launch-1.0 of GStreamer 1.22 misses the end of most files that decodebin decodes.
        element.set_sync(false);
        element.set_enable_last_sample(false);
    }
}

impl GstObjectImpl for EmotionPublish {}

impl ElementImpl for EmotionPublish {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression publisher",
                "Sink/Network",
                "Publishes the records of emotionexport to a message broker or to an avatar program",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = emotionexport::record_caps();
            let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps);
            vec![template.expect("the template is valid")]
        });
        &TEMPLATES
    }
}

impl BaseSinkImpl for EmotionPublish {
    fn start(&self) -> std::result::Result<(), gst::ErrorMessage> {
        let outlet = self.start_outlet().map_err(|error| error_message(&error))?;
        let mut state = self.state.lock();
        *state = State { outlet: Some(outlet), ..State::default() };
        Ok(())
    }

    fn stop(&self) -> std::result::Result<(), gst::ErrorMessage> {
        let mut state = self.state.lock();
        let outlet = state.outlet.take();
        state.last_counts = outlet.as_ref().map(Outlet::counts).unwrap_or_default();
        drop(state);
        // Without the lock: says goodbye to the broker, which may take a second.
        drop(outlet);
        Ok(())
    }

    fn set_caps(&self, caps: &gst::Caps) -> std::result::Result<(), gst::LoggableError> {
        let schema = caps.structure(0).and_then(|structure| structure.get::<&str>("schema").ok());
        let schema = schema.ok_or_else(|| gst::loggable_error!(CAT, "caps without a schema: {caps:?}"))?;
        let mut state = self.state.lock();
        if matches!(state.outlet, Some(Outlet::Avatar(_))) && schema != FACES {
            return Err(gst::loggable_error!(CAT, "expected records of the schema {FACES} for osc://, found {schema}"));
        }
        state.schema = Some(schema.into());
        Ok(())
    }

    fn render(&self, buffer: &gst::Buffer) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
        let (outlet, schema) = {
            let state = self.state.lock();
            (state.outlet.clone().ok_or(gst::FlowError::Flushing)?, state.schema.clone().ok_or(gst::FlowError::NotNegotiated)?)
        };
        let text = buffer.map_readable().map_err(|_| {
            gst::element_imp_error!(self, gst::ResourceError::Read, ("could not map a buffer"));
            gst::FlowError::Error
        })?;
        match outlet {
            Outlet::Broker(publisher) => publisher.push(&schema, &text),
            Outlet::Avatar(avatar) => self.send(&avatar, &text),
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn event(&self, event: gst::Event) -> bool {
        if let (gst::EventView::Eos(_), Some(publisher)) = (event.view(), self.publisher()) {
            self.drain(&publisher);
        }
        self.parent_event(event)
    }

    fn unlock(&self) -> std::result::Result<(), gst::ErrorMessage> {
        self.publisher().inspect(|publisher| publisher.interrupt(true));
        Ok(())
    }

    fn unlock_stop(&self) -> std::result::Result<(), gst::ErrorMessage> {
        self.publisher().inspect(|publisher| publisher.interrupt(false));
        Ok(())
    }
}
