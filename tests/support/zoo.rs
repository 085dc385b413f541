// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network cameras with the habits of real ones, each by its name: one RTSP server for all of them, in the process of the test.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory, RTSPServer};

use crate::average_faces::{Key, Scene};
use crate::truth_film::Mark;

/// Frames per second of all cameras.
pub const RATE: u32 = 25;
/// Nanoseconds from one frame to the next.
const FRAME_NS: u64 = 1_000_000_000 / RATE as u64;
/// Seconds from 1900, where the times of sender reports begin.
const HOUR: u32 = 3600;

/// Looks at a buffer and its number, and drops it if the result is false.
type Take = Box<dyn FnMut(u32, &mut gst::BufferRef) -> bool + Send>;

/// What a camera does that others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Nothing.
    None,
    /// Holds back this many frames and sends them at once.
    Bundles(u64),
    /// Sends a keyframe each so many seconds, and a client always joins after one.
    RareKeyframes(u32),
    /// Ends a session after so many seconds without a request.
    EndsSessions(u32),
    /// Sends nothing after so many frames of its first session.
    Stalls(u32),
    /// Has another size, rate and colour format after so many frames.
    Changes(u32),
    /// Has sound, a second and larger video, and metadata beside the video.
    ManyStreams,
    /// Loses this share of its packets, in thousandths.
    Loses(u32),
    /// Sends each packet of this number after the next one.
    Reorders(u32),
    /// Begins its RTP times again at 0 after so many packets.
    RestartsTimes(u32),
    /// Its clock is this many hours ahead.
    HoursAhead(u32),
    /// Its clock is this many milliseconds ahead.
    MillisecondsAhead(u32),
    /// Its clock steps back by these milliseconds after so many sender reports.
    StepsBack(u32, u32),
    /// Every third sender report has a time of its own.
    WrongReports,
    /// Sends no sender reports.
    NoReports,
}

/// A camera that is served until it is dropped.
pub struct Camera {
    /// Its address.
    pub address: String,
    /// Names of the requests that clients sent, and the streams that they set up.
    pub requests: Arc<Mutex<Vec<String>>>,
    /// Number of sessions that clients began.
    pub sessions: Arc<AtomicU32>,
    main_loop: glib::MainLoop,
    running: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    /// A camera that shows one face, which does not move.
    pub fn start(quirk: Quirk, folder: &Path) -> Self {
        Self::serve(quirk, folder, |_| {})
    }

    /// A camera whose frames have numbers, which go on from session to session, in bars over the face: see [`crate::truth_film`].
    pub fn with_bars(quirk: Quirk, folder: &Path) -> Self {
        let numbers = Arc::<AtomicU32>::default();
        Self::serve(quirk, folder, move |bin| draw_bars(bin, &numbers))
    }

    fn serve(quirk: Quirk, folder: &Path, prepare: impl Fn(&gst::Bin) + Send + Sync + 'static) -> Self {
        gst::init().expect("GStreamer starts");
        let (width, height) = (320, 240);
        let picture = folder.join("zoo.rgb");
        let still = [0.0, 1000.0].map(|at_s| Key::new(at_s, (160.0, 120.0), 140.0, "happiness"));
        std::fs::write(&picture, Scene::new(width, height).actor(still.to_vec()).render(0.0)).expect("a picture");
        let server = quiet_server();
        server.set_service("0"); // any free port
        let factory = RTSPMediaFactory::new();
        factory.set_launch(&line(quirk, &picture));
        let sessions = Arc::<AtomicU32>::default();
        let number = sessions.clone();
        factory.connect_media_configure(move |_, media| {
            misbehave(media, quirk, number.fetch_add(1, Relaxed));
            media.element().downcast_ref::<gst::Bin>().into_iter().for_each(&prepare);
        });
        server.mount_points().expect("mount points").add_factory("/live", factory);
        let requests = Arc::default();
        note_requests(&server, &requests, quirk);
        let context = glib::MainContext::new();
        server.attach(Some(&context)).expect("a free port");
        let address = format!("rtsp://127.0.0.1:{}/live", server.bound_port());
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let looping = main_loop.clone();
        let running = std::thread::spawn(move || {
            looping.run();
            drop(server);
        });
        Self { address, requests, sessions, main_loop, running: Some(running) }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.main_loop.quit();
        self.running.take().map(std::thread::JoinHandle::join);
    }
}

/// A server that does not warn of each session: it asks the element called `pay0` for `pt`, which those behind a payloader lack.
pub fn quiet_server() -> RTSPServer {
    glib::log_set_handler(Some("GLib-GObject"), glib::LogLevels::LEVEL_WARNING, false, false, |_, _, text| {
        if !text.contains("no property named 'pt'") {
            eprintln!("{text}");
        }
    });
    RTSPServer::new()
}

/// The launch line of a camera: a picture, an encoder, and what the probes of [`misbehave`] look for by name.
fn line(quirk: Quirk, picture: &Path) -> String {
    let still = |width: u32, height: u32| {
        format!(
            "filesrc location={} blocksize=230400 ! rawvideoparse format=rgb width=320 height=240 framerate={RATE}/1 ! videoconvert \
             ! imagefreeze is-live=true ! video/x-raw,format=I420,framerate={RATE}/1 ! videoconvert ! videoscale ! videorate \
             ! capsfilter name=filter{width} caps=video/x-raw,format=I420,width={width},height={height},framerate={RATE}/1",
            picture.display()
        )
    };
    let keyframes = if let Quirk::RareKeyframes(seconds) = quirk { seconds * RATE } else { RATE };
    let encode = |name: &str, pay: u32| {
        format!(
            "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={keyframes} ! h264parse ! video/x-h264,stream-format=avc \
             ! queue max-size-buffers=0 max-size-time=0 ! identity name={name} ! rtph264pay pt={} config-interval=-1 mtu=400 \
             ! identity name=pay{pay}",
            96 + pay
        )
    };
    if quirk == Quirk::ManyStreams {
        return format!(
            "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 {} ! {} {} ! {} \
             videotestsrc is-live=true ! video/x-raw,width=16,height=16,framerate=1/1 ! rtpgstpay name=pay3 pt=107 )",
            still(320, 240),
            encode("encoded", 1),
            still(640, 480),
            encode("larger", 2)
        );
    }
    format!("( {} ! {} )", still(320, 240), encode("encoded", 0))
}

/// Adds the probes of a quirk to a media, which is number `session` of its camera.
fn misbehave(media: &RTSPMedia, quirk: Quirk, session: u32) {
    let bin = media.element().downcast::<gst::Bin>().expect("a bin");
    let frames = |take: Take| on_buffers(&bin, "encoded", take);
    let packets = |take: Take| on_buffers(&bin, "pay0", take);
    match quirk {
        Quirk::Bundles(size) => {
            let mut start = None;
            frames(Box::new(move |index, _| {
                let start = *start.get_or_insert_with(Instant::now);
                let last = u64::from(index) / size * size + size - 1;
                std::thread::sleep(Duration::from_nanos(last * FRAME_NS).saturating_sub(start.elapsed()));
                true
            }));
        }
        // The decoder is told what it needs beside the first keyframe by the description of the session.
        Quirk::RareKeyframes(_) => frames(Box::new(|index, _| index > 0)),
        Quirk::Stalls(after) => frames(Box::new(move |index, _| session > 0 || index < after)),
        Quirk::Changes(after) => {
            let filter = bin.by_name("filter320").expect("a capsfilter");
            frames(Box::new(move |index, _| {
                if index == after {
                    let rate = format!("video/x-raw,format=Y444,width=480,height=360,framerate={}/1", RATE / 2);
                    filter.set_property("caps", rate.parse::<gst::Caps>().expect("caps"));
                }
                true
            }));
        }
        Quirk::Loses(thousandths) => {
            let mut state = 1_u32;
            packets(Box::new(move |index, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                index < 100 || (state >> 8) % 1000 >= thousandths
            }));
        }
        Quirk::Reorders(nth) => {
            let mut number = 0;
            reorder(&bin.by_name("pay0").expect("an identity"), move || {
                number += 1;
                number % nth == 0
            });
        }
        Quirk::RestartsTimes(after) => {
            let (mut begin, mut last) = (None, 0);
            packets(Box::new(move |index, packet| {
                change(packet, 4, |time| {
                    // With the first packet of a frame.
                    if index >= after && time != last {
                        begin.get_or_insert(time);
                    }
                    last = time;
                    begin.map_or(time, |begin| time.wrapping_sub(begin))
                });
                true
            }));
        }
        _ => {}
    }
    media.connect_prepared(move |media| report(media, quirk));
}

/// Calls `take` with the number of each buffer of the element `name`, which is dropped if that is false.
fn on_buffers(bin: &gst::Bin, name: &str, mut take: Take) {
    let Some(pad) = bin.by_name(name).and_then(|element| element.static_pad("src")) else { return };
    let state = Mutex::new((0, move |number, buffer: &mut gst::BufferRef| take(number, buffer)));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let mut state = state.lock().expect("no panic");
        let number = state.0;
        state.0 += 1;
        if (state.1)(number, buffer.make_mut()) { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
    });
}

/// Sends a packet that passes `element` after the next one if `is_late`.
pub fn reorder(element: &gst::Element, is_late: impl FnMut() -> bool + Send + 'static) {
    let [packets, sent] = ["sink", "src"].map(|name| element.static_pad(name).expect("a pad"));
    let waiting = Mutex::new((is_late, None));
    packets.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let (is_late, late) = &mut *waiting.lock().expect("no panic");
        let Some(packet) = info.buffer().cloned() else { return gst::PadProbeReturn::Ok };
        match late.take() {
            Some(late) => {
                for packet in [packet, late] {
                    // Fails if no client plays any more.
                    let _ = sent.push(packet);
                }
            }
            None if is_late() => *late = Some(packet),
            None => return gst::PadProbeReturn::Ok,
        }
        gst::PadProbeReturn::Handled
    });
}

/// Numbers the frames that leave the filter of the smaller video.
fn draw_bars(bin: &gst::Bin, numbers: &Arc<AtomicU32>) {
    let numbers = numbers.clone();
    let pad = bin.by_name("filter320").and_then(|filter| filter.static_pad("src")).expect("a capsfilter");
    let caps_of = pad.downgrade();
    let take: Take = Box::new(move |_, frame| {
        let caps = caps_of.upgrade().and_then(|pad| pad.current_caps());
        let info = caps.and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok()).expect("raw video");
        let mark = Mark { number: numbers.fetch_add(1, Relaxed), time_us: 0, width: info.width(), height: info.height() };
        mark.draw(&mut frame.map_writable().expect("memory"), info.stride()[0] as usize, 1);
        true
    });
    on_buffers(bin, "filter320", take);
}

/// Replaces the 32-bit number at `at`.
fn change(buffer: &mut gst::BufferRef, at: usize, new: impl FnOnce(u32) -> u32) {
    let mut map = buffer.map_writable().expect("memory");
    let bytes: &mut [u8; 4] = (&mut map[at..at + 4]).try_into().expect("four bytes");
    *bytes = new(u32::from_be_bytes(*bytes)).to_be_bytes();
}

/// Sends a sender report each fifth of a second, with the clock of the camera.
fn report(media: &RTSPMedia, quirk: Quirk) {
    let sessions = (0..media.n_streams()).filter_map(|index| media.stream(index)?.rtpsession());
    sessions.for_each(|session| session.set_property("rtcp-min-interval", 200_000_000_u64));
    let pipeline = media.element().parent().and_downcast::<gst::Bin>().expect("a pipeline");
    let rtpbin = pipeline.iterate_elements().into_iter().flatten().find(|element| element.factory().is_some_and(|f| f.name() == "rtpbin"));
    for pad in rtpbin.expect("an rtpbin").src_pads().into_iter().filter(|pad| pad.name().starts_with("send_rtcp")) {
        let number = AtomicU32::new(0);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
            let is_report = buffer.map_readable().is_ok_and(|map| map.get(1) == Some(&200));
            if is_report && quirk == Quirk::NoReports {
                return gst::PadProbeReturn::Handled;
            }
            if is_report {
                misdate(buffer.make_mut(), quirk, number.fetch_add(1, Relaxed));
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Changes the time of sender report `number`.
fn misdate(report: &mut gst::BufferRef, quirk: Quirk, number: u32) {
    let shift = |report: &mut gst::BufferRef, ms: i64| {
        let (mut high, mut low) = (0, 0);
        change(report, 8, |seconds| {
            high = seconds;
            seconds
        });
        change(report, 12, |fraction| {
            low = fraction;
            fraction
        });
        let shifted = (u64::from(high) << 32 | u64::from(low)).wrapping_add_signed((ms << 32) / 1000);
        change(report, 8, |_| (shifted >> 32) as u32);
        change(report, 12, |_| shifted as u32);
    };
    match quirk {
        Quirk::HoursAhead(hours) => change(report, 8, |seconds| seconds.wrapping_add(hours * HOUR)),
        Quirk::MillisecondsAhead(ms) => shift(report, ms.into()),
        Quirk::StepsBack(ms, after) if number >= after => shift(report, -i64::from(ms)),
        Quirk::WrongReports if number % 3 == 2 => change(report, 8, |seconds| seconds.wrapping_mul(number)),
        _ => {}
    }
}

/// Notes the requests of clients, and closes those that send none for too long.
fn note_requests(server: &RTSPServer, requests: &Arc<Mutex<Vec<String>>>, quirk: Quirk) {
    let requests = requests.clone();
    server.connect_client_connected(move |_, client| {
        let last = Arc::new(Mutex::new(Instant::now()));
        let note = |name: &'static str| {
            let (requests, last) = (requests.clone(), last.clone());
            move |context: &gst_rtsp_server::RTSPContext| {
                *last.lock().expect("no panic") = Instant::now();
                let uri = context.uri().map(|uri| uri.request_uri().to_string()).unwrap_or_default();
                requests.lock().expect("no panic").push(format!("{name} {uri}"));
            }
        };
        let (options, setup, play) = (note("OPTIONS"), note("SETUP"), note("PLAY"));
        let (get, set) = (note("GET_PARAMETER"), note("SET_PARAMETER"));
        client.connect_options_request(move |_, context| options(context));
        client.connect_setup_request(move |_, context| setup(context));
        client.connect_play_request(move |_, context| play(context));
        client.connect_get_parameter_request(move |_, context| get(context));
        client.connect_set_parameter_request(move |_, context| set(context));
        if let Quirk::EndsSessions(seconds) = quirk {
            client.connect_new_session(move |_, session| {
                session.set_timeout(seconds);
                session.set_timeout_always_visible(true);
            });
            let client = client.downgrade();
            std::thread::spawn(move || {
                while let Some(client) = client.upgrade() {
                    if last.lock().expect("no panic").elapsed() > Duration::from_secs(seconds.into()) {
                        client.close();
                        return;
                    }
                    drop(client);
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
}
