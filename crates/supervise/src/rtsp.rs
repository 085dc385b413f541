// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network camera by RTSP: which of its streams is read, how its session is kept, and what it says about its clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use parking_lot::Mutex;

use crate::encoding::{SOUND_NAMES, Sound, rtp_name};
use crate::log::Log;

/// Time between two requests that keep a session. Sessions without requests end after 60 s with most cameras, with some after 30 s
/// or less.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Packets by TCP that wait for the decoder at most: those of some seconds.
const MAX_WAITING: u32 = 2048;
/// Seconds from 1900, where the time of a sender report begins, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// The streams of a camera that are known, by their numbers.
#[derive(Debug, Default)]
struct Streams {
    videos: BTreeSet<u32>,
    sound: Option<u32>,
}

/// The number of the video that is requested.
pub type Video = Arc<Mutex<Option<u32>>>;

/// Lets `camera`, an `rtspsrc`, request its video number `wanted`, from 1, and with `sound` the first sound that recordings can have, and
/// nothing else: the camera does not send what is not requested. `sound` says why there is none.
pub fn select(camera: &gst::Element, wanted: usize, sound: Option<&Log>) -> Video {
    let (streams, selected, log) = (Mutex::new(Streams::default()), Video::default(), sound.cloned());
    let video = selected.clone();
    camera.connect("select-stream", false, move |arguments| {
        let (number, caps) = (arguments[1].get::<u32>().ok()?, arguments[2].get::<gst::Caps>().ok()?);
        let mut streams = streams.lock();
        // The streams are asked for again when the protocol changes.
        let is_selected = match caps.structure(0)?.get::<&str>("media") {
            Ok("audio") => log.as_ref().is_some_and(|log| is_recordable(&caps, log)) && *streams.sound.get_or_insert(number) == number,
            Ok(media) if media != "video" => false,
            _ => {
                streams.videos.insert(number);
                let is_wanted = streams.videos.iter().position(|video| *video == number) == Some(wanted - 1);
                is_wanted.then(|| *selected.lock() = Some(number));
                is_wanted
            }
        };
        Some(is_selected.to_value())
    });
    video
}

/// True if recordings can have the sound. Otherwise `log` says what was found.
fn is_recordable(caps: &gst::CapsRef, log: &Log) -> bool {
    let is_known = Sound::of(caps).is_some();
    if !is_known {
        let found = rtp_name(caps).unwrap_or("something unknown");
        log.say(format_args!("the sound is not recorded: expected {SOUND_NAMES}, found {found}"));
    }
    is_known
}

/// Calls `take` with the RTP time of each packet of `video` that arrives at `camera`, an `rtspsrc`, and with its running time, which by
/// TCP the first one has. Keeps the session alive: before version 1.28, `rtspsrc` does that over UDP alone.
///
/// The request is sent from the thread that reads the connection, between two packets. From another thread it would interrupt
/// that one within a packet.
pub fn watch_data<T>(camera: &gst::Element, video: &Video, take: T)
where
    T: Fn(Option<(u32, Option<gst::ClockTime>)>) + Clone + Send + Sync + 'static,
{
    let last = Arc::new(Mutex::new(Instant::now()));
    let (camera_of, video) = (camera.downgrade(), video.clone());
    connect_manager(camera, move |manager| {
        let (take, last, camera, video) = (take.clone(), last.clone(), camera_of.clone(), video.clone());
        manager.connect_pad_added(move |_, pad| {
            if video.lock().is_none_or(|video| pad.name() != format!("recv_rtp_sink_{video}")) {
                return;
            }
            let (take, last, camera) = (take.clone(), last.clone(), camera.clone());
            pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
                take(info.buffer().and_then(|packet| Some((u32::from_be_bytes(field(packet, 4)?), packet.dts_or_pts()))));
                let mut last = last.lock();
                if last.elapsed() >= KEEPALIVE {
                    *last = Instant::now();
                    camera.upgrade().iter().for_each(keep_alive);
                }
                gst::PadProbeReturn::Ok
            });
        });
    });
}

/// Keeps packets that arrive at once at `camera`, an `rtspsrc` by TCP, as they do after a pause of the network or of this program. With
/// `drop-on-latency`, its jitter buffer drops them if they span more time than its latency, which is less than the time between two frames
/// of some cameras. Without it, any number is kept. So once 2,048 packets wait for a decoder that is too slow, new ones are left out.
pub fn keep_bundles(camera: &gst::Element) {
    connect_manager(camera, |manager| {
        manager.connect("new-jitterbuffer", false, |arguments| {
            limit_waiting(&arguments[1].get::<gst::Element>().ok()?);
            None
        });
    });
}

fn limit_waiting(jitter_buffer: &gst::Element) -> Option<()> {
    // How many packets wait, and the number of the last one that came in.
    let waiting = Arc::new(Mutex::new((0_u32, None)));
    let left = waiting.clone();
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    jitter_buffer.static_pad("src")?.add_probe(mask, move |_, info| {
        let list = info.buffer_list();
        let number = match list {
            Some(list) => list.get(list.len().saturating_sub(1)).and_then(sequence_number),
            None => info.buffer().and_then(|packet| sequence_number(packet)),
        };
        let (count, last) = &mut *left.lock();
        // Packets that came twice or late do not leave.
        *count = if number == *last { 0 } else { count.saturating_sub(list.map_or(1, |list| list.len() as u32)) };
        gst::PadProbeReturn::Ok
    });
    jitter_buffer.static_pad("sink")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let (count, last) = &mut *waiting.lock();
        if *count >= MAX_WAITING {
            return gst::PadProbeReturn::Handled;
        }
        (*count, *last) = (*count + 1, info.buffer().and_then(|packet| sequence_number(packet)));
        gst::PadProbeReturn::Ok
    });
    Some(())
}

/// The number of an RTP packet.
fn sequence_number(packet: &gst::BufferRef) -> Option<u16> {
    field(packet, 2).map(u16::from_be_bytes)
}

/// The bytes of an RTP packet from `offset` on (RFC 3550, section 5.1).
fn field<const LENGTH: usize>(packet: &gst::BufferRef, offset: usize) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    packet.copy_to_slice(offset, &mut bytes).ok()?;
    Some(bytes)
}

/// Sends a request that changes nothing.
fn keep_alive(camera: &gst::Element) {
    // The camera answers, or says that it does not know the parameter: both are signs of life.
    let is_sent = camera.emit_by_name::<bool>("get-parameter", &[&"position", &None::<String>, &gst::Promise::new()]);
    if !is_sent {
        gst::debug!(gst::CAT_DEFAULT, obj = camera, "the session is not kept alive");
    }
}

/// Calls `take` with each sender report of `video` of `camera`, an `rtspsrc`: a running time, and what the camera's clock said then, in
/// nanoseconds since 1970.
pub fn watch_reports(camera: &gst::Element, video: &Video, take: impl Fn(i64, i64) + Clone + Send + Sync + 'static) {
    let video = video.clone();
    connect_manager(camera, move |manager| {
        let (take, video) = (take.clone(), video.clone());
        manager.connect("new-jitterbuffer", false, move |arguments| {
            let take = Some(take.clone()).filter(|_| arguments[2].get().ok() == *video.lock())?;
            arguments[1].get::<gst::Element>().ok()?.connect("handle-sync", false, move |arguments| {
                let sync = arguments[1].get::<gst::Structure>().ok()?;
                let (running, unix) = clock_of(&sync)?;
                take(running, unix);
                None
            });
            None
        });
    });
}

/// Calls `take` with the `rtpbin` of `camera`.
fn connect_manager(camera: &gst::Element, take: impl Fn(&gst::Element) + Send + Sync + 'static) {
    camera.connect("new-manager", false, move |arguments| {
        take(&arguments[1].get::<gst::Element>().ok()?);
        None
    });
}

/// A running time and the camera's clock then, of what a jitter buffer says about a sender report.
fn clock_of(sync: &gst::StructureRef) -> Option<(i64, i64)> {
    let report = sync.get::<gst::Buffer>("sr-buffer").ok()?;
    let unix = unix_ns(&report.map_readable().ok()?)?;
    // The RTP time of a frame whose running time is known.
    let (base_rtp, base_time) = (sync.get::<u64>("base-rtptime").ok()?, sync.get::<u64>("base-time").ok()?);
    let (report_rtp, rate) = (sync.get::<u64>("sr-ext-rtptime").ok()?, sync.get::<u32>("clock-rate").ok()?);
    let since = (i128::from(report_rtp) - i128::from(base_rtp)) * 1_000_000_000 / i128::from(rate.max(1));
    Some((i64::try_from(i128::from(base_time) + since).ok()?, unix))
}

/// The time of a sender report, the first packet of these bytes. `None` if the camera has no clock (RFC 3550, section 6.4.1).
fn unix_ns(report: &[u8]) -> Option<i64> {
    let ntp = report.get(8..16).filter(|_| report[1] == 200)?;
    let ntp = u64::from_be_bytes(ntp.try_into().ok()?);
    let seconds = (ntp >> 32).checked_sub(NTP_TO_UNIX)?;
    i64::try_from(u128::from(seconds) * 1_000_000_000 + ((u128::from(ntp as u32) * 1_000_000_000) >> 32)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_wait_are_limited_and_later_ones_pass_again() {
        gst::init().unwrap();
        let line = "appsrc name=in max-bytes=0 ! queue name=buffer max-size-buffers=0 max-size-bytes=0 max-size-time=0 \
                    ! appsink name=out sync=false max-buffers=1";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let named = |name: &str| pipeline.by_name(name).unwrap();
        let (entry, end) = (named("in").downcast::<gst_app::AppSrc>().unwrap(), named("out").downcast::<gst_app::AppSink>().unwrap());
        limit_waiting(&named("buffer")).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let push = |numbers: std::ops::Range<u16>| {
            for number in numbers {
                let packet = [&[0x80, 96][..], &number.to_be_bytes(), &[0; 8]].concat();
                entry.push_buffer(gst::Buffer::from_mut_slice(packet)).unwrap();
            }
            while entry.current_level_buffers() > 0 {
                std::thread::yield_now();
            }
        };
        let pull = || sequence_number(end.pull_sample().ok()?.buffer()?);
        push(0..4000);
        let first: Vec<u16> = (0..MAX_WAITING).filter_map(|_| pull()).collect();
        assert!(first.into_iter().eq(0..MAX_WAITING as u16), "none is lost before");
        push(5000..5010);
        entry.end_of_stream().unwrap();
        let rest: Vec<u16> = std::iter::from_fn(pull).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(rest.len() < 15 && rest.ends_with(&(5000..5010).collect::<Vec<_>>()), "those of the sink and the later ones: {rest:?}");
    }

    #[test]
    fn the_time_of_a_sender_report_is_read() {
        let report = |seconds: u64, fraction: u32| {
            let ntp = ((seconds + NTP_TO_UNIX) << 32 | u64::from(fraction)).to_be_bytes();
            unix_ns(&[&[0x80, 200, 0, 6, 1, 2, 3, 4][..], &ntp, &[0; 12]].concat())
        };
        assert_eq!(report(1_700_000_000, 1 << 31), Some(1_700_000_000_500_000_000));
        assert_eq!(unix_ns(&[&[0x80, 200, 0, 6, 1, 2, 3, 4][..], &[0; 20]].concat()), None, "a camera without a clock");
        assert_eq!(unix_ns(&[0x80, 201, 0, 1]), None, "another packet");
    }
}
