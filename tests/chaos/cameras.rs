// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network cameras that show one film: each frame says its number, of which a camera adds its own part. One server, in this process.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst_app::AppSrc;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{
    RTSP_PERM_MEDIA_FACTORY_ACCESS, RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, RTSP_TOKEN_MEDIA_FACTORY_ROLE, RTSPAuth, RTSPMedia,
    RTSPMediaFactory, RTSPServer, RTSPToken,
};
use test_support::truth_film::{Path, TruthFilm};
use test_support::zoo::{quiet_server, reorder};

use crate::schedule::{Kind, Random};

/// Frames per second.
pub const RATE: u32 = 5;
/// Frames from one key frame to the next.
pub const KEY_INTERVAL: u32 = 10;
/// The numbers of a camera begin at its index times this. Those of 17 cameras are below 2²⁰.
pub const NUMBERS: u32 = 61_000;
/// A face is there on the first `WITH_FACE` of each `ROUND` frames.
pub const ROUND: u32 = 60;
pub const WITH_FACE: u32 = 40;
/// Pictures and their size.
pub const SIZE: (usize, usize) = (320, 240);
const NORMAL: &str = "video/x-raw,format=I420,width=320,height=240";
const LARGE: &str = "video/x-raw,format=I420,width=480,height=360";
const COLOURFUL: &str = "video/x-raw,format=Y42B,width=320,height=240";
/// Who may see a camera, and how.
const USER: &str = "viewer";
const PASSWORD: &str = "secret-of-cameras";
/// Frames of a bundle.
const BUNDLE: usize = 8;
/// Of a hundred packets, so many are left out.
const LOST_PERCENT: u64 = 5;
/// Of a hundred packets, so many come after the next one.
const REORDERED_PERCENT: u64 = 10;

/// The film.
pub fn film() -> TruthFilm {
    TruthFilm::new(SIZE.0, SIZE.1, Path::Smooth)
}

/// True if frame `number` of a camera shows a face.
pub fn has_face(number: u32) -> bool {
    round_of(number) < WITH_FACE
}

/// The position of a frame in its round. Faces come at other times in each camera.
pub fn round_of(number: u32) -> u32 {
    (number % NUMBERS + 7 * (number / NUMBERS)) % ROUND
}

/// All cameras.
pub struct Cameras {
    /// The port of the server.
    pub port: u16,
    cameras: Vec<Arc<Camera>>,
    /// Which users may see a camera.
    auth: RTSPAuth,
    /// When each frame was shown, in seconds from the start.
    shown: Arc<Mutex<Vec<f64>>>,
    is_ended: Arc<AtomicBool>,
    main_loop: glib::MainLoop,
}

#[derive(Default)]
struct Camera {
    stalls: AtomicBool,
    bundles: AtomicBool,
    is_large: AtomicBool,
    is_colourful: AtomicBool,
    halves: AtomicBool,
    damages: Arc<AtomicBool>,
    reorders: Arc<AtomicBool>,
    media: Mutex<Option<Media>>,
}

/// What is served.
struct Media {
    film: AppSrc,
    format: gst::Element,
    caps: &'static str,
    waiting: Vec<gst::Buffer>,
}

impl Cameras {
    /// Serves `count` cameras, from `start` on, at `/0`, `/1` and so on.
    pub fn serve(count: usize, start: Instant) -> Self {
        gst::init().expect("GStreamer starts");
        let server = quiet_server();
        server.set_service("0");
        // A thread for each client. A camera that stalls does not answer DESCRIBE, and would hold up the clients of other cameras.
        server.thread_pool().expect("a thread pool").set_max_threads(-1);
        let auth = RTSPAuth::new();
        server.set_auth(Some(&auth));
        (0..count).for_each(|index| permit(&auth, index, true));
        let cameras: Vec<_> = (0..count).map(|index| serve(&server, index)).collect();
        let context = glib::MainContext::new();
        server.attach(Some(&context)).expect("a free port");
        let (port, main_loop) = (server.bound_port() as u16, glib::MainLoop::new(Some(&context), false));
        let looping = main_loop.clone();
        std::thread::spawn(move || {
            looping.run();
            drop(server);
        });
        let all = Self { port, cameras, auth, shown: Arc::default(), is_ended: Arc::default(), main_loop };
        let (cameras, shown, is_ended) = (all.cameras.clone(), all.shown.clone(), all.is_ended.clone());
        std::thread::spawn(move || show(&cameras, start, &shown, &is_ended));
        all
    }

    /// Begins or ends what a camera does.
    pub fn misbehave(&self, index: usize, kind: Kind, is_on: bool) {
        let camera = &self.cameras[index];
        match kind {
            Kind::Stall => camera.stalls.store(is_on, SeqCst),
            Kind::Bundles => camera.bundles.store(is_on, SeqCst),
            Kind::Resize => camera.is_large.store(is_on, SeqCst),
            Kind::Profile => camera.is_colourful.store(is_on, SeqCst),
            Kind::HalfRate => camera.halves.store(is_on, SeqCst),
            Kind::Damage => camera.damages.store(is_on, SeqCst),
            Kind::Reorder => camera.reorders.store(is_on, SeqCst),
            Kind::Revoke => permit(&self.auth, index, !is_on),
            _ => {}
        }
    }

    /// When each frame was shown, in seconds from the start.
    pub fn shown(&self) -> Vec<f64> {
        self.shown.lock().expect("no panic").clone()
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        self.is_ended.store(true, SeqCst);
        self.main_loop.quit();
    }
}

/// Lets the user of a camera in, by basic authentication, or not any more.
fn permit(auth: &RTSPAuth, index: usize, is_permitted: bool) {
    let basic = RTSPAuth::make_basic(&format!("{USER}{index}"), PASSWORD);
    if is_permitted {
        auth.add_basic(&basic, &RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE, USER).build());
    } else {
        auth.remove_basic(&basic);
    }
}

/// The address of a camera behind a port.
pub fn address(index: usize, port: u16) -> String {
    format!("rtsp://{USER}{index}:{PASSWORD}@127.0.0.1:{port}/{index}")
}

fn serve(server: &RTSPServer, index: usize) -> Arc<Camera> {
    let factory = RTSPMediaFactory::new();
    factory.set_shared(true);
    let role = gst::Structure::builder(USER).field(RTSP_PERM_MEDIA_FACTORY_ACCESS, true).field(RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true);
    factory.add_role_from_structure(&role.build());
    factory.set_launch(&format!(
        "( appsrc name=film is-live=true format=time caps=video/x-raw,format=RGB,width={},height={},framerate={RATE}/1 \
         ! videoconvert ! videoscale ! capsfilter name=format caps={NORMAL} ! x264enc tune=zerolatency speed-preset=ultrafast \
         pass=quant quantizer=12 key-int-max={KEY_INTERVAL} ! h264parse ! rtph264pay pt=96 config-interval=-1 ! identity name=pay0 )",
        SIZE.0, SIZE.1
    ));
    let camera = Arc::<Camera>::default();
    let configured = camera.clone();
    factory.connect_media_configure(move |_, media| configured.serve(media));
    server.mount_points().expect("mount points").add_factory(&format!("/{index}"), factory);
    camera
}

impl Camera {
    /// Takes a media as the one that is served.
    fn serve(&self, media: &RTSPMedia) {
        let bin = media.element().downcast::<gst::Bin>().expect("a bin");
        let named = |name: &str| bin.by_name(name).expect("an element");
        let film = named("film").downcast::<AppSrc>().expect("an appsrc");
        let (damages, random) = (self.damages.clone(), Mutex::new(Random(1)));
        named("pay0").static_pad("src").expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let is_lost = random.lock().expect("no panic").below(100) < LOST_PERCENT;
            if is_lost && damages.load(SeqCst) { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
        });
        named("pay0").static_pad("sink").expect("a pad").add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| take_any(info));
        let (reorders, mut random) = (self.reorders.clone(), Random(1));
        reorder(&named("pay0"), move || reorders.load(SeqCst) && random.below(100) < REORDERED_PERCENT);
        *self.media.lock().expect("no panic") = Some(Media { film, format: named("format"), caps: NORMAL, waiting: Vec::new() });
    }

    fn show(&self, picture: Vec<u8>) {
        let mut served = self.media.lock().expect("no panic");
        let Some(media) = served.as_mut().filter(|_| !self.stalls.load(SeqCst)) else { return };
        let caps = match (self.is_large.load(SeqCst), self.is_colourful.load(SeqCst)) {
            (true, _) => LARGE,
            (_, true) => COLOURFUL,
            _ => NORMAL,
        };
        if media.caps != caps {
            media.caps = caps;
            media.format.set_property("caps", caps.parse::<gst::Caps>().expect("caps"));
        }
        let Some(time) = media.film.current_running_time() else { return };
        let mut buffer = gst::Buffer::from_mut_slice(picture);
        buffer.get_mut().expect("a new buffer").set_pts(time);
        media.waiting.push(buffer);
        if !self.bundles.load(SeqCst) || media.waiting.len() >= BUNDLE {
            // Fails if no client plays any more.
            for buffer in media.waiting.drain(..) {
                let _ = media.film.push_buffer(buffer);
            }
        }
    }
}

/// Answers that any caps are taken, so that the encoder may choose another profile than that of the session's description.
fn take_any(info: &mut gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
    let Some(gst::PadProbeData::Query(query)) = &mut info.data else { return gst::PadProbeReturn::Ok };
    let gst::QueryViewMut::Caps(query) = query.view_mut() else { return gst::PadProbeReturn::Ok };
    query.set_result(&gst::Caps::new_empty_simple("application/x-rtp"));
    gst::PadProbeReturn::Handled
}

/// Shows the film in all cameras.
fn show(cameras: &[Arc<Camera>], start: Instant, shown: &Mutex<Vec<f64>>, is_ended: &AtomicBool) {
    let (film, empty) = (film(), film().only(0..0));
    for number in 0.. {
        let at = Duration::from_secs(1) * number / RATE;
        std::thread::sleep((start + at).saturating_duration_since(Instant::now()));
        if is_ended.load(SeqCst) {
            return;
        }
        shown.lock().expect("no panic").push(start.elapsed().as_secs_f64());
        for (index, camera) in cameras.iter().enumerate().filter(|(_, camera)| number % 2 == 0 || !camera.halves.load(SeqCst)) {
            let number = number + NUMBERS * index as u32;
            let film = if has_face(number) { &film } else { &empty };
            camera.show(film.render(number, at.as_micros() as u64));
        }
    }
}
