// SPDX-License-Identifier: MIT OR Apache-2.0
//! The RTSP servers: of each camera one media that all clients share, fed by the pipeline of the analysis.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use emotion_supervise::encoding::{self, Encoder, NoEncoder, STREAM_ENCODER, pace_keyframes};
use gst::glib;
use gst::glib::translate::IntoGlib;
use gst::prelude::*;
use gst_app::AppSrc;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMediaFactory, RTSPServer};
use parking_lot::Mutex;
use thiserror::Error;

use crate::graph::{began, running_time};
use crate::options::Rtsp;
use crate::{clients, one_media, onvif};

/// The user name in the addresses of clients.
const USER: &str = "viewer";
/// Maximum number of threads for clients. A DESCRIBE request blocks its thread, and all clients of that thread, until the
/// stream has a picture.
const CLIENT_THREADS: i32 = 64;

/// How long clients wait for a camera's first picture: as long as the server does.
const FIRST_PICTURE: Duration = Duration::from_secs(20);

/// Connections that wait until the server takes them. With GStreamer's 5, others wait for seconds while somebody opens many.
const BACKLOG: i32 = 128;

/// Lets a stream go on that no client has asked for. Its error would end the media for all clients that come later.
const UNWATCHED: &str = "errorignore ignore-notlinked=true convert-to=ok";

/// The launch line of the media, with a payloader for the picture, one for the records, and one for ONVIF metadata where it is
/// wanted. Frames have the times of the analysis, which go on where the camera's restart. The sources drop the oldest buffers if they
/// are full.
fn media(encoder: &Encoder, has_onvif: bool) -> String {
    let source = "is-live=true format=time do-timestamp=true leaky-type=downstream";
    let mut line = format!(
        "appsrc name=video {source} max-buffers=16 ! videoconvert ! {} ! {UNWATCHED} ! rtph264pay name=pay0 pt=96 \
         appsrc name=text {source} max-buffers=100 ! {UNWATCHED} ! rtpgstpay name=pay1 pt=97 config-interval=1",
        encoder.stream
    );
    if has_onvif {
        line += &format!(" appsrc name=onvif {source} max-buffers=100 ! {UNWATCHED} ! {} name=pay2 pt=98", onvif::PAYLOADER);
    }
    line
}

/// The record with which the second stream begins, and that it has each second in which there is no other. A client gets the
/// description of streams, and many players show a picture, only once all of them have data, and a scene without faces has no records.
const NOTHING: &str = "{\"type\":\"stream\",\"version\":1}\n";

/// After so long without a record, the streams of metadata get data that says nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Why nothing is served.
#[derive(Debug, Error)]
pub enum RtspError {
    #[error("the RTSP server has no {0}")]
    Missing(&'static str),
    #[error(transparent)]
    Encoder(#[from] NoEncoder),
    /// GStreamer rejects the payloader of ONVIF metadata.
    #[error("{0}")]
    Payloader(#[from] glib::BoolError),
    #[error("cannot listen on {0}: is the port in use?")]
    Listen(SocketAddr),
}

/// The servers, one for each address. All cameras at an address have the same secret.
#[derive(Default)]
pub struct Servers(Mutex<BTreeMap<SocketAddr, RTSPServer>>);

impl Servers {
    /// Serves a camera, on the default main context.
    ///
    /// # Errors
    /// If no encoder is installed, or the server cannot listen on its address.
    pub fn serve(&self, options: &Rtsp, outlet: &Arc<Outlet>) -> Result<(), RtspError> {
        let factory = factory(outlet, options.onvif)?;
        if options.token.is_some() {
            permit_viewers(&factory);
        }
        let mut servers = self.0.lock();
        let known = servers.get(&options.listen).cloned();
        let server = known.clone().map_or_else(|| server(options), Ok)?;
        server.mount_points().ok_or(RtspError::Missing("mount points"))?.add_factory(&options.path, factory);
        if known.is_none() {
            server.attach(None).map_err(|_| RtspError::Listen(options.listen))?;
        }
        let port = u16::try_from(server.bound_port()).unwrap_or(options.listen.port());
        servers.insert(options.listen, server);
        println!("emotion-camera: serving {}", url(SocketAddr::new(options.listen.ip(), port), &options.path));
        Ok(())
    }
}

/// A server that serves nothing yet.
fn server(options: &Rtsp) -> Result<RTSPServer, RtspError> {
    let server = RTSPServer::new();
    server.set_address(&options.listen.ip().to_string());
    server.set_service(&options.listen.port().to_string());
    server.set_backlog(BACKLOG);
    // A thread needs a descriptor, too.
    let max_clients = emotion_http::max_connections() / 2;
    let threads = i32::try_from(max_clients).map_or(CLIENT_THREADS, |max| max.min(CLIENT_THREADS));
    server.thread_pool().ok_or(RtspError::Missing("thread pool"))?.set_max_threads(threads);
    clients::limit(&server, max_clients);
    if let Some(token) = &options.token {
        require_secret(&server, token);
    }
    Ok(server)
}

/// The address for clients. That of IPv6 is in brackets (RFC 3986, section 3.2.2).
fn url(listen: SocketAddr, path: &str) -> String {
    format!("rtsp://{listen}{path}")
}

/// Lets those use a media who know the secret of its server, and nobody else.
fn permit_viewers(factory: &RTSPMediaFactory) {
    let role = gst::Structure::builder(USER)
        .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
        .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true);
    factory.add_role_from_structure(&role.build());
}

/// Requires `secret` from clients. They prove that they know it without sending it (digest authentication, RFC 2069).
fn require_secret(server: &RTSPServer, secret: &str) {
    let token = gst_rtsp_server::RTSPToken::builder().field(gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE, USER).build();
    let auth = gst_rtsp_server::RTSPAuth::new();
    auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
    auth.add_digest(USER, secret, &token);
    server.set_auth(Some(&auth));
}

/// Passes frames and records on to the media, while there is one.
#[derive(Default)]
pub struct Outlet {
    sources: Mutex<Option<Sources>>,
    /// Until when the last picture counts, or the first one is waited for.
    pictured: Mutex<Option<Instant>>,
    /// The number of the media. While the last client's media ends, the next client already gets another one.
    pub media: AtomicUsize,
    /// The pipeline of the analysis, whose times frames have.
    origin: Mutex<glib::WeakRef<gst::Pipeline>>,
}

struct Sources {
    video: AppSrc,
    text: AppSrc,
    onvif: Option<AppSrc>,
    /// When there was the last record.
    told: Instant,
}

impl Sources {
    /// Sends data that says nothing to the streams of metadata. Without `time`, it gets that of its arrival.
    fn say_nothing(&mut self, time: Option<gst::ClockTime>) {
        self.told = Instant::now();
        let send = |source: &AppSrc, bytes: Vec<u8>| {
            let mut buffer = gst::Buffer::from_mut_slice(bytes);
            buffer.make_mut().set_pts(time);
            let _ = source.push_buffer(buffer);
        };
        send(&self.text, NOTHING.into());
        self.onvif.iter().for_each(|onvif| send(onvif, onvif::empty_document()));
    }
}

/// The streams of the media.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Raw video.
    Video,
    /// NDJSON.
    Text,
    /// ONVIF metadata.
    Onvif,
}

impl Outlet {
    /// Takes samples of `pipeline` from now on.
    pub fn follow(&self, pipeline: &gst::Pipeline) {
        *self.origin.lock() = pipeline.downgrade();
        *self.pictured.lock() = Some(Instant::now() + FIRST_PICTURE);
    }

    /// The time of `sample` in the media that began at `began`; `None` before that. Both are on one clock.
    fn time(&self, began: gst::ClockTime, sample: &gst::SampleRef) -> Option<gst::ClockTime> {
        let base = self.origin.lock().upgrade()?.base_time()?;
        running_time(sample)?.saturating_add(base).checked_sub(began)
    }

    /// Sends `sample` to the clients. It is dropped without clients.
    pub fn push(&self, stream: Stream, sample: &gst::SampleRef) {
        let source = {
            let mut sources = self.sources.lock();
            let Some(sources) = sources.as_mut() else { return };
            match stream {
                Stream::Video => sources.video.clone(),
                Stream::Text => {
                    sources.told = Instant::now();
                    sources.text.clone()
                }
                Stream::Onvif => match &sources.onvif {
                    Some(onvif) => onvif.clone(),
                    None => return,
                },
            }
        };
        // All later buffers would wait for a time that is far ahead.
        let (Some(began), Some(caps), Some(mut buffer)) = (began(&source), sample.caps(), sample.buffer_owned()) else { return };
        if source.caps().as_deref() != Some(caps) {
            source.set_caps(Some(&caps.to_owned()));
        }
        let time = self.time(began, sample);
        if matches!(stream, Stream::Video) {
            // A frame that was taken before the media began would come after its own successors.
            let Some(time) = time else { return };
            let mut sources = self.sources.lock();
            let silent = sources.as_mut().filter(|sources| sources.told.elapsed() > SILENCE);
            silent.into_iter().for_each(|sources| sources.say_nothing(Some(time)));
        }
        let writable = buffer.make_mut();
        // Without a time, it gets that of its arrival.
        writable.set_pts(time);
        writable.set_dts(None);
        // Fails while the media is being stopped, when no clients are left.
        let _ = source.push_buffer(buffer);
    }

    /// Notes a picture, which counts for the time of `stall`. True if there are clients.
    pub fn sees(&self, stall: Duration) -> bool {
        *self.pictured.lock() = Some(Instant::now() + stall);
        self.sources.lock().is_some()
    }

    /// True while a picture counts, or the first one is waited for.
    pub fn has_picture(&self) -> bool {
        self.pictured.lock().is_some_and(|until| Instant::now() < until)
    }

    fn open(&self, bin: &gst::Bin) {
        let source = |name: &str| bin.by_name(name)?.downcast::<AppSrc>().ok();
        let (Some(video), Some(text)) = (source("video"), source("text")) else { return };
        text.set_caps(Some(&gst::Caps::new_empty_simple("application/x-ndjson")));
        let onvif = source("onvif");
        if let Some(onvif) = &onvif {
            onvif.set_caps(onvif::CAPS.parse().ok().as_ref());
        }
        let mut sources = Sources { video, text, onvif, told: Instant::now() };
        // Pushed before the media plays: it stays queued until then.
        sources.say_nothing(None);
        *self.sources.lock() = Some(sources);
    }

    /// Forgets the sources of the media that ends, unless there is a newer one.
    fn close(&self, video: Option<&gst::Element>) {
        let mut sources = self.sources.lock();
        if sources.as_ref().map(|sources| sources.video.upcast_ref()) == video {
            *sources = None;
        }
    }
}

/// Lets a pipeline play before all sinks have data. A client with another protocol than the others' gets sinks of its own. That of the
/// records has no data before the next record, and the pictures of all clients would stop until then.
fn play_without_data(element: &gst::Element) {
    if element.has_property_with_type("async", bool::static_type()) {
        element.set_property("async", false);
    }
}

/// The factory of the media, which exists from the first client to the last.
fn factory(outlet: &Arc<Outlet>, has_onvif: bool) -> Result<RTSPMediaFactory, RtspError> {
    let factory = one_media::Factory::new(outlet.clone());
    if has_onvif {
        onvif::register()?;
    }
    factory.set_launch(&format!("( {} )", media(&encoding::encoder()?, has_onvif)));
    factory.set_shared(true);
    let outlet = outlet.clone();
    factory.connect_media_configure(move |_, media| {
        let Ok(bin) = media.element().downcast::<gst::Bin>() else { return };
        outlet.open(&bin);
        bin.by_name(STREAM_ENCODER).iter().for_each(pace_keyframes);
        if let Some(pipeline) = bin.parent().and_downcast::<gst::Bin>() {
            pipeline.connect_element_added(|_, element| play_without_data(element));
        }
        let ending = outlet.clone();
        media.connect_target_state(move |_, state| {
            if state == gst::State::Null.into_glib() {
                ending.media.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (outlet, video) = (outlet.clone(), bin.by_name("video"));
        media.connect_unprepared(move |_| outlet.close(video.as_ref()));
    });
    Ok(factory.upcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_in_brackets() {
        for (listen, expected) in [("127.0.0.1:8554", "rtsp://127.0.0.1:8554/faces"), ("[::1]:8554", "rtsp://[::1]:8554/faces")] {
            assert_eq!(url(listen.parse().unwrap(), "/faces"), expected);
        }
    }

    #[test]
    fn the_media_has_a_payloader_for_each_stream_with_any_encoder() {
        gst::init().unwrap();
        onvif::register().unwrap();
        for encoder in encoding::ENCODERS.iter().filter(|encoder| gst::ElementFactory::find(encoder.element).is_some()) {
            let bin = gst::parse::bin_from_description(&media(encoder, true), false).unwrap();
            assert!([STREAM_ENCODER, "pay0", "pay1", "pay2"].iter().all(|name| bin.by_name(name).is_some()), "{}", encoder.element);
        }
    }

    #[test]
    fn while_a_media_ends_clients_get_another_one() {
        gst::init().unwrap();
        let outlet = Arc::new(Outlet::default());
        let factory = factory(&outlet, false).unwrap();
        let url = gst_rtsp::RTSPUrl::parse("rtsp://127.0.0.1/faces").1.unwrap();
        outlet.sees(Duration::from_secs(60));
        let construct = || factory.construct(&url).unwrap();
        let media = construct();
        assert!(construct() == media, "one for all clients");
        media.emit_by_name::<()>("target-state", &[&gst::State::Null.into_glib()]);
        let next = construct();
        assert!(next != media && construct() == next);
    }

    #[test]
    fn buffers_are_dropped_until_the_media_plays() {
        gst::init().unwrap();
        let media =
            gst::parse::launch("appsrc name=text is-live=true format=time do-timestamp=true ! appsink name=sink sync=false async=false");
        let media = media.unwrap().downcast::<gst::Pipeline>().unwrap();
        let text = media.by_name("text").and_then(|source| source.downcast::<AppSrc>().ok()).unwrap();
        let sink = media.by_name("sink").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok()).unwrap();
        let outlet = Outlet::default();
        *outlet.sources.lock() = Some(Sources { video: text.clone(), text: text.clone(), onvif: None, told: Instant::now() });
        // Analysis has run for a second.
        let analysis = gst::Pipeline::new();
        let clock = gst::SystemClock::obtain();
        analysis.set_base_time(clock.time() - gst::ClockTime::SECOND);
        outlet.follow(&analysis);
        let push = || {
            let mut buffer = gst::Buffer::from_slice(b"{}");
            buffer.make_mut().set_pts(gst::ClockTime::from_seconds(2));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            let caps = gst::Caps::new_empty_simple("application/x-ndjson");
            outlet.push(Stream::Text, &gst::Sample::builder().buffer(&buffer).caps(&caps).segment(&segment).build());
        };
        media.set_state(gst::State::Paused).unwrap();
        // As when a pipeline that is starting distributes its clock.
        text.set_clock(Some(&clock)).unwrap();
        push();
        assert_eq!(text.current_level_buffers(), 0);

        media.set_state(gst::State::Playing).unwrap();
        let (played, ..) = media.state(gst::ClockTime::from_seconds(10));
        played.unwrap();
        push();
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(10)).expect("the pushed buffer");
        let time = sample.buffer().and_then(gst::BufferRef::pts).expect("a time");
        assert!(time <= gst::ClockTime::SECOND, "a second after the start of the analysis: {time}");
        media.set_state(gst::State::Null).unwrap();
    }
}
